//! `adapter --listen`: a built-in adapter for others.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use crate::app::serving::{Serving, ServingError, ServingOptions};
use crate::cli::args_adapter::ServeArgs;
use crate::cli::interrupt::Interrupts;
use crate::cli::screen::{Screen, plain};
use crate::cli::{Failure, Status};

/// Between two looks at whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A longer certificate or key is none.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Serves until Ctrl-C.
pub(super) fn serve(options: &ServeArgs, screen: &Screen) -> Result<Status, Failure> {
    let Some(listen) = options.listen else {
        return Err(Failure::Input("say what to do; see: meshbench adapter --help".to_owned()));
    };
    let tls = match (&options.tls_cert, &options.tls_key) {
        (Some(certificate), Some(key)) => Some((pem(certificate)?, pem(key)?)),
        _ => None,
    };
    if !listen.ip().is_loopback() {
        let read = if tls.is_none() { ", and without TLS these can be read on the way" } else { "" };
        let danger = format!(
            "other machines can reach {listen}: whoever does can operate clusters with kubeconfigs that they hand over{read}"
        );
        if !options.open {
            return Err(Failure::Input(format!(
                "{danger}.\nListen on 127.0.0.1, or say --open if that is wanted"
            )));
        }
        screen.warning(&format!("{danger}."));
    }
    let interrupts = Interrupts::listen()?;
    let is_tls = tls.is_some();
    let options = ServingOptions { listen, mesh: options.mesh.to_ascii_lowercase(), tls };
    let serving = Serving::start(options).map_err(|error| match error {
        ServingError::Listen(_, _) => Failure::NotCarriedOut(error.to_string()),
        ServingError::Mesh(_) | ServingError::Tls(_) => Failure::Input(error.to_string()),
    })?;
    let scheme = if is_tls { "https://" } else { "" };
    screen.print(&format!("{scheme}{}\n", serving.address()))?;
    while !interrupts.asked() && !serving.is_over() {
        std::thread::sleep(LOOK_EVERY);
    }
    screen.remark("Stopping …");
    let cut = serving.stop().map_err(Failure::NotCarriedOut)?;
    for operation in &cut {
        screen.warning(&format!("“{}” went on and was cut; what it had done stays", plain(operation)));
    }
    Ok(Status::Met)
}

fn pem(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed =
        |error: std::io::Error| Failure::Input(format!("{} cannot be read: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > PEM_BYTES_MAX {
        return Err(Failure::Input(format!("{} is too long to be a PEM file", path.display())));
    }
    Ok(bytes)
}
