//! Prometheus' text format, version 0.0.4: <https://prometheus.io/docs/instrumenting/exposition_formats/>, and OpenMetrics 1.0,
//! which has exemplars: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::fmt::{Display, Write as _};

use clew_store::{Histogram, HistogramFigures};

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

/// A page being written, family by family.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    format: Format,
}

/// Values in buckets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distribution {
    /// Upper bounds, the last of which is none; how many are not above; one of those in the bucket.
    pub(super) buckets: Vec<(Option<f64>, u64, Option<Exemplar>)>,
    /// The sum of all values.
    pub(super) sum: f64,
}

/// One value, and where to look it up.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exemplar {
    /// Names and values, together no longer than 128 characters.
    pub(super) labels: [(&'static str, String); 2],
    /// The value.
    pub(super) value: f64,
    /// When it was.
    pub(super) unix_nanos: u64,
}

/// The family whose samples are being written.
pub(super) struct Family<'p> {
    page: &'p mut Page,
    name: &'static str,
}

impl Page {
    /// An empty page.
    pub(super) fn new(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    /// Begins a family of counters; each name ends with `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// Begins a family of gauges.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// Begins a family of histograms.
    pub(super) fn histograms(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    /// Writes a histogram without labels.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str, figures: &HistogramFigures) {
        let mut below = 0;
        let bounds = Histogram::BOUNDS_SECONDS.iter().copied().map(Some).chain([None]);
        let buckets = bounds.enumerate().map(|(position, bound)| {
            below += figures.counts.get(position).copied().unwrap_or(0);
            (bound, below, None)
        });
        let distribution = Distribution { buckets: buckets.collect(), sum: figures.sum_seconds };
        self.histograms(name, help).distribution(&[], &distribution);
    }

    /// The page.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        // OpenMetrics names the family of `x_total` `x`.
        let is_bare = self.format == Format::OpenMetrics && kind == "counter";
        let family = if is_bare { name.trim_end_matches("_total") } else { name };
        let _ = writeln!(self.text, "# HELP {family} {help}\n# TYPE {family} {kind}");
        Family { page: self, name }
    }
}

impl Family<'_> {
    /// The only sample of its family.
    pub(super) fn value(mut self, value: impl Display) {
        self.sample(&[], value);
    }

    /// A sample with labels.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, None, value);
        self.page.text.push('\n');
    }

    /// The samples of a histogram with labels.
    pub(super) fn distribution(&mut self, labels: &[(&str, &str)], distribution: &Distribution) {
        for (bound, count, exemplar) in &distribution.buckets {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            self.line("_bucket", labels, Some(&bound), count);
            if let (Format::OpenMetrics, Some(exemplar)) = (self.page.format, exemplar) {
                let Exemplar { labels: [(first, one), (second, two)], value, unix_nanos } = exemplar;
                let (seconds, nanos) = (unix_nanos / 1_000_000_000, unix_nanos % 1_000_000_000);
                let _ = write!(
                    self.page.text,
                    " # {{{first}=\"{}\",{second}=\"{}\"}} {value} {seconds}.{nanos:09}",
                    escaped(one),
                    escaped(two)
                );
            }
            self.page.text.push('\n');
        }
        let count = distribution.buckets.last().map_or(0, |(_, count, _)| *count);
        self.line("_sum", labels, None, distribution.sum);
        self.page.text.push('\n');
        self.line("_count", labels, None, count);
        self.page.text.push('\n');
    }

    /// A sample up to its value.
    fn line(&mut self, ending: &str, labels: &[(&str, &str)], bound: Option<&str>, value: impl Display) {
        let text = &mut self.page.text;
        text.push_str(self.name);
        text.push_str(ending);
        let all = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        let mut before = '{';
        for (label, value) in all {
            let _ = write!(text, "{before}{label}=\"{}\"", escaped(value));
            before = ',';
        }
        let after = if before == '{' { "" } else { "}" };
        let _ = write!(text, "{after} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut page = Page::default();
        page.counter("clew_x_total", "A test.").sample(&[("a", "say \"hi\"\\\n"), ("b", "")], 3);
        let expected = "# HELP clew_x_total A test.\n# TYPE clew_x_total counter\nclew_x_total{a=\"say \\\"hi\\\"\\\\\\n\",b=\"\"} 3\n";
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn buckets_are_cumulative() {
        let histogram = Histogram::new();
        for millis in [1, 40, 60_000] {
            histogram.observe_nanos(millis * 1_000_000);
        }
        let mut page = Page::default();
        page.histogram("clew_x_seconds", "A test.", &histogram.read());
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
            let mut page = Page::new(format);
            page.counter("clew_x_total", "A test.").value(3);
            page.histograms("x_seconds", "Another.").distribution(&[("a", "b")], &distribution);
            page.finish()
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
