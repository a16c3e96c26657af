//! GitHub's OAuth, by a peer written from its documentation ("Authorizing OAuth apps", device flow; "Get the authenticated
//! user"): GitHub itself cannot be had here.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use meshbench::account::{LoggedIn, LoginError, LoginStep, TellLogin, by_browser};
use meshbench::model::account::{Provider, ProviderKind};
use uuid::Uuid;

const TOKEN: &str = "gho_16C7e42F292c6912E7710c838347Ae178B4a";

/// What the person does with the code.
#[derive(Clone, Copy)]
enum Person {
    /// Enters it after the second question.
    Agrees,
    Refuses,
}

struct GitHub {
    address: String,
    asked: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl GitHub {
    fn start(person: Person) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (asked, heads) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let peer = Self { address, asked: Arc::clone(&asked), heads: Arc::clone(&heads) };
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), person, &asked, &heads);
            }
        });
        peer
    }

    fn provider(&self) -> Provider {
        let (address, api) = (self.address.clone(), self.address.clone());
        let kind = ProviderKind::GitHub { client_id: "Ov23liExample".to_owned(), address, api };
        Provider { id: Uuid::from_u128(8 << 100), name: "GitHub".to_owned(), kind, server: None }
    }
}

fn answer(mut stream: TcpStream, person: Person, asked: &AtomicUsize, heads: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let (head, body) = loop {
        let read = stream.read(&mut buffer).unwrap();
        if read == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8(request.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            break (head, body.to_owned());
        }
    };
    heads.lock().unwrap().push(head.clone());
    // Every error is a success to GitHub.
    let error = |name: &str| {
        ("200 OK", format!(r#"{{"error":"{name}","error_description":"words","error_uri":"x"}}"#))
    };
    let path = head.split(' ').nth(1).unwrap();
    let (status, answer) = match path {
        _ if !head.contains("user-agent: meshbench/") => ("403 Forbidden", "{}".to_owned()),
        "/login/device/code" => {
            assert!(body.contains("client_id=Ov23liExample") && body.contains("scope=read%3Auser"), "{body}");
            let device = r#"{"device_code":"3584d83530557fdd1f46af8289938c8ef79f9dc5","user_code":"WDJB-MJHT",
                "verification_uri":"https://github.com/login/device","expires_in":900,"interval":1}"#;
            ("200 OK", device.to_owned())
        }
        "/login/oauth/access_token" => {
            assert!(body.contains("device_code=3584d83530557fdd1f46af8289938c8ef79f9dc5"), "{body}");
            match (person, asked.fetch_add(1, Ordering::SeqCst)) {
                (_, 0) => error("authorization_pending"),
                (Person::Refuses, _) => error("access_denied"),
                (Person::Agrees, _) => {
                    let answer =
                        format!(r#"{{"access_token":"{TOKEN}","token_type":"bearer","scope":"read:user"}}"#);
                    ("200 OK", answer)
                }
            }
        }
        "/user" => {
            let bearer = format!("authorization: bearer {TOKEN}").to_ascii_lowercase();
            assert!(head.contains(&bearer), "{head}");
            let user = r#"{"login":"octocat","id":583231,"name":"The Octocat","email":null,"type":"User"}"#;
            ("200 OK", user.to_owned())
        }
        other => panic!("nobody asks GitHub for {other}"),
    };
    let length = answer.len();
    let kind = "application/json; charset=utf-8";
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n");
    write!(stream, "{head}connection: close\r\n\r\n{answer}").unwrap();
}

async fn log_in(github: &GitHub) -> (Result<LoggedIn, LoginError>, Vec<LoginStep>) {
    let steps = Arc::<Mutex<Vec<LoginStep>>>::default();
    let told = Arc::clone(&steps);
    let tell: TellLogin = Arc::new(move |step| told.lock().unwrap().push(step));
    // The browser's way needs a secret there, so the code is taken whichever is asked for.
    let done = by_browser(&github.provider(), &tell).await;
    let steps = steps.lock().unwrap().clone();
    (done, steps)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_at_github_with_a_code() {
    let github = GitHub::start(Person::Agrees);
    let (done, steps) = log_in(&github).await;
    let who = done.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((who.subject.as_str(), who.name.as_str(), who.email), ("583231", "The Octocat", None));
    let [LoginStep::Device { address, code, .. }] = steps.as_slice() else { panic!("{steps:?}") };
    assert_eq!((address.as_str(), code.as_str()), ("https://github.com/login/device", "WDJB-MJHT"));
    assert_eq!(github.asked.load(Ordering::SeqCst), 2, "asked again while the code was not entered");
    let heads = github.heads.lock().unwrap();
    assert!(
        heads.iter().all(|head| head.contains("accept: application/json")),
        "GitHub answers with forms else"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_at_github_is_told_so() {
    let (done, _) = log_in(&GitHub::start(Person::Refuses)).await;
    assert!(matches!(done.err(), Some(LoginError::Refused(words)) if words.contains("not allowed")));
}
