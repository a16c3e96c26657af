//! Logins: how a person logs in, what is kept of it and where, and whose a token is.
//!
//! Secrets go into the system's keyring and nowhere else; without one they are gone with the program.

mod callback;
mod issuer;
mod jwt;
mod keyring;
mod login;
mod session;
mod verify;
mod web;

pub use jwt::VerifyError;
pub use keyring::Keyring;
pub use login::{LoggedIn, LoginError, LoginStep, TellLogin, by_browser, by_device};
pub use session::{Kept, Lasts, LoginStanding, SessionError, Sessions, Tokens, Vault};
pub use verify::{Bearer, Verifier};
