//! Waking at a moment: tokio's own timer rounds up to the next millisecond, which would be our lag.

#[cfg(target_os = "linux")]
use std::io;
use std::time::Duration;

use crate::model::settings::Timer;

/// Before a due time, this much is spent watching the clock where precision is asked for.
const WATCH_NANOS: u64 = 50_000;
/// So long before it is due is such a request handed to its slot, which then looks at nothing but the clock.
const AHEAD_NANOS: u64 = 5_000;
/// Economy wakes at multiples of this.
const QUANTUM_NANOS: u64 = 500_000;

/// What to do until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing: it is time.
    Over,
    Sleep(Duration),
    /// Let others do something, and look at the clock again.
    Yield,
}

/// How long before it is due a request is handed out, in nanoseconds, so that the way to its slot is no part of its lag.
pub(super) fn ahead(timer: Timer) -> u64 {
    match timer {
        Timer::Precise => AHEAD_NANOS,
        Timer::Balanced | Timer::Economy => 0,
    }
}

/// The moment that `clock` shows once it is not before `due`: what is handed out ahead of its time leaves when that has
/// come.
#[inline]
pub(super) fn once_due(due: u64, clock: impl Fn() -> u64) -> u64 {
    loop {
        let now = clock();
        if now >= due {
            return now;
        }
        std::hint::spin_loop();
    }
}

/// How to wait for `at` while `in_flight` requests await their answers; moments are nanoseconds on the run's clock.
/// Pure.
pub(super) fn wait(timer: Timer, now: u64, at: u64, in_flight: u64) -> Wait {
    let Some(left) = at.checked_sub(now).filter(|left| *left > 0) else { return Wait::Over };
    match timer {
        Timer::Balanced => Wait::Sleep(Duration::from_nanos(left)),
        Timer::Economy => {
            Wait::Sleep(Duration::from_nanos(at.next_multiple_of(QUANTUM_NANOS).saturating_sub(now)))
        }
        // A thread that sleeps is woken some 30 µs after an answer came.
        Timer::Precise if left > WATCH_NANOS && in_flight == 0 => {
            Wait::Sleep(Duration::from_nanos(left - WATCH_NANOS))
        }
        Timer::Precise => Wait::Yield,
    }
}

/// A timer of one task.
#[derive(Debug)]
pub(super) enum Alarm {
    /// The platform's best.
    #[cfg(target_os = "linux")]
    Fd(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>),
    /// Everywhere, and where the best cannot be had.
    Portable,
}

impl Alarm {
    /// Must be called on the thread that will wait.
    pub(super) fn new() -> Self {
        #[cfg(target_os = "linux")]
        if let Ok(fd) = timer_fd() {
            return Self::Fd(fd);
        }
        Self::Portable
    }

    /// Waits for `length`; may wake a little early or late.
    pub(super) async fn after(&self, length: Duration) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Fd(fd) => {
                if after_fd(fd, length).await.is_err() {
                    // Busier, but a run goes on.
                    tokio::task::yield_now().await;
                }
            }
            Self::Portable => tokio::time::sleep(length).await,
        }
    }
}

/// Whether alarms on this machine are the platform's own, and tokio's clock is not needed for them.
pub(super) fn is_platforms_best() -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    false
}

#[cfg(target_os = "linux")]
#[expect(
    deprecated,
    reason = "the safe way in is unsound only for types that lie about their descriptor; OwnedFd does not"
)]
fn timer_fd() -> io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
    // The kernel may delay a sleeping thread by 50 µs to save wake-ups. If it refuses, it is only that.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    tokio::io::unix::AsyncFd::with_interest(fd, tokio::io::Interest::READABLE)
}

#[cfg(target_os = "linux")]
async fn after_fd(fd: &tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>, length: Duration) -> io::Result<()> {
    use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
    let at = |length: Duration| Timespec {
        tv_sec: length.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: length.subsec_nanos().into(),
    };
    // Zero would disarm it.
    let length = length.max(Duration::from_nanos(1));
    let once = Itimerspec { it_interval: at(Duration::ZERO), it_value: at(length) };
    timerfd_settime(fd, TimerfdTimerFlags::empty(), &once)?;
    // Setting it again forgets the expiry, and tokio watches for edges: no need to read the descriptor.
    fd.readable().await?.clear_ready();
    Ok(())
}

/// Processor time that this thread has used; none where the system does not tell.
pub(super) fn thread_cpu_time() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Instant;

    use super::*;

    #[test]
    fn every_alarm_rings_again_and_again() {
        let runtime = tokio::runtime::LocalRuntime::new().expect("a runtime");
        runtime.block_on(async {
            for alarm in [Alarm::new(), Alarm::Portable] {
                for _ in 0..20 {
                    let before = Instant::now();
                    alarm.after(Duration::from_micros(700)).await;
                    assert!(before.elapsed() >= Duration::from_micros(600), "{alarm:?}");
                }
                alarm.after(Duration::ZERO).await;
            }
            #[cfg(target_os = "linux")]
            assert!(matches!(Alarm::new(), Alarm::Fd(_)), "the platform's best can be had");
        });
    }

    #[test]
    fn what_is_handed_out_ahead_waits_until_it_is_due() {
        let shown = Cell::new(1_000);
        let clock = || shown.replace(shown.get() + 3);
        assert_eq!(once_due(1_100, clock), 1_102);
        assert_eq!(once_due(1_100, clock), 1_105, "what is late does not wait");
    }

    #[test]
    fn precision_is_watched_for_and_economy_sleeps_on() {
        let sleep = |micros| Wait::Sleep(Duration::from_micros(micros));
        assert_eq!(wait(Timer::Precise, 1_000, 101_000, 1), Wait::Yield, "an answer may come");
        assert_eq!(wait(Timer::Precise, 6_000, 6_000, 1), Wait::Over);
        for (timer, now, at, expected) in [
            (Timer::Balanced, 10_000, 10_000, Wait::Over),
            (Timer::Balanced, 11_000, 10_000, Wait::Over),
            (Timer::Balanced, 1_000, 11_000, sleep(10)),
            (Timer::Precise, 1_000, 101_000, sleep(50)),
            (Timer::Precise, 1_000, 51_000, Wait::Yield),
            (Timer::Precise, 1_000, 1_001, Wait::Yield),
            (Timer::Economy, 100_000, 110_000, sleep(400)),
            (Timer::Economy, 100_000, 500_000, sleep(400)),
            (Timer::Economy, 100_000, 500_001, sleep(900)),
        ] {
            assert_eq!(wait(timer, now, at, 0), expected, "{timer:?} {now} {at}");
        }
    }
}
