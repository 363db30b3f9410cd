//! What may be pinned, by whom, and how readers see it.

use std::collections::HashMap;

use bytes::Bytes;
use clew_model::Tenant;
use clew_server::ServerConfig;
use http::StatusCode;
use serde_json::json;

use crate::server::{Server, config};
use crate::wire::{Answer, Way, export, http1, post, request, span, trace_id};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn pin(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    post(server.address, path, headers, Bytes::from(body.to_owned())).await
}

async fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    http1(server.address, request("GET", path, headers, Bytes::new())).await
}

async fn unpin(server: &Server, path: &str) -> Answer {
    http1(server.address, request("DELETE", path, &[], Bytes::new())).await
}

async fn stored(server: &Server) -> String {
    Way::Protobuf.send(server.address, &export("shop", vec![span(1, "s")])).await.partial_success();
    format!("/v1/traces/{}", trace_id(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_pinned_listed_and_let_go() {
    let server = Server::start().await;
    let trace = stored(&server).await;
    let path = format!("{trace}/pin");
    let plain = get(&server, &trace, &[]).await;
    assert_eq!((plain.json().get("pinned"), plain.status), (None, StatusCode::OK));

    let answer = pin(&server, &path, &[JSON], r#"{"note":"  the outage "}"#).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let pinned = answer.json()["pinned"].clone();
    assert_eq!((&pinned["tenant"], &pinned["note"]), (&json!("default"), &json!("the outage")));
    assert_eq!(get(&server, "/v1/pins", &[]).await.json(), json!({"pins": [pinned]}));

    let tag = plain.header("etag").to_owned();
    for shape in ["full", "skeleton"] {
        let known = [("if-none-match", tag.as_str())];
        let answer = get(&server, &format!("{trace}?shape={shape}"), &known).await;
        assert_eq!((answer.status, &answer.json()["pinned"]), (StatusCode::OK, &json!(true)), "it is another answer");
        assert!(shape == "full" || answer.header("etag").contains(answer.json()["version"].as_str().unwrap()));
        let tag = answer.header("etag").to_owned();
        let again = get(&server, &format!("{trace}?shape={shape}"), &[("if-none-match", &tag)]).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    }
    // An empty body is no note.
    let answer = pin(&server, &path, &[JSON], "").await;
    assert_eq!(answer.json()["pinned"].get("note"), None);

    let answer = unpin(&server, &path).await;
    assert_eq!(
        (answer.status, &answer.json()["unpinned"]["traceId"]),
        (StatusCode::OK, &json!(trace_id(1).to_string()))
    );
    assert_eq!(get(&server, "/v1/pins", &[]).await.json(), json!({"pins": []}));
    assert_eq!(unpin(&server, &path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_pinned_is_told_why() {
    let tokens = HashMap::from([("s3cret".to_owned(), Tenant::new("paid").unwrap())]);
    let server = Server::with(ServerConfig { tokens, ..config() }).await;
    let path = format!("{}/pin", stored(&server).await);
    let long = format!(r#"{{"note":"{}"}}"#, "x".repeat(201));
    for (path, headers, body, status, parameter) in [
        (path.as_str(), &[][..], "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
        (&path, &[("content-type", "text/plain")], "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
        (&path, &[JSON], "nonsense", StatusCode::BAD_REQUEST, Some("body")),
        (&path, &[JSON], r#"{"text":"x"}"#, StatusCode::BAD_REQUEST, Some("body")),
        (&path, &[JSON], r#"{"note":"a\nb"}"#, StatusCode::BAD_REQUEST, Some("note")),
        (&path, &[JSON], &long, StatusCode::BAD_REQUEST, Some("note")),
        ("/v1/traces/xyz/pin", &[JSON], "", StatusCode::BAD_REQUEST, Some("id")),
        ("/v1/traces/4bf92f3577b34da6a3ce929d0e0e4736/pin", &[JSON], "", StatusCode::NOT_FOUND, None),
        // Another tenant's trace is none.
        (&path, &[JSON, ("authorization", "Bearer s3cret")], "", StatusCode::NOT_FOUND, None),
        (&path, &[JSON, ("authorization", "Bearer other")], "", StatusCode::UNAUTHORIZED, None),
    ] {
        let answer = pin(&server, path, headers, body).await;
        assert_eq!(answer.status, status, "{path} {headers:?} {body} {answer:?}");
        assert_eq!(answer.json()["parameter"].as_str(), parameter, "{body}");
    }
    assert_eq!(get(&server, "/v1/pins", &[]).await.json(), json!({"pins": []}));
    let answer = get(&server, "/v1/pins?limit=1", &[]).await;
    assert_eq!(answer.json()["parameter"], "limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_trace_takes_its_pin_along() {
    let server = Server::start().await;
    let trace = stored(&server).await;
    assert_eq!(pin(&server, &format!("{trace}/pin"), &[JSON], "{}").await.status, StatusCode::OK);
    assert_eq!(unpin(&server, &trace).await.status, StatusCode::OK);
    assert_eq!(get(&server, "/v1/pins", &[]).await.json(), json!({"pins": []}));
}
