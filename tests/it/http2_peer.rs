//! A target that speaks HTTP/2 in raw frames, so that it can also speak it wrongly.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::peer::{Peer, finish};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const PREFACE_BYTES: usize = 24;

/// A frame that came.
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Header fields without compression.
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "a length of one byte");
            bytes.push(u8::try_from(text.len()).expect("short"));
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// An answer with this status and body.
pub(crate) fn answer(stream: u32, status: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = frame(HEADERS, END_HEADERS, stream, &fields(&[(":status", status)]));
    bytes.extend(frame(DATA, END_STREAM, stream, body));
    bytes
}

pub(crate) fn goaway(last_stream: u32, reason: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last_stream.to_be_bytes(), reason.to_be_bytes()].concat())
}

pub(crate) fn reset(stream: u32, reason: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &reason.to_be_bytes())
}

/// A target that agrees on these settings and answers the nth whole request of each connection, from 1, with the
/// frames that `respond` gives for it and its stream; none closes the connection.
pub(crate) fn answering(
    settings: &'static [u8],
    respond: impl Fn(u64, u32) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> Peer {
    Peer::start(move |mut stream, _| {
        if !preface(&mut stream) || stream.write_all(&frame(SETTINGS, 0, 0, settings)).is_err() {
            return;
        }
        let mut requests = 0;
        while let Some(got) = read_frame(&mut stream) {
            let bytes = match got.kind {
                SETTINGS if got.flags & ACK == 0 => Some(frame(SETTINGS, ACK, 0, &[])),
                HEADERS | DATA if got.flags & END_STREAM != 0 => {
                    requests += 1;
                    respond(requests, got.stream)
                }
                _ => continue,
            };
            match bytes {
                Some(bytes) if stream.write_all(&bytes).is_ok() => {}
                Some(_) => return,
                None => return finish(&mut stream),
            }
        }
    })
}

/// Reads what every connection of HTTP/2 begins with.
pub(crate) fn preface(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; PREFACE_BYTES];
    stream.read_exact(&mut bytes).is_ok() && bytes.starts_with(b"PRI * HTTP/2.0")
}

pub(crate) fn read_frame(stream: &mut TcpStream) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).ok()?;
    let [a, b, c, kind, flags, id @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some(Frame { kind, flags, stream: u32::from_be_bytes(id) })
}
