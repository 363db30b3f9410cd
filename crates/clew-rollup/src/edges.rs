//! Who called whom.

use std::borrow::Cow;
use std::collections::HashMap;

use clew_model::{Kind, Span, SpanId};
use foldhash::fast::RandomState;

use crate::Connection;
use crate::figures::Call;

/// One call and its names.
pub(crate) struct Edge<'a> {
    pub(crate) caller: Cow<'a, str>,
    pub(crate) callee: Cow<'a, str>,
    pub(crate) connection: Connection,
    pub(crate) call: Call<'a>,
}

/// The calls of a trace.
pub(crate) fn of(spans: &[Span]) -> Vec<Edge<'_>> {
    let by_id: HashMap<SpanId, &Span, RandomState> = spans.iter().map(|span| (span.span_id, span)).collect();
    let mut edges = Vec::new();
    for callee in spans.iter().filter(|span| span.kind.is_callee()) {
        let Some(caller) = callee.parent_span_id.and_then(|id| by_id.get(&id).copied()) else { continue };
        if caller.service() != callee.service() {
            let is_message = callee.kind == Kind::Consumer;
            edges.push(Edge {
                caller: caller.service().into(),
                callee: callee.service().into(),
                connection: if is_message { Connection::Messaging } else { Connection::Other },
                call: Call { caller: Some(caller), callee: Some(callee), is_message },
            });
        }
    }
    edges
}
