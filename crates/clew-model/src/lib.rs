#![doc = include_str!("../README.md")]

pub mod attributes;
pub mod condition;
pub mod identity;
pub mod ids;
pub mod reason;
pub mod relation;
pub mod sampling;
pub mod scan;
pub mod span;
pub mod summary;
pub mod tenant;
pub mod value;
pub mod verdict;

pub use condition::{SpanTest, Test, ValueRef};
pub use ids::{IdError, SpanId, TraceId};
pub use reason::{RefuseClass, RefuseReason, RejectReason};
pub use sampling::{Randomness, Sampling, Threshold};
pub use span::{Event, Kind, Link, Notes, Resource, Scope, Span, Status, StatusCode};
pub use summary::{RootRef, Summary, summarize};
pub use tenant::{Tenant, TenantError};
pub use value::{Attribute, Value};
pub use verdict::Verdict;
