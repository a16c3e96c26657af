//! A peer on loopback that answers as a test wants: well, badly, without end, or never.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::web::{Limits, Web};
use crate::model::metrics::Access;

/// What it was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    /// In small letters.
    pub(super) head: String,
    pub(super) body: String,
}

/// How it answers.
#[derive(Clone)]
pub(super) enum Reply {
    /// With a status, a type and a body.
    Says(u16, &'static str, String),
    /// With these bytes, then the end of the connection.
    Raw(String),
    /// Without end.
    Endless,
    /// Never.
    Never,
}

/// A peer, and all that it was asked.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    pub(super) asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::AbortHandle,
}

pub(super) fn json(body: impl Into<String>) -> Reply {
    Reply::Says(200, "application/json", body.into())
}

impl Fake {
    pub(super) async fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (all, reply) = (Arc::clone(&asked), Arc::new(reply));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&all), Arc::clone(&reply)));
            }
        });
        Self { address, asked, task: task.abort_handle() }
    }

    /// Always the same.
    pub(super) async fn saying(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn web(&self) -> Web {
        Web::new(&self.url(), &Access::default(), None).expect("a way")
    }

    pub(super) fn within(&self, limits: Limits) -> Web {
        self.web().within(limits)
    }

    pub(super) fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().cloned().expect("it was asked")
    }

    pub(super) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    all: Arc<Mutex<Vec<Asked>>>,
    reply: Arc<impl Fn(&Asked) -> Reply + Send + Sync>,
) {
    let Some(asked) = asked(&mut stream).await else { return };
    let reply = reply(&asked);
    all.lock().unwrap().push(asked);
    // A peer that is gone does not matter to any test.
    let _ = match reply {
        Reply::Says(status, kind, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await
        }
        Reply::Raw(bytes) => stream.write_all(bytes.as_bytes()).await,
        Reply::Endless => endless(&mut stream).await,
        Reply::Never => std::future::pending().await,
    };
}

async fn endless(stream: &mut TcpStream) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 X\r\ncontent-type: application/json\r\n\r\n[";
    stream.write_all(head.as_bytes()).await?;
    loop {
        stream.write_all(&[b' '; 4096]).await?;
    }
}

async fn asked(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    while bytes.len() < end + length.unwrap_or(0) {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let mut words = head.split(' ');
    Some(Asked {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        head: lower,
        body: String::from_utf8_lossy(&bytes[end..]).into_owned(),
    })
}
