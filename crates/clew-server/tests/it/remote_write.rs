//! Figures are sent when they are asked for, and what becomes of that is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use clew_server::{RemoteWrite, ServerConfig};
use http::StatusCode;

use crate::server::{Server, config};
use crate::wire::get;

/// A receiver whose answers depend on how many requests came before; where it is, and how many came.
async fn receiver(answer: fn(usize) -> Response) -> (http::Uri, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let router = Router::new().fallback(move || std::future::ready(answer(counted.fetch_add(1, Ordering::Relaxed))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/write", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, count)
}

fn writing(url: http::Uri, every: Duration) -> ServerConfig {
    let remote_write = RemoteWrite { url, every, authorization: None, host: "here".to_owned() };
    ServerConfig { remote_write: Some(remote_write), ..config() }
}

/// Waits until a figure meets a condition.
async fn wait_for(server: &Server, name: &str, enough: impl Fn(f64) -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let figures = server.figures().await;
        if enough(figures[name]) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{name} stays {}", figures[name]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_comes_at_the_start_and_another_at_the_stop() {
    let (url, count) = receiver(|_| StatusCode::NO_CONTENT.into_response()).await;
    let mut server = Server::with(writing(url, Duration::from_hours(1))).await;
    wait_for(&server, "clew_remote_write_last_success_seconds", |seconds| seconds > 0.0).await;
    let figures = server.figures().await;
    assert_eq!(figures["clew_remote_write_requests_total{outcome=\"taken\"}"], 1.0);
    assert_eq!(figures["clew_remote_write_failed_samples_total"], 0.0);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    server.stop().await.unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_counted_and_after_ten_rounds_the_server_is_degraded() {
    let (url, _) = receiver(|_| StatusCode::NOT_FOUND.into_response()).await;
    let server = Server::with(writing(url, Duration::from_millis(50))).await;
    wait_for(&server, "clew_remote_write_requests_total{outcome=\"refused\"}", |count| count >= 11.0).await;
    let health = get(server.address, "/v1/health").await.json();
    assert_eq!((&health["status"], &health["reasons"][0]["name"]), (&"degraded".into(), &"remote_write_failed".into()));
    let detail = health["reasons"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("the receiver answered 404 Not Found"), "{detail}");
    let figures = server.figures().await;
    assert!(figures["clew_remote_write_failed_samples_total"] > 1_000.0, "each round has some hundred samples");
    assert_eq!(get(server.address, "/v1/ready").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_not_there_delays_no_stop() {
    let nobody = http::Uri::from_static("http://127.0.0.1:1/write");
    let mut server = Server::with(writing(nobody, Duration::from_hours(1))).await;
    wait_for(&server, "clew_remote_write_requests_total{outcome=\"unanswered\"}", |count| count >= 1.0).await;
    tokio::time::timeout(Duration::from_secs(5), server.stop()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_a_receiver_put_off_has_all_of_its_time() {
    let (url, _) = receiver(|before| match before {
        0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        _ => StatusCode::OK.into_response(),
    })
    .await;
    let begun = tokio::time::Instant::now();
    let server = Server::with(writing(url, Duration::from_millis(500))).await;
    wait_for(&server, "clew_remote_write_last_success_seconds", |seconds| seconds > 0.0).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "it was left alone as long as it asked");
    let figures = server.figures().await;
    let count = |outcome| figures[&format!("clew_remote_write_requests_total{{outcome=\"{outcome}\"}}")];
    assert_eq!((count("later"), count("unanswered")), (1.0, 0.0));
    assert!(figures["clew_remote_write_failed_samples_total"] > 0.0, "the first round is lost");
}
