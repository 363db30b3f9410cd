//! A lost acknowledgement makes a client send again: the spans are stored once.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clew_sim::workload::Workload;

use crate::server::{Running, post};

#[test]
fn a_request_whose_acknowledgement_was_swallowed_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path());
    let swallowed = Arc::new(AtomicUsize::new(0));
    let proxy = swallowing_proxy(server.address.clone(), Arc::clone(&swallowed));
    let mut workload = Workload::new(11);
    let mut spans = 0;
    for number in 0..20_u64 {
        let request = workload.next_request(50, 1_763_600_000_000_000_000 + number);
        spans += request.len();
        let body = clew_wire::otlp::encode(&request);
        // As an exporter does: send until there is an answer, each time over a connection of its own.
        let answered = (0..3).any(|_| {
            let config =
                ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).http_status_as_error(false);
            post(&config.build().into(), &proxy, &body).is_ok_and(|status| status == 200)
        });
        assert!(answered, "request {number}");
    }
    assert_eq!(swallowed.load(Ordering::Relaxed), 20, "each first acknowledgement was lost");
    let metrics = server.get("/metrics").1;
    let figure = |name: &str| -> f64 {
        let lines = metrics.as_str().unwrap().lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let live = figure("clew_live_spans ");
    assert!((live - spans as f64).abs() < 0.5, "{spans} spans sent, {live} stored\n{metrics}");
    server.stop();
}

/// Forwards connections; of each request's two, the first one's answer is swallowed once it came.
fn swallowing_proxy(target: String, swallowed: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(&target).unwrap());
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            let mut answer = [0; 4096];
            let read = server.read(&mut answer).unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200"), "the server did acknowledge");
            if number % 2 == 0 {
                swallowed.fetch_add(1, Ordering::Relaxed);
            } else {
                client.write_all(&answer[..read]).unwrap();
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut server, &mut client);
                });
                continue;
            }
            let _ = client.shutdown(Shutdown::Both);
        }
    });
    address
}
