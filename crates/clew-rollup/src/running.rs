//! Figures that are being counted: cheap to add a span to, and figures in the end.

use clew_model::Span;

use crate::exemplar::Bar;
use crate::figures::Call;
use crate::{EdgeFigures, Figures, Histogram, Weight};

/// Durations that are noted at least before they are counted.
const NOTED_MIN: usize = 64;

/// Of a series. What [`Figures`] has that is not noted beside it is right at any time.
#[derive(Debug, Default)]
pub(crate) struct Series {
    figures: Figures,
    durations: Noted,
    bar: Bar,
}

/// Of an edge.
#[derive(Debug, Default)]
pub(crate) struct Edge {
    figures: EdgeFigures,
    caller_durations: Noted,
    callee_durations: Noted,
    latencies: Noted,
    bar: Bar,
}

/// Buckets of durations that a histogram does not count yet: to note one is to append it, where counting is to search and to
/// make room. It takes no more memory than the buckets, or [`NOTED_MIN`].
#[derive(Debug, Default)]
struct Noted(Vec<i16>);

impl Series {
    pub(crate) fn record(&mut self, span: &Span, is_error: bool, keeps_exemplars: bool) {
        let figures = &mut self.figures;
        let weight = Weight::of(span.adjusted_count());
        figures.received = figures.received.wrapping_add(1);
        figures.weighted.add(weight);
        self.durations.record(&mut figures.duration, span.duration_nanos);
        if weight != Weight::ONE {
            figures.unreceived.record(span.duration_nanos, weight.to_i64().saturating_sub(1));
        }
        if is_error {
            figures.errors = figures.errors.wrapping_add(1);
            figures.weighted_errors.add(weight);
        }
        if keeps_exemplars {
            self.bar.offer(&mut figures.exemplars, span, is_error);
        }
    }

    pub(crate) fn into_figures(mut self) -> Figures {
        self.durations.count(&mut self.figures.duration);
        self.figures
    }
}

impl Edge {
    pub(crate) fn record(&mut self, call: &Call<'_>, keeps_exemplars: bool) {
        let figures = &mut self.figures;
        let sides = || call.caller.into_iter().chain(call.callee);
        // Both were received, so that the more seldom one says how often that happens.
        let weight = sides().map(|span| Weight::of(span.adjusted_count())).max().unwrap_or(Weight::ONE);
        figures.received = figures.received.wrapping_add(1);
        figures.weighted.add(weight);
        if call.is_error {
            figures.errors = figures.errors.wrapping_add(1);
            figures.weighted_errors.add(weight);
        }
        if let Some(caller) = call.caller {
            self.caller_durations.record(&mut figures.caller_duration, caller.duration_nanos);
        }
        if let Some(callee) = call.callee {
            self.callee_durations.record(&mut figures.callee_duration, callee.duration_nanos);
        }
        if let (true, Some(caller), Some(callee)) = (call.is_message, call.caller, call.callee) {
            let waited_nanos = callee.start_unix_nanos.saturating_sub(caller.end_unix_nanos());
            self.latencies.record(&mut figures.latency, waited_nanos);
        }
        if let Some(span) = sides().next().filter(|_| keeps_exemplars) {
            self.bar.offer(&mut figures.exemplars, span, call.is_error);
        }
    }

    pub(crate) fn into_figures(mut self) -> EdgeFigures {
        self.caller_durations.count(&mut self.figures.caller_duration);
        self.callee_durations.count(&mut self.figures.callee_duration);
        self.latencies.count(&mut self.figures.latency);
        self.figures
    }
}

impl Noted {
    fn record(&mut self, of: &mut Histogram, nanos: u64) {
        let Some(index) = of.note(nanos) else { return };
        if self.0.len() == self.0.capacity() && self.0.len() >= NOTED_MIN.max(2 * of.buckets().len()) {
            self.count(of);
        }
        self.0.push(index);
    }

    fn count(&mut self, of: &mut Histogram) {
        of.count_noted(&mut self.0);
        self.0.clear();
    }
}
