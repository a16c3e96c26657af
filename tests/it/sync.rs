//! The exchange of records: the real server over a real store, the real client, real histories.

mod chaos;
mod numbers;
mod parts;
mod trips;
