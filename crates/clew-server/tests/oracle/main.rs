//! Search, by id and names against a plain list of spans, from the request that brings spans to the answer about them.
//!
//! Random histories (requests, seals, restarts, crashes, time) run against a real store on a disk in memory, behind the
//! real router. After each step random questions are asked, and each answer is compared with one that `evaluate` makes from
//! what the documents say, over all acknowledged spans. One number makes a history; a failure prints it, and the
//! smallest part of it that still fails. `CLEW_ORACLE_SEED=N` runs one history again; `PROPTEST_CASES=N` runs so many
//! (256 make more than ten thousand comparisons, 25,600 a million).
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "an integration test is an edge: it measures time, and its senders and readers may panic"
)]

mod chance;
mod compare;
mod evaluate;
mod generate;
mod history;
mod pictures;
mod totals;
mod visible;
mod world;
