//! A way to an API server that writes down what is asked: plain HTTP on loopback, over TLS as the admin on the other side.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use super::asking::Asker;
use super::cluster::Cluster;

const PART_BYTES: usize = 64 * 1024;
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A request, as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// What it wants its answer to be.
    pub(crate) accept: String,
    /// Of the answer, as far as it has come.
    pub(crate) bytes: usize,
}

/// Goes on until the tests end.
pub(crate) struct Recorder {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Recorder {
    pub(crate) fn start(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (asker, record) = (cluster.asker(), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asker, record) = (asker.clone(), Arc::clone(&record));
                // Who hangs up asks again.
                std::thread::spawn(move || carry(&asker, stream, &record));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One request, and its answer for as long as it comes.
fn carry(asker: &Asker, mut client: TcpStream, record: &Mutex<Vec<Asked>>) -> io::Result<()> {
    let (head, body) = request(&mut client)?;
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let asked = Asked { path, accept: header("accept").unwrap_or_default(), bytes: 0 };
    let lock = || record.lock().unwrap_or_else(PoisonError::into_inner);
    let at = {
        let mut record = lock();
        record.push(asked);
        record.len() - 1
    };
    let mut server = asker.connect()?;
    // Each answer ends with its connection.
    let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    server.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    server.write_all(&body)?;
    server.flush()?;
    let mut part = vec![0; PART_BYTES];
    while let Ok(read @ 1..) = server.read(&mut part) {
        lock()[at].bytes += read;
        client.write_all(&part[..read])?;
    }
    client.shutdown(Shutdown::Both)
}

/// Head without its empty line, and body.
fn request(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).trim_end().to_owned();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body)?;
    Ok((head, body))
}
