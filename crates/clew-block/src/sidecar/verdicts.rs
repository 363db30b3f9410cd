//! Section `verdicts`: what was decided about the traces, in the order of the ids, tenant after tenant. Blocks of which nothing
//! is known have none.

use std::collections::HashMap;

use clew_model::Verdict;

use super::bytes::{self, Bytes, SideError};

const KEEP: u8 = 1;
/// Bytes of a verdict at least: flags, weight, and the lengths of two texts.
const VERDICT_BYTES_MIN: usize = 1 + 8 + 2;

/// The verdicts of a block's traces.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdicts {
    /// Each once.
    pub verdicts: Vec<Verdict>,
    /// Of each trace, 0 when nothing is known, else its verdict's place plus one.
    pub codes: Vec<u32>,
}

/// The section while it grows.
#[derive(Debug, Default)]
pub(crate) struct VerdictsBuilder {
    section: Verdicts,
    /// By all that a verdict is.
    numbers: HashMap<(bool, u64, String, String), u32>,
    is_known: bool,
}

impl Verdicts {
    /// The section's plain bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.codes.len() * 4 + 64);
        bytes::varint(&mut out, self.verdicts.len() as u64);
        for verdict in &self.verdicts {
            out.push(KEEP * u8::from(verdict.keep));
            out.extend(verdict.weight.to_bits().to_le_bytes());
            bytes::text(&mut out, &verdict.rule);
            bytes::text(&mut out, &verdict.class);
        }
        bytes::varint(&mut out, self.codes.len() as u64);
        bytes::planes(&mut out, &self.codes.iter().map(|code| code.to_le_bytes()));
        out
    }

    /// The section of these plain bytes.
    pub fn decode(plain: &[u8]) -> Result<Self, SideError> {
        let mut bytes = Bytes::new("verdicts", plain);
        let verdict = |bytes: &mut Bytes<'_>| {
            let keep = bytes.u8()? & KEEP != 0;
            let weight = f64::from_bits(bytes.u64()?);
            Ok(Verdict { keep, rule: bytes.text()?, weight, class: bytes.text()? })
        };
        let count = bytes.count(VERDICT_BYTES_MIN)?;
        let verdicts = (0..count).map(|_| verdict(&mut bytes)).collect::<Result<Vec<_>, _>>()?;
        let count = bytes.count(4)?;
        // As many as the count says are there.
        let planes = bytes.take(count * 4)?;
        let code = |at: usize| u32::from_le_bytes(bytes::from_planes(planes, count, at));
        let codes: Vec<u32> = (0..count).map(code).collect();
        if codes.iter().any(|code| *code as usize > verdicts.len()) {
            return Err(bytes.problem("a code that stands for nothing"));
        }
        bytes.end()?;
        Ok(Self { verdicts, codes })
    }

    /// The verdict of the trace of that number; `None` when nothing is known.
    pub fn get(&self, number: usize) -> Option<&Verdict> {
        let code = *self.codes.get(number)? as usize;
        self.verdicts.get(code.checked_sub(1)?)
    }
}

impl VerdictsBuilder {
    /// Adds the next trace.
    pub(crate) fn push(&mut self, verdict: Option<&Verdict>) {
        bytes::make_room(&mut self.section.codes, 1);
        let Some(verdict) = verdict else { return self.section.codes.push(0) };
        self.is_known = true;
        let Verdict { keep, rule, weight, class } = verdict;
        let next = self.section.verdicts.len() as u32 + 1;
        let code = *self.numbers.entry((*keep, weight.to_bits(), rule.clone(), class.clone())).or_insert(next);
        if code == next {
            self.section.verdicts.push(verdict.clone());
        }
        self.section.codes.push(code);
    }

    /// The section; `None` when nothing is known of any trace.
    pub(crate) fn finish(self) -> Option<Verdicts> {
        self.is_known.then_some(self.section)
    }
}
