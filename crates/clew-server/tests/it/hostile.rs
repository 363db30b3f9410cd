//! Requests that nobody well-meaning sends, byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::Server;
use crate::wire::get;

/// What a server says to these bytes until it closes the connection, which it must do by itself.
async fn said(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has seen enough may close before all is written.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection stays open after {:?}", String::from_utf8_lossy(&answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn status_lines(answer: &str) -> Vec<&str> {
    answer.lines().filter(|line| line.starts_with("HTTP/1.1 ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_end_is_in_doubt_smuggles_no_other() {
    let server = Server::start().await;
    let smuggled = "GET /v1/ready HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let start = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let chunked = "2\r\n{}\r\n0\r\n\r\n";
    for (lengths, expected) in [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "HTTP/1.1 200 OK"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "HTTP/1.1 200 OK"),
        ("Content-Length: 2\r\nContent-Length: 3\r\n", "HTTP/1.1 400 Bad Request"),
        ("Content-Length: +12\r\n", "HTTP/1.1 400 Bad Request"),
        ("Transfer-Encoding: xchunked\r\n", "HTTP/1.1 400 Bad Request"),
        ("Transfer-Encoding : chunked\r\n", "HTTP/1.1 400 Bad Request"),
        ("Transfer-Encoding: chunked, identity\r\n", "HTTP/1.1 400 Bad Request"),
    ] {
        let answer = said(server.address, format!("{start}{lengths}\r\n{chunked}{smuggled}").as_bytes()).await;
        assert_eq!(status_lines(&answer), [expected], "{lengths}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_bounded_and_noise_is_turned_away() {
    let server = Server::start().await;
    let start = "GET /v1/ready HTTP/1.1\r\nHost: localhost\r\n";
    let long = format!("{start}X: {}\r\n\r\n", "a".repeat(1 << 20));
    let many = format!("{start}{}\r\n", "X: a\r\n".repeat(200));
    let target = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(100_000));
    for (request, expected) in [
        (long.as_str(), "HTTP/1.1 431 Request Header Fields Too Large"),
        (&many, "HTTP/1.1 431 Request Header Fields Too Large"),
        (&target, "HTTP/1.1 414 URI Too Long"),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n", "HTTP/1.1 400 Bad Request"),
    ] {
        assert_eq!(status_lines(&said(server.address, request.as_bytes()).await), [expected]);
    }
    assert_eq!(get(server.address, "/v1/ready").await.status, 200);
}

/// An HTTP/2 frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header field without indexing (RFC 7541, section 6.2.2); name and value are shorter than 127 bytes.
fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_over_http2_end_their_own_connection_only() {
    const GOAWAY: u8 = 7;
    let server = Server::start().await;
    let head = [(":method", "POST"), (":scheme", "http"), (":path", "/v1/traces"), (":authority", "localhost")];
    let head: Vec<u8> = head.iter().flat_map(|(name, value)| field(name, value)).collect();
    let reset = |number: u32| {
        let stream = 2 * number + 1;
        [frame(1, 4, stream, &head), frame(3, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    let resets: Vec<u8> = (0..20_000).flat_map(reset).collect();
    let continuation = frame(9, 0, 1, &field("x", &"y".repeat(100)));
    let endless_head = [frame(1, 0, 1, &head), continuation.repeat(20_000)].concat();
    for flood in [resets, endless_head] {
        let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[])].concat();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let _ = stream.write_all(&[preface, flood].concat()).await;
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "the connection goes on");
        let (mut kinds, mut rest) = (Vec::new(), &answer[..]);
        while let Some((frame, _)) = rest.split_first_chunk::<9>() {
            kinds.push(frame[3]);
            let length = u32::from_be_bytes([0, frame[0], frame[1], frame[2]]) as usize;
            rest = rest.get(9 + length..).unwrap_or_default();
        }
        // When the reset overtakes what was said before it, the end of the connection alone tells.
        assert!(kinds.contains(&GOAWAY) || ended.unwrap().is_err(), "{kinds:?}");
        assert_eq!(get(server.address, "/v1/ready").await.status, 200);
    }
}
