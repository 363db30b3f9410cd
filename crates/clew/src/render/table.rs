//! Search results as a table.

use std::fmt::Write as _;

use clew_server::ask::shape::{SearchAnswer, SummaryShape, TotalRelation};

use super::figures::{count, duration};
use super::screen::{Ink, Screen, clean, fit, shorten};

/// The id column, and all columns but root and services.
const ID_WIDTH: usize = 32;
const FIXED_WIDTH: usize = 23 + 1 + 9 + 1 + 6 + 1 + 6 + 2 + 2 + 2 + ID_WIDTH;
/// Columns for root and services from which the services are named and not only counted.
const NAMES_FROM: usize = 50;

/// The columns of a screen that are as wide as there is room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns {
    root_width: usize,
    services_width: usize,
}

impl Columns {
    /// The columns of that screen.
    pub(crate) fn of(screen: &Screen) -> Self {
        let flexible = screen.width.saturating_sub(FIXED_WIDTH).max(24);
        let names_fit = flexible >= NAMES_FROM;
        let services_width = if names_fit { flexible * 2 / 5 } else { "SERVICES".len() };
        Self { root_width: flexible - services_width, services_width }
    }

    /// What stands above the traces.
    pub(crate) fn head(self, screen: &Screen) -> String {
        let head = format!(
            "{}{:>10} {:>6} {:>6}  {}  {}  TRACE",
            fit("STARTED (UTC)", 23),
            "DURATION",
            "SPANS",
            "ERRORS",
            fit("ROOT", self.root_width),
            fit("SERVICES", self.services_width)
        );
        format!("{}\n", screen.paint(Ink::Muted, &head))
    }

    /// A trace on a line.
    pub(crate) fn line(self, trace: &SummaryShape, screen: &Screen) -> String {
        line(trace, screen, self.root_width, self.services_width)
    }
}

/// The traces, one a line, and how many there are in all.
pub(crate) fn table(answer: &SearchAnswer, screen: &Screen) -> String {
    let columns = Columns::of(screen);
    let mut text = String::new();
    if !answer.traces.is_empty() {
        text += &columns.head(screen);
    }
    for trace in &answer.traces {
        text += &columns.line(trace, screen);
    }
    text += &footer(answer, screen);
    text
}

fn line(trace: &SummaryShape, screen: &Screen, root_width: usize, services_width: usize) -> String {
    let root = trace.root.as_ref().map_or_else(
        || "(root not received)".to_owned(),
        |root| format!("{} {}", clean(&root.service), clean(&root.operation)),
    );
    let errors = match trace.error_count {
        0 => screen.paint(Ink::Muted, &format!("{:>6}", "-")),
        errors => screen.paint(Ink::Error, &format!("{:>6}", count(errors))),
    };
    let services = if services_width > "SERVICES".len() {
        fit(&services(&trace.services, services_width), services_width)
    } else {
        format!("{:>services_width$}", count(trace.services.len() as u64))
    };
    format!(
        "{}{:>10} {:>6} {errors}  {}  {}  {}\n",
        moment(&trace.start),
        duration(trace.duration_nanos),
        count(trace.span_count),
        shortened(&root, root_width),
        services,
        trace.trace_id
    )
}

fn shortened(text: &str, width: usize) -> String {
    fit(&shorten(text, width), width)
}

/// As many names as fit, and how many more there are.
fn services(names: &[String], width: usize) -> String {
    let mut text = String::new();
    for (position, name) in names.iter().enumerate() {
        let more = names.len() - position;
        let part = if position == 0 { clean(name) } else { format!(", {}", clean(name)) };
        let tail = if more > 1 { format!(" +{}", more - 1) } else { String::new() };
        if position > 0 && text.len() + part.len() + tail.len() > width {
            return format!("{text} +{more}");
        }
        text += &part;
    }
    text
}

fn footer(answer: &SearchAnswer, screen: &Screen) -> String {
    let shown = answer.traces.len() as u64;
    let mut text = match answer.total {
        _ if shown == 0 => "No trace matches. Widen the question: `clew search` alone shows the latest.\n".to_owned(),
        Some(total) if total.value > shown => {
            let more = if total.relation == TotalRelation::Gte { " or more" } else { "" };
            format!("{} of {}{more} traces; `--limit` shows more\n", count(shown), count(total.value))
        }
        _ => format!("{} trace{}\n", count(shown), if shown == 1 { "" } else { "s" }),
    };
    if let Some(incomplete) = &answer.incomplete {
        let _ = writeln!(text, "{}", screen.paint(Ink::Error, &format!("incomplete: {}", clean(&incomplete.detail))));
    }
    text
}

/// `2026-11-20T09:00:00.000000001Z` as `2026-11-20 09:00:00.000`.
pub(super) fn moment(rfc3339: &str) -> String {
    fit(&clean(rfc3339).replacen('T', " ", 1).trim_end_matches('Z').chars().take(23).collect::<String>(), 23)
}
