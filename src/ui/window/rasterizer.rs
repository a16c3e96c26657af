//! Where the processor draws, its threads stay on half of the cores while a run goes: they draw for milliseconds at a
//! time, and a load thread that is woken beside one waits for it, though another core has nothing to do.

#[cfg(target_os = "linux")]
pub(super) use linux::Rasterizer;

/// Cannot be asked to make room here; a graphics card draws as a rule.
#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub(super) struct Rasterizer;

#[cfg(not(target_os = "linux"))]
impl Rasterizer {
    pub(super) fn make_room(&mut self, _room: bool) {}
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    use rustix::process::Pid;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// How Mesa names the threads that draw.
    const NAME: &str = "llvmpipe-";

    /// The threads of this program that draw.
    #[derive(Debug, Default)]
    pub(in crate::ui::window) struct Rasterizer {
        makes_room: bool,
    }

    impl Rasterizer {
        /// Whether they leave half of the cores to others. Cheap when nothing changes. Where the system refuses, they
        /// stay where they are: what it costs is in the lag of the run, which is shown.
        pub(in crate::ui::window) fn make_room(&mut self, room: bool) {
            if self.makes_room == room {
                return;
            }
            self.makes_room = room;
            let Ok(all) = sched_getaffinity(None) else { return };
            let cores = if room { lower_half(&all) } else { all };
            for thread in drawing() {
                let _ = sched_setaffinity(Some(thread), &cores);
            }
        }
    }

    /// The lower half of these cores, where as a rule the interrupts of devices come too: drawing can wait for them. All
    /// where there is one.
    fn lower_half(all: &CpuSet) -> CpuSet {
        let mut half = CpuSet::new();
        let cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        cores.take((all.count() as usize).div_ceil(2)).for_each(|core| half.set(core));
        half
    }

    fn drawing() -> Vec<Pid> {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        threads
            .filter(|thread| {
                fs::read_to_string(thread.path().join("comm")).is_ok_and(|name| name.starts_with(NAME))
            })
            .filter_map(|thread| thread.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
            .collect()
    }

    #[cfg(test)]
    mod tests {
        use std::sync::mpsc;
        use std::thread;

        use rustix::thread::gettid;

        use super::*;

        #[test]
        fn half_of_the_cores_is_left_to_others() {
            for (cores, kept) in [(&[0, 1][..], &[0][..]), (&[2, 5, 9], &[2, 5]), (&[3], &[3])] {
                let set = |cores: &[usize]| {
                    let mut set = CpuSet::new();
                    cores.iter().for_each(|core| set.set(*core));
                    set
                };
                assert_eq!(lower_half(&set(cores)), set(kept));
            }
        }

        #[test]
        fn those_who_draw_make_room_and_take_it_back() {
            let (tell, told) = mpsc::channel();
            let (stop, stopped) = mpsc::channel::<()>();
            let thread = thread::Builder::new().name(format!("{NAME}7")).spawn(move || {
                tell.send(gettid()).unwrap();
                let _ = stopped.recv();
            });
            let drawing = told.recv().unwrap();
            let all = sched_getaffinity(None).unwrap();
            let mut rasterizer = Rasterizer::default();
            rasterizer.make_room(true);
            assert_eq!(sched_getaffinity(Some(drawing)).unwrap(), lower_half(&all));
            assert_eq!(sched_getaffinity(None).unwrap(), all, "others stay where they are");
            rasterizer.make_room(false);
            assert_eq!(sched_getaffinity(Some(drawing)).unwrap(), all);
            drop(stop);
            thread.unwrap().join().unwrap();
        }
    }
}
