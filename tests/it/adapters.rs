//! Adapters over real gRPC: of 2019, of the library, our own in both forms, and such as mean ill.

mod app;
mod peers;
mod served;
mod terminal;

use std::sync::Arc;
use std::time::{Duration, Instant};

use meshbench::adapter::{AtStep, Backend, Client, Login, Reporter, ServerTls, Way, in_memory, serve};
use meshbench::model::adapter::{
    AdapterEvent, AdapterFacts, Category, Era, Operation, OperationRequest, Severity,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use self::peers::{First, Hostile, Library, Served, closing, raw};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(30);

fn at(address: impl ToString) -> Way {
    Way::Address { address: address.to_string(), authorities: None }
}

async fn within<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, awaited).await.unwrap_or_else(|_| panic!("{what} did not come"))
}

/// Events as they come, until it is dropped.
struct Ear {
    events: mpsc::UnboundedReceiver<AdapterEvent>,
    task: tokio::task::JoinHandle<meshbench::adapter::WireError>,
}

impl Ear {
    fn of(client: &Arc<Client>) -> Self {
        let (tell, events) = mpsc::unbounded_channel();
        let client = Arc::clone(client);
        let task = tokio::spawn(async move {
            client
                .listen(|event| {
                    let _ = tell.send(event);
                })
                .await
        });
        Self { events, task }
    }

    async fn next(&mut self) -> AdapterEvent {
        within("an event", self.events.recv()).await.expect("it listens")
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn request(id: &str, key: &str) -> OperationRequest {
    OperationRequest { id: id.to_owned(), key: key.to_owned(), ..OperationRequest::default() }
}

fn login() -> Login {
    Login::new("dev".to_owned(), "kind: Config # CANARY-LOGIN".to_owned())
}

#[tokio::test]
async fn an_adapter_of_2019_is_handed_the_login_first_and_tells_how_it_went() {
    let adapter = First::default();
    let served = Served::start(adapter.clone()).await;
    let client = Arc::new(Client::connect(at(served.address)).await.expect("an adapter"));
    let facts = client.ask().await.expect("its facts");
    assert_eq!((facts.name.as_str(), facts.era, facts.version.as_str()), ("Istio", Era::First, ""));
    let keys: Vec<&str> = facts.operations.iter().map(|operation| operation.key.as_str()).collect();
    assert_eq!(keys, ["custom", "istio_install"], "sorted by its words, whatever their order");
    assert!(
        facts.operations.iter().all(|operation| operation.category == Category::Install),
        "a map has none"
    );
    let mut ear = Ear::of(&client);
    served.until_heard().await;
    client.apply(&request("one", "istio_install"), &[login()], None).await.expect("it takes it on");
    let event = ear.next().await;
    assert_eq!((event.severity, event.operation_id.as_str()), (Severity::Info, "one"));
    assert_eq!(
        adapter.told(),
        ["handed dev: kind: Config # CANARY-LOGIN", "istio_install in default, 1 login"]
    );
    // It would work on the last of them, and nobody would know.
    let refused = client.apply(&request("both", "istio_install"), &[login(), login()], None).await;
    assert!(refused.expect_err("two clusters").cause.contains("one cluster at a time"));
    assert_eq!(adapter.told().len(), 2);
}

#[tokio::test]
async fn an_adapter_that_has_nothing_to_report_for_long_is_listened_to() {
    let served = Served::start(Hostile::Late).await;
    let client = Arc::new(Client::connect(at(served.address)).await.expect("an adapter"));
    let mut ear = Ear::of(&client);
    // Its answer to being listened to comes with its first event only, as from servers in Go; longer than any answer may
    // take it is no failure.
    let ended = tokio::time::timeout(Duration::from_secs(7), &mut ear.task).await;
    assert!(ended.is_err(), "{ended:?}");
}

#[tokio::test]
async fn an_adapter_of_the_library_is_asked_all_and_its_events_come_with_cause_and_remedy() {
    let adapter = Library::default();
    let served = Served::start(adapter.clone()).await;
    let client = Arc::new(Client::connect(at(served.address)).await.expect("an adapter"));
    let facts = client.ask().await.expect("its facts");
    assert_eq!((facts.name.as_str(), facts.era), ("LINKERD", Era::Library));
    assert_eq!((facts.version.as_str(), facts.git_sha.as_str()), ("v0.8.1", "abc1234"));
    let categories: Vec<Category> = facts.operations.iter().map(|operation| operation.category).collect();
    assert_eq!(categories, Category::ALL, "sorted by category, however they came");
    assert!(client.ping().await.expect("an answer") < PATIENCE);
    let mut ear = Ear::of(&client);
    served.until_heard().await;
    let asked =
        OperationRequest { removes: true, version: "edge-24.11.8".to_owned(), ..request("two", "linkerd") };
    client.apply(&asked, &[login(), login()], None).await.expect("it takes it on");
    let event = ear.next().await;
    assert_eq!(
        (event.severity, event.operation_id.as_str(), event.cause.as_str(), event.remedy.as_str()),
        (Severity::Error, "two", "it cannot be", "try another")
    );
    assert_eq!(adapter.told(), ["linkerd removed in default, 2 logins, version edge-24.11.8"]);
}

/// One that counts, and reports what it was asked.
struct Ours;

impl Backend for Ours {
    fn facts(&self) -> AdapterFacts {
        let operation =
            Operation { category: Category::Custom, text: "Custom".to_owned(), key: "custom".to_owned() };
        AdapterFacts {
            name: "MESHBENCH".to_owned(),
            version: "1.2.3".to_owned(),
            mesh_versions: vec!["1.24.2".to_owned()],
            operations: vec![operation],
            ..AdapterFacts::default()
        }
    }

    fn apply(&self, request: OperationRequest, logins: Vec<Login>, report: Reporter) {
        let summary = format!("{} {} {}", request.namespace, request.body, logins.len());
        report.tell(AdapterEvent { summary, ..AdapterEvent::default() });
    }
}

async fn holds_the_contract(client: Client) {
    let client = Arc::new(client);
    let facts = client.ask().await.expect("its facts");
    assert_eq!(facts, AdapterFacts { era: Era::Library, ..Ours.facts() });
    let mut ears = [Ear::of(&client), Ear::of(&client)];
    // Whoever listens hears what comes after; an operation that there is not is an event, as with any adapter.
    let mut unknown = Vec::new();
    while unknown.len() < 2 {
        client.apply(&request("none", "no-such"), &[], None).await.expect("it is taken on");
        unknown.clear();
        for ear in &mut ears {
            unknown.extend(ear.events.try_recv().ok());
        }
        tokio::task::yield_now().await;
    }
    assert!(
        unknown.iter().all(|event| event.severity == Severity::Error && event.summary.contains("no-such"))
    );
    let asked = OperationRequest { body: "kind: A".to_owned(), ..request("three", "custom") };
    client.apply(&asked, &[login()], None).await.expect("it is taken on");
    for ear in &mut ears {
        let mut event = ear.next().await;
        while event.operation_id == "none" {
            event = ear.next().await;
        }
        assert_eq!((event.summary.as_str(), event.operation_id.as_str()), ("default kind: A 1", "three"));
        assert_eq!((event.component.as_str(), event.component_name.as_str()), ("adapter", "MESHBENCH"));
    }
}

#[tokio::test]
async fn our_own_holds_the_contract_in_memory_and_over_the_wire_and_stops_when_told() {
    let client = Client::connect(Way::Memory(in_memory(Arc::new(Ours)))).await.expect("an adapter");
    within("the contract in memory", holds_the_contract(client)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, None, Arc::new(Ours), async {
        let _ = stopped.await;
    }));
    let client = Client::connect(at(address)).await.expect("an adapter");
    within("the contract over the wire", holds_the_contract(client)).await;
    stop.send(()).expect("it is served");
    within("its end", server).await.expect("a task").expect("a good end");
}

#[tokio::test]
async fn with_tls_the_certificate_is_looked_at() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let pem = key.cert.pem();
    let tls = ServerTls { certificate: pem.clone().into(), key: key.signing_key.serialize_pem().into() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(serve(listener, Some(tls), Arc::new(Ours), std::future::pending()));
    let address = format!("https://localhost:{port}");
    let way = |authorities: Option<&str>| Way::Address {
        address: address.clone(),
        authorities: authorities.map(|pem| pem.as_bytes().to_vec()),
    };
    let trusted = Client::connect(way(Some(&pem))).await.expect("an adapter");
    assert_eq!(trusted.ask().await.expect("its facts").name, "MESHBENCH");
    let refused = Client::connect(way(None)).await.err().expect("nobody vouches for it");
    assert_eq!(refused.step, AtStep::Dial);
    assert!(refused.cause.contains("certificate"), "{refused}");
}

#[tokio::test]
async fn a_login_goes_nowhere_where_others_can_read_it_without_a_persons_word() {
    let adapter = Library::default();
    // An address of this machine that is not loopback stands for another machine.
    let served = Served::start_on("0.0.0.0:0", adapter.clone()).await;
    let address = format!("{}:{}", own_address(), served.address.port());
    let client = Client::connect(at(&address)).await.expect("an adapter");
    let asked = request("four", "linkerd");
    for agreed in [None, Some("10.0.0.1:10000")] {
        let refused =
            client.apply(&asked, &[login()], agreed).await.expect_err("nobody agreed to this address");
        assert_eq!(refused.step, AtStep::HandOver);
        assert!(!format!("{refused} {refused:?} {:?}", login()).contains("CANARY"), "{refused:?}");
    }
    assert_eq!(adapter.told(), [] as [String; 0]);
    client.apply(&asked, &[], None).await.expect("without a login nothing can be read");
    client.apply(&asked, &[login()], Some(&address)).await.expect("a person agreed");
    assert_eq!(adapter.told().len(), 2);
}

/// An address of this machine in a network, as the way to the outside would have it; nothing is sent.
fn own_address() -> std::net::IpAddr {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect("192.0.2.1:9").expect("a way to the outside");
    socket.local_addr().expect("an address").ip()
}

#[tokio::test]
async fn where_no_adapter_is_the_step_and_the_answer_are_told() {
    let html =
        raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><script>alert(1)</script></html>")
            .await
            .to_string();
    let page = raw(b"<html>hello</html>").await;
    let silent = raw(b"").await;
    let plain = Served::start(Library::default()).await;
    let tls = served::with_tls().await;
    // An alert, as servers that speak TLS answer other things.
    let alert = raw(&[0x15, 3, 1, 0, 2, 2, 22]).await;
    let closing = closing().await;
    for (address, step, words) in [
        (html.clone(), AtStep::Name, "a web server listens there"),
        (format!("https://{html}"), AtStep::Dial, "does not speak TLS"),
        (page.to_string(), AtStep::Name, "answered with a page"),
        (silent.to_string(), AtStep::Name, "no answer within 5 s"),
        (crate::peer::closed_port().to_string(), AtStep::Dial, "refused"),
        (format!("https://{}", plain.address), AtStep::Dial, "does not speak TLS"),
        (format!("http://localhost:{}", tls.port()), AtStep::Name, "speaks TLS"),
        (alert.to_string(), AtStep::Name, "what listens there speaks TLS"),
        (closing.to_string(), AtStep::Name, "closed the connection at once"),
        (format!("https://{closing}"), AtStep::Dial, "closed while agreeing on TLS"),
    ] {
        let begun = Instant::now();
        let refused =
            within("a reason", Client::connect(at(&address))).await.err().expect("no adapter is there");
        assert_eq!(refused.step, step, "{address}: {refused}");
        assert!(refused.to_string().contains(words), "{address}, {words}: {refused}");
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    }
    // Whether an end is seen while dialling or only in asking is a race; what is told of it is not.
    for _ in 0..200 {
        let refused = Client::connect(at(closing)).await.err().expect("no adapter is there");
        assert_eq!(refused.step, AtStep::Name, "{refused}");
    }
}

#[tokio::test]
async fn an_adapter_that_floods_or_sends_too_much_is_bounded_and_that_is_said() {
    let served = Served::start(Hostile::Flood).await;
    let client = Arc::new(Client::connect(at(served.address)).await.expect("an adapter"));
    let mut ear = Ear::of(&client);
    let begun = Instant::now();
    let mut told = 0;
    loop {
        let event = ear.next().await;
        told += 1;
        if let Some(count) = event.summary.strip_suffix(" more events were left out") {
            let count: u64 = count.parse().expect("a number");
            assert!((1..=1000).contains(&count), "it is read slowly: {count} in a second");
            break;
        }
    }
    let seconds = begun.elapsed().as_secs() + 2;
    assert!(told <= 52 * seconds, "{told} events in {seconds} s");
    let served = Served::start(Hostile::Huge).await;
    let client = Client::connect(at(served.address)).await.expect("an adapter");
    let refused = client.operations().await.map(|_| ()).expect_err("100 MB");
    assert_eq!(refused.step, AtStep::Operations);
    assert!(refused.cause.contains("too large"), "{refused}");
}

#[tokio::test]
async fn what_was_left_out_is_told_though_nothing_more_comes() {
    let served = Served::start(Hostile::Burst).await;
    let client = Arc::new(Client::connect(at(served.address)).await.expect("an adapter"));
    let mut ear = Ear::of(&client);
    let first = ear.next().await;
    let begun = Instant::now();
    let mut last = first;
    while !last.summary.contains("left out") {
        last = ear.next().await;
    }
    assert_eq!(last.summary, "150 more events were left out");
    assert!(begun.elapsed() < Duration::from_millis(1900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_adapter_that_says_again_what_it_was_handed_shows_no_login() {
    let served = Served::start(Hostile::Parrot).await;
    let client = Arc::new(Client::connect(at(served.address)).await.expect("an adapter"));
    let mut ear = Ear::of(&client);
    served.until_heard().await;
    let kubeconfig = "users:\n- name: me\n  user:\n    token: CANARY.short\n    client-key-data: CANARYa2V5\n    \
                      password: CANARY pass\n";
    let login = || Login::new("dev".to_owned(), kubeconfig.to_owned());
    client.apply(&request("five", "custom"), &[login()], None).await.expect("it takes it on");
    let event = ear.next().await;
    let shown = format!("{event:?}");
    assert!(!shown.contains("CANARY") && shown.contains("it was handed users:"), "{shown}");
    let refused = client.apply(&request("six", "refused"), &[login()], None).await.expect_err("it refuses");
    let shown = format!("{refused} {refused:?}");
    assert!(!shown.contains("CANARY") && shown.contains("cannot read users:"), "{shown}");
}

#[tokio::test]
async fn mistakes_are_looked_for_in_the_whole_cluster_where_no_namespace_is_named() {
    let adapter = Library::default();
    let served = Served::start(adapter.clone()).await;
    let client = Client::connect(at(served.address)).await.expect("an adapter");
    client.ask().await.expect("its facts");
    for key in ["smi_conformance", "linkerd"] {
        client.apply(&request("seven", key), &[], None).await.expect("it takes it on");
    }
    let told = ["smi_conformance in , 0 logins, version ", "linkerd in default, 0 logins, version "];
    assert_eq!(adapter.told(), told);
}

#[tokio::test]
async fn what_an_adapter_says_is_made_harmless_and_told_once() {
    let served = Served::start(Hostile::Controls).await;
    let client = Arc::new(Client::connect(at(served.address)).await.expect("an adapter"));
    let facts = client.ask().await.expect("its facts");
    assert_eq!(facts.name, "a[31mb");
    assert_eq!(facts.operations.len(), 1, "one of a key is enough: {:?}", facts.operations);
    assert_eq!(facts.left_out, 1, "nobody could ask for that key");
    let mut ear = Ear::of(&client);
    assert_eq!(ear.next().await.summary, "same [2J");
    assert_eq!(ear.next().await.summary, "last");
}

#[tokio::test]
async fn an_adapter_that_dies_is_told_and_found_again_by_the_same_client() {
    let served = Served::start(Library::default()).await;
    let client = Arc::new(Client::connect(at(served.address)).await.expect("an adapter"));
    let mut ear = Ear::of(&client);
    served.until_heard().await;
    let address = served.address;
    drop(served);
    let ended = within("its end", &mut ear.task).await.expect("a task");
    assert_eq!(ended.step, AtStep::Events, "{ended}");
    assert!(client.ping().await.is_err(), "nobody is there");
    let _again = Served::start_on(&address.to_string(), Library::default()).await;
    let mut tries = 0;
    while client.ping().await.is_err() {
        tries += 1;
        assert!(tries < 100, "it is there again");
        tokio::task::yield_now().await;
    }
    assert_eq!(client.ask().await.expect("its facts").name, "LINKERD");
}
