//! What is read of a block's files, and what the disk hears of it before.

use std::ops::Range;
use std::sync::Arc;

use clew_model::scan::{Condition, Expired, Field, MatchedRequest, Op, ScanRequest, SpanFilter, SpanSource, TimeRange};
use clew_model::{Attribute, Resource, Span, SpanId, Status, StatusCode, Tenant, TraceId, Value};

use super::random::EPOCH;
use super::{Asked, Written};
use crate::read::Block;
use crate::sidecar::PIECE_BYTES;

const NEVER: Expired<'static> = &|| false;

/// A block of many row groups, its tenant, and what was asked of its Parquet file after everything else was at hand.
fn prepared() -> (Written, Block, Tenant) {
    let resource = |number: u64| {
        let service = ["checkout", "frontend", "payments"][number as usize % 3];
        Arc::new(Resource { attributes: vec![Attribute::new("service.name", service)], ..Resource::default() })
    };
    let resources: Vec<_> = (0..3).map(resource).collect();
    let error = Status { code: StatusCode::Error, ..Status::default() };
    let span = |number: u64| Span {
        trace_id: TraceId(u128::from(number / 20 + 1).to_be_bytes()),
        span_id: SpanId::from_u64(number + 1),
        name: format!("operation {}", number % 7),
        start_unix_nanos: EPOCH + number,
        duration_nanos: number % 1000,
        status: if number.is_multiple_of(11) { error.clone() } else { Status::default() },
        resource: Arc::clone(&resources[number as usize % 3]),
        ..Span::default()
    };
    let tenant = Tenant::default();
    let written = Written::of(&[(tenant.clone(), (0..4000).map(span).collect())].into(), 128, 16);
    let block = written.open();
    block.prepare();
    written.files.asked.lock().unwrap().clear();
    (written, block, tenant)
}

fn filter(field: Field, value: Value) -> SpanFilter {
    SpanFilter { conditions: vec![Condition { field, op: Op::Eq, value }] }
}

/// Reads of bytes that had not been announced, with how many reads there were.
fn unannounced(written: &Written) -> (Vec<Range<u64>>, usize) {
    let (mut announced, mut missed, mut count) = (Vec::<Range<u64>>::new(), Vec::new(), 0);
    let piece = PIECE_BYTES as u64;
    for asked in &*written.files.asked.lock().unwrap() {
        match asked {
            // Whole pieces are read.
            Asked::Announced(bytes) => announced.push(bytes.start / piece * piece..bytes.end.next_multiple_of(piece)),
            Asked::Read(bytes) => {
                count += 1;
                if !announced.iter().any(|known| known.start <= bytes.start && bytes.end <= known.end) {
                    missed.push(bytes.clone());
                }
            }
        }
    }
    (missed, count)
}

#[test]
fn a_prepared_block_answers_for_traces_without_its_parquet_file() {
    let (written, block, tenant) = prepared();
    let misses = block.cache.figures().miss_count;
    let request = ScanRequest { tenant: tenant.clone(), range: TimeRange::ALL, filters: Vec::new(), rows_per_trace: 0 };
    let found = block.scan(&request, NEVER).unwrap().matches;
    let ids: Vec<_> = found.iter().map(|found| found.trace_id).collect();
    assert_eq!(block.summaries(&tenant, &ids, NEVER).unwrap().summaries.len(), ids.len());
    assert!(!block.services(&tenant).unwrap().is_empty());
    assert_eq!(*written.files.asked.lock().unwrap(), []);
    assert_eq!(block.cache.figures().miss_count, misses, "all of it was in the cache");
}

#[test]
fn the_disk_hears_of_a_scan_before_its_first_read() {
    let (written, block, tenant) = prepared();
    for filter in [
        filter(Field::Error, true.into()),
        filter(Field::Service, "checkout".into()),
        filter(Field::Name, "operation 3".into()),
    ] {
        written.files.asked.lock().unwrap().clear();
        let request =
            ScanRequest { tenant: tenant.clone(), range: TimeRange::ALL, filters: vec![filter], rows_per_trace: 0 };
        block.scan(&request, NEVER).unwrap();
        let (missed, count) = unannounced(&written);
        assert!(missed.is_empty() && count > super::super::scan::GROUPS_AHEAD, "{missed:?} of {count} reads");
    }
}

#[test]
fn the_disk_hears_of_all_that_a_list_shows_before_the_first_read() {
    let (written, block, tenant) = prepared();
    let filters = [filter(Field::Error, true.into())];
    let request =
        ScanRequest { tenant: tenant.clone(), range: TimeRange::ALL, filters: filters.to_vec(), rows_per_trace: 0 };
    let found = block.scan(&request, NEVER).unwrap().matches;
    let ids: Vec<_> = found.iter().step_by(9).map(|found| found.trace_id).collect();
    written.files.asked.lock().unwrap().clear();
    let asked = MatchedRequest { tenant: &tenant, ids: &ids, filters: &filters, shown_per_trace: 3 };
    block.matched(&asked, NEVER).unwrap();
    let (missed, count) = unannounced(&written);
    assert!(missed.is_empty() && count > 20, "{missed:?} of {count} reads");
}
