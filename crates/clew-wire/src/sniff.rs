//! What a file seems to be, by a look at its beginning.

use crate::json::Json;
use crate::otlp::WireError;

/// What a JSON text seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// OTLP/JSON with spans: [`crate::otlp_json::to_protobuf`].
    Otlp,
    /// Jaeger: [`crate::jaeger_json::spans`].
    Jaeger,
    /// Zipkin, version 2: [`crate::zipkin_json::spans`].
    Zipkin,
    /// Zipkin, version 1, which is not read.
    ZipkinV1,
    /// Grafana Tempo's own JSON, which is not read.
    Tempo,
    /// A trace as clew explains it, which is not read.
    Clew,
    /// OTLP/JSON with metrics or logs.
    OtherSignal,
    /// Events of Chrome's profiler.
    ChromeTrace,
    /// An empty list.
    Empty,
    /// Something else.
    Other,
}

/// Lists in lists that are looked into.
const LISTS_MAX: usize = 3;

/// What the text seems to be, by the names of its first object's members. A text that is no JSON so far is an error.
pub fn json_kind(text: &[u8]) -> Result<JsonKind, WireError> {
    let mut json = Json::new(text);
    for _ in 0..LISTS_MAX {
        if json.peek()? != b'[' {
            break;
        }
        json.punctuation(b'[', "an array")?;
        if json.peek()? == b']' {
            return Ok(JsonKind::Empty);
        }
    }
    match json.peek()? {
        b'{' => object_kind(&mut json),
        b'[' => Ok(JsonKind::Other),
        _ => Err(json.expected("an object or an array")),
    }
}

fn object_kind(json: &mut Json<'_>) -> Result<JsonKind, WireError> {
    json.punctuation(b'{', "an object")?;
    let (mut is_first, mut has_trace_id, mut has_id, mut is_old, mut is_answer) = (true, false, false, false, false);
    while json.next_entry(&mut is_first, b'}')? {
        let name = json.name()?;
        match &*name {
            b"resourceSpans" | b"resource_spans" => return Ok(JsonKind::Otlp),
            b"resourceMetrics" | b"resourceLogs" | b"resourceProfiles" => return Ok(JsonKind::OtherSignal),
            b"traceID" | b"processes" => return Ok(JsonKind::Jaeger),
            b"batches" => return Ok(JsonKind::Tempo),
            b"trace" if json.peek()? == b'{' => return Ok(JsonKind::Tempo),
            b"traceEvents" => return Ok(JsonKind::ChromeTrace),
            b"data" => return data_kind(json),
            b"traceId" => has_trace_id = true,
            b"id" => has_id = true,
            b"binaryAnnotations" => is_old = true,
            b"summary" | b"thread" => is_answer = true,
            _ => {}
        }
        json.skip_value()?;
    }
    Ok(match (has_trace_id && has_id, is_old) {
        (true, true) => JsonKind::ZipkinV1,
        (true, false) => JsonKind::Zipkin,
        (false, _) if has_trace_id && is_answer => JsonKind::Clew,
        _ => JsonKind::Other,
    })
}

/// Of an object with `data`: Jaeger wraps its traces in it, and so do many others.
fn data_kind(json: &mut Json<'_>) -> Result<JsonKind, WireError> {
    match json.peek()? {
        b'n' => return Ok(JsonKind::Jaeger),
        b'[' => json.punctuation(b'[', "an array")?,
        _ => return Ok(JsonKind::Other),
    }
    match json.peek()? {
        b']' => Ok(JsonKind::Empty),
        b'{' if object_kind_of_trace(json)? => Ok(JsonKind::Jaeger),
        _ => Ok(JsonKind::Other),
    }
}

fn object_kind_of_trace(json: &mut Json<'_>) -> Result<bool, WireError> {
    json.punctuation(b'{', "an object")?;
    let mut is_first = true;
    while json.next_entry(&mut is_first, b'}')? {
        if matches!(&*json.name()?, b"traceID" | b"processes" | b"spans") {
            return Ok(true);
        }
        json.skip_value()?;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_known_by_its_names() {
        for (text, kind) in [
            (r#"{"resourceSpans": []}"#, JsonKind::Otlp),
            (r#" {"x": [{"resourceMetrics": 1}], "resource_spans": 5}"#, JsonKind::Otlp),
            (r#"{"resourceLogs": []}"#, JsonKind::OtherSignal),
            (r#"{"data": [{"traceID": "1", "spans": []}]}"#, JsonKind::Jaeger),
            (r#"{"total": 0, "data": null, "errors": []}"#, JsonKind::Jaeger),
            (r#"{"spans": [], "processes": {}}"#, JsonKind::Jaeger),
            (r#"[{"traceID": "1"}]"#, JsonKind::Jaeger),
            (r#"[{"name": "a", "traceId": "1", "id": "2"}]"#, JsonKind::Zipkin),
            (r#"[[{"id": "2", "traceId": "1"}]]"#, JsonKind::Zipkin),
            (r#"[{"id": "2", "traceId": "1", "binaryAnnotations": []}]"#, JsonKind::ZipkinV1),
            (r#"{"batches": []}"#, JsonKind::Tempo),
            (r#"{"trace": {"resourceSpans": []}}"#, JsonKind::Tempo),
            (r#"{"traceId": "1", "summary": {}, "spans": []}"#, JsonKind::Clew),
            (r#"{"traceEvents": []}"#, JsonKind::ChromeTrace),
            ("[]", JsonKind::Empty),
            ("[[]]", JsonKind::Empty),
            (r#"{"data": []}"#, JsonKind::Empty),
            (r#"{"data": {"resourceSpans": []}}"#, JsonKind::Other),
            (r#"{"data": [{"name": 1}]}"#, JsonKind::Other),
            ("{}", JsonKind::Other),
            ("[[[[1]]]]", JsonKind::Other),
        ] {
            assert_eq!(json_kind(text.as_bytes()), Ok(kind), "{text}");
        }
        for text in ["", "7", "[7]", "{", "{]", "nope"] {
            assert!(json_kind(text.as_bytes()).is_err(), "{text}");
        }
    }
}
