//! `clew search`: find traces.

use clew_server::ask::shape::SearchAnswer;

use crate::client::Server;
use crate::exit::{self, Failure};
use crate::render::{self, Screen, ScreenOptions};

pub(crate) const EXAMPLES: &str = "\
Examples:
  clew search --service checkout --status error --since 1h
  clew search --min-duration 500ms --sort=-duration --limit 5
  clew search --attr http.response.status_code=500 --json | jq -r '.traces[].traceId'

Service, operation, status and attributes hold together in one span; --service
given twice finds traces that touch both. --min-duration and --max-duration
speak of the whole trace.";

/// Which traces are meant.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Filter {
    /// A service; given twice, both take part in the trace
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// An operation (span name)
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// error, ok or unset
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// An attribute of span, resource or scope; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    attr: Vec<(String, String)>,
    /// Shortest trace, such as 250ms or 1.5s
    #[arg(long, value_name = "DURATION", value_parser = millis)]
    min_duration: Option<String>,
    /// Longest trace
    #[arg(long, value_name = "DURATION", value_parser = millis)]
    max_duration: Option<String>,
    /// Only traces that started so long ago or less, such as 15m or 2h
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// Only traces that started then or later: RFC 3339, unix time, or an offset such as -2h
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true, conflicts_with = "since")]
    from: Option<String>,
    /// Only traces that started before
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    to: Option<String>,
}

/// What is searched.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Question {
    #[command(flatten)]
    filter: Filter,
    /// -start, start, -duration or duration
    #[arg(long, value_name = "ORDER", default_value = "-start", allow_hyphen_values = true)]
    sort: String,
    /// How many traces
    #[arg(long, value_name = "COUNT", default_value = "20")]
    limit: String,
    /// Print the server's answer as it is
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    screen: ScreenOptions,
    #[command(flatten)]
    server: Server,
}

impl Filter {
    /// The parameters of the API.
    pub(crate) fn query(&self) -> Vec<(String, String)> {
        let mut query: Vec<(String, String)> =
            self.service.iter().map(|name| ("service".to_owned(), name.clone())).collect();
        let single = [
            ("operation", &self.operation),
            ("status", &self.status),
            ("minDurationMs", &self.min_duration),
            ("maxDurationMs", &self.max_duration),
            ("since", &self.since),
            ("from", &self.from),
            ("to", &self.to),
        ];
        query.extend(single.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
        query.extend(self.attr.iter().map(|(key, value)| (format!("attr.{key}"), value.clone())));
        query
    }
}

impl Question {
    fn query(&self) -> Vec<(String, String)> {
        let mut query = self.filter.query();
        query.push(("sort".to_owned(), self.sort.clone()));
        query.push(("limit".to_owned(), self.limit.clone()));
        query
    }
}

/// Asks and prints.
pub(crate) fn run(question: &Question) -> Result<(), Failure> {
    if question.json {
        let body = question.server.get("/v1/traces/search", &question.query())?;
        return exit::print(format_args!("{body}\n"));
    }
    let answer: SearchAnswer = question.server.ask("/v1/traces/search", &question.query())?;
    exit::print(render::table(&answer, &Screen::of(question.screen)))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as http.route=/checkout")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A duration as the API takes it: a decimal number of milliseconds.
pub(crate) fn millis(text: &str) -> Result<String, String> {
    let at = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let scale = match unit.trim() {
        "ns" => 1e-6,
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" | "min" => 60e3,
        "h" => 3_600e3,
        "d" => 86_400e3,
        _ => return Err("expected a duration with its unit, such as 250ms, 1.5s or 2m".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "expected a number before the unit, as in 250ms".to_owned())?;
    Ok(format!("{:.6}", number * scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_become_milliseconds() {
        assert_eq!(millis("1.5s").as_deref(), Ok("1500.000000"));
        assert_eq!(millis("250us").as_deref(), Ok("0.250000"));
        assert_eq!(millis("2d").as_deref(), Ok("172800000.000000"));
        assert!(millis("250").is_err() && millis("ms").is_err() && millis("5 parsecs").is_err());
    }
}
