//! The figures of one series, and of one edge.

use std::borrow::Cow;

use clew_model::Span;
use serde::{Deserialize, Serialize};

use crate::{Exemplars, Histogram, Rollup, Weight};

/// How many spans, how many of them failed, and how long they took.
///
/// Figures are equal when their numbers are; exemplars are pointers for readers and no figures.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Spans that were received.
    pub received: i64,
    /// Spans that they stand for: the sum of their adjusted counts.
    pub weighted: Weight,
    /// Received spans that failed.
    pub errors: i64,
    /// Spans that the failed ones stand for.
    pub weighted_errors: Weight,
    /// Durations of the received spans.
    pub duration: Histogram,
    /// Durations of the spans that stand behind received ones, in whole spans: empty where nobody samples.
    pub unreceived: Histogram,
    /// A few of the spans.
    pub exemplars: Exemplars,
}

/// How many calls, how many of them failed, and how long they took on both sides.
///
/// Figures are equal when their numbers are; exemplars are pointers for readers and no figures.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct EdgeFigures {
    /// Calls that were received: pairs of spans, or one span where the other side has none.
    pub received: i64,
    /// Calls that they stand for.
    pub weighted: Weight,
    /// Received calls of which either side failed.
    pub errors: i64,
    /// Calls that the failed ones stand for.
    pub weighted_errors: Weight,
    /// Durations as the caller saw them; of calls whose caller has a span.
    pub caller_duration: Histogram,
    /// Durations as the callee saw them; of calls whose callee has a span.
    pub callee_duration: Histogram,
    /// Time of messages from the end of the sender's span to the start of the receiver's, not below 0; of pairs only.
    pub latency: Histogram,
    /// A few of the calls: the caller's span, or the callee's if the caller has none.
    pub exemplars: Exemplars,
}

/// One call, as an edge counts it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) caller: Option<&'a Span>,
    pub(crate) callee: Option<&'a Span>,
    /// Whether it is a message, whose way takes time of its own.
    pub(crate) is_message: bool,
    /// Whether either side failed.
    pub(crate) is_error: bool,
}

impl Call<'_> {
    /// The minute in which it began.
    pub(crate) fn unix_minute(&self) -> u64 {
        self.caller.or(self.callee).map_or(0, |span| span.start_unix_nanos / Rollup::MINUTE_NANOS)
    }
}

impl Figures {
    /// Durations of the spans that the received ones stand for: what quantiles should be of when some are sampled.
    pub fn weighted_duration(&self) -> Cow<'_, Histogram> {
        if self.unreceived.is_zero() {
            return Cow::Borrowed(&self.duration);
        }
        let mut all = self.duration.clone();
        all.add(&self.unreceived);
        Cow::Owned(all)
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.received = self.received.wrapping_add(other.received);
        self.weighted.add(other.weighted);
        self.errors = self.errors.wrapping_add(other.errors);
        self.weighted_errors.add(other.weighted_errors);
        self.duration.add(&other.duration);
        self.unreceived.add(&other.unreceived);
        self.exemplars.add(&other.exemplars);
    }

    /// Takes others back.
    pub fn subtract(&mut self, other: &Self) {
        self.received = self.received.wrapping_sub(other.received);
        self.weighted.subtract(other.weighted);
        self.errors = self.errors.wrapping_sub(other.errors);
        self.weighted_errors.subtract(other.weighted_errors);
        self.duration.subtract(&other.duration);
        self.unreceived.subtract(&other.unreceived);
        self.exemplars.subtract(&other.exemplars);
    }

    /// Whether every number is 0.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Memory beside the figures themselves, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.duration.heap_bytes() + self.unreceived.heap_bytes() + self.exemplars.heap_bytes()
    }

    fn numbers(&self) -> impl PartialEq {
        let Self { received, weighted, errors, weighted_errors, duration, unreceived, exemplars: _ } = self;
        (*received, *weighted, *errors, *weighted_errors, duration, unreceived)
    }
}

impl EdgeFigures {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.received = self.received.wrapping_add(other.received);
        self.weighted.add(other.weighted);
        self.errors = self.errors.wrapping_add(other.errors);
        self.weighted_errors.add(other.weighted_errors);
        self.caller_duration.add(&other.caller_duration);
        self.callee_duration.add(&other.callee_duration);
        self.latency.add(&other.latency);
        self.exemplars.add(&other.exemplars);
    }

    /// Takes others back.
    pub fn subtract(&mut self, other: &Self) {
        self.received = self.received.wrapping_sub(other.received);
        self.weighted.subtract(other.weighted);
        self.errors = self.errors.wrapping_sub(other.errors);
        self.weighted_errors.subtract(other.weighted_errors);
        self.caller_duration.subtract(&other.caller_duration);
        self.callee_duration.subtract(&other.callee_duration);
        self.latency.subtract(&other.latency);
        self.exemplars.subtract(&other.exemplars);
    }

    /// Whether every number is 0.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Memory beside the figures themselves, in bytes.
    pub fn heap_bytes(&self) -> usize {
        let histograms = [&self.caller_duration, &self.callee_duration, &self.latency];
        histograms.map(Histogram::heap_bytes).iter().sum::<usize>() + self.exemplars.heap_bytes()
    }

    fn numbers(&self) -> impl PartialEq {
        let Self { received, weighted, errors, weighted_errors, caller_duration, callee_duration, latency, .. } = self;
        (*received, *weighted, *errors, *weighted_errors, caller_duration, callee_duration, latency)
    }
}

impl PartialEq for Figures {
    fn eq(&self, other: &Self) -> bool {
        self.numbers() == other.numbers()
    }
}

impl PartialEq for EdgeFigures {
    fn eq(&self, other: &Self) -> bool {
        self.numbers() == other.numbers()
    }
}
