//! Blocks are Parquet that any engine reads: DuckDB runs the SQL of `docs/format.md` and answers as clew does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use clew_model::{Attribute, Kind, Resource, Scope, Span, SpanId, Status, StatusCode, TraceId, Value as Datum};
use clew_sim::seed::Seed;
use serde_json::Value;

use crate::guide;
use crate::process::Running;
use crate::{get, in_path, part, start_clew, until};

/// Where the spans begin, in unix nanoseconds.
const BEGIN: u64 = 1_763_600_000_000_000_000;

/// Blocks, each sealed from one request.
const BLOCKS: u64 = 3;

/// Traces that a block alone holds. Two spans with an attribute are then below the share that makes it a column.
const TRACES: u64 = 100;

/// The trace and the span whose children the document asks for.
const TRACE: TraceId = TraceId(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
const SPAN: SpanId = SpanId(0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());

/// Runs what it reads and prints the rows of the last answer.
const ASK: &str = "\
import duckdb, json, sys
session = duckdb.connect()
for statement in session.extract_statements(sys.stdin.read()):
    answer = session.execute(statement)
print(json.dumps(answer.fetchall()))
";

#[test]
fn duckdb_answers_from_the_files_as_clew_does() {
    let folder = tempfile::tempdir().unwrap();
    let (mut clew, port) = start_clew(folder.path(), "--live-seal-age 1s --tenant-attribute tenant.name");
    let api = format!("http://127.0.0.1:{port}");
    let mut seed = Seed::new(7);
    for number in 0..BLOCKS {
        let body = clew_wire::otlp::encode(&request(&mut seed, number));
        let sent = ureq::post(format!("{api}/v1/traces")).header("Content-Type", "application/x-protobuf").send(&body);
        assert_eq!(sent.unwrap().status(), 200);
        until("the block is sealed", || {
            clew.assert_running();
            (figure(&api, "clew_blocks") == number + 1).then_some(())
        });
    }
    let asked = Asked { api, folder: folder.path(), documented: documented() };
    asked.slowest();
    asked.errors();
    asked.key();
    asked.mixed();
    asked.children();
}

/// Both sides of a comparison.
struct Asked<'a> {
    api: String,
    folder: &'a Path,
    /// The SQL of the document by its label.
    documented: BTreeMap<String, String>,
}

impl Asked<'_> {
    fn slowest(&self) {
        let traces = self.search("service=checkout&sort=-duration&limit=10");
        let expected: Vec<Value> =
            traces.iter().map(|trace| vec![trace["traceId"].clone(), trace["durationNanos"].clone()].into()).collect();
        assert_eq!(expected.len(), 10);
        assert_eq!(self.sql("slowest"), expected);
    }

    fn errors(&self) {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for trace in self.search("limit=1000") {
            let trace = self.trace(trace["traceId"].as_str().unwrap());
            for span in trace.iter().filter(|span| span["error"] == true) {
                *counts.entry((text(&span["service"]), text(&span["name"]))).or_default() += 1;
            }
        }
        let mut expected: Vec<_> = counts.into_iter().map(|((service, name), count)| (service, name, count)).collect();
        expected.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        let found = self.sql("errors");
        let found: Vec<_> = found.iter().map(|row| (text(&row[0]), text(&row[1]), row[2].as_u64().unwrap())).collect();
        assert!(found.len() > 5, "{found:?}");
        assert_eq!(found, expected);
    }

    fn key(&self) {
        let places = self.attribute("key", "attr.coupon=SPRING");
        assert_eq!(places, BTreeSet::from(["column", "rest", "resource", "scope"].map(str::to_owned)));
    }

    fn mixed(&self) {
        let types = self.attribute("mixed", "attr.http.status_code=500");
        assert_eq!(types, BTreeSet::from(["int", "string"].map(str::to_owned)));
    }

    /// Compares the traces with an attribute, and answers what was told of them besides.
    fn attribute(&self, label: &str, parameter: &str) -> BTreeSet<String> {
        let found = self.sql(label);
        let mut expected: Vec<_> =
            self.search(&format!("{parameter}&limit=1000")).iter().map(|trace| text(&trace["traceId"])).collect();
        expected.sort();
        assert_eq!(found.iter().map(|row| text(&row[0])).collect::<Vec<_>>(), expected);
        found.iter().flat_map(|row| row[1].as_array().unwrap()).map(text).collect()
    }

    fn children(&self) {
        let spans = self.trace(&TRACE.to_string());
        let children = spans.iter().filter(|span| span["parentSpanId"] == SPAN.to_string());
        let mut expected: Vec<_> = children.map(|span| (text(&span["spanId"]), text(&span["name"]))).collect();
        expected.sort();
        let names: BTreeSet<_> = expected.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, BTreeSet::from(["beside it", "in another block", "beside its copy"]));
        let found: Vec<_> = self.sql("children").iter().map(|row| (text(&row[0]), text(&row[1]))).collect();
        assert_eq!(found, expected);
    }

    /// What DuckDB answers to the document's question of that label.
    fn sql(&self, label: &str) -> Vec<Value> {
        std::fs::write(self.folder.join("ask.py"), ASK).unwrap();
        let sql = format!("{}{}", self.documented["views"], self.documented[label]);
        std::fs::write(self.folder.join("question.sql"), sql).unwrap();
        let python = [in_path(&part("python").join("bin"))];
        let said = Running::start(label, "python ask.py < question.sql", self.folder, &python).finish(crate::PATIENCE);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{label}: {error}: {said}"))
    }

    fn search(&self, parameters: &str) -> Vec<Value> {
        let url = format!("{}/v1/traces/search?{parameters}&total=none&tenant=default", self.api);
        let answer = get(&url).expect("an answer");
        assert!(answer["cursor"].is_null() || parameters.ends_with("limit=10"), "more than a page");
        answer["traces"].as_array().unwrap().clone()
    }

    /// The spans of a trace.
    fn trace(&self, id: &str) -> Vec<Value> {
        let answer = get(&format!("{}/v1/traces/{id}?tenant=default", self.api)).expect("an answer");
        answer["spans"].as_array().unwrap().clone()
    }
}

/// The SQL that `docs/format.md` shows.
fn documented() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/format.md");
    let documented: BTreeMap<_, _> = guide::blocks(&std::fs::read_to_string(path).unwrap()).into_iter().collect();
    let labels: Vec<_> = documented.keys().map(String::as_str).collect();
    assert_eq!(labels, ["children", "errors", "key", "mixed", "slowest", "views"], "each is compared");
    documented
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A figure of `/metrics` that has no labels.
fn figure(api: &str, name: &str) -> u64 {
    let page = text(&get(&format!("{api}/metrics")).expect("an answer"));
    let found = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

/// The spans of a block: traces of its own, the same ones of another tenant, and a part of a trace that lies in all blocks.
fn request(seed: &mut Seed, number: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    for index in 0..TRACES {
        // Behind the shared trace, which so begins at the same row of each block.
        let id = TraceId((0x8 << 124 | u128::from((number << 32) | (index + 1))).to_be_bytes());
        let own = trace(seed, number, index, id);
        // Longer, failed, and none of the default tenant's business.
        let tenant = vec![Attribute::new("service.name", "checkout"), Attribute::new("tenant.name", "acme")];
        let foreign = Span {
            resource: Arc::new(Resource { attributes: tenant, ..Resource::default() }),
            duration_nanos: 1 << 40,
            status: Status { code: StatusCode::Error, ..Status::default() },
            ..own[0].clone()
        };
        spans.extend(own);
        spans.push(foreign);
    }
    spans.extend(shared(number));
    spans
}

/// A trace that one block holds.
fn trace(seed: &mut Seed, number: u64, index: u64, id: TraceId) -> Vec<Span> {
    let services = ["checkout", "stock", "payment", "mail"];
    let resources = services.map(|service| {
        let mut attributes = vec![Attribute::new("service.name", service)];
        if number == 2 && index.is_multiple_of(20) {
            attributes.push(Attribute::new("coupon", "SPRING"));
        }
        Arc::new(Resource { attributes, ..Resource::default() })
    });
    let scope_attributes =
        if number == 2 && index % 20 == 1 { vec![Attribute::new("coupon", "SPRING")] } else { vec![] };
    let scope = Arc::new(Scope { name: "shop".to_owned(), attributes: scope_attributes, ..Scope::default() });
    let begin = BEGIN + (number * TRACES + index) * 1_000_000_000;
    let mut spans: Vec<Span> = Vec::new();
    for at in 0..seed.between(4, 12) {
        let mut attributes = vec![Attribute::new("step", Datum::Int(at as i64))];
        attributes.extend(coupon(seed, number, index, at));
        attributes.extend(status_code(seed, number, index, at));
        if seed.percent(3) {
            attributes.push(Attribute::new("error", true));
        }
        let parent = (at > 0).then(|| spans[seed.below(at) as usize].span_id);
        let failed = seed.percent(10);
        spans.push(Span {
            trace_id: id,
            span_id: SpanId((number << 32 | index << 8 | (at + 1)).to_be_bytes()),
            parent_span_id: parent,
            name: format!("operation {}", seed.below(4)),
            kind: *seed.pick(&Kind::ALL),
            start_unix_nanos: begin + seed.below(1_000_000),
            duration_nanos: seed.around(5_000_000),
            status: Status { code: if failed { StatusCode::Error } else { StatusCode::Ok }, ..Status::default() },
            attributes,
            resource: Arc::clone(seed.pick(&resources)),
            scope: Arc::clone(&scope),
            ..Span::default()
        });
    }
    spans
}

/// Frequent in the first block, in two spans of the second, and in none of the third.
fn coupon(seed: &mut Seed, number: u64, index: u64, at: u64) -> Option<Attribute> {
    match number {
        0 => seed.percent(20).then(|| Attribute::new("coupon", *seed.pick(&["SPRING", "AUTUMN"]))),
        1 if at == 0 && index.is_multiple_of(50) => Some(Attribute::new("coupon", "SPRING")),
        _ => None,
    }
}

/// A number in the first block, a text in the second; in the third nearly always a number.
fn status_code(seed: &mut Seed, number: u64, index: u64, at: u64) -> Option<Attribute> {
    let code = *seed.pick(&[200, 200, 404, 500]);
    let is_text = number == 1 || (number == 2 && at == 0 && index.is_multiple_of(50));
    let value = if is_text { Datum::from(code.to_string().as_str()) } else { Datum::Int(code) };
    seed.percent(60).then(|| Attribute::new("http.status_code", value))
}

/// A part of the trace that lies in all blocks: the span in the first, children of it in each, and a copy of it and of a
/// failed child, as a sender that tries again leaves them, in the last.
fn shared(number: u64) -> Vec<Span> {
    let attributes = vec![Attribute::new("service.name", "checkout")];
    let root = Span {
        trace_id: TRACE,
        span_id: SPAN,
        name: "pay".to_owned(),
        start_unix_nanos: BEGIN,
        duration_nanos: 60_000_000_000,
        resource: Arc::new(Resource { attributes, ..Resource::default() }),
        ..Span::default()
    };
    let child = |id: u64, name: &str| Span {
        span_id: SpanId(id.to_be_bytes()),
        parent_span_id: Some(SPAN),
        name: name.to_owned(),
        start_unix_nanos: BEGIN + id,
        duration_nanos: 1_000_000,
        status: Status { code: StatusCode::Error, ..Status::default() },
        ..root.clone()
    };
    let of = |parent: u64, span: Span| Span { parent_span_id: Some(SpanId(parent.to_be_bytes())), ..span };
    match number {
        0 => vec![root.clone(), child(11, "beside it"), child(12, "beside it"), of(11, child(13, "a grandchild"))],
        // The row of the grandchild's parent is that of the span in the first block.
        1 => vec![child(21, "in another block"), of(21, child(22, "a grandchild")), child(23, "in another block")],
        _ => vec![child(11, "beside it"), child(31, "beside its copy"), root],
    }
}
