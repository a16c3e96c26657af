//! A way to a server on loopback that takes its time: what comes from it arrives late and in small parts.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const PART_BYTES: usize = 2048;
const PART_DELAY: Duration = Duration::from_millis(20);

/// Goes on until the tests end.
pub(super) struct SlowRelay {
    address: SocketAddr,
}

impl SlowRelay {
    pub(super) fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(to) else { continue };
                let (from_client, to_server) = (stream.try_clone(), server.try_clone());
                thread::spawn(move || carry(server, stream, PART_DELAY));
                if let (Ok(from), Ok(to)) = (from_client, to_server) {
                    thread::spawn(move || carry(from, to, Duration::ZERO));
                }
            }
        });
        Self { address }
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let mut part = [0; PART_BYTES];
    while let Ok(read @ 1..) = from.read(&mut part) {
        thread::sleep(delay);
        if to.write_all(&part[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
