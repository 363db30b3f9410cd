//! What was decided about a settled trace.

use serde::{Deserialize, Serialize};

/// The decision about a whole trace: whether it is kept, which rule said so, and for how many traces it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Whether it is kept beyond the time for which every trace is (`settle.full_for`).
    pub keep: bool,
    /// The name of the rule that decided.
    pub rule: String,
    /// How many traces a kept one stands for: the adjusted count of OpenTelemetry's consistent probability sampling, 1 for a
    /// trace that was kept for what it is.
    pub weight: f64,
    /// The retention class: a name; empty is the tenant's own retention.
    pub class: String,
}

impl Verdict {
    /// The rule that keeps every trace.
    pub const KEEP_ALL: &'static str = "all";

    /// The rule of what comes late of a trace that was left out before: it is not kept either, unless it brings an error.
    pub const DROPPED_BEFORE: &'static str = "dropped before";

    /// The verdict of the rule that keeps every trace.
    pub fn keep_all() -> Self {
        Self { keep: true, rule: Self::KEEP_ALL.to_owned(), weight: 1.0, class: String::new() }
    }

    /// The verdict about what comes late of a trace that was left out before.
    pub fn dropped_before() -> Self {
        Self { keep: false, rule: Self::DROPPED_BEFORE.to_owned(), weight: 1.0, class: String::new() }
    }

    /// Whether it is what a trace has that nothing special was decided about.
    pub fn is_keep_all(&self) -> bool {
        self.keep && self.rule == Self::KEEP_ALL && self.class.is_empty()
    }
}
