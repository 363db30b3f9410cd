//! Families of figures, sample by sample, to whoever writes them down: as a page, or as requests of a remote write.

use std::fmt;

use clew_store::{Histogram, HistogramFigures};

/// Writes figures down in some form.
pub(crate) trait Sink {
    /// A family begins; all samples up to the next one are of it.
    fn family(&mut self, name: &'static str, kind: &'static str, help: &str);

    /// One sample.
    fn sample(&mut self, sample: &Sample<'_>);
}

/// One number with its name.
#[derive(Debug)]
pub(crate) struct Sample<'a> {
    /// Of its family.
    pub(crate) name: &'static str,
    /// What of a histogram it is: `_bucket`, `_sum`, `_count`, or else nothing.
    pub(crate) ending: &'static str,
    /// Without `le`.
    pub(crate) labels: &'a [(&'a str, &'a str)],
    /// The label `le` of a bucket.
    pub(crate) bound: Option<&'a str>,
    /// What it is.
    pub(crate) value: Number,
    /// One of those that a bucket counts.
    pub(crate) exemplar: Option<&'a Exemplar>,
}

/// A number as it was counted, so that text shows a whole one as such.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// A count.
    Whole(u64),
    /// A measure.
    Real(f64),
}

/// Where the families of a page go.
pub(crate) struct Page<'s> {
    sink: &'s mut dyn Sink,
}

/// Values in buckets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Distribution {
    /// Upper bounds, the last of which is none; how many are not above; one of those in the bucket.
    pub(crate) buckets: Vec<(Option<f64>, u64, Option<Exemplar>)>,
    /// The sum of all values.
    pub(crate) sum: f64,
}

/// One value, and where to look it up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exemplar {
    /// Names and values, together no longer than 128 characters.
    pub(crate) labels: [(&'static str, String); 2],
    /// The value.
    pub(crate) value: f64,
    /// When it was.
    pub(crate) unix_nanos: u64,
}

/// The family whose samples are being written.
pub(crate) struct Family<'p> {
    sink: &'p mut dyn Sink,
    name: &'static str,
}

impl<'s> Page<'s> {
    /// A page that goes to a sink.
    pub(crate) fn new(sink: &'s mut dyn Sink) -> Self {
        Self { sink }
    }

    /// Begins a family of counters; each name ends with `_total`.
    pub(crate) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// Begins a family of gauges.
    pub(crate) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// Begins a family of histograms.
    pub(crate) fn histograms(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    /// Writes a histogram without labels.
    pub(crate) fn histogram(&mut self, name: &'static str, help: &str, figures: &HistogramFigures) {
        let mut below = 0;
        let bounds = Histogram::BOUNDS_SECONDS.iter().copied().map(Some).chain([None]);
        let buckets = bounds.enumerate().map(|(position, bound)| {
            below += figures.counts.get(position).copied().unwrap_or(0);
            (bound, below, None)
        });
        let distribution = Distribution { buckets: buckets.collect(), sum: figures.sum_seconds };
        self.histograms(name, help).distribution(&[], &distribution);
    }

    fn family(&mut self, name: &'static str, kind: &'static str, help: &str) -> Family<'_> {
        self.sink.family(name, kind, help);
        Family { sink: &mut *self.sink, name }
    }
}

impl Family<'_> {
    /// The only sample of its family.
    pub(crate) fn value(mut self, value: impl Into<Number>) {
        self.sample(&[], value);
    }

    /// A sample with labels.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Number>) {
        self.put("", labels, None, value.into(), None);
    }

    /// The samples of a histogram with labels.
    pub(crate) fn distribution(&mut self, labels: &[(&str, &str)], distribution: &Distribution) {
        for (bound, count, exemplar) in &distribution.buckets {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            self.put("_bucket", labels, Some(&bound), Number::Whole(*count), exemplar.as_ref());
        }
        let count = distribution.buckets.last().map_or(0, |(_, count, _)| *count);
        self.put("_sum", labels, None, Number::Real(distribution.sum), None);
        self.put("_count", labels, None, Number::Whole(count), None);
    }

    fn put(
        &mut self,
        ending: &'static str,
        labels: &[(&str, &str)],
        bound: Option<&str>,
        value: Number,
        exemplar: Option<&Exemplar>,
    ) {
        self.sink.sample(&Sample { name: self.name, ending, labels, bound, value, exemplar });
    }
}

impl Number {
    /// The nearest number with a fraction.
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Whole(count) => count as f64,
            Self::Real(measure) => measure,
        }
    }
}

impl From<u64> for Number {
    fn from(count: u64) -> Self {
        Self::Whole(count)
    }
}

impl From<usize> for Number {
    fn from(count: usize) -> Self {
        Self::Whole(count as u64)
    }
}

impl From<f64> for Number {
    fn from(measure: f64) -> Self {
        Self::Real(measure)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(count) => count.fmt(formatter),
            Self::Real(measure) => measure.fmt(formatter),
        }
    }
}
