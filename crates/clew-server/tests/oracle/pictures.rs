//! What a list of traces is shown with, against what it should be: the map of all matches, and the keys and values that
//! complete a condition.

use std::collections::{BTreeMap, BTreeSet};

use clew_model::{Span, Tenant};
use clew_server::ask::shape::{AttributeValuesAnswer, AttributesAnswer, HeatmapAnswer, HeatmapCells};
use clew_server::ask::when::from_rfc3339;

use super::compare::{json, same};
use super::evaluate::{self, Found};
use super::generate::{Query, escaped};
use super::world::World;

/// The map of a search that is not refused.
pub(crate) async fn heatmap(world: &World, query: &Query, range: (u64, Option<u64>)) -> Result<(), String> {
    let filters = Query { sort: None, total: None, ..query.clone() };
    let path = filters.path(None, None).replace("/v1/traces/search?", "/v1/traces/heatmap?columns=9&rows=5&");
    let what = |error: String| format!("{path}\n{error}");
    let answer: HeatmapAnswer =
        json(&world.get(&path, query.by_header.then_some(&query.tenant)).await).map_err(what)?;
    check(&answer, &evaluate::search(&world.held, &filters, range)).map_err(what)
}

fn check(answer: &HeatmapAnswer, found: &[Found<'_>]) -> Result<(), String> {
    let (from, to) = (from_rfc3339(&answer.from).ok_or("no from")?, from_rfc3339(&answer.to).ok_or("no to")?);
    let mut cells: BTreeMap<(u64, usize), (u64, u64)> = BTreeMap::new();
    let (mut errors, mut unplaced) = (0, 0);
    for Found { trace, .. } in found {
        let is_failed = u64::from(trace.spans.iter().any(|span| evaluate::is_error(span)));
        errors += is_failed;
        if trace.start < from || to <= trace.start {
            unplaced += 1;
            continue;
        }
        let column = (trace.start - from) / answer.column_nanos;
        let bounds = answer.bounds.windows(2);
        let row = bounds.into_iter().position(|row| row[0] <= trace.duration && trace.duration < row[1]);
        // Only the longest that there can be is as long as the last bound.
        let cell = cells.entry((column, row.unwrap_or(answer.bounds.len() - 2))).or_default();
        *cell = (cell.0 + 1, cell.1 + is_failed);
    }
    let wanted = HeatmapCells {
        columns: cells.keys().map(|(column, _)| *column as u32).collect(),
        rows: cells.keys().map(|(_, row)| *row as u32).collect(),
        counts: cells.values().map(|(count, _)| *count).collect(),
        errors: cells.values().map(|(_, errors)| *errors).collect(),
    };
    same("cells", &answer.cells, &wanted)?;
    same("total", &answer.total, &(found.len() as u64))?;
    same("errors", &answer.errors, &errors)?;
    same("unplaced", &answer.unplaced, &unplaced)?;
    same("incomplete", &answer.incomplete, &None)
}

/// The keys that a tenant's spans have, and the values of one of them. How often is not compared: what was sent twice
/// counts once or twice.
pub(crate) async fn attributes(world: &World, tenant: &Tenant, service: &str) -> Result<(), String> {
    let own = world.held.iter().filter(|held| held.tenant == *tenant && evaluate::service(&held.span) == service);
    let spans: Vec<&Span> = own.map(|held| &held.span).collect();
    let path = format!("/v1/attributes?limit=1000&service={}", escaped(service));
    let what = |error: String| format!("{path} of {tenant}\n{error}");
    let answer: AttributesAnswer = json(&world.get(&path, Some(tenant)).await).map_err(what)?;
    let told = answer.attributes.iter().map(|key| (key.key.clone(), key.scopes.clone()));
    let told: BTreeMap<String, Vec<String>> = told.collect();
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (scope, list) in ["span", "resource", "scope"].into_iter().zip(0..) {
        let keys: BTreeSet<&str> =
            spans.iter().flat_map(|span| lists(span)[list]).map(|attribute| attribute.key.as_str()).collect();
        for key in keys {
            wanted.entry(key.to_owned()).or_default().push(scope.to_owned());
        }
    }
    same("keys", &told, &wanted).map_err(what)?;
    same("sampled", &answer.sampled, &None).map_err(what)?;
    let Some(key) = wanted.keys().find(|key| !key.is_empty()) else { return Ok(()) };
    let path = format!("/v1/attributes/values?limit=1000&key={}&service={}", escaped(key), escaped(service));
    let what = |error: String| format!("{path} of {tenant}\n{error}");
    let answer: AttributeValuesAnswer = json(&world.get(&path, Some(tenant)).await).map_err(what)?;
    let told = answer.values.iter().map(|value| (value.value.clone(), value.kind.clone()));
    let first = |list: &[clew_model::Attribute]| {
        let first = list.iter().find(|attribute| attribute.key == *key)?;
        Some((first.value.to_string(), first.value.type_name().to_owned()))
    };
    let wanted: BTreeSet<_> = spans.iter().flat_map(|span| lists(span)).filter_map(first).collect();
    same("values", &told.collect::<BTreeSet<_>>(), &wanted).map_err(what)
}

fn lists(span: &Span) -> [&[clew_model::Attribute]; 3] {
    [&span.attributes, &span.resource.attributes, &span.scope.attributes]
}
