//! Running histories, and making one that fails small.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::compare::{answered, compare};
use super::generate::{Ask, BEGIN, Step, history};
use super::world::{Act, World};

/// Matches that a bounded total counts: so few that scans of many questions leave some out.
pub(crate) const TOTAL_BOUND: u64 = 2;
/// Histories when nothing else is asked for.
const HISTORIES: u64 = 256;
/// Comparisons that so many histories make at least.
const COMPARISONS_MIN: usize = 10_000;
/// How long a failing history is made smaller.
const SHRINK_TIME: Duration = Duration::from_secs(20);

#[test]
fn live_spans_and_blocks_answer_as_a_plain_list_does() {
    let runtime = runtime();
    if let Some(seed) = number("CLEW_ORACLE_SEED") {
        check(&runtime, seed);
        return;
    }
    // As many histories as proptest has cases, and by default as many as it has by default.
    let histories = number("PROPTEST_CASES").unwrap_or(HISTORIES);
    let mut tally = Tally::default();
    for seed in 0..histories {
        tally.add(check(&runtime, seed));
    }
    println!("{histories} histories: {tally:?}");
    let least = usize::try_from(histories / HISTORIES).unwrap() * COMPARISONS_MIN;
    assert!(tally.comparisons >= least, "{} comparisons are too few", tally.comparisons);
}

/// What was compared.
#[derive(Debug, Clone, Default)]
struct Tally {
    comparisons: usize,
    steps: usize,
    spans: usize,
    asks: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.comparisons += other.comparisons;
        self.steps += other.steps;
        self.spans += other.spans;
        other.asks.into_iter().for_each(|(name, count)| *self.asks.entry(name).or_default() += count);
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Runs the history of a seed; one that fails is made small and told.
fn check(runtime: &Runtime, seed: u64) -> Tally {
    let steps = history(seed);
    let failure = match run(runtime, &steps) {
        Ok(tally) => return tally,
        Err(failure) => failure,
    };
    let (steps, failure) = shrink(runtime, &steps[..=failure.step], failure);
    let told: Vec<String> = steps.iter().enumerate().map(|(number, step)| format!("{number}: {step:?}")).collect();
    panic!("CLEW_ORACLE_SEED={seed} fails at step {}:\n{}\n\n{}", failure.step, told.join("\n"), failure.what);
}

/// A history's first answer that is wrong.
#[derive(Debug)]
struct Failure {
    step: usize,
    ask: Option<usize>,
    what: String,
}

fn run(runtime: &Runtime, steps: &[Step]) -> Result<Tally, Failure> {
    runtime.block_on(async {
        let mut world = World::new(BEGIN, TOTAL_BOUND);
        let mut tally = Tally { steps: steps.len(), ..Tally::default() };
        for (number, step) in steps.iter().enumerate() {
            let failure = |ask, what| Failure { step: number, ask, what };
            let mut before = Vec::new();
            for ask in step.asks.iter().filter(|_| step.act.is_unseen()) {
                before.push(answered(&world, ask).await);
            }
            world.act(&step.act).await.map_err(|what| failure(None, what))?;
            for (ask_number, (ask, before)) in step.asks.iter().zip(before).enumerate() {
                let after = answered(&world, ask).await;
                if after != before {
                    let what = format!("{ask:?}\nbefore {:?}: {before:?}\nafter it: {after:?}", step.act);
                    return Err(failure(Some(ask_number), what));
                }
                tally.comparisons += after.len();
            }
            for (ask_number, ask) in step.asks.iter().enumerate() {
                let compared = compare(&mut world, ask).await;
                tally.comparisons += compared.map_err(|what| failure(Some(ask_number), what))?;
                *tally.asks.entry(ask.word()).or_default() += 1;
            }
        }
        tally.spans = world.held.len();
        Ok(tally)
    })
}

impl Ask {
    fn word(&self) -> &'static str {
        match self {
            Self::Search(_) => "search",
            Self::Walk { .. } => "walk",
            Self::Trace { .. } => "trace",
            Self::Names { .. } => "names",
        }
    }
}

/// Leaves out halves, quarters and so on of the steps, then of the spans of each request, as long as it still fails.
fn shrink(runtime: &Runtime, steps: &[Step], mut failure: Failure) -> (Vec<Step>, Failure) {
    let deadline = Instant::now() + SHRINK_TIME;
    let mut steps = steps.to_vec();
    let last = steps.len() - 1;
    if let Some(ask) = failure.ask {
        // Questions that walk may also act, so those before stay if they must.
        let mut fewer = steps.clone();
        for step in &mut fewer {
            step.asks.clear();
        }
        fewer[last].asks = vec![steps[last].asks[ask].clone()];
        try_smaller(runtime, &mut steps, &mut failure, fewer);
    }
    let mut size = steps.len().div_ceil(2);
    while size > 0 && Instant::now() < deadline {
        let mut from = 0;
        while from < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(from..(from + size).min(steps.len()));
            if !try_smaller(runtime, &mut steps, &mut failure, fewer) {
                from += size;
            }
        }
        size /= 2;
    }
    for step in 0..steps.len() {
        let mut size = spans(&steps[step]).div_ceil(2);
        while size > 0 && Instant::now() < deadline {
            let mut from = 0;
            while from < spans(&steps[step]) {
                let mut fewer = steps.clone();
                if let Act::Send(sent) = &mut fewer[step].act {
                    sent.spans.drain(from..(from + size).min(sent.spans.len()));
                }
                if !try_smaller(runtime, &mut steps, &mut failure, fewer) {
                    from += size;
                }
            }
            size /= 2;
        }
    }
    (steps, failure)
}

fn spans(step: &Step) -> usize {
    if let Act::Send(sent) = &step.act { sent.spans.len() } else { 0 }
}

/// Whether the smaller history fails, too, and takes the place of `steps`.
fn try_smaller(runtime: &Runtime, steps: &mut Vec<Step>, failure: &mut Failure, smaller: Vec<Step>) -> bool {
    match run(runtime, &smaller) {
        Ok(_) => false,
        Err(other) => {
            *steps = smaller;
            *failure = other;
            true
        }
    }
}
