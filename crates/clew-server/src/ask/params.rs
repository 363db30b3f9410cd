//! Query parameters: each is known by name, read once, and refused with a sentence that says what is accepted.

use axum::extract::{FromRequestParts, Path, Query};
use clew_model::Tenant;
use http::Uri;
use http::request::Parts;

use super::error::AskError;

/// The query part of a request, taken apart parameter by parameter.
#[derive(Debug, Clone)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

/// A parameter that counts milliseconds, decimals allowed.
const NANOS_PER_MILLI: u64 = 1_000_000;

/// What a path names: the id of a trace, or a service.
pub(crate) struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = AskError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AskError> {
        let named = Path::from_request_parts(parts, state).await;
        named.map(|Path(name)| Self(name)).map_err(|error| AskError::parameter("path", error.body_text()))
    }
}

impl Params {
    /// The parameters of a request. Those without a value count as absent, as forms send them.
    pub(crate) fn of(uri: &Uri) -> Result<Self, AskError> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let Query(mut pairs) = query.map_err(|error| AskError::parameter("", error.body_text()))?;
        pairs.retain(|(name, value)| !value.is_empty() || name.starts_with(ATTRIBUTE_PREFIX));
        Ok(Self { pairs })
    }

    /// Refuses a name that is not known, with the nearest that is. `prefixed` says whether `attr.KEY` is known too.
    pub(crate) fn only(&self, known: &[&str], prefixed: bool) -> Result<(), AskError> {
        for (name, _) in &self.pairs {
            let is_attribute = prefixed && name.starts_with(ATTRIBUTE_PREFIX);
            if !is_attribute && !known.contains(&name.as_str()) {
                return Err(unknown(name, known, prefixed));
            }
        }
        Ok(())
    }

    /// The value of a parameter that may be given once.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, AskError> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() {
            return Err(AskError::parameter(name, format!("{name} may be given once only")));
        }
        Ok(first)
    }

    /// The values of a parameter that may be repeated, in order.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Keys and values of the `attr.KEY=VALUE` parameters, in order.
    pub(crate) fn attributes(&self) -> Result<Vec<(&str, &str)>, AskError> {
        let pairs = self.pairs.iter().filter_map(|(name, value)| Some((name.strip_prefix(ATTRIBUTE_PREFIX)?, value)));
        let pairs = pairs.map(|(key, value)| match key {
            "" => Err(AskError::parameter(ATTRIBUTE_PREFIX, "the key is missing: write attr.KEY=VALUE")),
            key => Ok((key, value.as_str())),
        });
        pairs.collect()
    }

    /// The value of a parameter that is one of a few words.
    pub(crate) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, AskError> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        let accepted = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        found.map(Some).ok_or_else(|| AskError::parameter(name, format!("`{text}` is not one of {}", accepted())))
    }

    /// The value of a parameter that is a whole number within bounds.
    pub(crate) fn number(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, AskError> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (min..=max).contains(number));
        let wrong = || AskError::parameter(name, format!("`{text}` is not a whole number from {min} to {max}"));
        number.map(Some).ok_or_else(wrong)
    }

    /// The nanoseconds of a parameter that counts milliseconds.
    pub(crate) fn millis(&self, name: &str) -> Result<Option<u64>, AskError> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let wrong = || {
            let detail = format!("`{text}` is not a number of milliseconds, such as 300 or 0.25");
            AskError::parameter(name, detail)
        };
        super::when::parse_decimal(text, NANOS_PER_MILLI).map(Some).ok_or_else(wrong)
    }

    /// The tenant that the request names.
    pub(crate) fn tenant(&self) -> Result<Option<Tenant>, AskError> {
        let Some(text) = self.one("tenant")? else { return Ok(None) };
        Tenant::new(text).map(Some).map_err(|error| AskError::parameter("tenant", error.to_string()))
    }

    /// The names and values as given, without those named: what makes two questions the same.
    pub(crate) fn without<'a>(&'a self, names: &[&str]) -> Vec<(&'a str, &'a str)> {
        let pairs = self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.filter(|(name, _)| !names.contains(name)).collect()
    }
}

/// Before the key of an attribute that is searched for.
pub(crate) const ATTRIBUTE_PREFIX: &str = "attr.";

fn unknown(name: &str, known: &[&str], prefixed: bool) -> AskError {
    let likeness = |candidate: &&&str| strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let nearest = nearest.filter(|candidate| likeness(candidate) > 0.75);
    let hint = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if prefixed && name.contains('.') => format!("did you mean `{ATTRIBUTE_PREFIX}{name}`?"),
        None if known.is_empty() => "none are accepted here".to_owned(),
        None if prefixed => format!("accepted are {} and attr.KEY", known.join(", ")),
        None => format!("accepted are {}", known.join(", ")),
    };
    AskError::parameter(name, format!("there is no parameter `{name}`; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::of(&format!("/x?{query}").parse().unwrap()).unwrap()
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T, AskError>) -> (String, String) {
        match result.unwrap_err() {
            AskError::Parameter { name, detail } => (name, detail),
            other => panic!("{other:?} names no parameter"),
        }
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest() {
        let known = ["service", "operation", "minDurationMs"];
        for (query, name, hint) in [
            ("serivce=a", "serivce", "did you mean `service`?"),
            ("minDuration=1", "minDuration", "did you mean `minDurationMs`?"),
            ("http.route=/", "http.route", "did you mean `attr.http.route`?"),
            ("zzz=1", "zzz", "accepted are service, operation, minDurationMs and attr.KEY"),
        ] {
            let (parameter, detail) = refusal(params(query).only(&known, true));
            assert_eq!(parameter, name);
            assert!(detail.ends_with(hint), "{detail}");
        }
        assert!(params("service=a&attr.x=1").only(&known, true).is_ok());
        assert_eq!(refusal(params("attr.x=1").only(&known, false)).0, "attr.x");
        assert!(refusal(params("x=1").only(&[], false)).1.contains("none are accepted"));
    }

    #[test]
    fn values_are_decoded_and_empty_ones_are_absent() {
        let params = params("service=a%20b+c&service=&operation=&attr.k%3D1=%C3%A9&attr.empty=");
        assert_eq!(params.one("service").unwrap(), Some("a b c"));
        assert_eq!(params.one("operation").unwrap(), None);
        assert_eq!(params.attributes().unwrap(), [("k=1", "\u{e9}"), ("empty", "")]);
    }

    #[test]
    fn wrong_values_say_what_is_accepted() {
        assert_eq!(refusal(params("a=1&a=2").one("a")).1, "a may be given once only");
        assert!(refusal(params("limit=1001").number("limit", 1, 1000)).1.ends_with("from 1 to 1000"));
        assert!(refusal(params("limit=-1").number("limit", 1, 1000)).1.starts_with("`-1`"));
        assert!(refusal(params("ms=1e3").millis("ms")).1.contains("milliseconds"));
        assert_eq!(params("ms=0.25").millis("ms").unwrap(), Some(250_000));
        assert!(refusal(params("sort=up").word("sort", &[("start", 1), ("-start", 2)])).1.ends_with("start, -start"));
        assert_eq!(refusal(params("tenant=a/b").tenant()).0, "tenant");
        assert_eq!(refusal(params("attr.=1").attributes()).0, "attr.");
    }
}
