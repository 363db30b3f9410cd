//! Figures as requests of bounded size.

use bytes::Bytes;
use clew_wire::remote_write::{Point, WriteRequest};

use crate::figures::page::{Sample, Sink};

/// Samples of one request: what Prometheus itself sends at once by default (`max_samples_per_send`).
const SAMPLES_MAX: usize = 2_000;

/// Bytes of one request before compression; few receivers take more than some MiB, and names may be long.
const BYTES_MAX: usize = 1 << 20;

/// The label `job` of all that clew sends.
const JOB: &str = "clew";

/// The body of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// As it is sent.
    pub(super) body: Bytes,
    /// How many samples it has.
    pub(super) sample_count: u64,
}

/// Requests being written.
pub(super) struct Requests {
    instance: String,
    unix_millis: u64,
    open: WriteRequest,
    done: Vec<Request>,
}

impl Requests {
    /// No request yet. All samples will be of this time and carry this label `instance`.
    pub(super) fn new(instance: String, unix_millis: u64) -> Self {
        Self { instance, unix_millis, open: WriteRequest::default(), done: Vec::new() }
    }

    /// All of them.
    pub(super) fn finish(mut self) -> Vec<Request> {
        self.end();
        self.done
    }

    /// Ends the request that is being written, if it has anything.
    fn end(&mut self) {
        let open = std::mem::take(&mut self.open);
        let sample_count = open.sample_count() as u64;
        if sample_count > 0 {
            self.done.push(Request { body: open.finish().into(), sample_count });
        }
    }
}

impl Sink for Requests {
    /// The receiver learns kinds and help from nobody: version 1.0 carries them as an experiment that Prometheus ignores.
    fn family(&mut self, _name: &'static str, _kind: &'static str, _help: &str) {}

    fn sample(&mut self, sample: &Sample<'_>) {
        let name = [sample.name, sample.ending].concat();
        let mut labels = vec![("__name__", name.as_str()), ("job", JOB), ("instance", self.instance.as_str())];
        labels.extend(sample.bound.map(|bound| ("le", bound)));
        labels.extend_from_slice(sample.labels);
        let point = Point { labels: &labels, value: sample.value.to_f64(), unix_millis: self.unix_millis };
        match sample.exemplar {
            Some(exemplar) => {
                let labels = exemplar.labels.each_ref().map(|(name, value)| (*name, value.as_str()));
                let unix_millis = exemplar.unix_nanos / 1_000_000;
                let exemplar = Point { labels: &labels, value: exemplar.value, unix_millis };
                self.open.push(&point, Some(&exemplar));
            }
            None => self.open.push(&point, None),
        }
        if self.open.sample_count() >= SAMPLES_MAX || self.open.byte_count() >= BYTES_MAX {
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::page::Page;

    fn counts(label: &str, samples: usize) -> Vec<u64> {
        let mut requests = Requests::new("here:8080".to_owned(), 1_000);
        let mut page = Page::new(&mut requests);
        let mut family = page.counter("clew_x_total", "A test.");
        (0..samples).for_each(|number| family.sample(&[("a", label)], number));
        requests.finish().iter().map(|request| request.sample_count).collect()
    }

    #[test]
    fn requests_are_bounded_in_samples_and_in_bytes() {
        assert!(counts("b", 0).is_empty());
        assert_eq!(counts("b", SAMPLES_MAX), [SAMPLES_MAX as u64]);
        assert_eq!(counts("b", 2 * SAMPLES_MAX + 1), [SAMPLES_MAX as u64, SAMPLES_MAX as u64, 1]);
        // Two names of half the bound and a little more fill a request.
        assert_eq!(counts(&"b".repeat(BYTES_MAX / 2), 5), [2, 2, 1]);
    }
}
