use std::sync::Mutex;

use clew_model::scan::{
    Expired, ExtentsAnswer, Incomplete, RowsAnswer, ScanAnswer, ScanError, ScanRequest, SpanSource,
};
use clew_model::{Span, SpanId};

use super::*;

/// One trace whose rows come in one after the other; counts how often it is read.
#[derive(Default)]
struct Growing {
    rows: Mutex<Vec<Span>>,
    /// Come in while rows are read, after the first of them.
    late: Mutex<Vec<Span>>,
    reads: AtomicU64,
    incomplete: Option<Incomplete>,
    knows_no_version: bool,
}

fn span(id: u64) -> Span {
    Span { trace_id: TraceId([7; 16]), span_id: SpanId::from_u64(id), name: "op".repeat(100), ..Span::default() }
}

impl SpanSource for Growing {
    fn version(&self, _: &Tenant, _: TraceId, _: Expired<'_>) -> Result<Option<TraceVersion>, ScanError> {
        let count = self.rows.lock().unwrap().len() as u64;
        Ok((!self.knows_no_version).then(|| TraceVersion(vec![(1, count)])))
    }

    fn rows(&self, _: &Tenant, _: &[TraceId], _: Expired<'_>) -> Result<RowsAnswer, ScanError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let spans = self.rows.lock().unwrap().clone();
        self.rows.lock().unwrap().append(&mut self.late.lock().unwrap());
        Ok(RowsAnswer { spans, incomplete: self.incomplete.clone() })
    }

    fn scan(&self, _: &ScanRequest, _: Expired<'_>) -> Result<ScanAnswer, ScanError> {
        unreachable!("nobody scans")
    }

    fn extents(&self, _: &Tenant, _: &[TraceId], _: Expired<'_>) -> Result<ExtentsAnswer, ScanError> {
        unreachable!("nobody asks for extents")
    }

    fn services(&self, _: &Tenant) -> Result<Vec<String>, ScanError> {
        unreachable!("nobody asks for services")
    }

    fn operations(&self, _: &Tenant, _: &str) -> Result<Vec<String>, ScanError> {
        unreachable!("nobody asks for operations")
    }

    fn tenants(&self) -> Result<Vec<Tenant>, ScanError> {
        unreachable!("nobody asks for tenants")
    }
}

fn key(tenant: &str, id: u8, is_corrected: bool) -> Key {
    Key { tenant: Tenant::new(tenant).unwrap(), id: TraceId([id; 16]), is_corrected }
}

fn open(cache: &TraceCache, source: &Growing, key: Key) -> usize {
    let asked = Asked { source, expired: &|| false };
    cache.open(&asked, key).unwrap().explained.spans.len()
}

#[test]
fn v1_a_kept_trace_is_read_again_when_spans_have_come() {
    let (cache, source) = (TraceCache::new(1 << 20), Growing::default());
    source.rows.lock().unwrap().push(span(1));
    let reads = || source.reads.load(Ordering::Relaxed);
    assert_eq!((open(&cache, &source, key("a", 7, false)), reads()), (1, 1));
    assert_eq!((open(&cache, &source, key("a", 7, false)), reads()), (1, 1));
    source.rows.lock().unwrap().push(span(2));
    assert_eq!((open(&cache, &source, key("a", 7, false)), reads()), (2, 2));
    assert_eq!((open(&cache, &source, key("a", 7, false)), reads()), (2, 2));
    // What comes while the trace is read may be missing in what was read, and is not in the next answer.
    source.rows.lock().unwrap().push(span(3));
    source.late.lock().unwrap().push(span(4));
    assert_eq!((open(&cache, &source, key("a", 7, false)), reads()), (3, 3));
    assert_eq!((open(&cache, &source, key("a", 7, false)), reads()), (4, 4));
    let figures = cache.figures();
    assert_eq!((figures.hits, figures.misses, figures.traces), (2, 4, 1));
}

#[test]
fn t1_tenants_and_clocks_are_kept_apart() {
    let (cache, source) = (TraceCache::new(1 << 20), Growing::default());
    source.rows.lock().unwrap().push(span(1));
    for key in [key("a", 7, false), key("b", 7, false), key("a", 7, true), key("a", 8, false)] {
        open(&cache, &source, key);
    }
    assert_eq!(source.reads.load(Ordering::Relaxed), 4);
}

#[test]
fn what_may_lack_something_and_what_has_no_version_is_not_kept() {
    let incomplete = Incomplete { reason: "corruption".to_owned(), detail: "x".to_owned() };
    for source in [
        Growing { incomplete: Some(incomplete), ..Growing::default() },
        Growing { knows_no_version: true, ..Growing::default() },
    ] {
        let cache = TraceCache::new(1 << 20);
        source.rows.lock().unwrap().push(span(1));
        open(&cache, &source, key("a", 7, false));
        open(&cache, &source, key("a", 7, false));
        assert_eq!((source.reads.load(Ordering::Relaxed), cache.figures().bytes), (2, 0));
    }
}

#[test]
fn the_one_asked_for_longest_ago_makes_room() {
    let source = Growing::default();
    source.rows.lock().unwrap().push(span(1));
    let one = {
        let cache = TraceCache::new(1 << 20);
        open(&cache, &source, key("a", 1, false));
        cache.figures().bytes as usize
    };
    assert!((400..2_000).contains(&one), "{one}");
    let cache = TraceCache::new(2 * one + one / 2);
    let reads = || source.reads.swap(0, Ordering::Relaxed);
    reads();
    for id in [1, 2, 1, 3] {
        open(&cache, &source, key("a", id, false));
    }
    assert_eq!((reads(), cache.figures().traces), (3, 2));
    open(&cache, &source, key("a", 1, false));
    assert_eq!(reads(), 0, "it was asked for again before the third came");
    open(&cache, &source, key("a", 2, false));
    assert_eq!(reads(), 1);
    assert!(cache.figures().bytes <= cache.figures().limit_bytes);

    let none = TraceCache::new(one - 1);
    open(&none, &source, key("a", 1, false));
    assert_eq!((none.figures().traces, none.figures().bytes), (0, 0), "larger than the bound");
}
