use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use bytes::Bytes;
use clew_model::scan::{AttributeScope, Condition, Extent, Field, Op};
use clew_model::{Attribute, Kind, Notes, Span, SpanId, Status, StatusCode, Tenant, TraceId, Value, summarize};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader, RowGroupMetaData};
use proptest::prelude::*;

use super::*;
use crate::schema::SpanColumn;
use crate::sidecar::{
    Fence, Groups, Header, Names, PIECE_BYTES, Probe, Request, SectionId, Slice, Summaries, Sums, TraceRows,
};
use crate::{Finished, Plan, ShapeCode, draw, json, write_spans};

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

fn small() -> WriteOptions {
    WriteOptions { row_group_rows: 7, page_rows: 3, zone_rows: 2, ..WriteOptions::new(BlockName(42)) }
}

/// The spans of a file, as whoever knows `docs/format.md` reads them with any Parquet reader.
fn read(file: &[u8]) -> Vec<(String, bool, Span)> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(file)).unwrap();
    let mut rows = Vec::new();
    let mut offsets = Vec::new();
    for batch in reader.with_batch_size(5).build().unwrap() {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            offsets.push(column::<Int32Type>(&batch, "parent_offset", row));
            rows.push(read_row(&batch, row));
        }
    }
    for (at, offset) in offsets.into_iter().enumerate() {
        let Some(offset) = offset else { continue };
        let parent = &rows[at.checked_add_signed(offset as isize).unwrap()].2;
        assert_eq!(parent.trace_id, rows[at].2.trace_id);
        let id = parent.span_id;
        assert_eq!(rows[at].2.parent_span_id.replace(id), None);
    }
    rows
}

fn column<T: arrow_array::types::ArrowPrimitiveType>(batch: &RecordBatch, name: &str, row: usize) -> Option<T::Native> {
    let column = batch.column_by_name(name).unwrap();
    column.is_valid(row).then(|| column.as_primitive::<T>().value(row))
}

fn text<'b>(batch: &'b RecordBatch, name: &str, row: usize) -> Option<&'b str> {
    let column = batch.column_by_name(name).unwrap();
    column.is_valid(row).then(|| column.as_string::<i32>().value(row))
}

fn fixed<'b>(batch: &'b RecordBatch, name: &str, row: usize) -> Option<&'b [u8]> {
    let column = batch.column_by_name(name).unwrap();
    column.is_valid(row).then(|| column.as_fixed_size_binary().value(row))
}

fn read_row(batch: &RecordBatch, row: usize) -> (String, bool, Span) {
    let kind = text(batch, "kind", row).unwrap();
    let status = text(batch, "status", row).unwrap();
    let all_statuses = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error];
    let list = |name| text(batch, name, row).unwrap_or("[]").as_bytes();
    let span = Span {
        trace_id: TraceId::from_slice(fixed(batch, "trace_id", row).unwrap()).unwrap(),
        span_id: SpanId::from_slice(fixed(batch, "span_id", row).unwrap()).unwrap(),
        parent_span_id: fixed(batch, "parent_span_id", row).map(|id| SpanId::from_slice(id).unwrap()),
        trace_state: text(batch, "trace_state", row).unwrap_or_default().to_owned(),
        flags: column::<UInt32Type>(batch, "flags", row).unwrap(),
        name: text(batch, "name", row).unwrap().to_owned(),
        kind: Kind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap(),
        start_unix_nanos: column::<UInt64Type>(batch, "start_unix_nanos", row).unwrap(),
        duration_nanos: column::<UInt64Type>(batch, "duration_nanos", row).unwrap(),
        status: Status {
            code: all_statuses.into_iter().find(|known| known.as_str() == status).unwrap(),
            message: text(batch, "status_message", row).unwrap_or_default().to_owned(),
        },
        attributes: read_attributes(batch, row),
        dropped_attributes_count: column::<UInt32Type>(batch, "dropped_attributes", row).unwrap_or(0),
        events: json::read_events(list("events")).unwrap(),
        dropped_events_count: column::<UInt32Type>(batch, "dropped_events", row).unwrap_or(0),
        links: json::read_links(list("links")).unwrap(),
        dropped_links_count: column::<UInt32Type>(batch, "dropped_links", row).unwrap_or(0),
        resource: Arc::new(json::read_resource(list("resource")).unwrap()),
        scope: Arc::new(json::read_scope(list("scope")).unwrap()),
        received_unix_nanos: column::<UInt64Type>(batch, "received_unix_nanos", row).unwrap(),
        notes: Notes(column::<UInt32Type>(batch, "notes", row).unwrap() as u16),
    };
    assert_eq!(text(batch, "service", row), Some(span.service()));
    let is_error = batch.column_by_name("error").unwrap().as_boolean().value(row);
    (text(batch, "tenant", row).unwrap().to_owned(), is_error, span)
}

fn read_attributes(batch: &RecordBatch, row: usize) -> Vec<Attribute> {
    let schema = batch.schema();
    let columns: Vec<_> = schema.fields().iter().filter_map(|field| SpanColumn::parse(field.name())).collect();
    let mut rest = json::read_attributes(text(batch, "rest", row).unwrap_or("[]").as_bytes()).unwrap().into_iter();
    let shape = text(batch, "shape", row).unwrap();
    let mut tokens = shape.split(',').filter(|token| !token.is_empty());
    let attributes = tokens.by_ref().map(|token| {
        let Ok(number) = token.parse::<usize>() else { return rest.next().unwrap() };
        let (column, name) = (&columns[number], columns[number].name());
        let array = batch.column_by_name(&name).unwrap();
        assert!(array.is_valid(row));
        let value = match column.value_type {
            AttributeType::String => Value::from(text(batch, &name, row).unwrap()),
            AttributeType::Int => Value::Int(array.as_primitive::<Int64Type>().value(row)),
            AttributeType::Double => Value::Double(array.as_primitive::<Float64Type>().value(row)),
            AttributeType::Bool => Value::Bool(array.as_boolean().value(row)),
            AttributeType::Bytes => Value::Bytes(array.as_binary::<i32>().value(row).to_vec()),
            _ => json::read_value(text(batch, &name, row).unwrap().as_bytes()).unwrap(),
        };
        Attribute { key: column.key.clone(), value }
    });
    let attributes = attributes.collect();
    assert_eq!(rest.next(), None);
    attributes
}

/// The sections of a sidecar, decoded.
struct Side {
    names: Names,
    groups: Groups,
    traces: Summaries,
    sums: Sums,
    fence: Fence,
    ids: Vec<u8>,
    blooms: Vec<u8>,
}

impl Side {
    fn read(side: &[u8]) -> Self {
        let header = Header::decode(side).unwrap();
        let plain = |id| {
            let section = header.section(id).unwrap();
            section.unpack(&side[section.offset as usize..section.range().end as usize]).unwrap().into_owned()
        };
        let names = Names::decode(&plain(SectionId::Names)).unwrap();
        Self {
            groups: Groups::decode(&plain(SectionId::Groups), &names).unwrap(),
            traces: Summaries::decode(plain(SectionId::Traces)).unwrap(),
            names,
            sums: Sums::decode(&plain(SectionId::Sums)).unwrap(),
            fence: Fence::decode(&plain(SectionId::Fence)).unwrap(),
            ids: plain(SectionId::Ids),
            blooms: plain(SectionId::Blooms),
        }
    }

    fn trace_rows(&self, tenant: usize) -> Vec<TraceRows> {
        let slice = |place: crate::sidecar::ids::SlicePlace| {
            let bytes = &self.ids[place.bytes.start as usize..place.bytes.end as usize];
            Slice::decode(&place, bytes).unwrap().traces().collect::<Vec<_>>()
        };
        self.fence.slices(tenant).flat_map(slice).collect()
    }
}

fn assert_side(finished: &Finished<Vec<u8>>, tenants: &[(Tenant, Vec<Span>)]) -> Result<(), TestCaseError> {
    let side = Side::read(&finished.side.clone().into_vec());
    prop_assert_eq!(side.sums.file_bytes, finished.sink.len() as u64);
    prop_assert!(finished.sink.chunks(PIECE_BYTES).enumerate().all(|(at, piece)| side.sums.is_whole(at, piece)));
    let mut first_row = 0;
    let mut number = 0;
    for (at, (tenant, spans)) in tenants.iter().enumerate() {
        let meta = &finished.meta.tenants[at];
        let traces: Vec<_> = spans.chunk_by(|one, next| one.trace_id == next.trace_id).collect();
        prop_assert_eq!((&meta.tenant, meta.row_count), (tenant, spans.len() as u64));
        prop_assert_eq!(meta.trace_count, traces.len() as u64);
        let extents: Vec<Extent> =
            traces.iter().map(|trace| trace.iter().map(Extent::of).reduce(Extent::merge).unwrap()).collect();
        prop_assert_eq!(meta.extent, extents.iter().copied().reduce(Extent::merge).unwrap());
        prop_assert_eq!(meta.has_odd_traces, extents.iter().any(|extent| extent.is_odd));
        let received = spans.iter().map(|span| span.received_unix_nanos);
        prop_assert_eq!(meta.received_unix_nanos, (received.clone().min().unwrap(), received.max().unwrap()));
        let rows = side.trace_rows(at);
        prop_assert_eq!(rows.len(), traces.len());
        for ((trace, rows), extent) in traces.iter().zip(rows).zip(extents) {
            prop_assert_eq!(
                rows,
                TraceRows { trace_id: trace[0].trace_id, rows: first_row..first_row + trace.len() as u32 }
            );
            first_row += trace.len() as u32;
            prop_assert_eq!(side.traces.extents()[number], extent);
            let summary = side.traces.summary(number, trace[0].trace_id, &side.names).unwrap();
            prop_assert_eq!(summary, summarize(trace));
            number += 1;
        }
        let mut operations: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for span in spans {
            operations.entry(span.service()).or_default().push(&span.name);
        }
        prop_assert_eq!(side.names.services_of(at), operations.keys().copied().collect::<Vec<_>>());
        for (service, mut names) in operations {
            names.sort_unstable();
            names.dedup();
            prop_assert_eq!(side.names.operations_of(at, service), names);
        }
    }
    assert_groups(&side, &tenants.iter().flat_map(|(_, spans)| spans).collect::<Vec<_>>())
}

fn assert_groups(side: &Side, spans: &[&Span]) -> Result<(), TestCaseError> {
    let mut rest = spans;
    for group in &side.groups.groups {
        let (spans, after) = rest.split_at(group.row_count as usize);
        rest = after;
        let plain = spans.iter().filter(|span| !span.notes.contains(Notes::ODD_TIME)).map(|span| Extent::of(span));
        let zone = plain.clone().reduce(Extent::merge).map(|all| (all.start_unix_nanos, all.end_unix_nanos));
        prop_assert_eq!(group.zone.map(|zone| (zone.start_unix_nanos, zone.end_unix_nanos)), zone);
        prop_assert_eq!(group.has_odd, plain.count() < spans.len());
        let durations = spans.iter().map(|span| span.duration_nanos);
        prop_assert_eq!(group.duration_nanos, (durations.clone().min().unwrap(), durations.max().unwrap()));
        let zones = spans.chunks(2).map(|spans| {
            let durations = spans.iter().map(|span| span.duration_nanos);
            (durations.clone().min().unwrap(), durations.max().unwrap())
        });
        prop_assert_eq!(&group.durations_nanos, &zones.collect::<Vec<_>>());
        prop_assert_eq!(group.error_count as usize, spans.iter().filter(|span| span.is_error()).count());
        let mut services: Vec<_> = spans.iter().map(|span| span.service()).collect();
        services.sort_unstable();
        services.dedup();
        let named: Vec<_> = group.services.iter().map(|code| side.names.services[*code as usize].as_str()).collect();
        prop_assert_eq!(named, services);
        let filter = &side.blooms[group.bloom.start as usize..group.bloom.end as usize];
        prop_assert_eq!(crc32c::crc32c(filter), group.bloom_checksum);
        let mut keys = std::collections::HashSet::new();
        for span in spans {
            let lists = [
                (AttributeScope::Span, &span.attributes),
                (AttributeScope::Resource, &span.resource.attributes),
                (AttributeScope::Instrumentation, &span.scope.attributes),
            ];
            for (scope, attribute) in
                lists.into_iter().flat_map(|(scope, list)| list.iter().map(move |one| (scope, one)))
            {
                let field = Field::Attribute { scope, key: attribute.key.clone() };
                let condition = Condition { field, op: Op::TextEq, value: attribute.value.clone() };
                let probe = Probe::new(&condition).unwrap();
                prop_assert!(probe.may_meet_filtered(group, &side.names, filter), "{:?}", condition);
                keys.insert((scope, &attribute.key, AttributeType::of((&attribute.value).into())));
            }
        }
        prop_assert_eq!(group.keys.len(), keys.len());
    }
    prop_assert!(rest.is_empty());
    Ok(())
}

proptest! {
    #[test]
    fn spans_come_back_and_the_sidecar_agrees(one in draw::spans(), two in draw::spans(), with_two in any::<bool>()) {
        let mut tenants = vec![(tenant("a"), one)];
        if with_two {
            tenants.push((tenant("b"), two));
        }
        let finished = write_spans(&tenants, &Requests::default(), Vec::new(), small()).unwrap();
        let expected: Vec<_> = tenants.iter().flat_map(|(tenant, spans)| {
            spans.iter().map(|span| (tenant.as_str().to_owned(), span.is_error(), span.clone()))
        }).collect();
        // In the debug form NaN is NaN and -0.0 is not 0.0.
        prop_assert_eq!(format!("{:?}", read(&finished.sink)), format!("{expected:?}"));
        prop_assert_eq!(finished.meta.row_count, expected.len() as u64);
        prop_assert_eq!(finished.meta.data_bytes, finished.sink.len() as u64);
        assert_side(&finished, &tenants)?;
    }
}

#[test]
fn the_file_is_plain_parquet() {
    let span = Span { trace_id: draw::trace_id(1), span_id: draw::span_id(1), start_unix_nanos: 5, ..Span::default() };
    let requests = Requests { requests: vec![Request { hash: 3, received_unix_nanos: 4 }] };
    let options = WriteOptions { level: 2, log: 7..9, replaces: vec![BlockName(1)], ..small() };
    let finished = write_spans(&[(tenant("a"), vec![span; 30])], &requests, Vec::new(), options).unwrap();
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Optional)
        .parse_and_finish(&Bytes::from(finished.sink))
        .unwrap();
    let file = metadata.file_metadata();
    assert_eq!(file.created_by(), Some(concat!("clew ", env!("CARGO_PKG_VERSION"))));
    let pairs: Vec<_> =
        file.key_value_metadata().unwrap().iter().map(|pair| (pair.key.as_str(), pair.value.as_deref())).collect();
    assert_eq!(pairs, [("clew.format", Some("1")), ("clew.block", Some("000000000000002a"))]);
    assert_eq!(file.schema_descr().root_schema().name(), "spans");
    let rows: Vec<_> = metadata.row_groups().iter().map(RowGroupMetaData::num_rows).collect();
    assert_eq!(rows, [7, 7, 7, 7, 2]);
    for column in metadata.row_group(0).columns() {
        let name = column.column_path().string();
        let expected = ["tenant", "trace_id", "start_unix_nanos", "duration_nanos", "service", "name", "error"];
        let has_statistics = column.statistics().is_some_and(|statistics| statistics.min_bytes_opt().is_some());
        assert_eq!(has_statistics, expected.contains(&name.as_str()), "{name}");
        assert!(column.offset_index_offset().is_some() && column.column_index_offset().is_none(), "{name}");
    }
    let meta: BlockMeta = {
        let bytes = finished.side.clone().into_vec();
        let header = Header::decode(&bytes).unwrap();
        let section = header.section(SectionId::Meta).unwrap();
        serde_json::from_slice(&bytes[section.offset as usize..section.range().end as usize]).unwrap()
    };
    assert_eq!(meta, finished.meta);
    assert_eq!((meta.level, meta.log, meta.replaces, meta.name), (2, 7..9, vec![BlockName(1)], BlockName(42)));
}

#[test]
fn keys_with_most_distinct_values_are_told() {
    let span = |number: u64| Span {
        trace_id: draw::trace_id(1),
        span_id: draw::span_id(number as u8 + 1),
        start_unix_nanos: number,
        attributes: vec![
            Attribute::new("id", number as i64),
            Attribute::new("id", format!("text {number}").as_str()),
            Attribute::new("region", "eu"),
            Attribute::new("third", (number % 3) as i64),
        ],
        ..Span::default()
    };
    let spans: Vec<Span> = (0..20).map(span).collect();
    let finished = write_spans(&[(tenant("a"), spans)], &Requests::default(), Vec::new(), small()).unwrap();
    let told: Vec<_> = finished.various_keys.iter().map(|(key, values)| (key.as_str(), *values)).collect();
    // Row groups of seven, and two types of one key.
    assert_eq!(told, [("id", 14), ("third", 3), ("region", 1)]);
}

#[test]
fn a_block_may_be_empty() {
    let finished = write_spans(&[(tenant("a"), Vec::new())], &Requests::default(), Vec::new(), small()).unwrap();
    assert!(read(&finished.sink).is_empty());
    assert!(finished.meta.tenants.is_empty());
    assert!(Side::read(&finished.side.clone().into_vec()).groups.groups.is_empty());
}

#[test]
fn what_is_not_as_planned_is_refused() {
    let rows_of = |spans: &[(&str, Vec<Span>)]| {
        let tenants: Vec<_> = spans.iter().map(|(name, spans)| (tenant(name), spans.clone())).collect();
        write_spans(&tenants, &Requests::default(), Vec::new(), small()).map(drop).unwrap_err().to_string()
    };
    let span = |trace: u8, span: u8, start_unix_nanos| Span {
        trace_id: draw::trace_id(trace),
        span_id: draw::span_id(span),
        start_unix_nanos,
        ..Span::default()
    };
    assert!(rows_of(&[("b", vec![]), ("a", vec![])]).contains("tenants are not in the order"));
    assert!(rows_of(&[("a", vec![span(2, 1, 1), span(1, 1, 1)])]).contains("traces are not in the order"));
    assert!(rows_of(&[("a", vec![span(1, 1, 2), span(1, 1, 1)])]).contains("rows are not in the order"));
    let mut plan = Plan::new();
    let mut codes = plan.span(&span(1, 1, 1));
    codes.shape = ShapeCode(9);
    let mut writer = Writer::new(plan, Vec::new(), small()).unwrap();
    assert!(matches!(writer.spans(&[span(1, 1, 1)], &[codes]), Err(WriteError::Rows("a row is not as planned"))));
}

#[test]
fn a_text_that_is_not_utf_8_is_refused() {
    let span = Span { trace_id: draw::trace_id(1), span_id: draw::span_id(1), ..Span::default() };
    let mut plan = Plan::new();
    let codes = plan.span(&span);
    let mut writer = Writer::new(plan, Vec::new(), small()).unwrap();
    writer.tenant(&tenant("a")).unwrap();
    let row = Row { name: &[0xff], ..Row::of(&span, codes, &[]) };
    writer.trace(span.trace_id, &[row]).unwrap();
    assert!(matches!(writer.finish(&Requests::default()), Err(WriteError::Column(_))));
}
