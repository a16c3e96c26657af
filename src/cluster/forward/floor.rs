//! How long a round trip through a tunnel takes at least: what no request through it can be quicker than.
//!
//! The fastest of a few small exchanges that a server answers by itself, without whoever it serves: a `HEAD` on a kept
//! connection, a `PING` of HTTP/2, a handshake of TLS that is refused at once, an echo.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What is spoken at the other end, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP/1.1 in the clear.
    Http1 {
        /// What `Host` says.
        host: String,
        /// What is asked for.
        path: String,
    },
    /// HTTP/2 in the clear, without an upgrade; gRPC too.
    Http2,
    /// TLS.
    Tls,
    /// What comes is sent back.
    Echo,
}

/// Exchanges on one connection.
const EXCHANGES: usize = 10;
/// The longest head of an answer that is read.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// No look at a tunnel takes longer.
pub(super) const LOOK_MAX: Duration = Duration::from_secs(2);

/// A record of TLS in which nothing is: an alert, or the end of the connection, is the answer.
const BROKEN_HELLO: &[u8] = b"\x16\x03\x01\x00\x04\x01\x00\x00\x00";
/// What a client begins with, and empty settings.
const HTTP2_BEGIN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const FRAME_HEAD_BYTES: usize = 9;
const FRAME_BYTES_MAX: usize = 64 * 1024;
const PING: u8 = 6;
const ACK: u8 = 1;

impl Spoken {
    /// How many connections are wanted for one look: some are of no use after one exchange.
    pub(super) fn connections(&self) -> usize {
        if *self == Self::Tls { 3 } else { 1 }
    }
}

/// The fastest round trip on this connection; none where nothing came back.
pub(super) async fn fastest(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    spoken: &Spoken,
) -> Option<Duration> {
    let mut fastest: Option<Duration> = None;
    let note = |took: Duration| fastest = Some(fastest.map_or(took, |fastest| fastest.min(took)));
    // Whatever ends it: what was measured before holds.
    let _ = exchange(stream, spoken, note).await;
    fastest
}

async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    spoken: &Spoken,
    mut note: impl FnMut(Duration),
) -> io::Result<()> {
    match spoken {
        Spoken::Http1 { host, path } => {
            let request = format!("HEAD {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: meshbench\r\n\r\n");
            for _ in 0..EXCHANGES {
                let begun = Instant::now();
                stream.write_all(request.as_bytes()).await?;
                read_head(stream).await?;
                note(begun.elapsed());
            }
        }
        Spoken::Http2 => {
            stream.write_all(HTTP2_BEGIN).await?;
            for number in 0..EXCHANGES as u8 {
                let begun = Instant::now();
                stream.write_all(&[0, 0, 8, PING, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number]).await?;
                while !is_answer(&read_frame(stream).await?, number) {}
                note(begun.elapsed());
            }
        }
        Spoken::Tls => {
            let begun = Instant::now();
            stream.write_all(BROKEN_HELLO).await?;
            // An end is an answer.
            let _some_or_none = stream.read(&mut [0; 64]).await?;
            note(begun.elapsed());
        }
        Spoken::Echo => {
            for _ in 0..EXCHANGES {
                let begun = Instant::now();
                stream.write_all(b"m").await?;
                stream.read_exact(&mut [0; 1]).await?;
                note(begun.elapsed());
            }
        }
    }
    Ok(())
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut head = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&part[..read]);
        if head.ends_with(b"\r\n\r\n") {
            return Ok(());
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// Kind, flags and content.
type Frame = (u8, u8, Vec<u8>);

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let mut head = [0; FRAME_HEAD_BYTES];
    stream.read_exact(&mut head).await?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    if length > FRAME_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut content = vec![0; length];
    stream.read_exact(&mut content).await?;
    Ok((head[3], head[4], content))
}

fn is_answer((kind, flags, content): &Frame, number: u8) -> bool {
    *kind == PING && flags & ACK == ACK && content.last() == Some(&number)
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    /// What is looked at, with a server at the other end.
    async fn look<F: Future<Output = ()> + Send + 'static>(
        spoken: Spoken,
        serve: impl FnOnce(DuplexStream) -> F,
    ) -> Option<Duration> {
        let (mut here, there) = duplex(4096);
        let server = tokio::spawn(serve(there));
        let told = fastest(&mut here, &spoken).await;
        server.abort();
        told
    }

    fn http1() -> Spoken {
        Spoken::Http1 { host: "web.shop".to_owned(), path: "/a".to_owned() }
    }

    #[tokio::test]
    async fn a_head_is_asked_for_again_and_again_on_one_connection() {
        let told = look(http1(), |mut there| async move {
            for _ in 0..EXCHANGES {
                let mut asked = vec![0; 4096];
                let read = there.read(&mut asked).await.expect("a request");
                assert!(asked[..read].starts_with(b"HEAD /a HTTP/1.1\r\nHost: web.shop\r\n"));
                there.write_all(b"HTTP/1.1 405 No\r\nContent-Length: 5\r\n\r\n").await.expect("room");
            }
            std::future::pending::<()>().await;
        });
        assert!(told.await.is_some());
    }

    #[tokio::test]
    async fn a_ping_is_waited_for_among_other_frames() {
        let told = look(Spoken::Http2, |mut there| async move {
            let mut begin = vec![0; HTTP2_BEGIN.len()];
            there.read_exact(&mut begin).await.expect("a beginning");
            there.write_all(b"\0\0\0\x04\0\0\0\0\0").await.expect("room");
            for _ in 0..EXCHANGES {
                let mut ping = [0; FRAME_HEAD_BYTES + 8];
                there.read_exact(&mut ping).await.expect("a ping");
                ping[4] = ACK;
                there.write_all(&ping).await.expect("room");
            }
        });
        assert!(told.await.is_some());
    }

    #[tokio::test]
    async fn an_end_answers_tls_and_nothing_else() {
        let ends = |there: DuplexStream| async move { drop(there) };
        assert!(look(Spoken::Echo, ends).await.is_none());
        assert!(look(http1(), ends).await.is_none());
        let refuses = |mut there: DuplexStream| async move {
            there.read_exact(&mut [0; BROKEN_HELLO.len()]).await.expect("a hello");
        };
        assert!(look(Spoken::Tls, refuses).await.is_some());
    }

    #[tokio::test]
    async fn an_endless_head_and_a_huge_frame_are_given_up() {
        let floods =
            |mut there: DuplexStream| async move { while there.write_all(&[b'a'; 1024]).await.is_ok() {} };
        assert!(look(http1(), floods).await.is_none());
        let huge = |mut there: DuplexStream| async move {
            let _ = there.write_all(&[255; 64]).await;
            std::future::pending::<()>().await;
        };
        assert!(look(Spoken::Http2, huge).await.is_none());
    }
}
