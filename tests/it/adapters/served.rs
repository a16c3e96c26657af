//! What we serve ourselves: bounded in everything, and it ends when told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use meshbench::adapter::{Backend, Client, Login, Reporter, ServerTls, serve};
use meshbench::model::adapter::{AdapterEvent, AdapterFacts, Category, Operation, OperationRequest};
use meshbench::proto::meshes::mesh_service_client::MeshServiceClient;
use meshbench::proto::meshes::{ApplyRuleRequest, EventsRequest, MeshNameRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Code;

use super::peers::channel;
use super::{Ear, at, request, within};

/// Begins operations, and ends none before it is told to.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<Vec<Reporter>>>, Arc<Mutex<Vec<String>>>);

impl Slow {
    fn end_all(&self) {
        for report in self.0.lock().unwrap().drain(..) {
            report.tell(AdapterEvent { summary: "ended".to_owned(), ..AdapterEvent::default() });
        }
    }
}

impl Backend for Slow {
    fn facts(&self) -> AdapterFacts {
        let operation =
            |category, key: &str| Operation { category, text: format!("The {key}"), key: key.to_owned() };
        AdapterFacts {
            name: "SLOW".to_owned(),
            operations: vec![operation(Category::Validate, "look"), operation(Category::Custom, "custom")],
            ..AdapterFacts::default()
        }
    }

    fn apply(&self, request: OperationRequest, _: Vec<Login>, report: Reporter) {
        self.1.lock().unwrap().push(format!("{} in “{}”", request.key, request.namespace));
        self.0.lock().unwrap().push(report);
    }
}

struct Ours {
    address: SocketAddr,
    slow: Slow,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Vec<String>, meshbench::adapter::ServeError>>,
}

impl Ours {
    async fn start() -> Self {
        Self::start_with(None).await
    }

    async fn start_with(tls: Option<ServerTls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let slow = Slow::default();
        let task = tokio::spawn(serve(listener, tls, Arc::new(slow.clone()), async {
            let _ = stopped.await;
        }));
        Self { address, slow, stop, task }
    }

    async fn client(&self) -> Arc<Client> {
        Arc::new(Client::connect(at(self.address)).await.expect("an adapter"))
    }

    /// What was cut, and how long it took to end.
    async fn end(self) -> (Vec<String>, Duration) {
        let begun = Instant::now();
        self.stop.send(()).expect("it is served");
        let cut = within("its end", self.task).await.expect("a task").expect("a good end");
        (cut, begun.elapsed())
    }
}

fn certificate() -> ServerTls {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    ServerTls { certificate: key.cert.pem().into(), key: key.signing_key.serialize_pem().into() }
}

/// An adapter over TLS, for as long as the test's runtime lives.
pub(super) async fn with_tls() -> SocketAddr {
    let Ours { address, stop, task, .. } = Ours::start_with(Some(certificate())).await;
    // It ends when this is dropped.
    std::mem::forget(stop);
    drop(task);
    address
}

/// A client that is heard: what it asks for after this comes back to it.
async fn hears(client: &Arc<Client>, ear: &mut Ear) {
    loop {
        client.apply(&request("probe", "no-such"), &[], None).await.expect("it is taken on");
        if ear.events.try_recv().is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_end_waits_for_no_one_who_listens_and_none_who_says_nothing() {
    let ours = Ours::start().await;
    let mut ears = Vec::new();
    for _ in 0..4 {
        let client = ours.client().await;
        let mut ear = Ear::of(&client);
        hears(&client, &mut ear).await;
        ears.push((client, ear));
    }
    // One that never begins, and one that begins and then never reads what it is told.
    let _silent = TcpStream::connect(ours.address).await.expect("a connection");
    let mut deaf = TcpStream::connect(ours.address).await.expect("a connection");
    deaf.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("it is taken");
    let (cut, took) = ours.end().await;
    assert!(cut.is_empty() && took < Duration::from_secs(2), "{cut:?} {took:?}");
    for (_, ear) in &mut ears {
        within("the end of the stream", &mut ear.task).await.expect("a task");
    }
}

#[tokio::test]
async fn an_operation_that_ends_in_time_is_heard_of_and_one_that_does_not_is_named() {
    let ours = Ours::start().await;
    let client = ours.client().await;
    let mut ear = Ear::of(&client);
    hears(&client, &mut ear).await;
    client.apply(&request("one", "custom"), &[], None).await.expect("it is taken on");
    let slow = ours.slow.clone();
    let end = tokio::spawn(ours.end());
    // No more is begun once the end is near.
    let refused = loop {
        match client.apply(&request("two", "custom"), &[], None).await {
            Ok(()) => tokio::task::yield_now().await,
            Err(refused) => break refused,
        }
    };
    assert!(refused.cause.contains("about to stop"), "{refused}");
    slow.end_all();
    let mut event = ear.next().await;
    while event.operation_id == "probe" {
        event = ear.next().await;
    }
    assert_eq!(event.summary, "ended");
    let (cut, _) = within("the end", end).await.expect("a task");
    assert_eq!(cut, [] as [String; 0]);

    let ours = Ours::start().await;
    ours.client().await.apply(&request("three", "custom"), &[], None).await.expect("it is taken on");
    let (cut, took) = ours.end().await;
    assert_eq!(cut, ["The custom"]);
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test]
async fn more_operations_than_there_is_room_for_are_refused_until_one_has_ended() {
    let ours = Ours::start().await;
    let client = ours.client().await;
    for number in 0..16 {
        client.apply(&request(&number.to_string(), "custom"), &[], None).await.expect("there is room");
    }
    let refused = client.apply(&request("more", "custom"), &[], None).await.expect_err("there is none");
    assert!(refused.cause.contains("16 operations go on"), "{refused}");
    assert!(refused.advice.contains("Wait"), "{refused}");
    ours.slow.end_all();
    client.apply(&request("again", "custom"), &[], None).await.expect("there is room again");
}

#[tokio::test]
async fn an_empty_namespace_is_the_whole_cluster_for_a_search_only() {
    let ours = Ours::start().await;
    let client = ours.client().await;
    client.ask().await.expect("its facts");
    for key in ["look", "custom"] {
        client.apply(&request("one", key), &[], None).await.expect("it is taken on");
    }
    assert_eq!(*ours.slow.1.lock().unwrap(), ["look in “”", "custom in “default”"]);
}

#[tokio::test]
async fn more_connections_than_there_is_room_for_are_closed_and_room_comes_back() {
    let ours = Ours::start().await;
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(TcpStream::connect(ours.address).await.expect("a connection"));
    }
    let mut beyond = TcpStream::connect(ours.address).await.expect("the system takes it");
    let mut byte = [0];
    let read = within("its end", beyond.read(&mut byte)).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    held.clear();
    let mut tries = 0;
    while Client::connect(at(ours.address)).await.is_err() {
        tries += 1;
        assert!(tries < 100, "there is room again");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_says_nothing_is_let_go_of_with_and_without_tls() {
    let (plain, tls) = (Ours::start().await, Ours::start_with(Some(certificate())).await);
    let begun = Instant::now();
    let wait = async |address| {
        let mut silent = TcpStream::connect(address).await.expect("a connection");
        let mut rest = Vec::new();
        // However it is ended.
        let _ = within("its end", silent.read_to_end(&mut rest)).await;
    };
    tokio::join!(wait(plain.address), wait(tls.address));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_and_the_connection_stays() {
    let ours = Ours::start().await;
    let mut stub = MeshServiceClient::new(channel(format!("http://{}", ours.address)).await);
    let long = ApplyRuleRequest {
        op_name: "custom".to_owned(),
        custom_body: "x".repeat(5 << 20),
        ..ApplyRuleRequest::default()
    };
    let refused = stub.apply_operation(long).await.expect_err("5 MiB");
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    assert!(ours.slow.1.lock().unwrap().is_empty());
    let many = ApplyRuleRequest { kube_configs: vec!["x".to_owned(); 17], ..ApplyRuleRequest::default() };
    assert_eq!(stub.apply_operation(many).await.expect_err("17 logins").code(), Code::InvalidArgument);
    stub.mesh_name(MeshNameRequest {}).await.expect("it still answers");
}

#[tokio::test]
async fn as_many_listen_as_there_is_room_for() {
    let ours = Ours::start().await;
    let mut streams = Vec::new();
    let mut refused = None;
    'all: for _ in 0..10 {
        let stub = MeshServiceClient::new(channel(format!("http://{}", ours.address)).await);
        for _ in 0..32 {
            match stub.clone().stream_events(EventsRequest {}).await {
                Ok(stream) => streams.push(stream),
                Err(status) => {
                    refused = Some(status);
                    break 'all;
                }
            }
        }
    }
    let refused = refused.expect("there is an end of it");
    assert_eq!((refused.code(), streams.len()), (Code::ResourceExhausted, 256), "{refused}");
    let (_, took) = ours.end().await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}
