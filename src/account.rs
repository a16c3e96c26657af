//! Logins: what is kept of them, and where.
//!
//! Secrets go into the system's keyring and nowhere else.

mod keyring;

pub use keyring::Keyring;
