//! The binary from outside: what its commands print, and what a server keeps through stops, crashes and resends.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]
#![allow(
    clippy::disallowed_methods,
    reason = "an integration test is an edge: it starts processes and waits with deadlines"
)]

mod check;
mod commands;
mod crash;
mod delete;
mod files;
mod full;
mod pins;
mod prometheus;
mod resend;
mod server;
mod serving;
mod tail;
mod visible;
