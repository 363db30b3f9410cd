//! The catalog: which blocks there are, up to where the log is in them, and what was deleted. An edit log of its own.
//!
//! | File | What |
//! |---|---|
//! | `state` | what the catalog knows, and one edit of it; pure |
//! | `codec` | headers and frames in bytes |
//! | `recover` | the catalog as it is found at the start, reading only |
//! | `writer` | [`Catalog`]: commits edits on a disk |
//!
//! **One edit is one frame: one write, one sync.** It is committed when the sync has returned, and not before. A file has its
//! whole length from the beginning, zeros where no frame is yet: a truncated file is known as one, and an edit needs no room,
//! so that retention can free some on a full disk. When a file is well filled, a new one is made whose first frame is the
//! whole state; it gets its name when it is synced, and the old one is removed after that.
//!
//! **A torn last frame and a rotten one look alike:** bytes behind the last good frame. The one was never committed and is
//! cut; the other was, and its loss must be told. What tells them apart:
//!
//! - a later frame header that stands in its place: frames are written one by one, each synced before the next, so whatever
//!   lies before it was synced, and is damage;
//! - a *marker* behind each committed frame, written after its sync and itself not synced: it says that the frame before it
//!   was. The next frame takes its place. So the ambiguity lasts only until the disk has the marker, which a start that finds
//!   the frame whole makes sure of;
//! - bytes behind the end of a frame whose header can be trusted: a write is one frame, so nothing torn reaches beyond it;
//! - the log, for whoever opens both: if it begins above `sealed_through`, an edit was lost. [`Recovered::lose`] takes it.
//!
//! What is left, rot of the last frame and of its marker in the moment before a restart, reads as torn: the state is that
//! before the last edit.
//!
//! **Damage is never silent, and never stops a start:** what precedes it counts, the loss is written into the state
//! ([`State::lost`]) of a new file, and the damaged one is moved to `aside/`, where nothing is ever removed.
//!
//! **After a failed sync nothing is taken** until a restart, which writes the last frame again before it builds on it: the
//! frame may stand in the machine's memory alone. A full disk is no failure: what a write left behind is zeroed, and that is
//! synced, before the edit is refused, so that a refused edit never counts later.

mod codec;
mod recover;
mod state;
mod writer;

pub use codec::CATALOG_VERSION;
pub use recover::{Recovered, recover};
pub use state::{
    BlockEntry, CatalogDamage, Deletion, Edit, EditError, Pin, Reversed, SettleEdit, SettleEntry, SettleState, State,
};
pub use writer::{CATALOG_FILE_BYTES, Catalog, CommitError};

/// The folder of the catalog's files, in the data folder.
pub(crate) const CATALOG_FOLDER: &str = "catalog";

#[cfg(test)]
mod tests;
