use super::*;

const NOW: u64 = 1_800_000_000_000_000_000;

fn ask(query: &str) -> Result<Question, AskError> {
    let params = Params::of(&format!("/v1/traces/search?{query}").parse().unwrap()).unwrap();
    Question::parse(&params, Tenant::default(), NOW)
}

fn refused(query: &str) -> (String, String) {
    match ask(query).unwrap_err() {
        AskError::Parameter { name, detail } => (name, detail),
        other => panic!("{other:?} names no parameter"),
    }
}

fn condition(field: Field, op: Op, value: impl Into<Value>) -> Condition {
    Condition { field, op, value: value.into() }
}

#[test]
fn nothing_asked_is_everything_newest_first() {
    let question = ask("").unwrap();
    assert!(question.filters.is_empty() && question.is_met_by(0));
    assert_eq!((question.range, question.duration_nanos), (TimeRange::ALL, (0, u64::MAX)));
    assert_eq!((question.sort, question.limit, question.total), (Sort::StartDown, 20, TotalMode::Bounded));
}

#[test]
fn conditions_hold_together_in_one_span() {
    let question = ask(
        "service=a&operation=b&status=error&kind=server&minSpanDurationMs=1.5&maxSpanDurationMs=2&attr.http.code=500",
    )
    .unwrap();
    let key = Field::Attribute { scope: AttributeScope::Any, key: "http.code".into() };
    let expected = [
        condition(Field::Service, Op::Eq, "a"),
        condition(Field::Name, Op::Eq, "b"),
        condition(Field::Error, Op::Eq, true),
        condition(Field::Kind, Op::Eq, "server"),
        condition(Field::Duration, Op::Ge, 1_500_000_i64),
        condition(Field::Duration, Op::Le, 2_000_000_i64),
        condition(key, Op::TextEq, "500"),
    ];
    assert_eq!(question.filters, [SpanFilter { conditions: expected.to_vec() }]);
    assert!(question.is_met_by(1) && !question.is_met_by(0));
    let unset = ask("status=unset").unwrap();
    assert_eq!(unset.filters[0].conditions, [condition(Field::Status, Op::Eq, "unset")]);
}

#[test]
fn several_services_are_all_touched_and_one_of_them_meets_the_rest() {
    let question = ask("service=b&service=a&service=a").unwrap();
    assert_eq!(question.filters.len(), 2);
    assert!(question.is_met_by(0b11) && !question.is_met_by(0b01) && !question.is_met_by(0b10));
    let question = ask("service=b&service=a&status=error").unwrap();
    assert_eq!(question.filters.len(), 4);
    assert!(question.is_met_by(0b0111) && question.is_met_by(0b1011));
    assert!(!question.is_met_by(0b0011) && !question.is_met_by(0b0101));
}

#[test]
fn ranges_are_resolved_and_checked() {
    let hour = 3_600_000_000_000;
    let range = |query: &str| ask(query).unwrap().range;
    assert_eq!(range("since=1h"), TimeRange { from_unix_nanos: NOW - hour, ..TimeRange::ALL });
    assert_eq!(range("from=-1h&to=now"), TimeRange { from_unix_nanos: NOW - hour, to_unix_nanos: NOW });
    assert_eq!(refused("from=now&to=-1h").0, "to");
    assert_eq!(refused("from=-1h&since=1h").0, "since");
    assert_eq!(refused("since=soon").0, "since");
    let (name, detail) = refused("from=yesterday");
    assert_eq!(name, "from");
    assert!(detail.contains("RFC 3339"), "{detail}");
}

#[test]
fn wrong_parameters_are_named() {
    assert_eq!(refused("status=failed"), ("status".into(), "`failed` is not one of error, ok, unset".into()));
    assert_eq!(refused("minDurationMs=5&maxDurationMs=4").0, "maxDurationMs");
    assert_eq!(refused("limit=0").0, "limit");
    assert!(ask("maxSpanDurationMs=9223372036854.775807&minDurationMs=9223372036855").is_ok());
    assert_eq!(refused("maxSpanDurationMs=9223372036854.775808").0, "maxSpanDurationMs");
    let (name, detail) = refused("minSpanDurationMs=9223372036855");
    assert_eq!((name.as_str(), detail.contains("at most 9223372036854")), ("minSpanDurationMs", true), "{detail}");
    assert_eq!(refused("minDuraton=5").0, "minDuraton");
    let (name, detail) = refused("q=%7B%7D");
    assert_eq!(name, "q");
    assert!(detail.contains("service, operation"), "{detail}");
    let many = |count: usize, text: &str| (0..count).map(|n| text.replace('N', &n.to_string())).collect::<String>();
    assert_eq!(refused(&many(17, "service=N&")).0, "service");
    assert!(ask(&many(16, "service=N&")).is_ok());
    assert_eq!(refused(&many(33, "attr.N=1&")).0, "attr.32");
}

#[test]
fn a_cursor_fits_its_question_alone() {
    let first = ask("service=a&since=1h&limit=5").unwrap();
    let cursor = Cursor { question: first.hash, range: first.range, key: 1, trace_id: clew_model::TraceId([1; 16]) };
    let text = cursor.encode();
    let next = ask(&format!("since=1h&service=a&limit=7&total=none&cursor={text}")).unwrap();
    assert_eq!((next.range, next.after), (first.range, Some(cursor)));
    assert_eq!(refused(&format!("service=b&since=1h&cursor={text}")).0, "cursor");
    assert_eq!(refused("cursor=abc").0, "cursor");
}
