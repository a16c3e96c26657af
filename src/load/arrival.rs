//! When bytes came to this machine. The system notes it as they come; a thread of ours is woken some 30 µs later, and
//! later still when it is busy, which would be taken for the target's time.
//!
//! The note is of the piece of a stream that was read last. Where pieces came in the wrong order it is too early: one
//! that was lost came again after it, and only then was there anything to read. So a note is believed only if it fits
//! to how the thread slept ([`Sleep`]); else the bytes came when they were read. The end of a stream has no note.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::{TcpStream, UdpSocket};

use super::schedule::nanos;
pub(super) use system::{Noting, note};

/// No longer than this after it came, something is there to be read and a thread that slept is awake: the note is made
/// some 10 µs before the one, and the other takes 30 as a rule.
const WAKING_NANOS_MAX: u64 = 100_000;

/// What is known of when bytes come over a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Arrivals {
    /// Nothing: they came when they were read, as far as anybody can tell.
    #[default]
    Unknown,
    /// The system notes it; when those did that were read last, on its wall clock, from 1970.
    Noted(Option<Duration>),
}

/// When a worker's thread slept, and when it had seen all that had come until then; nanoseconds on the run's clock.
#[derive(Debug)]
pub(super) struct Sleep {
    epoch: Instant,
    /// The last sleep.
    from: AtomicU64,
    to: AtomicU64,
    /// All was seen: the last time, and the time before.
    seen: AtomicU64,
    seen_before: AtomicU64,
}

impl Sleep {
    /// Of a worker whose moments are nanoseconds from `epoch`.
    pub(super) fn new(epoch: Instant) -> Self {
        let [from, to, seen, seen_before] = std::array::from_fn(|_| AtomicU64::new(0));
        Self { epoch, from, to, seen, seen_before }
    }

    fn now(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }

    /// The thread falls asleep.
    pub(super) fn begin(&self) {
        self.from.store(self.now(), Ordering::Relaxed);
    }

    /// It is woken, and sees all that has come.
    pub(super) fn end(&self) {
        let now = self.now();
        self.to.store(now, Ordering::Relaxed);
        self.saw(now);
    }

    /// All was seen that had come by `moment`.
    pub(super) fn saw(&self, moment: u64) {
        let last = self.seen.load(Ordering::Relaxed);
        if moment > last {
            self.seen_before.store(last, Ordering::Relaxed);
            self.seen.store(moment, Ordering::Relaxed);
        }
    }

    /// When what we know of at `known` came, `age` nanoseconds before, as far as that is noted and can be: neither was
    /// all seen after it for the time before last, nor did the thread sleep on.
    #[inline]
    pub(super) fn came(&self, age: Option<u64>, known: u64) -> u64 {
        let Some(came) = age.and_then(|age| known.checked_sub(age)) else { return known };
        let [from, to, seen_before] =
            [&self.from, &self.to, &self.seen_before].map(|moment| moment.load(Ordering::Relaxed));
        let unseen = seen_before.saturating_sub(came);
        let slept_on = to.saturating_sub(came.max(from));
        if unseen.max(slept_on) <= WAKING_NANOS_MAX { came } else { known }
    }
}

/// When an answer came to what was sent: before that only if somebody has set the clock meanwhile, so then when we knew.
#[inline]
pub(super) fn not_before(sent: u64, came: u64, known: u64) -> u64 {
    if came >= sent { came } else { known }
}

impl Arrivals {
    /// Of a socket that has just been opened, and of which the system notes it or not.
    pub(super) fn of(is_noted: bool) -> Self {
        if is_noted { Self::Noted(None) } else { Self::Unknown }
    }

    /// How long ago the bytes came that were read last, in nanoseconds: none where that is not known, nothing where the
    /// clock was set back since. To be asked before any other clock is: what comes between then makes an answer later,
    /// and never earlier.
    #[inline]
    pub(super) fn age(self) -> Option<u64> {
        let Self::Noted(Some(came)) = self else { return None };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Some(nanos(now.unwrap_or_default().saturating_sub(came)))
    }

    /// As [`AsyncRead::poll_read`].
    #[inline]
    pub(super) fn poll_read(
        &mut self,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self::Noted(last) = self else { return Pin::new(stream).poll_read(cx, buffer) };
        loop {
            ready!(stream.poll_read_ready(cx))?;
            let room = buffer.remaining();
            let mut is_read = false;
            let tried = stream.try_io(Interest::READABLE, || {
                let bytes = system::receive(stream, buffer, last)?;
                is_read = true;
                // There is no more than that: then tokio need not try in order to know it.
                if (1..room).contains(&bytes) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            if is_read {
                return Poll::Ready(Ok(()));
            }
            if !is_put_off(&tried) {
                return Poll::Ready(tried);
            }
        }
    }

    /// As [`UdpSocket::poll_recv`].
    pub(super) fn poll_recv(
        &mut self,
        socket: &UdpSocket,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self::Noted(last) = self else { return socket.poll_recv(cx, buffer) };
        loop {
            ready!(socket.poll_recv_ready(cx))?;
            let tried =
                socket.try_io(Interest::READABLE, || system::receive(socket, buffer, last).map(|_| ()));
            if !is_put_off(&tried) {
                return Poll::Ready(tried);
            }
        }
    }
}

fn is_put_off(tried: &io::Result<()>) -> bool {
    tried.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(target_os = "linux")]
mod system {
    use std::io::{self, IoSliceMut};
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};
    use std::time::Duration;

    use nix::sys::socket::{
        AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, setsockopt, socket,
        sockopt,
    };
    use tokio::io::ReadBuf;

    /// Room for a moment and its head, laid out as the system wants it.
    #[repr(align(8))]
    struct Notes([u8; 64]);

    /// As long as there is one, the system notes when bytes come; else it would begin and end with each socket.
    #[derive(Debug)]
    pub(in crate::load) struct Noting {
        _socket: OwnedFd,
    }

    impl Noting {
        /// None where the system does not do it.
        pub(in crate::load) fn begin() -> Option<Self> {
            let (family, kind, flags) = (AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC);
            let socket = socket(family, kind, flags, None).ok()?;
            note(&socket).then_some(Self { _socket: socket })
        }
    }

    /// Has the system note when bytes come over a socket; whether it does.
    pub(in crate::load) fn note(socket: &impl AsFd) -> bool {
        setsockopt(socket, sockopt::ReceiveTimestampns, &true).is_ok()
    }

    /// Reads what came, how many bytes, and when the last of them did.
    #[inline]
    pub(super) fn receive(
        socket: &impl AsRawFd,
        buffer: &mut ReadBuf<'_>,
        last: &mut Option<Duration>,
    ) -> io::Result<usize> {
        let mut pieces = [IoSliceMut::new(buffer.initialize_unfilled())];
        let mut notes = Notes([0; 64]);
        let received = recvmsg::<()>(socket.as_raw_fd(), &mut pieces, Some(&mut notes.0), MsgFlags::empty())?;
        // What was read is ours, whatever is to be said of it.
        *last = received.cmsgs().ok().and_then(|mut notes| {
            notes.find_map(|note| match note {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            })
        });
        let bytes = received.bytes;
        buffer.advance(bytes);
        Ok(bytes)
    }
}

/// Nothing is noted here, so that nothing is read in this way.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::time::Duration;

    use tokio::io::ReadBuf;

    #[derive(Debug)]
    pub(in crate::load) struct Noting;

    impl Noting {
        pub(in crate::load) fn begin() -> Option<Self> {
            None
        }
    }

    pub(in crate::load) fn note<S>(_socket: &S) -> bool {
        false
    }

    pub(super) fn receive<S>(
        _socket: &S,
        _buffer: &mut ReadBuf<'_>,
        _last: &mut Option<Duration>,
    ) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, UdpSocket as Datagrams};
    use std::thread::sleep;

    use super::*;

    /// So long nobody looks at what came.
    const ASLEEP: Duration = Duration::from_millis(40);

    fn in_a_runtime<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::LocalRuntime::new().expect("a runtime").block_on(work)
    }

    /// Whether it came before we slept, as it did.
    fn is_told_right(arrivals: Arrivals) -> bool {
        let age = Duration::from_nanos(arrivals.age().unwrap_or_default());
        assert!(age < ASLEEP * 100, "{age:?}");
        age >= ASLEEP || cfg!(not(target_os = "linux"))
    }

    /// A system that was just asked to note when bytes come begins within some milliseconds.
    const TRIES: usize = 20;

    #[test]
    fn bytes_came_when_they_came_and_not_when_they_were_read() {
        in_a_runtime(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            let _noting = Noting::begin();
            let mut arrivals = Arrivals::of(note(&stream));
            let mut scratch = [0; 64];
            let mut told = 0;
            for word in ["one", "another"].into_iter().cycle().take(TRIES) {
                peer.write_all(word.as_bytes()).unwrap();
                sleep(ASLEEP);
                let mut buffer = ReadBuf::new(&mut scratch);
                std::future::poll_fn(|cx| arrivals.poll_read(&mut stream, cx, &mut buffer)).await.unwrap();
                assert_eq!(buffer.filled(), word.as_bytes());
                told += usize::from(is_told_right(arrivals));
                if told == 3 {
                    break;
                }
            }
            assert_eq!(told, 3);
            // Its end is seen, though the last look found nothing more.
            drop(peer);
            let mut buffer = ReadBuf::new(&mut scratch);
            std::future::poll_fn(|cx| arrivals.poll_read(&mut stream, cx, &mut buffer)).await.unwrap();
            assert!(buffer.filled().is_empty());
        });
    }

    #[test]
    fn what_fills_the_room_is_read_on() {
        in_a_runtime(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            let mut arrivals = Arrivals::of(note(&stream));
            peer.write_all(b"abcdefgh").unwrap();
            let (mut read, mut scratch) = (Vec::new(), [0; 3]);
            while read.len() < 8 {
                let mut buffer = ReadBuf::new(&mut scratch);
                std::future::poll_fn(|cx| arrivals.poll_read(&mut stream, cx, &mut buffer)).await.unwrap();
                read.extend_from_slice(buffer.filled());
            }
            assert_eq!(read, b"abcdefgh");
        });
    }

    #[test]
    fn datagrams_came_when_they_came() {
        in_a_runtime(async {
            let peer = Datagrams::bind("127.0.0.1:0").unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let mut arrivals = Arrivals::of(note(&socket));
            for _ in 0..TRIES {
                peer.send_to(b"ping", socket.local_addr().unwrap()).unwrap();
                sleep(ASLEEP);
                let mut scratch = [0; 64];
                let mut buffer = ReadBuf::new(&mut scratch);
                std::future::poll_fn(|cx| arrivals.poll_recv(&socket, cx, &mut buffer)).await.unwrap();
                assert_eq!(buffer.filled(), b"ping");
                if is_told_right(arrivals) {
                    return;
                }
            }
            panic!("no datagram was told right");
        });
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_older() {
        let tomorrow = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + ASLEEP * 1000;
        assert_eq!(Arrivals::Noted(Some(tomorrow)).age(), Some(0));
        assert_eq!((not_before(5, 6, 7), not_before(5, 4, 7)), (6, 7));
    }

    #[test]
    fn a_note_is_believed_that_fits_to_how_the_thread_slept() {
        const US: u64 = 1_000;
        let sleep = Sleep::new(Instant::now());
        assert_eq!(sleep.came(Some(30), 100), 70);
        assert_eq!(sleep.came(None, 100), 100, "nothing is noted");
        assert_eq!(sleep.came(Some(101), 100), 100, "before there was anything");
        for moment in [500 * US, 800 * US, 600 * US] {
            sleep.saw(moment);
        }
        // At 800 was seen what had come since 500; what comes takes its time until it is there to be read.
        assert_eq!(sleep.came(Some(600 * US), 1_000 * US), 400 * US);
        assert_eq!(sleep.came(Some(601 * US), 1_000 * US), 1_000 * US, "it would have been seen at 500");

        let slept = |from: u64, to: u64| {
            sleep.from.store(from * US, Ordering::Relaxed);
            sleep.to.store(to * US, Ordering::Relaxed);
        };
        let came = |at: u64, known: u64| sleep.came(Some((known - at) * US), known * US) / US;
        slept(1_000, 2_000);
        assert_eq!(came(1_970, 2_005), 1_970, "it woke the thread");
        assert_eq!(came(1_899, 2_005), 2_005, "nobody was woken for that piece");
        assert_eq!(came(900, 2_005), 2_005);
        assert_eq!(came(2_001, 2_900), 2_001, "after it, and others had their turn before");
        slept(1_000, 1_010);
        assert_eq!(came(450, 1_015), 450, "the thread was busy then, and hardly slept");
    }

    #[test]
    fn sleep_is_told_from_waking() {
        let sleep = Sleep::new(Instant::now());
        sleep.begin();
        std::thread::sleep(Duration::from_millis(2));
        sleep.end();
        let known = sleep.now();
        assert_eq!(sleep.came(Some(1_000_000), known), known);
        assert_eq!(sleep.came(Some(0), known), known);
        sleep.end();
        assert!(sleep.seen_before.load(Ordering::Relaxed) >= 2_000_000);
    }
}
