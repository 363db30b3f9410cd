//! A merged block is what the spans of its inputs make, put together naively.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use clew_model::identity::distinct;
use clew_model::{Span, Tenant, TraceId};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::sidecar::Request;
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
    let Finished { meta, side, sink } = finished;
    let side_bytes = side.len() as u64;
    let files = Files(sink.into(), side.into());
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

fn merge(inputs: &[Block], keep: &dyn Fn(usize, &Tenant, TraceId) -> bool) -> Merged<Vec<u8>> {
    let merge = Merge { inputs, keep, memory_bytes: 1, stopped: &|| false };
    let requests = Requests { requests: vec![Request { hash: 7, received_unix_nanos: 8 }] };
    merge.write(Vec::new(), options(100), &requests).unwrap()
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
        let merged = merge(&blocks, &keep);
        prop_assert_eq!(merged.read_rows, inputs.iter().flatten().map(|(_, spans)| spans.len() as u64).sum::<u64>());
        let Some(finished) = merged.finished else {
            prop_assert!(expected.is_empty());
            return Ok(());
        };
        // All that a catalog and a sidecar say is what a block of these spans says that was written in one go.
        let mut whole = Spans::new();
        expected.iter().for_each(|((tenant, _), spans)| whole.entry(tenant.clone()).or_default().extend(spans.clone()));
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

#[test]
fn a_merge_stops_when_it_is_told_to() {
    let span = Span { trace_id: draw::trace_id(1), span_id: draw::span_id(1), ..Span::default() };
    let block = written(1, &[(Tenant::default(), vec![span])].into());
    let calls = AtomicUsize::new(0);
    let stopped = || calls.fetch_add(1, Ordering::Relaxed) > 0;
    let merge = Merge { inputs: &[block], keep: &|_, _, _| true, memory_bytes: 1, stopped: &stopped };
    let result = merge.write(Vec::new(), options(2), &Requests::default());
    assert!(matches!(result, Err(MergeError::Stopped)));
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
    let merge = Merge { inputs: &inputs, keep: &|_, _, _| true, memory_bytes: 1, stopped: &|| false };
    let result = merge.write(Vec::new(), options(3), &Requests::default());
    assert!(matches!(result, Err(MergeError::Read(error)) if error.name == BlockName(2)));
    assert!(!inputs[1].damage().is_empty(), "it is remembered");
}
