//! Keys and values of attributes over several parts, with one effort for all.

use clew_model::attributes::{AttributesRequest, KeyTally, KeysAnswer, Looked, ValueTally, ValuesAnswer};
use clew_model::scan::{Expired, Incomplete, ScanError, SpanSource};

use super::together::Part;

/// Answers [`SpanSource::attribute_keys`].
pub(super) fn keys(
    parts: &[Part<'_>],
    request: &AttributesRequest,
    expired: Expired<'_>,
) -> Result<KeysAnswer, ScanError> {
    let mut tally = KeyTally::default();
    let (mut looked, incomplete) = each(parts, request, |source, request| {
        let answer = source.attribute_keys(request, expired)?;
        answer.keys.iter().for_each(|key| tally.add(&key.key, key.scopes, key.span_count));
        Ok((answer.looked, answer.incomplete))
    })?;
    looked.is_sample |= tally.is_cut();
    Ok(KeysAnswer { keys: tally.into_keys(), looked, incomplete })
}

/// Answers [`SpanSource::attribute_values`].
pub(super) fn values(
    parts: &[Part<'_>],
    key: &str,
    request: &AttributesRequest,
    expired: Expired<'_>,
) -> Result<ValuesAnswer, ScanError> {
    let mut tally = ValueTally::default();
    let (mut looked, incomplete) = each(parts, request, |source, request| {
        let answer = source.attribute_values(key, request, expired)?;
        answer.values.iter().for_each(|value| tally.add(&value.text, &value.type_name, value.span_count));
        Ok((answer.looked, answer.incomplete))
    })?;
    looked.is_sample |= tally.is_cut();
    Ok(ValuesAnswer { values: tally.into_values(), looked, incomplete })
}

/// Asks part after part, the newest first, until the effort is spent: if not all can be looked at, what is sent now is what
/// somebody wants to complete.
fn each(
    parts: &[Part<'_>],
    request: &AttributesRequest,
    mut ask: impl FnMut(&dyn SpanSource, &AttributesRequest) -> Result<(Looked, Option<Incomplete>), ScanError>,
) -> Result<(Looked, Option<Incomplete>), ScanError> {
    let (mut all, mut incomplete) = (Looked::default(), None);
    for part in parts.iter().rev() {
        let effort = request.effort.saturating_sub(all.effort);
        if effort == 0 {
            all.is_sample = true;
            break;
        }
        let without = request.without.iter().chain(&part.deleted).copied().collect();
        let (looked, missing) = ask(part.source, &AttributesRequest { without, effort, ..request.clone() })?;
        incomplete = incomplete.or(missing);
        all.span_count += looked.span_count;
        all.effort += looked.effort;
        all.is_sample |= looked.is_sample;
    }
    Ok((all, incomplete))
}
