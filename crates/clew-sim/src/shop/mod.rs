//! An astronomy shop, simulated: seventeen services that call each other over HTTP, gRPC and Kafka, with the errors and
//! slow paths that a tracing system should find.
//!
//! Pure: the same seed and times give the same spans. Spans carry OpenTelemetry's semantic conventions, so they look like
//! what instrumented services send.
//!
//! | Planted | Where |
//! |---|---|
//! | a slow query | [`Story::SlowQuery`]: `SELECT` without an index in `product-catalog` |
//! | a declined card | [`Story::Declined`]: `payment` throws, the error travels up to the shopper |
//! | an N+1 | [`Story::RepeatedQuery`]: one `SELECT` per product of the cart |
//! | a gap | [`Story::Gap`]: time in `checkout` that no span explains |
//! | a skewed clock | every span of `quote` runs [`QUOTE_CLOCK_AHEAD_NANOS`] ahead |
//! | an async tail | every order: `accounting` and `fraud-detection` work on after the shopper has the reply |

mod fleet;
mod story;
mod tracer;

use clew_model::Span;

use crate::seed::Seed;
use fleet::Fleet;
use tracer::Tracer;

pub use fleet::{QUOTE_CLOCK_AHEAD_NANOS, Service};
pub use story::Story;

/// The shop and its stream of visits.
#[derive(Debug)]
pub struct Shop {
    seed: Seed,
    fleet: Fleet,
    visit: u64,
    story: Story,
}

impl Shop {
    /// The shop of that seed.
    pub fn new(seed: u64) -> Self {
        let mut seed = Seed::new(seed);
        let fleet = Fleet::new(&mut seed);
        Self { seed, fleet, visit: 0, story: Story::Browse }
    }

    /// The spans of the next visit, which starts at `now_unix_nanos`: one whole trace, in the order in which spans began.
    pub fn next_trace(&mut self, now_unix_nanos: u64) -> Vec<Span> {
        self.story = Story::of_visit(self.visit, &mut self.seed);
        self.visit += 1;
        let mut tracer = Tracer::new(&self.fleet, self.seed.fork(), now_unix_nanos);
        self.story.tell(&mut tracer);
        tracer.finish()
    }

    /// What happened in the trace that [`Self::next_trace`] gave last.
    pub fn story(&self) -> Story {
        self.story
    }
}

#[cfg(test)]
mod tests;
