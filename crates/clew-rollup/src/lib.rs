#![doc = include_str!("../README.md")]

mod edges;
pub mod exemplar;
pub mod figures;
pub mod histogram;
pub mod key;
mod lineage;
mod peer;
pub mod rollup;
mod trace;
pub mod weight;

pub use exemplar::{Exemplar, Exemplars};
pub use figures::{EdgeFigures, Figures};
pub use histogram::{Bucket, Histogram};
pub use key::{Connection, EdgeKey, SeriesKey};
pub use rollup::{Minute, Rollup};
pub use weight::Weight;
