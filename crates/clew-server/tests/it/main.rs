//! A real server with a real store, spoken to over real connections.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "an integration test is an edge: it measures time; its senders and readers may panic; counts are whole"
)]

mod accounting;
mod ask;
mod bad_spans;
mod delete;
mod demo;
mod doors;
mod export;
mod figures;
mod hints;
mod home;
mod hostile;
mod limits;
mod pins;
mod refusals;
mod remote_write;
mod server;
mod settled;
mod signals;
mod tenants;
mod wire;
