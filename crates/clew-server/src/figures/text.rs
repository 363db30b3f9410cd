//! Prometheus' text format, version 0.0.4: <https://prometheus.io/docs/instrumenting/exposition_formats/>, and OpenMetrics 1.0,
//! which has exemplars: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::fmt::Write as _;

use super::page::{Exemplar, Sample, Sink};

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Prometheus' text format.
    #[default]
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

impl Format {
    /// Every format, the usual one first.
    pub const ALL: [Self; 2] = [Self::Text, Self::OpenMetrics];

    /// Its media type, without parameters.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::OpenMetrics => "application/openmetrics-text",
        }
    }

    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A page of text being written.
#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    format: Format,
}

impl Text {
    /// An empty page.
    pub(super) fn new(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    /// The page.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Sink for Text {
    fn family(&mut self, name: &'static str, kind: &'static str, help: &str) {
        // OpenMetrics names the family of `x_total` `x`.
        let is_bare = self.format == Format::OpenMetrics && kind == "counter";
        let family = if is_bare { name.trim_end_matches("_total") } else { name };
        let _ = writeln!(self.text, "# HELP {family} {help}\n# TYPE {family} {kind}");
    }

    fn sample(&mut self, sample: &Sample<'_>) {
        let text = &mut self.text;
        text.push_str(sample.name);
        text.push_str(sample.ending);
        let all = sample.labels.iter().copied().chain(sample.bound.map(|bound| ("le", bound)));
        let mut before = '{';
        for (label, value) in all {
            let _ = write!(text, "{before}{label}=\"{}\"", escaped(value));
            before = ',';
        }
        let after = if before == '{' { "" } else { "}" };
        let _ = write!(text, "{after} {}", sample.value);
        if let (Format::OpenMetrics, Some(exemplar)) = (self.format, sample.exemplar) {
            let Exemplar { labels: [(first, one), (second, two)], value, unix_nanos } = exemplar;
            let (seconds, nanos) = (unix_nanos / 1_000_000_000, unix_nanos % 1_000_000_000);
            let (one, two) = (escaped(one), escaped(two));
            let _ = write!(text, " # {{{first}=\"{one}\",{second}=\"{two}\"}} {value} {seconds}.{nanos:09}");
        }
        text.push('\n');
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use clew_store::Histogram;

    use super::super::page::{Distribution, Page};
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut page = Text::default();
        let labels = [("a", "say \"hi\"\\\n"), ("b", "")];
        Page::new(&mut page).counter("clew_x_total", "A test.").sample(&labels, 3_u64);
        let expected = "# HELP clew_x_total A test.\n# TYPE clew_x_total counter\nclew_x_total{a=\"say \\\"hi\\\"\\\\\\n\",b=\"\"} 3\n";
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn buckets_are_cumulative() {
        let histogram = Histogram::new();
        for millis in [1, 40, 60_000] {
            histogram.observe_nanos(millis * 1_000_000);
        }
        let mut page = Text::default();
        Page::new(&mut page).histogram("clew_x_seconds", "A test.", &histogram.read());
        let text = page.finish();
        for line in
            ["_bucket{le=\"0.001\"} 1", "_bucket{le=\"0.05\"} 2", "_bucket{le=\"10\"} 2", "_bucket{le=\"+Inf\"} 3"]
        {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(text.contains("clew_x_seconds_sum 60.041\nclew_x_seconds_count 3\n"), "{text}");
    }

    #[test]
    fn open_metrics_has_bare_families_exemplars_and_an_end() {
        let labels = [("trace_id", "0a".to_owned()), ("span_id", "0b".to_owned())];
        let exemplar = Exemplar { labels, value: 0.5, unix_nanos: 1_250_000_000 };
        let distribution = Distribution { buckets: vec![(Some(1.0), 1, Some(exemplar)), (None, 2, None)], sum: 3.5 };
        let write = |format| {
            let mut text = Text::new(format);
            let mut page = Page::new(&mut text);
            page.counter("clew_x_total", "A test.").value(3_u64);
            page.histograms("x_seconds", "Another.").distribution(&[("a", "b")], &distribution);
            text.finish()
        };
        assert_eq!(
            write(Format::OpenMetrics),
            "# HELP clew_x A test.\n# TYPE clew_x counter\nclew_x_total 3\n\
             # HELP x_seconds Another.\n# TYPE x_seconds histogram\n\
             x_seconds_bucket{a=\"b\",le=\"1\"} 1 # {trace_id=\"0a\",span_id=\"0b\"} 0.5 1.250000000\n\
             x_seconds_bucket{a=\"b\",le=\"+Inf\"} 2\nx_seconds_sum{a=\"b\"} 3.5\nx_seconds_count{a=\"b\"} 2\n# EOF\n"
        );
        let text = write(Format::Text);
        assert!(text.contains("# TYPE clew_x_total counter\n") && !text.contains("trace_id"), "{text}");
        assert!(text.contains("{a=\"b\",le=\"1\"} 1\n") && !text.contains("EOF"), "{text}");
    }
}
