//! A trace as a page of its own: the viewer, and the trace in it.
//!
//! The page opens from a file, without a server: so it may load nothing and send nothing, which it says itself, and what
//! senders wrote is data in it, never markup.

use clew_model::scan::TraceState;

use super::error::AskError;
use super::explain::write_trace;
use super::opened::Opened;
use super::show;

/// What the page may do: run and show what is in it.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                                 img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'";

/// Where the viewer has its trace.
const PLACE: &str = r#"<script type="application/json" id="clew-trace">null</script>"#;
const HEAD: &str = "<head>";

/// The page of a trace, made of the viewer that `ui/` builds.
pub(super) fn page(viewer: &str, opened: &Opened, state: &TraceState) -> Result<Vec<u8>, AskError> {
    let failed = || AskError::Failed("this clew was built with a viewer that has no place for a trace".to_owned());
    let (before, after) = viewer.split_once(PLACE).ok_or_else(failed)?;
    let (begin, head) = before.split_once(HEAD).ok_or_else(failed)?;
    let mut data = Vec::new();
    let written = write_trace(&mut data, &show::skeleton(opened, state), &show::trace(opened, state, None));
    written.map_err(|error| AskError::Failed(format!("the page cannot be written: {error}")))?;
    let mut page = Vec::with_capacity(viewer.len() + data.len() + data.len() / 16);
    page.extend_from_slice(begin.as_bytes());
    page.extend_from_slice(HEAD.as_bytes());
    page.extend_from_slice(format!(r#"<meta http-equiv="Content-Security-Policy" content="{POLICY}">"#).as_bytes());
    page.extend_from_slice(head.as_bytes());
    page.extend_from_slice(PLACE.trim_end_matches("null</script>").as_bytes());
    escape(&data, &mut page);
    page.extend_from_slice(b"</script>");
    page.extend_from_slice(after.as_bytes());
    Ok(page)
}

/// JSON that ends no script and is JavaScript too: `<` stands in strings only, and so do the line separators.
fn escape(json: &[u8], page: &mut Vec<u8>) {
    let mut rest = json;
    while let Some(at) = memchr::memchr2(b'<', 0xe2, rest) {
        let (plain, odd) = rest.split_at(at);
        page.extend_from_slice(plain);
        let (escaped, length): (&[u8], usize) = match odd {
            [b'<', ..] => (b"\\u003c", 1),
            [0xe2, 0x80, 0xa8, ..] => (b"\\u2028", 3),
            [0xe2, 0x80, 0xa9, ..] => (b"\\u2029", 3),
            other => (&other[..1], 1),
        };
        page.extend_from_slice(escaped);
        rest = &odd[length..];
    }
    page.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::naive::known_trace;
    use crate::ask::shape::ExplainedTrace;

    const VIEWER: &str = concat!(
        "<!doctype html><html><head><title>t</title></head><body><div></div>",
        r#"<script type="application/json" id="clew-trace">null</script>"#,
        "<script type=\"module\">run($1)</script></body></html>"
    );

    fn data(page: &str) -> &str {
        let (_, rest) = page.split_once(r#"id="clew-trace">"#).unwrap();
        rest.split_once("</script>").unwrap().0
    }

    #[test]
    fn what_senders_wrote_stays_data() {
        let mut spans = known_trace();
        let hostile = "</script><script>alert(1)</script><!-- \u{2028}\u{2029} \u{20ac} \\ \"";
        hostile.clone_into(&mut spans[0].name);
        let page = page(VIEWER, &Opened::of(spans, None, false), &TraceState::default()).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert_eq!(page.matches("</script>").count(), 2);
        assert_eq!(page.matches("<script").count(), 2);
        assert!(!data(&page).contains(['<', '\u{2028}', '\u{2029}']));
        let trace: ExplainedTrace = serde_json::from_str(data(&page)).unwrap();
        assert!(trace.skeleton.names.iter().any(|name| name == hostile));
        assert!(trace.full.spans.iter().any(|span| span.name == hostile));
        assert!(page.ends_with("<script type=\"module\">run($1)</script></body></html>"));
        let policy = format!("<head><meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"><title>");
        assert!(page.contains(&policy));
    }

    #[test]
    fn the_viewer_that_is_built_has_a_place() {
        let viewer = std::str::from_utf8(crate::ui::embedded("viewer.html").unwrap()).unwrap();
        let page = page(viewer, &Opened::of(known_trace(), None, false), &TraceState::default()).unwrap();
        let trace: ExplainedTrace = serde_json::from_str(data(std::str::from_utf8(&page).unwrap())).unwrap();
        assert_eq!(trace.full.trace_id, trace.skeleton.trace_id);
        assert!(!viewer.contains("Content-Security-Policy"), "the policy is written here");
    }

    #[test]
    fn a_viewer_without_a_place_is_refused() {
        let opened = Opened::of(known_trace(), None, false);
        assert!(matches!(
            page("<html><head></head></html>", &opened, &TraceState::default()),
            Err(AskError::Failed(_))
        ));
        assert!(matches!(page(PLACE, &opened, &TraceState::default()), Err(AskError::Failed(_))));
    }
}
