//! Several sources as one. A trace may lie in several of them, and a span too; what is answered is about whole traces, with
//! identical spans once.

use std::collections::{BTreeSet, HashMap};

use clew_model::attributes::{AttributesRequest, KeysAnswer, ValuesAnswer};
use clew_model::identity::{distinct, has_repeats};
use clew_model::scan::{
    Enough, Expired, ExtentsAnswer, Incomplete, MatchedAnswer, MatchedRequest, NewestAnswer, RowsAnswer, ScanAnswer,
    ScanError, ScanRequest, SpanSource, SummariesAnswer, TraceVersion,
};
use clew_model::{Span, Summary, Tenant, TraceId, summarize};
use foldhash::fast::RandomState;

use super::attributes;
use super::merge::{self, Home};

/// Sources of which each holds a part. An answer lacks what the sources' answers lack.
#[derive(Default)]
pub struct Together<'v> {
    parts: Vec<Part<'v>>,
}

/// One of them.
pub(super) struct Part<'v> {
    pub(super) source: &'v dyn SpanSource,
    /// Whether it has summaries and labels at hand, so that asking for them is cheaper than reading the spans.
    pub(super) is_summed_up: bool,
    /// Traces of it that were deleted.
    pub(super) deleted: BTreeSet<TraceId>,
}

impl<'v> Together<'v> {
    /// These sources.
    pub fn of(sources: impl IntoIterator<Item = &'v dyn SpanSource>) -> Self {
        let mut together = Self::default();
        sources.into_iter().for_each(|source| together.add(source, false, BTreeSet::new()));
        together
    }

    /// Adds a source without some traces.
    pub(super) fn add(&mut self, source: &'v dyn SpanSource, is_summed_up: bool, deleted: BTreeSet<TraceId>) {
        self.parts.push(Part { source, is_summed_up, deleted });
    }

    /// The spans of these traces in parts, by trace; identical ones once.
    fn distinct_rows(
        &self,
        tenant: &Tenant,
        ids: &[TraceId],
        expired: Expired<'_>,
    ) -> Result<(Vec<Vec<Span>>, Option<Incomplete>), ScanError> {
        let places: HashMap<TraceId, usize, RandomState> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let mut traces: Vec<Vec<Span>> = vec![Vec::new(); ids.len()];
        let mut holders = vec![0_u32; ids.len()];
        let mut incomplete = None;
        for part in &self.parts {
            let asked: Vec<TraceId> = ids.iter().copied().filter(|id| !part.deleted.contains(id)).collect();
            let answer = part.source.rows(tenant, &asked, expired)?;
            incomplete = incomplete.or(answer.incomplete);
            let mut last = None;
            for span in answer.spans {
                let Some(at) = places.get(&span.trace_id).copied() else { continue };
                holders[at] += u32::from(last != Some(at));
                last = Some(at);
                traces[at].push(span);
            }
        }
        for (spans, holders) in traces.iter_mut().zip(holders) {
            // Each source answers with its own spans once, in order.
            if holders > 1 {
                *spans = distinct(std::mem::take(spans));
                spans.sort_by_key(|span| (span.start_unix_nanos, span.span_id));
            }
        }
        Ok((traces, incomplete))
    }

    /// The summaries of traces that lie wholly in one source that has them at hand; the others are `None`.
    fn summaries_at_hand(
        &self,
        tenant: &Tenant,
        ids: &[TraceId],
        expired: Expired<'_>,
    ) -> Result<(Vec<Option<Summary>>, Option<Incomplete>), ScanError> {
        let mut homes = merge::homes(&self.parts, tenant, ids, expired)?;
        let mut incomplete = None;
        let mut summaries: Vec<Option<Summary>> = vec![None; ids.len()];
        for (number, part) in self.parts.iter().enumerate().filter(|(_, part)| part.is_summed_up) {
            let own: Vec<usize> = (0..ids.len()).filter(|at| homes[*at] == Home::In(number)).collect();
            if own.is_empty() {
                continue;
            }
            let own_ids: Vec<TraceId> = own.iter().map(|at| ids[*at]).collect();
            let answer = part.source.summaries(tenant, &own_ids, expired)?;
            incomplete = incomplete.or(answer.incomplete);
            let mut places = own.into_iter();
            for summary in answer.summaries {
                if let Some(at) = places.by_ref().find(|at| ids[*at] == summary.trace_id) {
                    homes[at] = Home::Nowhere;
                    summaries[at] = Some(summary);
                }
            }
        }
        Ok((summaries, incomplete))
    }

    /// The spans of these traces as `read` gives them; whole where several have one id, since only whole spans tell whether they
    /// are the same.
    fn in_part(
        &self,
        tenant: &Tenant,
        ids: &[TraceId],
        expired: Expired<'_>,
        read: &Read<'_>,
    ) -> Result<RowsAnswer, ScanError> {
        let ids = once(ids);
        let homes = merge::homes(&self.parts, tenant, &ids, expired)?;
        let mut incomplete = None;
        let at = |home: Home| -> Vec<TraceId> {
            ids.iter().zip(&homes).filter(|(_, own)| **own == home).map(|(id, _)| *id).collect()
        };
        let mut read_spans = Vec::with_capacity(self.parts.len());
        for (number, part) in self.parts.iter().enumerate() {
            let own = at(Home::In(number));
            let answer = if own.is_empty() { RowsAnswer::default() } else { read(part.source, &own)? };
            incomplete = incomplete.or(answer.incomplete);
            read_spans.push(answer.spans);
        }
        let (whole, missing) = self.in_several(tenant, &at(Home::Several), expired, read)?;
        incomplete = incomplete.or(missing);
        // Parts answer in the order that they are asked in. Spans are large: each is moved once.
        let mut spans = Vec::with_capacity(read_spans.iter().chain(&whole).map(Vec::len).sum());
        let mut read_spans: Vec<_> = read_spans.into_iter().map(|spans| spans.into_iter().peekable()).collect();
        let mut whole = whole.into_iter();
        for (id, home) in ids.iter().zip(homes) {
            match home {
                Home::In(number) => {
                    let part = &mut read_spans[number];
                    spans.extend(std::iter::from_fn(|| part.next_if(|span| span.trace_id == *id)));
                }
                Home::Several => spans.extend(whole.next().unwrap_or_default()),
                Home::Nowhere => {}
            }
        }
        debug_assert!(read_spans.iter_mut().all(|part| part.peek().is_none()), "a part answers in another order");
        Ok(RowsAnswer { spans, incomplete })
    }
}

impl Together<'_> {
    /// The same for traces that lie in several parts, by trace in the order of the ids.
    fn in_several(
        &self,
        tenant: &Tenant,
        ids: &[TraceId],
        expired: Expired<'_>,
        read: &Read<'_>,
    ) -> Result<(Vec<Vec<Span>>, Option<Incomplete>), ScanError> {
        let mut traces: Vec<Vec<Span>> = vec![Vec::new(); ids.len()];
        let mut incomplete = None;
        if ids.is_empty() {
            return Ok((traces, incomplete));
        }
        let places: HashMap<TraceId, usize, RandomState> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        for part in &self.parts {
            let asked: Vec<TraceId> = ids.iter().copied().filter(|id| !part.deleted.contains(id)).collect();
            let answer = read(part.source, &asked)?;
            incomplete = incomplete.or(answer.incomplete);
            let mut spans = answer.spans.into_iter().peekable();
            while let Some(id) = spans.peek().map(|span| span.trace_id) {
                let own = std::iter::from_fn(|| spans.next_if(|span| span.trace_id == id));
                match places.get(&id) {
                    Some(at) => traces[*at].extend(own),
                    None => own.for_each(drop),
                }
            }
        }
        let repeated: Vec<usize> = (0..ids.len()).filter(|at| has_repeats(&traces[*at])).collect();
        let repeated_ids: Vec<TraceId> = repeated.iter().map(|at| ids[*at]).collect();
        let (whole, missing) = self.distinct_rows(tenant, &repeated_ids, expired)?;
        for (at, spans) in repeated.into_iter().zip(whole) {
            traces[at] = spans;
        }
        for spans in &mut traces {
            spans.sort_by_cached_key(|span| (span.start_unix_nanos, span.span_id));
        }
        Ok((traces, incomplete.or(missing)))
    }
}

/// How a part is read.
type Read<'r> = dyn Fn(&dyn SpanSource, &[TraceId]) -> Result<RowsAnswer, ScanError> + 'r;

/// Each id once, in the order asked for.
fn once(ids: &[TraceId]) -> Vec<TraceId> {
    let mut seen = BTreeSet::new();
    ids.iter().copied().filter(|id| seen.insert(*id)).collect()
}

impl SpanSource for Together<'_> {
    fn scan(&self, request: &ScanRequest, expired: Expired<'_>) -> Result<ScanAnswer, ScanError> {
        merge::scan(&self.parts, request, expired)
    }

    fn scan_newest(
        &self,
        request: &ScanRequest,
        enough: &Enough,
        expired: Expired<'_>,
    ) -> Result<NewestAnswer, ScanError> {
        merge::scan_newest(&self.parts, request, enough, expired)
    }

    fn extents(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<ExtentsAnswer, ScanError> {
        merge::extents(&self.parts, tenant, ids, expired)
    }

    fn summaries(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<SummariesAnswer, ScanError> {
        let ids = once(ids);
        let (mut summaries, incomplete) = self.summaries_at_hand(tenant, &ids, expired)?;
        let rest: Vec<usize> = (0..ids.len()).filter(|at| summaries[*at].is_none()).collect();
        let rest_ids: Vec<TraceId> = rest.iter().map(|at| ids[*at]).collect();
        let (traces, missing) = self.distinct_rows(tenant, &rest_ids, expired)?;
        for (at, spans) in rest.into_iter().zip(traces) {
            summaries[at] = (!spans.is_empty()).then(|| summarize(&spans));
        }
        let summaries = summaries.into_iter().flatten().collect();
        Ok(SummariesAnswer { summaries, incomplete: incomplete.or(missing) })
    }

    fn outlines(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        self.in_part(tenant, ids, expired, &|source, ids| source.outlines(tenant, ids, expired))
    }

    fn figured(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        self.in_part(tenant, ids, expired, &|source, ids| source.figured(tenant, ids, expired))
    }

    fn matched(&self, request: &MatchedRequest<'_>, expired: Expired<'_>) -> Result<MatchedAnswer, ScanError> {
        let ids = once(request.ids);
        let homes = merge::homes(&self.parts, request.tenant, &ids, expired)?;
        let mut answer = MatchedAnswer::default();
        let at = |home: Home| -> Vec<TraceId> {
            ids.iter().zip(&homes).filter(|(_, own)| **own == home).map(|(id, _)| *id).collect()
        };
        for (number, part) in self.parts.iter().enumerate() {
            let own = at(Home::In(number));
            if !own.is_empty() {
                let found = part.source.matched(&MatchedRequest { ids: &own, ..*request }, expired)?;
                answer.incomplete = answer.incomplete.or(found.incomplete);
                answer.traces.extend(found.traces);
            }
        }
        // A span that is in two sources is one, which only whole spans tell.
        let (traces, missing) = self.distinct_rows(request.tenant, &at(Home::Several), expired)?;
        answer.incomplete = answer.incomplete.or(missing);
        answer.traces.extend(traces.iter().filter_map(|spans| request.of_trace(spans)));
        Ok(answer)
    }

    fn version(&self, tenant: &Tenant, id: TraceId, expired: Expired<'_>) -> Result<Option<TraceVersion>, ScanError> {
        let mut whole = TraceVersion::default();
        for part in self.parts.iter().filter(|part| !part.deleted.contains(&id)) {
            let Some(TraceVersion(mut own)) = part.source.version(tenant, id, expired)? else { return Ok(None) };
            whole.0.append(&mut own);
        }
        Ok(Some(whole))
    }

    fn rows(&self, tenant: &Tenant, ids: &[TraceId], expired: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        let (traces, incomplete) = self.distinct_rows(tenant, &once(ids), expired)?;
        Ok(RowsAnswer { spans: traces.into_iter().flatten().collect(), incomplete })
    }

    fn services(&self, tenant: &Tenant) -> Result<Vec<String>, ScanError> {
        merge::names(&self.parts, |source| source.services(tenant))
    }

    fn operations(&self, tenant: &Tenant, service: &str) -> Result<Vec<String>, ScanError> {
        merge::names(&self.parts, |source| source.operations(tenant, service))
    }

    fn attribute_keys(&self, request: &AttributesRequest, expired: Expired<'_>) -> Result<KeysAnswer, ScanError> {
        attributes::keys(&self.parts, request, expired)
    }

    fn attribute_values(
        &self,
        key: &str,
        request: &AttributesRequest,
        expired: Expired<'_>,
    ) -> Result<ValuesAnswer, ScanError> {
        attributes::values(&self.parts, key, request, expired)
    }

    fn tenants(&self) -> Result<Vec<Tenant>, ScanError> {
        let mut tenants = BTreeSet::new();
        for part in &self.parts {
            tenants.extend(part.source.tenants()?);
        }
        Ok(tenants.into_iter().collect())
    }
}
