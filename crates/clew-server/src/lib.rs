#![doc = include_str!("../README.md")]

pub mod app;
pub mod ask;
pub mod delete;
pub mod demo;
pub mod figures;
mod hints;
mod hosts;
pub mod listen;
pub mod pins;
pub mod problem;
pub mod receive;
pub mod remote_write;
mod router;
pub mod tenants;
mod ui;

pub use app::{App, Listen, Purpose, ServerConfig};
pub use demo::{Demo, Visit, VisitExport};
pub use listen::{Address, BindError, Server, bind};
pub use problem::Problem;
pub use remote_write::RemoteWrite;
pub use router::{Health, Reason, router};
