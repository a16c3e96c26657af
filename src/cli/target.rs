//! `target`: the built-in target as a tool in itself.

use std::time::Duration;

use crate::app::target::{Target, TargetOptions};
use crate::model::number;

use super::args::TargetArgs;
use super::interrupt::Interrupts;
use super::screen::{Screen, plain};
use super::{Failure, Status};

/// Between two looks at whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Serves until Ctrl-C.
pub(super) fn serve(options: &TargetArgs, screen: &Screen) -> Result<Status, Failure> {
    let interrupts = Interrupts::listen()?;
    let options = TargetOptions {
        listen: options.listen,
        delay: options.delay,
        error_share: options.error_rate,
        body_bytes: options.size,
        stall: options.stall,
    };
    if !options.listen.ip().is_loopback() {
        screen.warning("the target can be reached from other machines.");
    }
    let listen = options.listen;
    let target = Target::start(options)
        .map_err(|error| Failure::NotCarriedOut(format!("{listen} cannot be listened on: {error}")))?;
    screen.print(&format!("http://{}/\n", target.address()))?;
    while !interrupts.asked() {
        std::thread::sleep(LOOK_EVERY);
    }
    let served = target.served();
    target.stop();
    let words = if served == 1 { "request" } else { "requests" };
    screen.print(&format!("Answered {} {words}\n", plain(&number::count(served))))?;
    Ok(Status::Met)
}
