//! A condition, made ready to ask row groups whether any of their attributes can meet it.

use clew_model::scan::{AttributeScope, Condition, Field, Op};
use clew_model::{Value, ValueRef};

use super::bloom::{self, KeyHash};
use super::groups::Group;
use super::names::Names;
use crate::AttributeType;

/// From here on integers and doubles do not correspond one to one.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// What attributes must be like to meet a condition.
#[derive(Debug, Clone)]
pub struct Probe {
    scope: AttributeScope,
    key: String,
    /// The types that can meet it, with the hash of the one value that does, unless more than one do.
    forms: Vec<(AttributeType, Option<u64>)>,
}

impl Probe {
    /// The probe of a condition; `None` when it asks for no attribute.
    pub fn new(condition: &Condition) -> Option<Self> {
        let Field::Attribute { scope, key } = &condition.field else { return None };
        let hash = KeyHash::new(key);
        let forms = match condition.op {
            Op::TextEq => text_forms(hash, &condition.value.to_string()),
            Op::Eq => equal_forms(hash, &condition.value),
            Op::Ne | Op::Exists => AttributeType::ALL.map(|value_type| (value_type, None)).to_vec(),
            Op::Lt | Op::Le | Op::Gt | Op::Ge => ordered_forms(&condition.value),
        };
        Some(Self { scope: *scope, key: key.clone(), forms })
    }

    /// Whether a span of the row group may meet the condition, as far as keys and types say.
    pub fn may_meet(&self, group: &Group, names: &Names) -> bool {
        self.may_meet_with(group, names, |_| true)
    }

    /// Whether it may, as far as the group's filter says, too.
    pub fn may_meet_filtered(&self, group: &Group, names: &Names, filter: &[u8]) -> bool {
        self.may_meet_with(group, names, |hash| bloom::may_hold(filter, hash))
    }

    /// Whether the filter can rule anything out that keys and types do not.
    pub fn asks_filter(&self, group: &Group, names: &Names) -> bool {
        self.may_meet(group, names) && !self.may_meet_with(group, names, |_| false)
    }

    fn may_meet_with(&self, group: &Group, names: &Names, may_hold: impl Fn(u64) -> bool) -> bool {
        let present = group.types_of(names, self.scope, &self.key);
        let mut forms = self.forms.iter().filter(|(value_type, _)| present.contains(value_type));
        forms.any(|(_, hash)| hash.is_none_or(&may_hold))
    }
}

/// The values whose text is that one.
fn text_forms(hash: KeyHash, text: &str) -> Vec<(AttributeType, Option<u64>)> {
    let mut forms = vec![form(hash, ValueRef::String(text.as_bytes()))];
    let int = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
    forms.extend(int.map(|number| form(hash, ValueRef::Int(number))));
    let double = text.parse::<f64>().ok().filter(|number| number.to_string() == text);
    forms.extend(double.map(|number| form(hash, ValueRef::Double(number))));
    let truth = text.parse::<bool>().ok();
    forms.extend(truth.map(|truth| form(hash, ValueRef::Bool(truth))));
    // Of these no filter knows the values, but their text begins in few ways.
    if text.is_empty() {
        forms.push((AttributeType::Empty, None));
    }
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        forms.push((AttributeType::Bytes, None));
    }
    if text.starts_with(['[', '{']) {
        forms.push((AttributeType::Json, None));
    }
    forms
}

/// The values that equal that one.
fn equal_forms(hash: KeyHash, value: &Value) -> Vec<(AttributeType, Option<u64>)> {
    let any_number = || vec![(AttributeType::Int, None), (AttributeType::Double, None)];
    match value {
        Value::Int(number) if *number == 0 || number.unsigned_abs() as f64 >= EXACT_MAX => any_number(),
        Value::Int(number) => vec![form(hash, ValueRef::Int(*number)), form(hash, ValueRef::Double(*number as f64))],
        Value::Double(number) if *number == 0.0 || number.abs() >= EXACT_MAX => any_number(),
        Value::Double(number) if number.is_nan() => Vec::new(),
        Value::Double(number) if number.fract() == 0.0 => {
            vec![form(hash, ValueRef::Int(*number as i64)), form(hash, ValueRef::Double(*number))]
        }
        other => vec![form(hash, other.into())],
    }
}

/// The types that have an order with that value.
fn ordered_forms(value: &Value) -> Vec<(AttributeType, Option<u64>)> {
    match value {
        Value::Int(_) | Value::Double(_) => vec![(AttributeType::Int, None), (AttributeType::Double, None)],
        Value::Empty | Value::Array(_) | Value::Map(_) => Vec::new(),
        other => vec![(AttributeType::of(other.into()), None)],
    }
}

fn form(hash: KeyHash, value: ValueRef<'_>) -> (AttributeType, Option<u64>) {
    (AttributeType::of(value), hash.with(value))
}
