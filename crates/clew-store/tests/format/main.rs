//! Data folders of each format that was released open for ever: `tests/fixtures/format-vN` holds one, and what it was made
//! from. `cargo run --example fixture` makes the one of a new format.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "an integration test is an edge: it copies files, and fails where it stands"
)]

mod steps;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clew_model::scan::{ScanRequest, TimeRange};
use clew_model::{Notes, Span, Tenant, TraceId, Value};
use clew_store::port::{Disk, ManualClock, RealDisk};
use clew_store::{Ports, Store, StoreConfig, check};

use steps::Step;

/// A property and its name.
type Named<T> = (&'static str, fn(&T) -> bool);

/// Longer than a seal takes on a busy machine.
const WAIT: Duration = Duration::from_mins(1);

#[test]
fn format_1_opens() {
    let format = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-v1");
    let steps = steps::read(&std::fs::read_to_string(format.join(steps::STEPS_FILE)).unwrap());
    let kept = kept(&steps);
    assert_worth_keeping(&kept);
    let kept = told(&kept);
    let folder = tempfile::tempdir().unwrap();
    copy(&format.join(steps::DATA_FOLDER), folder.path());

    let report = check(folder.path(), &(Arc::new(RealDisk::new()) as Arc<dyn Disk>), false).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.segments.iter().map(|segment| segment.batches).sum::<u64>(), 3);

    let store = open(folder.path(), &steps);
    let figures = store.figures();
    assert_eq!((figures.blocks, figures.replay_batches, figures.torn_bytes), (2, 3, 0));
    assert!(figures.block_spans > 0 && figures.replay_spans > 0, "{figures:?}");
    assert_eq!(store.health(), []);
    assert_eq!(held(&store), kept);

    // It goes on: what was in the log becomes a block of today, beside those of then.
    let (sender, sealed) = mpsc::channel();
    store.seal(move |result| sender.send(result).unwrap());
    sealed.recv_timeout(WAIT).unwrap().unwrap();
    assert_eq!(held(&store), kept);
    assert_eq!(store.close(), Ok(()));
    let store = open(folder.path(), &steps);
    assert_eq!((store.figures().blocks, store.figures().replay_batches), (3, 0));
    assert_eq!(held(&store), kept);
}

/// At the time of the last request, so that nothing is over.
fn open(data_dir: &Path, steps: &[Step]) -> Store {
    let received = |step: &Step| if let Step::Send(batch) = step { batch.received_unix_nanos } else { 0 };
    let clock = Arc::new(ManualClock::new(steps.iter().map(received).max().unwrap()));
    Store::open(StoreConfig::new(data_dir), Ports { disk: Arc::new(RealDisk::new()), clock }).unwrap()
}

/// The spans that were sent and not deleted afterwards.
fn kept(steps: &[Step]) -> Vec<(Tenant, Span)> {
    let mut kept: Vec<(Tenant, Span)> = Vec::new();
    for step in steps {
        match step {
            Step::Send(batch) => {
                kept.extend(steps::spans(batch).into_iter().map(|span| (batch.tenants.names[0].clone(), span)));
            }
            Step::Seal => {}
            Step::Delete(tenant, id) => {
                let before = kept.len();
                kept.retain(|(of, span)| (of, span.trace_id) != (tenant, *id));
                assert!(kept.len() < before, "{id} is there to be deleted");
            }
        }
    }
    kept
}

/// As texts, in which a NaN equals itself.
fn told(spans: &[(Tenant, Span)]) -> BTreeSet<String> {
    spans.iter().map(|(tenant, span)| format!("{tenant} {span:#?}")).collect()
}

/// The spans of both tenants that a store shows.
fn held(store: &Store) -> BTreeSet<String> {
    let source = store.spans();
    let mut held = BTreeSet::new();
    for tenant in [Tenant::default(), Tenant::new("acme").unwrap()] {
        let request =
            ScanRequest { tenant: tenant.clone(), range: TimeRange::ALL, filters: Vec::new(), rows_per_trace: 0 };
        let found = source.scan(&request, &|| false).unwrap();
        assert_eq!(found.incomplete, None);
        let ids: Vec<TraceId> = found.matches.iter().map(|found| found.trace_id).collect();
        let rows = source.rows(&tenant, &ids, &|| false).unwrap();
        assert_eq!(rows.incomplete, None);
        let spans: Vec<_> = rows.spans.into_iter().map(|span| (tenant.clone(), span)).collect();
        let texts = told(&spans);
        assert_eq!(texts.len(), spans.len(), "each once");
        held.extend(texts);
    }
    held
}

/// A format is kept only as far as what was written with it: each kind of value, and each part of a span.
fn assert_worth_keeping(kept: &[(Tenant, Span)]) {
    let spans: Vec<&Span> = kept.iter().map(|(_, span)| span).collect();
    let mut values: Vec<&Value> =
        spans.iter().flat_map(|span| &span.attributes).map(|attribute| &attribute.value).collect();
    let mut at = 0;
    while let Some(value) = values.get(at).copied() {
        match value {
            Value::Array(inner) => values.extend(inner),
            Value::Map(inner) => values.extend(inner.iter().map(|attribute| &attribute.value)),
            _ => {}
        }
        at += 1;
    }
    let is_there: [Named<Value>; 8] = [
        ("no value", |value| matches!(value, Value::Empty)),
        ("a text", |value| value.as_str().is_some_and(|text| !text.is_ascii())),
        ("a truth value", |value| matches!(value, Value::Bool(false))),
        ("the least integer", |value| matches!(value, Value::Int(i64::MIN))),
        ("a negative zero", |value| matches!(value, Value::Double(zero) if *zero == 0.0 && zero.is_sign_negative())),
        ("a NaN", |value| matches!(value, Value::Double(number) if number.is_nan())),
        ("bytes", |value| matches!(value, Value::Bytes(bytes) if *bytes == [0, 255])),
        (
            "a list in a map",
            |value| matches!(value, Value::Map(inner) if inner.iter().any(|inner| matches!(inner.value, Value::Array(_)))),
        ),
    ];
    for (what, is_there) in is_there {
        assert!(values.iter().any(|value| is_there(value)), "{what} is not in the fixture");
    }
    let has: [Named<Span>; 7] = [
        ("events", |span| !span.events.is_empty()),
        ("links", |span| !span.links.is_empty()),
        ("a trace state", |span| !span.trace_state.is_empty()),
        ("dropped counts", |span| span.dropped_attributes_count > 0 && span.resource.dropped_attributes_count > 0),
        ("a schema", |span| !span.resource.schema_url.is_empty() && !span.scope.schema_url.is_empty()),
        ("a status message", |span| !span.status.message.is_empty()),
        ("a note", |span| span.notes != Notes::default()),
    ];
    for (what, has) in has {
        assert!(spans.iter().any(|span| has(span)), "no span of the fixture has {what}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
