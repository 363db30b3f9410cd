//! What may be deleted, by whom, and from where.

use std::collections::HashMap;

use bytes::Bytes;
use clew_model::Tenant;
use clew_server::ServerConfig;
use http::StatusCode;

use crate::server::{Server, config};
use crate::wire::{Answer, Way, export, http1, request, span};

async fn delete(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    http1(server.address, request("DELETE", path, headers, Bytes::new())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_deleted_by_itself_and_with_its_name_alone() {
    let tokens = HashMap::from([("s3cret".to_owned(), Tenant::new("paid").unwrap())]);
    let server = Server::with(ServerConfig { tokens, ..config() }).await;
    let bearer = ("authorization", "Bearer s3cret");
    let header = ("x-scope-orgid", "acme");
    for (path, headers, parameter) in [
        ("/v1/tenants/default", &[][..], "confirm"),
        ("/v1/tenants/default?confirm=yes", &[], "confirm"),
        ("/v1/tenants/default?confirm=Default", &[], "confirm"),
        ("/v1/tenants/default?confirm=default", &[bearer], "tenant"),
        ("/v1/tenants/default?confirm=default", &[header], "tenant"),
        ("/v1/tenants/a%2Fb?confirm=a%2Fb", &[], "tenant"),
        ("/v1/tenants/default?confirm=default&force=1", &[], "force"),
        ("/v1/traces/xyz", &[], "id"),
        ("/v1/traces/4bf92f3577b34da6a3ce929d0e0e4736?tenant=acme", &[bearer], "tenant"),
        ("/v1/traces/4bf92f3577b34da6a3ce929d0e0e4736?confirm=1", &[], "confirm"),
    ] {
        let answer = delete(&server, path, headers).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {headers:?} {answer:?}");
        assert_eq!(answer.json()["parameter"], parameter, "{path}");
    }
    let unknown = [("authorization", "Bearer other")];
    assert_eq!(delete(&server, "/v1/tenants/x?confirm=x", &unknown).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let server = Server::start().await;
    Way::Protobuf.send(server.address, &export("shop", vec![span(1, "s")])).await.partial_success();
    for path in ["/v1/tenants/acme?confirm=acme", "/v1/traces/4bf92f3577b34da6a3ce929d0e0e4736"] {
        assert_eq!(delete(&server, path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_origin_deletes() {
    let server = Server::with(ServerConfig { cors_origins: vec!["*".to_owned()], ..config() }).await;
    let path = "/v1/tenants/default?confirm=default";
    let preflight = [("origin", "https://evil.example"), ("access-control-request-method", "DELETE")];
    let answer = http1(server.address, request("OPTIONS", path, &preflight, Bytes::new())).await;
    let allowed = answer.header("access-control-allow-methods");
    assert!(allowed.contains("POST") && !allowed.contains("DELETE") && !allowed.contains('*'), "{answer:?}");
    // A name that was made to resolve to loopback is not this server's.
    let answer = delete(&server, path, &[("host", "evil.example")]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}
