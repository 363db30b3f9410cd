//! The doors that help to write a condition: which keys attributes have, and which values.

#![allow(unused_qualifications, reason = "utoipa writes the path of a handler's parameter type a second time")]

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use clew_model::Tenant;
use clew_model::attributes::{self, AttributesRequest, KeyCount, Looked, ValueCount};
use http::{HeaderMap, Uri};

use super::error::AskError;
use super::gate;
use super::openapi::Refusals;
use super::params::Params;
use super::shape::{AttributeKeyShape, AttributeValueShape, AttributeValuesAnswer, AttributesAnswer, SampledShape};
use crate::app::App;

/// What one question may cost, in spans looked at: tens of milliseconds, since somebody is typing meanwhile. What it
/// leaves out it says, and the next one goes on where the tables that blocks keep end.
const EFFORT: u64 = 4_000_000;

const LIMIT_DEFAULT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

/// The keys of attributes, those of most spans first.
///
/// For completions: work is bounded, the newest spans are looked at first, and `sampled` says how many when they are not all.
/// Keys longer than 1024 bytes are left out.
#[utoipa::path(
    get,
    path = "/v1/attributes",
    tag = "ask",
    params(
        ("service" = Option<String>, Query, description = "Only of spans that this service sent"),
        ("prefix" = Option<String>, Query, description = "Only keys that have this anywhere, whatever its case; those that begin with it come first"),
        ("limit" = Option<u32>, Query, description = "1 to 1000, by default 100"),
        ("tenant" = Option<String>, Query, description = "Whose; over the header `X-Scope-OrgID`"),
    ),
    responses((status = 200, description = "The keys", body = AttributesAnswer), Refusals)
)]
pub(crate) async fn keys(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<AttributesAnswer>, AskError> {
    let params = Params::of(&uri)?;
    params.only(&["service", "prefix", "limit", "tenant"], false)?;
    let (wish, request) = Wish::parse(&params, gate::tenant(&app, &headers, &params)?)?;
    let answer = gate::run(&app, move |asked| {
        let found = asked.source.attribute_keys(&request, asked.expired)?;
        let attributes = wish.pick(found.keys, |key: &KeyCount| (&key.key, "", key.span_count));
        let attributes = attributes.into_iter().map(Into::into).collect();
        Ok(AttributesAnswer {
            attributes,
            sampled: sampled(found.looked),
            incomplete: found.incomplete.map(Into::into),
        })
    });
    Ok(Json(answer.await?))
}

/// The values of a key, those of most spans first.
///
/// For completions: work is bounded, the newest spans are looked at first, and `sampled` says how many when they are not all.
/// Of a key that a list has more than once the first value counts. Values whose text is longer than 1024 bytes are left out.
#[utoipa::path(
    get,
    path = "/v1/attributes/values",
    tag = "ask",
    params(
        ("key" = String, Query, description = "The key, as it was sent"),
        ("service" = Option<String>, Query, description = "Only of spans that this service sent"),
        ("prefix" = Option<String>, Query, description = "Only values that have this anywhere in their text, whatever its case; those that begin with it come first"),
        ("limit" = Option<u32>, Query, description = "1 to 1000, by default 100"),
        ("tenant" = Option<String>, Query, description = "Whose; over the header `X-Scope-OrgID`"),
    ),
    responses((status = 200, description = "The values", body = AttributeValuesAnswer), Refusals)
)]
pub(crate) async fn values(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<AttributeValuesAnswer>, AskError> {
    let params = Params::of(&uri)?;
    params.only(&["key", "service", "prefix", "limit", "tenant"], false)?;
    let missing = || AskError::parameter("key", "whose values? give the attribute's key, such as key=http.route");
    let key = params.one("key")?.ok_or_else(missing)?.to_owned();
    let (wish, request) = Wish::parse(&params, gate::tenant(&app, &headers, &params)?)?;
    let answer = gate::run(&app, move |asked| {
        let found = asked.source.attribute_values(&key, &request, asked.expired)?;
        let values = wish.pick(found.values, |value: &ValueCount| (&value.text, &value.type_name, value.span_count));
        let values = values.into_iter().map(Into::into).collect();
        Ok(AttributeValuesAnswer {
            values,
            sampled: sampled(found.looked),
            incomplete: found.incomplete.map(Into::into),
        })
    });
    Ok(Json(answer.await?))
}

/// Which of the texts found are wanted.
struct Wish {
    /// In lower case.
    prefix: String,
    limit: usize,
}

impl Wish {
    fn parse(params: &Params, tenant: Tenant) -> Result<(Self, AttributesRequest), AskError> {
        let prefix = params.one("prefix")?.unwrap_or_default().to_lowercase();
        let limit = params.number("limit", 1, LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT) as usize;
        let request = AttributesRequest {
            tenant,
            service: params.one("service")?.map(str::to_owned),
            contains: prefix.clone(),
            without: Vec::new(),
            effort: EFFORT,
        };
        Ok((Self { prefix, limit }, request))
    }

    /// The first ones: those that begin with the prefix, and then those that most spans have; the order is total.
    fn pick<T>(&self, mut found: Vec<T>, parts: impl Fn(&T) -> (&str, &str, u64)) -> Vec<T> {
        let rank = |item: &T| {
            let (text, type_name, span_count) = parts(item);
            let is_inside = attributes::position(text, &self.prefix) != Some(0);
            (is_inside, Reverse(span_count), text.to_owned(), type_name.to_owned())
        };
        found.sort_by_cached_key(rank);
        found.truncate(self.limit);
        found
    }
}

fn sampled(looked: Looked) -> Option<SampledShape> {
    looked.is_sample.then_some(SampledShape { span_count: looked.span_count })
}

impl From<KeyCount> for AttributeKeyShape {
    fn from(found: KeyCount) -> Self {
        let scopes = found.scopes.names().map(str::to_owned).collect();
        Self { key: found.key, scopes, span_count: found.span_count }
    }
}

impl From<ValueCount> for AttributeValueShape {
    fn from(found: ValueCount) -> Self {
        Self { value: found.text, kind: found.type_name, span_count: found.span_count }
    }
}

#[cfg(test)]
#[path = "attributes/tests.rs"]
mod tests;
