//! From the spans of one trace to its figures.

use std::collections::BTreeMap;

use clew_model::Span;

use crate::edges::{self, Edge};
use crate::key::status_of;
use crate::{EdgeKey, Minute, Rollup, SeriesKey};

/// The figures of a trace, by unix minute.
pub(crate) fn minutes(spans: &[Span], keeps_exemplars: bool) -> BTreeMap<u64, Minute> {
    let mut minutes: BTreeMap<u64, Minute> = BTreeMap::new();
    for span in spans {
        let status = status_of(span);
        let key =
            SeriesKey { service: span.service().into(), operation: span.name.as_str().into(), kind: span.kind, status };
        let minute = minutes.entry(span.start_unix_nanos / Rollup::MINUTE_NANOS).or_default();
        let is_error = status == clew_model::StatusCode::Error;
        minute.series.entry(key).or_default().record(span, is_error, keeps_exemplars);
    }
    for Edge { caller, callee, connection, call } in edges::of(spans) {
        let start = call.caller.or(call.callee).map_or(0, |span| span.start_unix_nanos);
        let minute = minutes.entry(start / Rollup::MINUTE_NANOS).or_default();
        let key = EdgeKey { caller: (&*caller).into(), callee: (&*callee).into(), connection };
        minute.edges.entry(key).or_default().record(&call, keeps_exemplars);
    }
    minutes
}
