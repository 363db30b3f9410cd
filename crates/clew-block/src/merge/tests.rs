//! A merged block is what the spans of its inputs make, put together naively.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use clew_model::identity::distinct;
use clew_model::{Resource, Span, Tenant, TraceId, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::sidecar::{Header, Request, SectionId};
use crate::{BlockFile, BlockName, Cache, Ranges, draw, verify, write_spans};

/// The two files of a block.
struct Files(Bytes, Bytes);

impl Ranges for Files {
    fn read(&self, _: BlockName, file: BlockFile, offset: u64, length: usize) -> io::Result<Bytes> {
        let bytes = if file == BlockFile::Data { &self.0 } else { &self.1 };
        Ok(bytes.slice(offset as usize..offset as usize + length))
    }
}

type Spans = BTreeMap<Tenant, Vec<Span>>;

fn tenant(number: usize) -> Tenant {
    Tenant::new(["acme", "default", "globex"][number]).unwrap()
}

fn options(name: u64) -> WriteOptions {
    WriteOptions { row_group_rows: 11, page_rows: 4, zone_rows: 3, ..WriteOptions::new(BlockName(name)) }
}

fn open(finished: Finished<Vec<u8>>) -> Block {
    let Finished { meta, side, sink, .. } = finished;
    let side_bytes = side.count();
    let files = Files(sink.into(), side.into_vec().into());
    Block::new(Arc::new(meta), side_bytes, Arc::new(files), Arc::new(Cache::new(1 << 20)))
}

fn written(name: u64, spans: &Spans) -> Block {
    let sorted = |spans: &Vec<Span>| {
        let mut spans = spans.clone();
        spans.sort_by_key(|span| (span.trace_id, span.start_unix_nanos, span.span_id));
        spans
    };
    let tenants: Vec<_> = spans.iter().map(|(tenant, spans)| (tenant.clone(), sorted(spans))).collect();
    open(write_spans(&tenants, &Requests::default(), Vec::new(), options(name)).unwrap())
}

/// Each trace's spans; those that are alike in start and id in the order of all the rest.
fn found(block: &Block) -> Vec<(Tenant, TraceId, Vec<String>)> {
    let mut found = Vec::new();
    let each = |tenant: &Tenant, id, spans: Vec<Span>| {
        assert!(spans.is_sorted_by_key(|span| (span.start_unix_nanos, span.span_id)));
        found.push((tenant.clone(), id, shown(&spans)));
        Ok::<(), ()>(())
    };
    assert_eq!(block.for_each_trace(None, each), Ok(Vec::new()));
    found
}

fn shown(spans: &[Span]) -> Vec<String> {
    let mut shown: Vec<String> = spans.iter().map(|span| format!("{span:?}")).collect();
    shown.sort();
    shown
}

/// What is to be found.
fn naive(inputs: &[Spans], keep: impl Fn(usize, &Tenant, TraceId) -> bool) -> BTreeMap<(Tenant, TraceId), Vec<Span>> {
    let mut traces: BTreeMap<(Tenant, TraceId), Vec<Span>> = BTreeMap::new();
    for (at, input) in inputs.iter().enumerate() {
        for (tenant, spans) in input {
            for span in spans.iter().filter(|span| keep(at, tenant, span.trace_id)) {
                traces.entry((tenant.clone(), span.trace_id)).or_default().push(span.clone());
            }
        }
    }
    traces.into_iter().map(|(key, spans)| (key, distinct(spans))).collect()
}

/// A merge that leaves nothing out, and knows nothing of its traces.
fn plain(inputs: &[Block]) -> Merge<'_> {
    Merge {
        inputs,
        keep: &|_, _, _| true,
        verdict_of: &|_, _| None,
        drops: &|_, _, _| false,
        remembers: None,
        memory_bytes: 1 << 14,
        stopped: &|| false,
    }
}

fn merge(merge: &Merge<'_>) -> Merged<Vec<u8>> {
    let requests = Requests { requests: vec![Request { hash: 7, received_unix_nanos: 8 }] };
    merge.write(Vec::new(), options(100), &requests).unwrap()
}

/// What is decided about a trace.
fn decided(tenant: &Tenant, id: TraceId) -> Option<Verdict> {
    let number = id.0[0] ^ tenant.as_str().as_bytes()[0];
    let rule = |name: &str| Verdict { keep: false, rule: name.to_owned(), weight: 1.0, class: String::new() };
    match number % 4 {
        0 => None,
        1 => Some(Verdict { weight: f64::from(number) / 3.0, class: "long".to_owned(), ..Verdict::keep_all() }),
        2 => Some(rule("rest")),
        _ => Some(rule("health checks")),
    }
}

/// Spans of some blocks: some lie in two of them, some are of another tenant as well.
fn inputs() -> impl Strategy<Value = Vec<Spans>> {
    (draw::spans(), 1_usize..5, vec((0_usize..16, 0_usize..12, 0_u64..3), 200)).prop_map(|(spans, count, fates)| {
        let mut inputs = vec![Spans::new(); count];
        for (span, (place, whose, again)) in spans.into_iter().zip(fates.into_iter().cycle()) {
            let of = tenant(whose % 3);
            if place < 3 {
                let again = Span { received_unix_nanos: span.received_unix_nanos + again, ..span.clone() };
                inputs[(place + 1) % count].entry(of.clone()).or_default().push(again);
            }
            if whose > 9 {
                inputs[place % count].entry(tenant((whose + 1) % 3)).or_default().push(span.clone());
            }
            inputs[place % count].entry(of).or_default().push(span);
        }
        inputs.retain(|input| !input.is_empty());
        inputs
    })
}

proptest! {
    #[test]
    fn a_merged_block_holds_each_span_of_its_inputs_once(inputs in inputs(), salt in any::<u8>(), keeps in 0_u8..4) {
        let blocks: Vec<Block> = (0..).zip(&inputs).map(|(name, spans)| written(name, spans)).collect();
        // Some traces are left out of some blocks.
        let keep = |at: usize, tenant: &Tenant, id: TraceId| {
            keeps == 0 || (at as u8 ^ salt ^ id.0[0] ^ tenant.as_str().as_bytes()[0]) % 4 < keeps
        };
        let expected = naive(&inputs, keep);
        let merged = merge(&Merge { keep: &keep, ..plain(&blocks) });
        prop_assert_eq!(merged.read_rows, inputs.iter().flatten().map(|(_, spans)| spans.len() as u64).sum::<u64>());
        let Some(finished) = merged.finished else {
            prop_assert!(expected.is_empty());
            return Ok(());
        };
        // All that a catalog and a sidecar say is what a block of these spans says that was written in one go.
        let mut whole = Spans::new();
        for ((tenant, _), spans) in &expected { whole.entry(tenant.clone()).or_default().extend(spans.clone()); }
        let whole = written(100, &whole);
        prop_assert_eq!(&finished.meta.tenants, &whole.meta().tenants);
        let block = open(finished);
        let expected: Vec<_> =
            expected.into_iter().map(|((tenant, id), spans)| (tenant, id, shown(&spans))).collect();
        prop_assert_eq!(found(&block), expected);
        prop_assert_eq!(verify(&block), Vec::new());
        prop_assert_eq!(block.requests().unwrap().requests.len(), 1);
    }
}

proptest! {
    #[test]
    fn what_was_decided_comes_along_and_what_is_not_kept_goes_in_its_time(
        inputs in inputs(),
        has_own in any::<u8>(),
        drops in any::<u8>(),
    ) {
        let blocks: Vec<Block> = (0..).zip(&inputs).map(|(name, spans)| written(name, spans)).collect();
        // Some of them were merged before, and say themselves what was decided.
        let blocks: Vec<Block> = blocks.into_iter().enumerate().map(|(at, block)| match has_own >> at & 1 {
            0 => block,
            _ => open(merge(&Merge { verdict_of: &decided, ..plain(&[block]) }).finished.unwrap()),
        }).collect();
        let merged = merge(&Merge { verdict_of: &decided, drops: &|at, _, _| drops >> at & 1 == 1, ..plain(&blocks) });
        let mut expected = naive(&inputs, |_, _, _| true);
        let mut dropped: BTreeMap<String, u64> = BTreeMap::new();
        expected.retain(|(tenant, id), _| {
            let parts: Vec<(usize, usize)> = blocks.iter().enumerate().map(|(at, block)| {
                let traces = found(block);
                (at, traces.iter().find(|trace| trace.0 == *tenant && trace.1 == *id).map_or(0, |trace| trace.2.len()))
            }).filter(|(_, rows)| *rows > 0).collect();
            match decided(tenant, *id).filter(|verdict| !verdict.keep) {
                Some(verdict) if parts.iter().all(|(at, _)| drops >> at & 1 == 1) => {
                    let rows: usize = parts.iter().map(|(_, rows)| rows).sum();
                    *dropped.entry(verdict.rule).or_default() += rows as u64;
                    false
                }
                _ => true,
            }
        });
        prop_assert_eq!(merged.dropped_rows, dropped);
        let Some(finished) = merged.finished else {
            prop_assert!(expected.is_empty());
            return Ok(());
        };
        let not_kept = |((tenant, id), spans): (&(Tenant, TraceId), &Vec<Span>)| {
            decided(tenant, *id).filter(|verdict| !verdict.keep).map_or(0, |_| spans.len() as u64)
        };
        prop_assert_eq!(finished.meta.dropped_row_count, expected.iter().map(not_kept).sum::<u64>());
        let block = open(finished);
        for (tenant, id) in expected.keys() {
            prop_assert_eq!(block.verdict(tenant, *id), decided(tenant, *id));
        }
        let held: Vec<_> = found(&block).into_iter().map(|(tenant, id, _)| (tenant, id)).collect();
        prop_assert_eq!(held, expected.into_keys().collect::<Vec<_>>());
        prop_assert_eq!(verify(&block), Vec::new());
    }
}

#[test]
fn should_inputs_say_different_things_a_trace_is_kept() {
    let span = |number| Span { trace_id: draw::trace_id(1), span_id: draw::span_id(number), ..Span::default() };
    let said = |number, keep| {
        let block = written(1, &[(Tenant::default(), vec![span(number)])].into());
        let verdict = Verdict { keep, ..Verdict::keep_all() };
        open(merge(&Merge { verdict_of: &|_, _| Some(verdict.clone()), ..plain(&[block]) }).finished.unwrap())
    };
    for order in [[true, false], [false, true]] {
        let inputs = [said(1, order[0]), said(2, order[1])];
        let merged = merge(&Merge { drops: &|_, _, _| true, ..plain(&inputs) });
        let block = open(merged.finished.unwrap());
        assert_eq!(block.verdict(&Tenant::default(), draw::trace_id(1)), Some(Verdict::keep_all()));
        assert_eq!(block.verdict(&Tenant::default(), draw::trace_id(2)), None);
    }
    // Of what nobody decided about there is no section.
    let block = open(merge(&plain(&[written(1, &[(Tenant::default(), vec![span(1)])].into())])).finished.unwrap());
    assert_eq!(block.verdict(&Tenant::default(), draw::trace_id(1)), None);
    assert!(block.verdicts().is_none() && block.damage().is_empty());
}

/// A block of one trace of each of those numbers, of as many spans.
fn traces(name: u64, numbers: impl IntoIterator<Item = u8>) -> Block {
    let span = |number, at| Span { trace_id: draw::trace_id(number), span_id: draw::span_id(at), ..Span::default() };
    let spans = numbers.into_iter().flat_map(|number| (1..=number).map(move |at| span(number, at)));
    written(name, &[(Tenant::default(), spans.collect())].into())
}

/// Drops all traces but those of these numbers.
fn thinned(inputs: &[Block], kept: &[u8], hours: RangeInclusive<u32>) -> Merged<Vec<u8>> {
    let is_kept = |id: TraceId| kept.iter().any(|number| draw::trace_id(*number) == id);
    let verdict_of = |_: &Tenant, id| Some(Verdict { keep: is_kept(id), ..Verdict::keep_all() });
    merge(&Merge { verdict_of: &verdict_of, drops: &|_, _, _| true, remembers: Some(hours), ..plain(inputs) })
}

/// The numbers of the traces below 10 that a block knows to have been left out in an hour from that one on.
fn known(block: &Block, since: u32) -> Vec<u8> {
    let Some(dropped) = block.dropped().unwrap() else { return Vec::new() };
    let holds = |number: &u8| dropped.holds(Fingerprint::of(&Tenant::default(), draw::trace_id(*number)), since);
    (1..10).filter(holds).collect()
}

#[test]
fn a_block_knows_what_was_left_out_of_it_and_of_its_inputs_until_that_is_over() {
    let one = open(thinned(&[traces(1, 1..4)], &[1], 0..=7).finished.unwrap());
    assert_eq!((known(&one, 0), known(&one, 7), known(&one, 8)), (vec![2, 3], vec![2, 3], vec![]));
    let two = open(thinned(&[traces(2, 4..6)], &[4], 0..=8).finished.unwrap());
    let other = traces(3, 6..7);
    assert!(other.dropped().unwrap().is_none());
    let inputs = [one, two, other];
    let merged = open(thinned(&inputs, &[1, 4], 7..=9).finished.unwrap());
    assert_eq!((known(&merged, 0), known(&merged, 8), known(&merged, 9)), (vec![2, 3, 5, 6], vec![5, 6], vec![6]));
    assert_eq!((verify(&merged), merged.damage()), (Vec::new(), Vec::new()));
    let later = open(thinned(&inputs, &[1, 4, 6], 8..=10).finished.unwrap());
    assert_eq!(known(&later, 0), [5], "nothing was left out now, and an hour is over");
    let last = open(thinned(&[later], &[1, 4, 6], 9..=11).finished.unwrap());
    assert!(last.dropped().unwrap().is_none(), "there is no section without anything in it");
    // Nor where none is to be known.
    let merged = merge(&plain(&inputs));
    assert!(open(merged.finished.unwrap()).dropped().unwrap().is_none());
}

#[test]
fn where_nothing_would_be_left_the_smallest_trace_stays_to_have_a_block_of_what_is_known() {
    let one = open(thinned(&[traces(1, [1, 5])], &[1], 7..=7).finished.unwrap());
    let inputs = [one, traces(2, [3, 2, 4])];
    // What was deleted is no trace that could stay.
    let keep = |_: usize, _: &Tenant, id| id != draw::trace_id(1);
    let drop = |_: &Tenant, _| Some(Verdict { keep: false, rule: "rest".to_owned(), ..Verdict::keep_all() });
    let all =
        Merge { keep: &keep, verdict_of: &drop, drops: &|_, _, _| true, remembers: Some(7..=8), ..plain(&inputs) };
    let merged = merge(&all);
    assert_eq!(merged.dropped_rows, [("rest".to_owned(), 3 + 4)].into());
    let block = open(merged.finished.unwrap());
    assert_eq!((block.meta().row_count, block.meta().dropped_row_count), (2, 2));
    assert_eq!((known(&block, 0), known(&block, 8)), (vec![3, 4, 5], vec![3, 4]));
    assert_eq!(verify(&block), Vec::new());
    // Without anything to be known there is no block.
    assert!(merge(&Merge { remembers: None, ..all }).finished.is_none());
}

#[test]
fn an_input_whose_dropped_traces_cannot_be_read_is_no_input() {
    let finished = thinned(&[traces(1, 1..4)], &[1], 7..=7).finished.unwrap();
    let mut side = finished.side.clone().into_vec();
    let at = Header::decode(&side).unwrap().section(SectionId::Dropped).unwrap().offset as usize;
    side[at + 5] ^= 1;
    let files = Files(finished.sink.into(), side.into());
    let length = files.1.len() as u64;
    let block = Block::new(Arc::new(finished.meta), length, Arc::new(files), Arc::new(Cache::new(1 << 20)));
    assert!(verify(&block).iter().any(|problem| problem.to_string().contains("checksum")));
    let inputs = [block];
    let merge = Merge { remembers: Some(7..=8), ..plain(&inputs) };
    let result = merge.write(Vec::new(), options(3), &Requests::default());
    assert!(matches!(result, Err(MergeError::Read(error)) if error.name == BlockName(100)));
}

#[test]
fn a_merge_stops_when_it_is_told_to() {
    let span = Span { trace_id: draw::trace_id(1), span_id: draw::span_id(1), ..Span::default() };
    let block = written(1, &[(Tenant::default(), vec![span])].into());
    let calls = AtomicUsize::new(0);
    let stopped = || calls.fetch_add(1, Ordering::Relaxed) > 0;
    let result = Merge { stopped: &stopped, ..plain(&[block]) }.write(Vec::new(), options(2), &Requests::default());
    assert!(matches!(result, Err(MergeError::Stopped)));
}

#[test]
fn blocks_of_too_many_resources_are_not_merged() {
    let resource = |number: u8| Resource { schema_url: format!("{number:0>200}"), ..Resource::default() };
    let span = |number: u8| Span {
        trace_id: draw::trace_id(number),
        span_id: draw::span_id(number),
        resource: Arc::new(resource(number)),
        ..Span::default()
    };
    let blocks = [(1..100), (100..200)].map(|numbers| {
        let spans = numbers.clone().map(span).collect();
        written(u64::from(numbers.start), &[(Tenant::default(), spans)].into())
    });
    let merge = Merge { memory_bytes: 2000, ..plain(&blocks) };
    let result = merge.write(Vec::new(), options(2), &Requests::default());
    assert!(matches!(result, Err(MergeError::TooVaried { text_bytes, limit_bytes: 8000 }) if text_bytes < 12_000));
    let merge = Merge { memory_bytes: 20_000, ..merge };
    assert!(merge.write(Vec::new(), options(2), &Requests::default()).is_ok());
    // One of them alone can always be written anew.
    let merge = Merge { memory_bytes: 1, ..plain(&blocks[..1]) };
    assert!(merge.write(Vec::new(), options(2), &Requests::default()).is_ok());
}

#[test]
fn an_input_that_cannot_be_read_is_no_input() {
    let spans = (1..200).map(|number| Span {
        trace_id: draw::trace_id(number),
        span_id: draw::span_id(number),
        name: "a name".to_owned(),
        ..Span::default()
    });
    let spans = [(Tenant::default(), spans.collect())].into();
    let (good, bad) = (written(1, &spans), written(2, &spans));
    let range = |file| {
        let length = if file == BlockFile::Data { bad.meta().data_bytes } else { bad.side_bytes() };
        bad.ranges.read(bad.meta().name, file, 0, length as usize).unwrap()
    };
    let (mut data, side) = (range(BlockFile::Data).to_vec(), range(BlockFile::Side));
    data[5000] ^= 1;
    let files = Files(data.into(), side.clone());
    let bad = Block::new(Arc::clone(bad.meta()), side.len() as u64, Arc::new(files), Arc::new(Cache::new(1 << 20)));
    let inputs = [good, bad];
    let result = plain(&inputs).write(Vec::new(), options(3), &Requests::default());
    assert!(matches!(result, Err(MergeError::Read(error)) if error.name == BlockName(2)));
    assert!(!inputs[1].damage().is_empty(), "it is remembered");
}
