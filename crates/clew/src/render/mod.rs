//! Answers as text for people: pure functions from an answer and a screen to a string.
//!
//! | Module | What it holds |
//! |---|---|
//! | `screen` | width, colours and glyphs of the place where the text goes |
//! | `figures` | durations and counts in words |
//! | `table` | search results |
//! | `rows` | a trace's spans as tree rows: equal neighbours folded, gaps on lines of their own |
//! | `bar` | a row's bar |
//! | `waterfall` | the whole picture of a trace |

mod bar;
mod figures;
mod rows;
mod screen;
mod table;
mod waterfall;

pub(crate) use figures::{bytes, count, duration};
pub(crate) use screen::{Screen, ScreenOptions, clean};
pub(crate) use table::{Columns, table};
pub(crate) use waterfall::waterfall;

#[cfg(test)]
mod tests;
