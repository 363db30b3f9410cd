//! Prometheus' text format, version 0.0.4: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{Display, Write as _};

use clew_store::{Histogram, HistogramFigures};

/// A page being written, family by family.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

/// The family whose samples are being written.
pub(super) struct Family<'p> {
    page: &'p mut Page,
    name: &'static str,
}

impl Page {
    /// Begins a family of counters.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// Begins a family of gauges.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// Writes a histogram without labels.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str, figures: &HistogramFigures) {
        let family = self.family(name, "histogram", help);
        let bounds = Histogram::BOUNDS_SECONDS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        let mut below = 0;
        let text = &mut family.page.text;
        for (position, bound) in bounds.enumerate() {
            below += figures.counts.get(position).copied().unwrap_or(0);
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(text, "{name}_sum {}\n{name}_count {below}", figures.sum_seconds);
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
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
        let text = &mut self.page.text;
        text.push_str(self.name);
        for (position, (label, value)) in labels.iter().enumerate() {
            let before = if position == 0 { '{' } else { ',' };
            let _ = write!(text, "{before}{label}=\"{}\"", escaped(value));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(text, "{after} {value}");
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
}
