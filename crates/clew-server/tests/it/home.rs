//! What a list of traces asks besides a search, over real doors.

use clew_model::Tenant;
use clew_server::ServerConfig;
use http::StatusCode;
use opentelemetry_proto::tonic::trace::v1::Status;
use prost::Message as _;
use serde_json::{Value, json};

use crate::server::{Server, config};
use crate::wire::{TRACES, attribute, export, get, http1, post, request, span, text, trace_id};

/// Sends the spans of a service, for a tenant.
async fn send(server: &Server, tenant: &str, service: &str, spans: Vec<opentelemetry_proto::tonic::trace::v1::Span>) {
    let body = export(service, spans).encode_to_vec();
    let headers = [("content-type", "application/x-protobuf"), ("x-scope-orgid", tenant)];
    post(server.address, TRACES, &headers, body.into()).await.partial_success();
}

async fn ask(server: &Server, path: &str) -> Value {
    let answer = get(server.address, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

async fn refused(server: &Server, path: &str) -> (String, String) {
    let answer = get(server.address, path).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.text());
    let problem = answer.json();
    (problem["parameter"].as_str().unwrap_or_default().to_owned(), problem["detail"].to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heatmap_counts_what_a_search_lists() {
    let server = Server::start().await;
    let mut spans: Vec<_> = (1..=9).map(|number| span(number, "work")).collect();
    spans[3].status = Some(Status { code: 2, message: String::new() });
    send(&server, "default", "shop", spans).await;
    let map = ask(&server, "/v1/traces/heatmap?service=shop&columns=10&rows=4").await;
    assert_eq!(
        (&map["total"], &map["errors"], &map["columns"], &map["rows"]),
        (&json!(9), &json!(1), &json!(10), &json!(4))
    );
    assert_eq!(map["bounds"].as_array().unwrap().len(), 5);
    let sum = |name: &str| map["cells"][name].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("counts") + map["unplaced"].as_u64().unwrap(), map["incomplete"].clone()), (9, Value::Null));
    assert_eq!(ask(&server, "/v1/traces/heatmap?status=error").await["total"], 1);
    assert_eq!(ask(&server, "/v1/traces/heatmap?tenant=other").await["total"], 0);
    for (query, parameter) in [
        ("columns=0", "columns"),
        ("rows=101", "rows"),
        ("sort=start", "sort"),
        ("limit=3", "limit"),
        ("since=x", "since"),
    ] {
        assert_eq!(refused(&server, &format!("/v1/traces/heatmap?{query}")).await.0, parameter);
    }
    let page = ask(&server, "/v1/traces/search?silhouette=true&limit=2").await;
    assert_eq!(page["traces"][0]["silhouette"]["services"], json!([0]));
    assert_eq!(ask(&server, "/v1/traces/search?limit=2").await["traces"][0].get("silhouette"), None);
    let cursor = page["cursor"].as_str().unwrap();
    let next = format!("/v1/traces/search?silhouette=false&limit=2&cursor={cursor}");
    assert_eq!(ask(&server, &next).await["traces"].as_array().unwrap().len(), 2, "bars are no part of the question");
    assert_eq!(refused(&server, "/v1/traces/search?silhouette=1").await.0, "silhouette");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_told_and_a_token_sees_its_own() {
    let tokens = [("s3cret".to_owned(), Tenant::new("acme").unwrap())].into();
    let server = Server::with(ServerConfig { tokens, ..config() }).await;
    assert_eq!(ask(&server, "/v1/tenants").await, json!({ "tenants": [] }));
    for (tenant, number) in [("zeta", 1), ("acme", 2)] {
        send(&server, tenant, "shop", vec![span(number, "work")]).await;
    }
    assert_eq!(ask(&server, "/v1/tenants?tenant=zeta").await, json!({ "tenants": ["acme", "zeta"] }));
    let by_token = [("authorization", "Bearer s3cret")];
    let answer = http1(server.address, request("GET", "/v1/tenants", &by_token, bytes::Bytes::new())).await;
    assert_eq!(answer.json(), json!({ "tenants": ["acme"] }));
    assert_eq!(refused(&server, "/v1/tenants?limit=1").await.0, "limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_values_complete_what_is_typed_and_deleted_traces_have_none() {
    let server = Server::start().await;
    let mut spans: Vec<_> = (1..=6).map(|number| span(number, "work")).collect();
    for (number, span) in spans.iter_mut().enumerate() {
        span.attributes = vec![attribute("http.route", text(if number < 4 { "/Cart" } else { "/pay/cart" }))];
    }
    spans[5].attributes.push(attribute("secret", text("plain")));
    send(&server, "default", "shop", spans).await;
    let keys = ask(&server, "/v1/attributes").await;
    let wanted = json!([
        { "key": "http.route", "scopes": ["span"], "spanCount": 6 },
        { "key": "service.name", "scopes": ["resource"], "spanCount": 6 },
        { "key": "secret", "scopes": ["span"], "spanCount": 1 },
    ]);
    assert_eq!(keys, json!({ "attributes": wanted, "sampled": null, "incomplete": null }));
    let values = ask(&server, "/v1/attributes/values?key=http.route&prefix=CART").await;
    let value = |value: &str, count: u64| json!({ "value": value, "type": "string", "spanCount": count });
    assert_eq!(values["values"], json!([value("/Cart", 4), value("/pay/cart", 2)]));
    assert_eq!(
        ask(&server, "/v1/attributes/values?key=http.route&prefix=/pay&limit=1").await["values"],
        json!([value("/pay/cart", 2)])
    );
    assert_eq!(ask(&server, "/v1/attributes?service=mail").await["attributes"], json!([]));
    assert_eq!(ask(&server, "/v1/attributes?tenant=other").await["attributes"], json!([]));
    let path = format!("/v1/traces/{}", trace_id(6));
    let deleted = http1(server.address, request("DELETE", &path, &[], bytes::Bytes::new())).await;
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.text());
    assert_eq!(ask(&server, "/v1/attributes?prefix=secret").await["attributes"], json!([]));
    assert_eq!(ask(&server, "/v1/attributes/values?key=secret").await["values"], json!([]));
    let (parameter, detail) = refused(&server, "/v1/attributes/values?prefix=x").await;
    assert!(parameter == "key" && detail.contains("key=http.route"), "{detail}");
    assert_eq!(refused(&server, "/v1/attributes?limit=1001").await.0, "limit");
    assert_eq!(refused(&server, "/v1/attributes?since=1h").await.0, "since");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_the_page_at_every_door() {
    let server = Server::start().await;
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for path in ["/", "/t/4bf92f3577b34da6a3ce929d0e0e4736?span=1", "/start"] {
        let page = http1(server.address, request("GET", path, &browser, bytes::Bytes::new())).await;
        assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"), "{path}");
    }
    let text = get(server.address, "/").await.text();
    assert!(text.contains("/v1/traces/heatmap") && text.contains("/v1/attributes"), "{text}");
    let post = http1(server.address, request("POST", "/", &browser, bytes::Bytes::new())).await;
    assert_eq!(post.status, StatusCode::NOT_FOUND, "spans sent to the root are told where to go");
}
