//! Waking at a moment: tokio's own timer rounds up to the next millisecond, which would be our lag.

use std::io;
use std::time::Duration;

/// A timer of one task.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Alarm(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Alarm {
    /// Must be called on the thread that will wait.
    #[expect(
        deprecated,
        reason = "the safe way in is unsound only for types that lie about their descriptor; OwnedFd does not"
    )]
    pub(super) fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        // The kernel may delay a sleeping thread by 50 µs to save wake-ups. If it refuses, it is only that.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(tokio::io::unix::AsyncFd::with_interest(fd, tokio::io::Interest::READABLE)?))
    }

    /// Waits for `length`; may wake a little early or late.
    pub(super) async fn after(&self, length: Duration) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let at = |length: Duration| Timespec {
            tv_sec: length.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: length.subsec_nanos().into(),
        };
        // Zero would disarm it.
        let length = length.max(Duration::from_nanos(1));
        let once = Itimerspec { it_interval: at(Duration::ZERO), it_value: at(length) };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        // Setting it again forgets the expiry, and tokio watches for edges: no need to read the descriptor.
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}

/// A timer of one task.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for `length`; may wake a little early or late.
    pub(super) async fn after(&self, length: Duration) -> io::Result<()> {
        tokio::time::sleep(length).await;
        Ok(())
    }
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
    use std::time::Instant;

    use super::*;

    #[test]
    fn an_alarm_rings_again_and_again() {
        let runtime = tokio::runtime::LocalRuntime::new().expect("a runtime");
        runtime.block_on(async {
            let alarm = Alarm::new().expect("a timer");
            for _ in 0..20 {
                let before = Instant::now();
                alarm.after(Duration::from_micros(700)).await.expect("a ring");
                assert!(before.elapsed() >= Duration::from_micros(600));
            }
            alarm.after(Duration::ZERO).await.expect("a ring at once");
        });
    }
}
