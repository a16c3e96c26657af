//! Several servers over one store.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use meshbench::model::digest::Digest;
use meshbench::sync::server::{Limits, open_store};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use reqwest::Method;
use tokio::net::TcpStream;

use super::{Server, note, until};
use crate::kube::free_port;

/// Where `./test` puts it; tests/s3/requirements.txt says the same.
const MOTO: &str = "moto-5.2.5";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_share_a_folder_make_one_order_of_what_they_take_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    share(open_store(place).unwrap(), open_store(place).unwrap(), 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_share_a_bucket_make_one_order_of_what_they_take_at_once() {
    let s3 = S3::start().await;
    share(s3.store(), s3.store(), 10).await;
}

/// Both are sent some that only they get and some that both get, all at once.
async fn share(one: Arc<dyn ObjectStore>, other: Arc<dyn ObjectStore>, count: u128) {
    let (one, other) =
        tokio::join!(Server::over(one, Limits::default()), Server::over(other, Limits::default()));
    assert_eq!(one.epoch().await, other.epoch().await);
    let record = |number: u128| note(number, "at once");
    let of_one = (0..count).map(|number| (&one, "ann", record(number)));
    let of_other = (count / 2..count + count / 2).map(|number| (&other, "bob", record(number)));
    let all: Vec<_> = of_one.chain(of_other).collect();
    let puts = all.iter().map(|(server, who, bytes)| server.put(who, "perf", bytes));
    for answer in join_all(puts).await {
        assert!(answer.status().is_success(), "{}: {}", answer.status(), answer.text().await.unwrap());
    }
    let seen = one.changes("ann", "perf", 0, 500).await.changes;
    assert_eq!(seen, other.changes("bob", "perf", 0, 500).await.changes);
    let numbers: Vec<u64> = seen.iter().map(|change| change.seq).collect();
    assert_eq!(numbers, (1..=u64::try_from(count + count / 2).unwrap()).collect::<Vec<_>>());
    let digests: BTreeSet<Digest> = seen.iter().map(|change| change.digest).collect();
    assert_eq!(digests, all.iter().map(|(_, _, bytes)| Digest::of(bytes)).collect());
    for digest in digests {
        let back = other.record("ann", "perf", digest).await;
        assert_eq!(Digest::of(&back.bytes().await.unwrap()), digest);
    }
    assert_eq!(one.ask("ann", Method::DELETE, "/v1/me").send().await.unwrap().status(), 204);
    let left = other.changes("bob", "perf", 0, 500).await.changes;
    assert!(
        left.iter().all(|change| change.author.is_empty() || change.author.starts_with("bob")),
        "{left:?}"
    );
    one.stop().await;
    other.stop().await;
}

/// A server that is not ours and speaks S3, with one bucket.
pub(super) struct S3 {
    process: Child,
    pub(super) url: String,
}

impl S3 {
    pub(super) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
        let program = cache.join("meshbench/tools").join(MOTO).join("bin/moto_server");
        assert!(program.is_file(), "a server that speaks S3 is missing; get it with: ./test parts");
        let port = free_port();
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let s3 = Self { process, url: format!("http://127.0.0.1:{port}") };
        let address = ("127.0.0.1", port);
        until("the server that speaks S3", || async move { TcpStream::connect(address).await.is_ok() }).await;
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        let made = client.put(format!("{}/records", s3.url)).send().await.unwrap();
        assert!(made.status().is_success(), "{}", made.status());
        s3
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        let builder = AmazonS3Builder::new()
            .with_endpoint(&self.url)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name("records")
            .with_access_key_id("test")
            .with_secret_access_key("test");
        Arc::new(builder.build().unwrap())
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
