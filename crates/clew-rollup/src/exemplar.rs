//! A few spans to look at, which the figures are about.

use clew_model::{Span, SpanId, TraceId};
use serde::{Deserialize, Serialize};

/// A span that a figure counts, to open its trace from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Exemplar {
    /// Its trace.
    #[serde(with = "trace_id_bytes")]
    pub trace_id: TraceId,
    /// Itself.
    #[serde(with = "span_id_bytes")]
    pub span_id: SpanId,
    /// Its start, in unix nanoseconds.
    pub start_unix_nanos: u64,
    /// Its length, in nanoseconds.
    pub duration_nanos: u64,
    /// Whether it failed; of an edge, whether either side did.
    pub is_error: bool,
}

/// At most three: the slowest, one that failed, and one that stands for the others.
///
/// Which they are depends only on the set that was offered: not on the order, nor on how it was split before. The one that
/// failed and the one for the others are the first by a mix of the bits of their ids, which is to pick one by chance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Exemplars(Vec<Exemplar>);

/// What a span must reach to be considered, of exemplars that nobody else adds to. Nearly all spans do not, and are turned away
/// here without being compared in full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    slowest_nanos: u64,
    lot: u64,
    failed_lot: u64,
}

impl Default for Bar {
    /// That of no exemplars, which every span reaches.
    fn default() -> Self {
        Self { slowest_nanos: 0, lot: u64::MAX, failed_lot: u64::MAX }
    }
}

impl Bar {
    /// Considers a span, of which the caller knows whether it failed, for the exemplars that this is the bar of.
    pub(crate) fn offer(&mut self, exemplars: &mut Exemplars, span: &Span, is_error: bool) {
        let lot = lot(span.trace_id, span.span_id);
        // Of equals, the rest of their content decides.
        if span.duration_nanos >= self.slowest_nanos || lot <= self.lot || is_error && lot <= self.failed_lot {
            exemplars.offer(Exemplar::of(span, is_error));
            self.slowest_nanos = exemplars.slowest().map_or(0, |slowest| slowest.duration_nanos);
            self.lot = exemplars.typical().map_or(u64::MAX, Exemplar::lot);
            self.failed_lot = exemplars.failed().map_or(u64::MAX, Exemplar::lot);
        }
    }
}

impl Exemplar {
    /// The exemplar of a span, of which the caller knows whether it failed.
    pub fn of(span: &Span, is_error: bool) -> Self {
        Self {
            trace_id: span.trace_id,
            span_id: span.span_id,
            start_unix_nanos: span.start_unix_nanos,
            duration_nanos: span.duration_nanos,
            is_error,
        }
    }

    /// Slower ones are larger.
    fn slowness(&self) -> impl Ord + use<> {
        (self.duration_nanos, *self)
    }

    /// Drawn ones are smaller.
    fn drawn(&self) -> impl Ord + use<> {
        (self.lot(), *self)
    }

    fn lot(&self) -> u64 {
        lot(self.trace_id, self.span_id)
    }
}

/// A number that does not depend on what the span was about. (The finalizer of SplitMix64.)
fn lot(trace_id: TraceId, span_id: SpanId) -> u64 {
    let mut bits = trace_id.low_u64() ^ span_id.to_u64().rotate_left(32);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Exemplars {
    /// Considers one more.
    pub fn offer(&mut self, exemplar: Exemplar) {
        if self.0.is_empty() {
            // The common case, and one that should take no more room than it needs.
            self.0 = vec![exemplar];
            return;
        }
        let is_better = self.slowest().is_some_and(|best| exemplar.slowness() > best.slowness())
            || self.typical().is_some_and(|best| exemplar.drawn() < best.drawn())
            || exemplar.is_error && self.failed().is_none_or(|best| exemplar.drawn() < best.drawn());
        if is_better {
            self.0.push(exemplar);
            self.keep_best();
        }
    }

    /// Considers those of other figures.
    pub fn add(&mut self, other: &Self) {
        for exemplar in &other.0 {
            self.offer(*exemplar);
        }
    }

    /// Leaves out those of figures that were taken back. What they had displaced does not come back.
    pub fn subtract(&mut self, other: &Self) {
        self.0.retain(|exemplar| !other.0.contains(exemplar));
    }

    /// All of them, each once.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Exemplar> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The slowest.
    pub fn slowest(&self) -> Option<&Exemplar> {
        self.0.iter().max_by_key(|exemplar| exemplar.slowness())
    }

    /// One that failed.
    pub fn failed(&self) -> Option<&Exemplar> {
        self.0.iter().filter(|exemplar| exemplar.is_error).min_by_key(|exemplar| exemplar.drawn())
    }

    /// One by chance, which is like most.
    pub fn typical(&self) -> Option<&Exemplar> {
        self.0.iter().min_by_key(|exemplar| exemplar.drawn())
    }

    /// Memory beside themselves, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Exemplar>()
    }

    fn keep_best(&mut self) {
        let best = [self.slowest(), self.failed(), self.typical()].map(Option::<&Exemplar>::copied);
        self.0.retain(|exemplar| best.contains(&Some(*exemplar)));
        // One order, so that equal sets are equal lists.
        self.0.sort_unstable();
    }
}

/// Ids as bytes, which are half as long as the text that they are in JSON.
macro_rules! bytes_of {
    ($module:ident, $id:ident, $length:literal) => {
        mod $module {
            use clew_model::$id;
            use serde::{Deserialize, Deserializer, Serialize, Serializer};

            pub(super) fn serialize<S: Serializer>(id: &$id, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { id.serialize(serializer) } else { id.0.serialize(serializer) }
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$id, D::Error> {
                if deserializer.is_human_readable() {
                    return $id::deserialize(deserializer);
                }
                <[u8; $length]>::deserialize(deserializer).map($id)
            }
        }
    };
}

bytes_of!(trace_id_bytes, TraceId, 16);
bytes_of!(span_id_bytes, SpanId, 8);
