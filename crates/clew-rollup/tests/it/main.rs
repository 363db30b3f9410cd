//! The figures of traces, against small stories and against naive counts.

mod draw;
mod edges;
mod exemplars;
mod histogram;
mod messages;
mod properties;
mod reference;
mod rollup;
mod size;
mod tally;
