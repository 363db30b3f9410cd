use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A receiver that gives prepared answers, the last of them for ever, and keeps what it was sent.
struct Receiver {
    url: Uri,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// A request: its head in lower case, its body, and when it had come.
#[derive(Clone)]
struct Heard {
    head: String,
    body: Vec<u8>,
    connection: usize,
    at: Instant,
}

impl Receiver {
    async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1/write?x=1", listener.local_addr().unwrap()).parse().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&heard);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, connection, Arc::clone(&keep), answers));
            }
        });
        Self { url, heard }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, connection: usize, heard: Arc<Mutex<Vec<Heard>>>, answers: &[&str]) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let answer = {
            let mut heard = heard.lock().unwrap();
            heard.push(Heard { head, body, connection, at: Instant::now() });
            answers[(heard.len() - 1).min(answers.len() - 1)]
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const TOO_MANY: &str = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
const NOT_BEFORE_LONG: &str = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n";
const BAD: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 21\r\n\r\nout of order sample\r\n";
/// No answer at all.
const SILENCE: &str = "";

fn settings(url: &Uri) -> RemoteWrite {
    let authorization = Some(HeaderValue::from_static("Bearer secret"));
    RemoteWrite { url: url.clone(), every: Duration::from_mins(1), authorization, host: "here".to_owned() }
}

fn request() -> Request {
    Request { body: "the body".into(), sample_count: 3 }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

async fn deliver(client: &mut Client, over: Instant, figures: &WriteFigures) -> Result<(), client::Failed> {
    client.deliver(request(), over, figures).await
}

fn outcomes(figures: &WriteFigures) -> [u64; 4] {
    Outcome::ALL.map(|outcome| figures.requests(outcome))
}

#[tokio::test]
async fn a_request_has_what_the_specification_asks_for_and_connections_are_kept_for_a_round() {
    let receiver = Receiver::start(&[TAKEN]).await;
    let (mut client, figures) = (Client::new(&settings(&receiver.url)), WriteFigures::default());
    for hang_up in [false, true, false] {
        deliver(&mut client, soon(), &figures).await.unwrap();
        if hang_up {
            client.hang_up();
        }
    }
    let heard = receiver.heard();
    let head = &heard[0].head;
    assert!(head.starts_with("post /api/v1/write?x=1 http/1.1\r\n"), "{head}");
    for line in [
        &format!("host: {}", receiver.url.authority().unwrap()),
        "content-type: application/x-protobuf",
        "content-encoding: snappy",
        "x-prometheus-remote-write-version: 0.1.0",
        "authorization: bearer secret",
        &format!("user-agent: clew/{}", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|found| found == line), "{line} in {head}");
    }
    assert_eq!(heard[0].body, b"the body");
    assert_eq!(heard.iter().map(|heard| heard.connection).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(outcomes(&figures), [3, 0, 0, 0]);
}

#[tokio::test]
async fn what_cannot_be_taken_now_is_sent_again_when_the_receiver_wants_it() {
    let receiver = Receiver::start(&[BUSY, TOO_MANY, TAKEN]).await;
    let (mut client, figures) = (Client::new(&settings(&receiver.url)), WriteFigures::default());
    deliver(&mut client, soon(), &figures).await.unwrap();
    let at: Vec<Instant> = receiver.heard().iter().map(|heard| heard.at).collect();
    let apart = [at[1] - at[0], at[2] - at[1]];
    assert!(apart[0] >= Duration::from_millis(990) && apart[1] >= Duration::from_millis(1990), "{apart:?}");
    assert_eq!(outcomes(&figures), [1, 0, 2, 0]);
    assert!(receiver.heard().iter().all(|heard| heard.body == b"the body"));
}

#[tokio::test]
async fn what_is_refused_is_not_sent_again() {
    let receiver = Receiver::start(&[BAD, TAKEN]).await;
    let (mut client, figures) = (Client::new(&settings(&receiver.url)), WriteFigures::default());
    let failed = deliver(&mut client, soon(), &figures).await.unwrap_err();
    assert_eq!(
        (failed.what.as_str(), failed.is_over),
        ("the receiver answered 400 Bad Request: out of order sample", false)
    );
    assert_eq!((receiver.heard().len(), outcomes(&figures)), (1, [0, 1, 0, 0]));
}

#[tokio::test]
async fn a_request_ends_with_its_round_and_a_receiver_is_left_alone_as_long_as_it_asks_but_for_ten_minutes() {
    let receiver = Receiver::start(&[NOT_BEFORE_LONG]).await;
    let (mut client, figures) = (Client::new(&settings(&receiver.url)), WriteFigures::default());
    let begun = Instant::now();
    let failed = deliver(&mut client, soon(), &figures).await.unwrap_err();
    assert!(failed.is_over && begun.elapsed() < Duration::from_secs(10), "{failed:?}");
    let left_alone = client.not_before() - begun;
    assert!((599..=610).contains(&left_alone.as_secs()), "{left_alone:?}");
}

#[tokio::test]
async fn silence_and_nobody_end_with_the_round() {
    let silent = Receiver::start(&[SILENCE]).await;
    let nobody: Uri = "http://127.0.0.1:1/write".parse().unwrap();
    for (url, what) in
        [(&silent.url, "there was no answer in time"), (&nobody, "cannot connect to http://127.0.0.1:1/")]
    {
        let (mut client, figures) = (Client::new(&settings(url)), WriteFigures::default());
        let failed = deliver(&mut client, Instant::now() + Duration::from_millis(200), &figures).await.unwrap_err();
        assert!(failed.is_over && failed.what.starts_with(what), "{failed:?}");
        assert_eq!(outcomes(&figures), [0, 0, 0, 1]);
    }
}
