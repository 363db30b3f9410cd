//! What becomes of a whole trace: the rules that ship, and the trait that others plug in by.

use std::collections::BTreeMap;

use clew_model::sampling::{Randomness, Sampling, Threshold};
use clew_model::{Span, Summary, Tenant, Verdict};
use clew_rollup::Rollup;

/// A whole trace, to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'t> {
    /// Whose.
    pub tenant: &'t Tenant,
    /// Its spans, identical ones once, by start.
    pub spans: &'t [Span],
    /// The same in short.
    pub summary: &'t Summary,
}

/// Decides about whole traces. Which one is asked, and what it is told, is the same after a restart.
pub trait Judge: Send {
    /// Whether it looks at all of a span. If not, spans come without events, scopes and messages, and with such attributes only
    /// as figures are taken from, which is read in half the time.
    fn wants_whole(&self) -> bool {
        true
    }

    /// The verdict about a trace. `recent` holds the figures of the last minutes, this trace not included.
    fn judge(&mut self, trace: Whole<'_>, recent: &Recent) -> Verdict;

    /// What it remembers from trace to trace, to be committed with the verdicts; empty when it is nothing.
    fn state(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Goes on with what was committed last.
    fn resume(&mut self, _state: &[u8]) {}
}

/// Keeps every trace.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeepAll;

impl Judge for KeepAll {
    fn wants_whole(&self) -> bool {
        false
    }

    fn judge(&mut self, _: Whole<'_>, _: &Recent) -> Verdict {
        Verdict::keep_all()
    }
}

/// Keeps a share of the traces, chosen by their ids (or by the randomness that their senders agreed on), consistently with
/// OpenTelemetry's probability sampling: whoever else samples at a higher rate keeps these traces too. What a sender has
/// sampled already is not sampled again, and its weight is told.
///
/// Source: OpenTelemetry specification, "TraceState: Probability Sampling" (equalizing).
#[derive(Debug, Clone, Copy)]
pub struct Percentage {
    /// `None` keeps nothing: no threshold says that.
    threshold: Option<Threshold>,
}

impl Percentage {
    /// The rule's name in verdicts.
    pub const RULE: &'static str = "percentage";

    /// Keeps that share: of 100, between 0 and 100.
    pub fn new(percent: f64) -> Self {
        let threshold = Threshold::of_probability(percent / 100.0, Threshold::PRECISION);
        Self { threshold: (percent > 0.0).then_some(threshold) }
    }
}

impl Judge for Percentage {
    fn wants_whole(&self) -> bool {
        false
    }

    fn judge(&mut self, trace: Whole<'_>, _: &Recent) -> Verdict {
        let said = said(trace.spans);
        let randomness = said.randomness.unwrap_or_else(|| Randomness::of_trace(trace.summary.trace_id));
        let before = said.threshold.unwrap_or(Threshold::ALL);
        let threshold = self.threshold.map(|own| own.max(before)).filter(|threshold| threshold.keeps(randomness));
        let weight = threshold.map_or(1.0, Threshold::adjusted_count);
        Verdict { keep: threshold.is_some(), rule: Self::RULE.to_owned(), weight, class: String::new() }
    }
}

/// What the spans of a trace say about sampling: the root, if it says anything, else the first span that does.
fn said(spans: &[Span]) -> Sampling {
    let roots = spans.iter().filter(|span| span.parent_span_id.is_none());
    let mut all = roots.chain(spans).filter(|span| !span.trace_state.is_empty());
    let said = all.find_map(|span| {
        let said = Sampling::of_trace_state(&span.trace_state);
        (said != Sampling::default()).then_some(said)
    });
    said.unwrap_or_default()
}

/// The figures of what was settled in the last minutes, tenant by tenant, as judges see them. Not committed: after a restart
/// it fills anew.
#[derive(Debug, Default)]
pub struct Recent {
    tenants: BTreeMap<Tenant, Rollup>,
}

/// So many minutes are remembered.
const RECENT_MINUTES: u64 = 15;

/// So many series of a tenant and minute.
const RECENT_SERIES: usize = 1000;

const MINUTE_NANOS: u64 = 60_000_000_000;

impl Recent {
    /// A tenant's figures.
    pub fn of(&self, tenant: &Tenant) -> Option<&Rollup> {
        self.tenants.get(tenant)
    }

    /// Adds what was settled, and forgets what is old by now.
    pub(super) fn add(&mut self, tenant: &Tenant, rollup: &Rollup, now_unix_nanos: u64) {
        let from = (now_unix_nanos / MINUTE_NANOS).saturating_sub(RECENT_MINUTES);
        let recent = self.tenants.entry(tenant.clone()).or_default();
        recent.add(rollup);
        recent.forget_before(from);
        recent.cap(RECENT_SERIES);
        if recent.is_empty() {
            self.tenants.remove(tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::spans;

    fn judged(percent: f64, number: u64, trace_state: &str) -> Verdict {
        let mut trace = spans(number, 2);
        trace[1].trace_state = trace_state.to_owned();
        let summary = clew_model::summarize(&trace);
        let whole = Whole { tenant: &Tenant::default(), spans: &trace, summary: &summary };
        Percentage::new(percent).judge(whole, &Recent::default())
    }

    #[test]
    fn randomness_that_senders_agreed_on_decides() {
        let (low, high) = ("ot=rv:00000000000000", "ot=rv:ffffffffffffff");
        assert!(!judged(10.0, 1, low).keep);
        let kept = judged(10.0, 1, high);
        assert!(kept.keep && (kept.weight - 10.0).abs() < 1e-3, "{kept:?}");
        assert!(!judged(0.0, 1, high).keep);
        assert!(judged(100.0, 1, low).keep);
    }

    #[test]
    fn what_was_sampled_before_keeps_its_weight() {
        // One in a hundred was sent; one in ten of all is asked for.
        let kept = judged(10.0, 1, "ot=th:fd70a;rv:ffffffffffffff");
        assert!(kept.keep && (kept.weight - 100.0).abs() < 0.1, "{kept:?}");
    }
}
