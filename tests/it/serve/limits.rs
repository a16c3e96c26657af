//! Nothing is without a limit.

use std::sync::Arc;
use std::time::Duration;

use meshbench::model::digest::Digest;
use meshbench::sync::server::{Limits, open_store};
use object_store::ObjectStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Server, TOKEN, note, refused, until};

fn store(folder: &tempfile::TempDir) -> Arc<dyn ObjectStore> {
    open_store(folder.path().to_str().unwrap()).unwrap()
}

fn head(digest: Digest, rest: &str) -> Vec<u8> {
    format!(
        "PUT /v1/spaces/me/records/{digest} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}ann\r\n{rest}\r\n\r\n"
    )
    .into_bytes()
}

/// Sends bytes as they are; what is answered until the other side closes.
async fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is a close too.
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::over(store(&folder), Limits { record_bytes: 1000, ..Limits::default() }).await;
    let declared = raw(&server, &head(Digest::of(b""), "content-length: 1001")).await;
    assert!(declared.starts_with("HTTP/1.1 413") && declared.contains("too_large"), "{declared}");
    let mut chunked = head(Digest::of(b""), "transfer-encoding: chunked");
    chunked.extend(format!("3e9\r\n{}\r\n", "x".repeat(1001)).into_bytes());
    let chunked = raw(&server, &chunked).await;
    assert!(chunked.starts_with("HTTP/1.1 413") && chunked.contains("too_large"), "{chunked}");
    assert_eq!(server.put("ann", "me", &note(1, "small")).await.status(), 201);
    server.stop().await;
}

#[tokio::test]
async fn a_space_takes_no_more_than_its_quota() {
    let folder = tempfile::tempdir().unwrap();
    let first = note(1, "a");
    let limits = Limits { space_bytes: first.len() as u64, ..Limits::default() };
    let server = Server::over(store(&folder), limits).await;
    assert_eq!(server.put("ann", "me", &first).await.status(), 201);
    assert_eq!(refused(server.put("ann", "me", &note(2, "a")).await).await, (413, "quota".to_owned()));
    assert_eq!(server.put("ann", "me", &first).await.status(), 200);
    assert_eq!(server.put("bob", "me", &first).await.status(), 201);
    server.stop().await;
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back_and_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { burst: 2, rate_per_sec: 0.1, ..Limits::default() };
    let server = Server::over(store(&folder), limits).await;
    for _ in 0..2 {
        assert_eq!(server.get("ann", "/v1/me").await.status(), 200);
    }
    let many = server.get("ann", "/v1/me").await;
    let seconds: u64 = many.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");
    assert_eq!(refused(many).await, (429, "too_many".to_owned()));
    assert_eq!(server.get("bob", "/v1/me").await.status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn heads_and_bodies_that_do_not_come_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let short = Duration::from_millis(300);
    let limits = Limits { head_time: short, body_time: short, ..Limits::default() };
    let server = Server::over(store(&folder), limits).await;
    let mut slow = head(Digest::of(b""), "content-length: 100");
    slow.push(b'x');
    let body = raw(&server, &slow).await;
    assert!(body.starts_with("HTTP/1.1 408") && body.contains("\"slow\""), "{body}");
    let head = raw(&server, b"GET /healthz HTTP/1.1\r\nhost").await;
    assert!(!head.contains("200"), "{head}");
    server.stop().await;
}

#[tokio::test]
async fn a_stop_lets_an_upload_end_and_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(store(&folder), Limits::default()).await;
    let bytes = note(1, "slowly");
    let (first, rest) = bytes.split_at(10);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let length = format!("content-length: {}\r\nexpect: 100-continue", bytes.len());
    stream.write_all(&head(Digest::of(&bytes), &length)).await.unwrap();
    // By this it is known that the upload has begun.
    let mut answer = vec![0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(first).await.unwrap();
    let _ = server.stop.take().unwrap().send(());
    let address = server.address;
    until("the end of listening", || async move { TcpStream::connect(address).await.is_err() }).await;
    stream.write_all(rest).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    server.task.await.unwrap().unwrap();
}
