#![doc = include_str!("../README.md")]

pub mod batch;
pub mod check;
pub mod config;
mod driver;
pub mod figures;
mod folder;
pub mod health;
pub mod live;
pub mod log;
pub mod port;
mod replay;
mod source;
pub mod store;
#[cfg(test)]
mod testing;

pub use batch::{Batch, Encoding, Outcome, Protocol, Source, Tenants};
pub use check::{CheckError, CheckReport, SegmentReport, check};
pub use config::{Ports, StoreConfig};
pub use figures::{Histogram, HistogramFigures, StoreFigures};
pub use health::HealthReason;
pub use live::{Live, LiveConfig};
pub use log::Damage;
pub use store::{CloseError, OpenError, Store};
