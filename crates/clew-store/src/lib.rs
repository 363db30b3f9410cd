#![doc = include_str!("../README.md")]

pub mod batch;
pub mod catalog;
pub mod check;
pub mod config;
mod driver;
pub mod figures;
mod folder;
pub mod generation;
pub mod health;
pub mod keep;
pub mod live;
pub mod log;
mod pace;
pub mod port;
mod replay;
pub mod settle;
pub mod start;
pub mod store;
#[cfg(test)]
mod testing;
pub mod view;

pub use batch::{Batch, Encoding, Outcome, Protocol, Source, Tenants};
pub use check::{
    BlockReport, CatalogReport, CheckError, CheckReport, ColumnTotal, ColumnsReport, SegmentReport, SettledReport,
    StrayFile, check, columns,
};
pub use config::{Ports, SettleConfig, StoreConfig};
pub use figures::{Histogram, HistogramFigures, SettleFigures, StoreFigures};
pub use generation::Generation;
pub use health::HealthReason;
pub use live::Live;
pub use log::Damage;
pub use store::{CloseError, OpenError, Store};
