//! Settling: whole traces are judged and counted, once each.
//!
//! Settling is logical: it says of spans that lie in the live head or in blocks that they are counted, and writes no block.
//! Merging, which writes blocks, is [`crate::keep`]'s, and what parts the two is one instant, the watermark: all that was
//! received before it is counted.
//!
//! ```text
//! offer -> Intake: when was it received, is it visible?
//!            |
//! live ---> Book: which traces have spans that are not counted? which of these are complete?
//!            |
//!          Settler: read whole, judge, roll up -> Settlement
//!            |
//!          keeper: one file, one edit of the catalog -> verdicts, figures and the feed are as of now
//! ```
//!
//! Invariants:
//! - T2 a trace is counted once: the sum of all settlements' figures is that of the whole traces, identical spans once,
//!   wherever cuts, restarts and late spans have put the parts.
//! - T3 a verdict is final once its edit is synced; what is not settled yet is judged again after a crash, on the same spans.
//!
//! | File | What |
//! |---|---|
//! | `intake` | when batches are received |
//! | `book` | what is not counted, and when a trace is complete |
//! | `pending` | the traces of the book, in pages that readers share |
//! | `sources` | where the book learns what arrived |
//! | `judge` | verdicts |
//! | `past` | what was decided before, also about traces that are not there any more |
//! | `pass` | one look: what is complete is read, judged and rolled up |
//! | `record` | what a settlement says, in bytes |
//! | `files` | the files of settlements |
//! | `settled` | what readers see of it |
//! | `totals` | counters of spans and calls since the start |
//! | `start` | the book as it is found at the start |
//! | `thread` | the thread that a store runs it on |

pub mod book;
pub(crate) mod files;
pub mod intake;
pub mod judge;
pub mod pass;
pub(crate) mod past;
pub mod pending;
pub mod record;
pub mod settled;
pub(crate) mod sources;
pub(crate) mod start;
#[cfg(test)]
pub(crate) mod tests;
pub mod thread;
pub mod totals;

pub use book::{Arrival, Book, Completion};
pub use intake::Intake;
pub use judge::{Judge, KeepAll, Percentage, Recent, Whole};
pub use pass::{Settlement, Settler};
pub use record::{Record, SettledTenant};
pub use settled::{FeedAnswer, FiguresAnswer, Settled};
pub use thread::{SettleTotals, look};
pub use totals::SpanTotals;
