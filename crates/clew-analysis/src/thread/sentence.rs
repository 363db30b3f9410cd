//! A trace in one sentence.

use clew_model::Span;

use super::{Bottleneck, Gap, SegmentKind};
use crate::errors;

/// How long the sentence gets at most, in characters.
const SENTENCE_CHARS_MAX: usize = 300;

/// What the sentence is made of.
pub(super) struct Facts<'a> {
    pub(super) spans: &'a [Span],
    pub(super) total_nanos: u64,
    pub(super) root_count: usize,
    pub(super) contributors: &'a [Bottleneck],
    pub(super) gaps: &'a [Gap],
    /// Length, contributors and gaps of the second horizon.
    pub(super) tail: Option<(u64, &'a [Bottleneck], &'a [Gap])>,
    pub(super) error_origin: Option<usize>,
}

/// A duration in three significant digits and the unit that suits it: `912 us`, `81.4 ms`, `1.20 s`, `2 min 5 s`.
pub fn duration_text(nanos: u64) -> String {
    const UNITS: [(&str, u128, u128); 3] = [("us", 1_000, 1_000), ("ms", 1_000_000, 1_000), ("s", 1_000_000_000, 60)];
    if nanos < 1_000 {
        return format!("{nanos} ns");
    }
    let wide_nanos = u128::from(nanos);
    for (unit, size, limit) in UNITS {
        let (digits, scale) = match wide_nanos * 1_000 / size {
            0..9_995 => (2, 100),
            9_995..99_950 => (1, 10),
            _ => (0, 1),
        };
        let rounded = (wide_nanos * scale + size / 2) / size;
        if rounded < limit * scale {
            return format!("{:.digits$} {unit}", rounded as f64 / scale as f64);
        }
    }
    long_text(nanos)
}

/// A minute and more, in its two largest units.
fn long_text(nanos: u64) -> String {
    let seconds = nanos.saturating_add(500_000_000) / 1_000_000_000;
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let largest = units.iter().position(|(_, size)| seconds >= *size).unwrap_or(units.len() - 1);
    let (unit, size) = units[largest];
    let (whole, rest) = (seconds / size, seconds % size);
    match units.get(largest + 1) {
        Some((below, below_size)) if rest / below_size > 0 => format!("{whole} {unit} {} {below}", rest / below_size),
        _ => format!("{whole} {unit}"),
    }
}

/// The sentence; until it fits, names are cut shorter and the second contributor is left out.
pub(super) fn compose(facts: &Facts<'_>) -> String {
    if facts.spans.is_empty() {
        return "no spans".to_owned();
    }
    let mut sentence = String::new();
    for (name_chars_max, with_second) in [(48, true), (32, true), (24, true), (24, false), (16, false), (10, false)] {
        sentence = Words { facts, name_chars_max, with_second }.sentence();
        if sentence.chars().count() <= SENTENCE_CHARS_MAX {
            break;
        }
    }
    sentence
}

struct Words<'a> {
    facts: &'a Facts<'a>,
    name_chars_max: usize,
    with_second: bool,
}

impl Words<'_> {
    fn sentence(&self) -> String {
        let clauses = [Some(self.thread()), self.tail(), self.error()];
        clauses.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn thread(&self) -> String {
        let Facts { total_nanos, root_count, contributors, gaps, .. } = *self.facts;
        let total = duration_text(total_nanos);
        let horizon = match root_count {
            0 => format!("{total}, root not received"),
            1 => total,
            count => format!("{total} over {count} roots"),
        };
        let Some(first) = contributors.first() else { return horizon };
        if first.nanos == total_nanos {
            return format!("{horizon}: all of it {}", self.contributor(first, gaps));
        }
        let (share, what, nanos) = (percent(first.share), self.contributor(first, gaps), duration_text(first.nanos));
        // A second one is worth its words when it is a tenth of the whole.
        let second = contributors.get(1).filter(|second| self.with_second && second.share >= 0.1);
        let second = second.map_or_else(String::new, |second| {
            format!(", then {} {}", percent(second.share), self.contributor(second, gaps))
        });
        format!("{horizon}: {share} {what} ({nanos}){second}")
    }

    fn tail(&self) -> Option<String> {
        let (tail_nanos, contributors, gaps) = self.facts.tail?;
        let most = contributors.first().map_or_else(String::new, |first| {
            format!(", most {} ({})", self.contributor(first, gaps), duration_text(first.nanos))
        });
        Some(format!("work went on for {} after the root{most}", duration_text(tail_nanos)))
    }

    fn error(&self) -> Option<String> {
        let origin = self.facts.error_origin?;
        let message = cut(errors::message(&self.facts.spans[origin]), self.name_chars_max * 3 / 2);
        let colon = if message.is_empty() { "" } else { ": " };
        Some(format!("error in {}{colon}{message}", self.span(origin)))
    }

    /// What a contributor did, from the preposition on.
    fn contributor(&self, contributor: &Bottleneck, gaps: &[Gap]) -> String {
        if let (SegmentKind::Transit, Some(caller), Some(callee)) =
            (contributor.kind, contributor.span, contributor.beside)
        {
            let calls = match contributor.span_count {
                0 | 1 => String::new(),
                count => format!(" of {count} calls"),
            };
            return format!("on the way{calls} from {} to {}", self.service(caller), self.span(callee));
        }
        let repeats = match contributor.span_count {
            0 | 1 => String::new(),
            count => format!("{count}x "),
        };
        let owner = contributor.span.map_or_else(String::new, |span| format!("in {repeats}{}", self.span(span)));
        let Some(gap) = contributor.gap.and_then(|gap| gaps.get(gap)) else {
            let beside = match (contributor.kind, contributor.beside) {
                (SegmentKind::Wait, Some(beside)) => format!(" while {} ran", self.name(beside)),
                (SegmentKind::Wait, None) => " while other calls ran".to_owned(),
                _ => String::new(),
            };
            return format!("{owner}{beside}");
        };
        let name = |span: usize| self.name(span);
        let place = match (gap.before, gap.after) {
            (Some(before), Some(after)) => format!(" between {} and {}", name(before), name(after)),
            (Some(before), None) => format!(" after {}", name(before)),
            (None, Some(after)) => format!(" before {}", name(after)),
            (None, None) => String::new(),
        };
        let space = if owner.is_empty() { "" } else { " " };
        format!("unaccounted{space}{owner}{place}")
    }

    fn span(&self, index: usize) -> String {
        format!("{} {}", self.service(index), self.name(index))
    }

    fn service(&self, index: usize) -> String {
        cut(self.facts.spans[index].service(), self.name_chars_max)
    }

    fn name(&self, index: usize) -> String {
        format!("\"{}\"", cut(&self.facts.spans[index].name, self.name_chars_max))
    }
}

/// A share in whole percent; never 0 for something, never 100 for less than all.
fn percent(share: f64) -> String {
    let percent = (share * 100.0).round() as u64;
    match percent {
        0 => "<1 %".to_owned(),
        100 if share < 1.0 => "99 %".to_owned(),
        _ => format!("{percent} %"),
    }
}

/// The first line of a text, without control characters, of at most so many characters.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let clean = line.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    if clean.clone().nth(chars_max).is_none() {
        return clean.collect();
    }
    clean.take(chars_max - 3).chain("...".chars()).collect()
}
