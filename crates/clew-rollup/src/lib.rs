#![doc = include_str!("../README.md")]

mod edges;
pub mod exemplar;
pub mod figures;
pub mod histogram;
mod holders;
pub mod key;
mod lineage;
mod names;
mod peer;
pub mod rollup;
mod running;
pub mod tally;
pub mod weight;

pub use exemplar::{Exemplar, Exemplars};
pub use figures::{EdgeFigures, Figures};
pub use histogram::{Bucket, Histogram};
pub use key::{Connection, EdgeKey, SeriesKey};
pub use rollup::{Minute, Rollup};
pub use tally::Tally;
pub use weight::Weight;
