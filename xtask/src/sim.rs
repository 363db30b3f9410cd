//! `cargo xtask sim`: the crash simulation for chosen seeds.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{cargo, succeed};

/// Seeds when none are asked for: some minutes.
const SEEDS: u64 = 1000;

/// Which seeds to live through.
#[derive(Debug, PartialEq, Eq)]
struct Seeds {
    count: u64,
    from: u64,
}

pub(crate) fn run(root: &Path, words: &[&str]) -> Result<()> {
    let Seeds { count, from } = seeds(words)?;
    let mut command = cargo(root);
    command.args(["test", "--release", "--locked", "--package", "clew-sim", "--test", "crash", "--"]);
    command.args(["--exact", "store::every_invariant_holds_for_every_seed", "--nocapture"]);
    succeed(command.env("CLEW_SIM_SEEDS", count.to_string()).env("CLEW_SIM_FROM", from.to_string()))
}

fn seeds(words: &[&str]) -> Result<Seeds> {
    let mut seeds = Seeds { count: SEEDS, from: 0 };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let place = match *word {
            "--seeds" => &mut seeds.count,
            "--from" => &mut seeds.from,
            _ => bail!("`sim` takes --seeds N and --from S, not `{word}`"),
        };
        let number = words.next().with_context(|| format!("{word} needs a number"))?;
        *place = number.parse().with_context(|| format!("{word} needs a number, not `{number}`"))?;
    }
    Ok(seeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_told_in_any_order() {
        assert_eq!(seeds(&["--from", "7", "--seeds", "1"]).unwrap(), Seeds { count: 1, from: 7 });
        assert_eq!(seeds(&[]).unwrap(), Seeds { count: SEEDS, from: 0 });
        for words in [&["--seeds"][..], &["--seeds", "many"], &["7"]] {
            assert!(seeds(words).is_err(), "{words:?}");
        }
    }
}
