//! The exchange of records: the real server over a real store, the real client, real histories.

mod chaos;
mod lives;
mod numbers;
mod parts;
mod trips;
