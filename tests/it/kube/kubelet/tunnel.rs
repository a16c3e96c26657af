//! The port-forward websocket of a kubelet: two channels for each port, `2i` for data and `2i + 1` for errors.

use std::io;
use std::net::SocketAddr;

use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use super::{Asked, answer};

const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/// In v5: the client has no more for that channel.
const CLOSE_CHANNEL: u8 = 255;
const PIECE_BYTES: usize = 16 * 1024;
/// Pieces on their way to the client.
const PIECES: usize = 16;

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Answers the handshake, then carries each port to where it leads until the client goes.
pub(super) async fn open(
    mut stream: TlsStream<TcpStream>,
    rest: Vec<u8>,
    asked: &Asked,
    ports: &[(u16, SocketAddr)],
) -> io::Result<()> {
    let protocol = PROTOCOLS.into_iter().find(|known| asked.protocols.iter().any(|offered| offered == known));
    let (Some(key), Some(protocol)) = (&asked.key, protocol) else {
        return answer(stream, "400 Bad Request", "a websocket of v4 or v5.channel.k8s.io is wanted\n").await;
    };
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    stream.write_all(head.as_bytes()).await?;
    let socket = WebSocketStream::from_partially_read(stream, rest, Role::Server, None).await;
    carry(socket, ports).await
}

async fn carry(socket: Socket, ports: &[(u16, SocketAddr)]) -> io::Result<()> {
    let (outgoing, mut incoming) = socket.split();
    let (send, to_send) = channel(PIECES);
    let sender = tokio::spawn(send_all(outgoing, to_send));
    let mut writers = Vec::new();
    for (index, (port, to)) in ports.iter().enumerate() {
        let data = u8::try_from(2 * index).map_err(io::Error::other)?;
        writers.push(start(&send, data, *port, *to).await);
    }
    drop(send);
    while let Some(Ok(message)) = incoming.next().await {
        let Message::Binary(bytes) = message else { continue };
        match bytes[..] {
            [CLOSE_CHANNEL, number] => {
                // Half-closed: the server may still have something to say.
                if let Some(slot) = writers.get_mut(usize::from(number / 2)) {
                    *slot = None;
                }
            }
            [number, ref data @ ..] if number % 2 == 0 => {
                if let Some(Some(writer)) = writers.get_mut(usize::from(number / 2)) {
                    let _gone = writer.write_all(data).await;
                }
            }
            _ => {}
        }
    }
    sender.abort();
    Ok(())
}

/// Says the port on both channels, connects, and carries what comes back.
async fn start(send: &Sender<Vec<u8>>, data: u8, port: u16, to: SocketAddr) -> Option<OwnedWriteHalf> {
    for number in [data, data + 1] {
        let [low, high] = port.to_le_bytes();
        let _gone = send.send(vec![number, low, high]).await;
    }
    match TcpStream::connect(to).await {
        Ok(stream) => {
            let (reader, writer) = stream.into_split();
            tokio::spawn(carry_back(reader, send.clone(), data));
            Some(writer)
        }
        Err(reason) => {
            let text = format!("an error occurred forwarding {port}: {reason}");
            let _gone = send.send([&[data + 1], text.as_bytes()].concat()).await;
            None
        }
    }
}

async fn carry_back(mut reader: OwnedReadHalf, send: Sender<Vec<u8>>, data: u8) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(length) = reader.read(&mut piece).await {
        if length == 0 || send.send([&[data], &piece[..length]].concat()).await.is_err() {
            return;
        }
    }
}

/// Until every port has ended, or the client is gone.
async fn send_all(mut outgoing: SplitSink<Socket, Message>, mut pieces: Receiver<Vec<u8>>) {
    while let Some(piece) = pieces.recv().await {
        if outgoing.send(Message::binary(piece)).await.is_err() {
            return;
        }
    }
    let _gone = outgoing.close().await;
}
