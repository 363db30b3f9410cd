//! Traces drawn as text, and what the analysis says about them.

mod classic;
mod draw;
mod identity;
mod properties;
mod reference;
mod repeats;
mod self_time;
mod sentence;
mod size;
mod skew;
mod summary;
mod tail;
mod thread;
mod tree;
