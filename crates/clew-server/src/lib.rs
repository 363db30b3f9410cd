#![doc = include_str!("../README.md")]

pub mod app;
pub mod ask;
pub mod delete;
pub mod figures;
mod hosts;
pub mod listen;
pub mod problem;
pub mod receive;
mod router;
pub mod tenants;

pub use app::{App, Listen, Purpose, ServerConfig};
pub use listen::{Address, BindError, Server, bind};
pub use problem::Problem;
pub use router::{Health, Reason, router};
