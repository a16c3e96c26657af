//! How long a load thread is kept waiting for a processor that something else of this machine is using, the drawing of
//! our own window for example.
//!
//! Linux lets what runs go on for its slice, some milliseconds, before a thread that has just been woken gets its turn.
//! From 6.12 on a thread may ask for a shorter slice of its own: it has its turn at once then, and gives way as soon.

/// Enough for what there is to do after one waking, and short beside what any other program asks for.
#[cfg(target_os = "linux")]
const SLICE_NANOS: u64 = 100_000;

/// Asks for a short slice for the thread that calls. What else its user chose for it stays as it is; systems that do not
/// know of slices go on as before.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the system calls have no face in a library")]
pub(super) fn shorten() {
    let empty = libc::sched_attr {
        size: 0,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    let (mut attributes, size) = (empty, size_of::<libc::sched_attr>());
    // SAFETY: 0 is this thread; at most `size` bytes are written to `attributes`, which is that large and plain numbers.
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if read != 0 || attributes.sched_policy != libc::SCHED_OTHER.cast_unsigned() {
        return;
    }
    attributes.sched_runtime = SLICE_NANOS;
    // SAFETY: 0 is this thread; `attributes` says itself how many bytes of it are read, as the call above set it.
    let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn shorten() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;

    /// Of this thread, in nanoseconds; none where the system does not tell.
    fn slice() -> Option<u64> {
        let told = fs::read_to_string("/proc/thread-self/sched").ok()?;
        let line = told.lines().find_map(|line| line.strip_prefix("se.slice"))?;
        line.rsplit(':').next()?.trim().parse().ok()
    }

    /// Whether a thread of this system may ask for its own.
    fn is_asked() -> bool {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
        (numbers.next(), numbers.next()) >= (Some(6), Some(12))
    }

    #[test]
    fn a_thread_has_a_short_slice_where_the_system_gives_one() {
        let (before, after) = std::thread::spawn(|| {
            let before = slice();
            shorten();
            shorten();
            (before, slice())
        })
        .join()
        .unwrap();
        if before.is_some() && is_asked() {
            assert_eq!(after, Some(SLICE_NANOS));
        } else {
            assert_eq!(after, before);
        }
    }
}
