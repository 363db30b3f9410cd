//! The stretch of time that figures are asked about, in whole minutes: figures are kept by the minute.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use clew_model::Tenant;
use clew_model::scan::{Expired, TimeRange};
use clew_rollup::Rollup;
use clew_store::settle::FiguresAnswer;
use clew_store::view::View;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::error::AskError;
use super::gate;
use super::params::Params;
use super::question;
use super::trace::{JSON, json};
use crate::app::App;

/// How far back is looked when nothing is said.
const MINUTES_DEFAULT: u64 = 60;

/// Minutes, from the first to before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Minutes {
    /// The first unix minute.
    pub(super) from: u64,
    /// The first one after.
    pub(super) to: u64,
    /// When it is asked, in unix nanoseconds.
    pub(super) now_unix_nanos: u64,
}

impl Minutes {
    /// The minutes that the parameters touch: without an end up to now, without a beginning an hour before the end.
    pub(super) fn read(params: &Params, now_unix_nanos: u64) -> Result<Self, AskError> {
        let TimeRange { from_unix_nanos, to_unix_nanos } = question::range(params, now_unix_nanos)?;
        let has_end = to_unix_nanos < TimeRange::ALL.to_unix_nanos;
        let to = if has_end { to_unix_nanos } else { now_unix_nanos.saturating_add(1) }.div_ceil(Rollup::MINUTE_NANOS);
        let is_begun = params.one("from")?.is_some() || params.one("since")?.is_some();
        let from = from_unix_nanos / Rollup::MINUTE_NANOS;
        let from = if is_begun { from } else { to.saturating_sub(MINUTES_DEFAULT) };
        if from >= to {
            return Err(AskError::parameter(
                "from",
                "the range is empty: from is after now, and there is no later `to`",
            ));
        }
        Ok(Self { from, to, now_unix_nanos })
    }

    /// Answers with what a tenant's figures of these minutes are, settled or not, in some shape.
    pub(super) async fn answer<A: Serialize>(
        self,
        app: &Arc<App>,
        tenant: Tenant,
        shape: impl FnOnce(FiguresAnswer) -> A + Send + 'static,
    ) -> Result<Response, AskError> {
        let work =
            move |view: &View, expired: Expired<'_>| json(&shape(view.figures(&tenant, self.range(), expired)?));
        let body = gate::run_on_view(app, work).await?;
        Ok(([(CONTENT_TYPE, JSON)], body).into_response())
    }

    /// How many they are.
    pub(super) fn count(self) -> u64 {
        self.to - self.from
    }

    /// The same in nanoseconds.
    pub(super) fn range(self) -> TimeRange {
        TimeRange { from_unix_nanos: start(self.from), to_unix_nanos: start(self.to) }
    }

    /// How long some of them last, in seconds; of those that are not over, how long they have lasted.
    pub(super) fn seconds(self, from: u64, to: u64) -> f64 {
        let (from, to) = (start(from), start(to));
        let so_far = to.min(self.now_unix_nanos).saturating_sub(from);
        let nanos = if so_far > 0 { so_far } else { to - from };
        nanos as f64 / 1e9
    }
}

/// When a unix minute begins, in unix nanoseconds.
pub(super) fn start(unix_minute: u64) -> u64 {
    unix_minute.saturating_mul(Rollup::MINUTE_NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000 * Rollup::MINUTE_NANOS + 15_000_000_000;

    fn read(query: &str) -> Result<Minutes, AskError> {
        Minutes::read(&Params::of(&format!("/x?{query}").parse().unwrap()).unwrap(), NOW)
    }

    #[test]
    fn minutes_that_are_touched_are_whole() {
        let of = |query: &str| read(query).map(|minutes| (minutes.from, minutes.to)).unwrap();
        assert_eq!(of(""), (941, 1001));
        assert_eq!(of("since=90s"), (998, 1001));
        assert_eq!(of("from=30000&to=36030"), (500, 601));
        assert_eq!(of("to=36000"), (540, 600));
        assert_eq!(of("from=0&to=60"), (0, 1));
        for (query, name) in [("from=%2B1h", "from"), ("from=2&to=1", "to"), ("since=x", "since")] {
            assert!(matches!(read(query), Err(AskError::Parameter { name: at, .. }) if at == name), "{query}");
        }
    }

    #[test]
    fn a_minute_that_is_not_over_is_as_long_as_it_has_lasted() {
        let minutes = read("").unwrap();
        assert!((minutes.seconds(999, 1001) - 75.0).abs() < 1e-9);
        assert!((minutes.seconds(999, 1000) - 60.0).abs() < 1e-9);
        assert!((minutes.seconds(1001, 1003) - 120.0).abs() < 1e-9);
    }
}
