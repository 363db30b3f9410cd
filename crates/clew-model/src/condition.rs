//! Conditions and filters, made ready to be asked often.

use std::cmp::Ordering;

use crate::scan::{AttributeScope, Condition, Field, Op, SpanFilter};
use crate::value::find;
use crate::{Span, Value};

/// A stored value, borrowed from wherever it lies.
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'v> {
    /// No value was set.
    Empty,
    /// The bytes of a text.
    String(&'v [u8]),
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Opaque bytes.
    Bytes(&'v [u8]),
    /// An array or a map.
    Nested(&'v Value),
}

impl<'v> From<&'v Value> for ValueRef<'v> {
    fn from(value: &'v Value) -> Self {
        match value {
            Value::Empty => Self::Empty,
            Value::String(text) => Self::String(text.as_bytes()),
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::Int(*number),
            Value::Double(number) => Self::Double(*number),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Array(_) | Value::Map(_) => Self::Nested(value),
        }
    }
}

/// Whether a value meets a condition.
///
/// `Eq` asks for the same type and value, where `Int` and `Double` are one type; `Ne` is its opposite. `Lt`, `Le`, `Gt`
/// and `Ge` order numbers, texts and bytes (by their bytes) and truth values; values of other or unlike types never meet them.
#[derive(Debug)]
pub struct Test<'r> {
    op: Op,
    value: &'r Value,
    text: Text,
}

/// The text of a `TextEq`, and the values of other types that it is the text form of.
#[derive(Debug, Default)]
struct Text {
    form: String,
    int: Option<i128>,
    /// Bits; `None` also when it is the form of no number but NaN.
    double: Option<u64>,
    is_nan: bool,
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Int(i128),
    Double(f64),
}

/// Whether a whole span meets a filter.
#[derive(Debug)]
pub struct SpanTest<'r> {
    conditions: Vec<(&'r Field, Test<'r>)>,
}

impl<'r> SpanTest<'r> {
    /// The conditions of that filter.
    pub fn new(filter: &'r SpanFilter) -> Self {
        let conditions = filter.conditions.iter();
        Self { conditions: conditions.map(|condition| (&condition.field, Test::new(condition))).collect() }
    }

    /// Whether all of them hold in the span.
    pub fn is_met_by(&self, span: &Span) -> bool {
        self.conditions.iter().all(|(field, test)| {
            let is_text = |text: &str| test.is_met_by(ValueRef::String(text.as_bytes()));
            match field {
                Field::Service => is_text(span.service()),
                Field::Name => is_text(&span.name),
                Field::Kind => is_text(span.kind.as_str()),
                Field::Status => is_text(span.status.code.as_str()),
                Field::Error => test.is_met_by(ValueRef::Bool(span.is_error())),
                Field::Duration => test.nanos(span.duration_nanos),
                Field::Start => test.nanos(span.start_unix_nanos),
                Field::Attribute { scope, key } => {
                    let lists = [
                        (AttributeScope::Span, &span.attributes),
                        (AttributeScope::Resource, &span.resource.attributes),
                        (AttributeScope::Instrumentation, &span.scope.attributes),
                    ];
                    let asked = lists.into_iter().filter(|(at, _)| matches!(scope, AttributeScope::Any) || scope == at);
                    asked.filter_map(|(_, list)| find(list, key)).any(|value| test.is_met_by(value.into()))
                }
            }
        })
    }
}

impl<'r> Test<'r> {
    /// The comparison of that condition.
    pub fn new(condition: &'r Condition) -> Self {
        let text = if condition.op == Op::TextEq { Text::new(condition.value.to_string()) } else { Text::default() };
        Self { op: condition.op, value: &condition.value, text }
    }

    /// Whether a stored value meets it.
    pub fn is_met_by(&self, value: ValueRef<'_>) -> bool {
        match self.op {
            Op::Exists => true,
            Op::TextEq => self.text.is_form_of(value),
            Op::Eq => self.equals(value),
            Op::Ne => !self.equals(value),
            op => is_ordered(op, self.order(value)),
        }
    }

    /// The one string that meets it, if it asks for a single one.
    pub fn string(&self) -> Option<&[u8]> {
        match (self.op, self.value) {
            (Op::TextEq, _) => Some(self.text.form.as_bytes()),
            (Op::Eq, Value::String(text)) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// Whether a time or length in nanoseconds meets it, as a number.
    pub fn nanos(&self, nanos: u64) -> bool {
        let number = Number::Int(i128::from(nanos));
        let order = || Number::of_value(self.value).and_then(|value| number.order(value));
        match self.op {
            Op::Exists => true,
            Op::TextEq => self.text.int == Some(i128::from(nanos)),
            Op::Eq => order() == Some(Ordering::Equal),
            Op::Ne => order() != Some(Ordering::Equal),
            op => is_ordered(op, order()),
        }
    }

    fn equals(&self, value: ValueRef<'_>) -> bool {
        match (value, self.value) {
            (ValueRef::Empty, Value::Empty) => true,
            (ValueRef::Nested(value), Value::Array(_) | Value::Map(_)) => *value == *self.value,
            _ => self.order(value) == Some(Ordering::Equal),
        }
    }

    fn order(&self, value: ValueRef<'_>) -> Option<Ordering> {
        match (value, self.value) {
            (ValueRef::String(stored), Value::String(text)) => Some(stored.cmp(text.as_bytes())),
            (ValueRef::Bytes(stored), Value::Bytes(bytes)) => Some(stored.cmp(bytes)),
            (ValueRef::Bool(stored), Value::Bool(truth)) => Some(stored.cmp(truth)),
            (ValueRef::Int(stored), asked) => Number::Int(i128::from(stored)).order(Number::of_value(asked)?),
            (ValueRef::Double(stored), asked) => Number::Double(stored).order(Number::of_value(asked)?),
            _ => None,
        }
    }
}

impl Text {
    fn new(text: String) -> Self {
        // A number has one text form only: `007` and `1e3` are the form of none.
        let int = text.parse::<i128>().ok().filter(|number| number.to_string() == text);
        let double = text.parse::<f64>().ok().filter(|number| number.to_string() == text);
        let is_nan = double.is_some_and(f64::is_nan);
        Self { int, double: double.map(f64::to_bits).filter(|_| !is_nan), is_nan, form: text }
    }

    /// Whether a value's `Display` gives this text.
    fn is_form_of(&self, value: ValueRef<'_>) -> bool {
        match value {
            ValueRef::Empty => self.form.is_empty(),
            ValueRef::String(stored) => stored == self.form.as_bytes(),
            ValueRef::Bool(truth) => self.form == if truth { "true" } else { "false" },
            ValueRef::Int(number) => self.int == Some(i128::from(number)),
            ValueRef::Double(number) => (number.is_nan() && self.is_nan) || self.double == Some(number.to_bits()),
            ValueRef::Bytes(bytes) => {
                self.form.len() == bytes.len() * 2 && Value::Bytes(bytes.to_vec()).to_string() == self.form
            }
            ValueRef::Nested(value) => value.to_string() == self.form,
        }
    }
}

impl Number {
    fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(Self::Int(i128::from(*number))),
            Value::Double(number) => Some(Self::Double(*number)),
            _ => None,
        }
    }

    /// The exact order, without rounding an integer to a double.
    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(one), Self::Int(two)) => Some(one.cmp(&two)),
            (Self::Double(one), Self::Double(two)) => one.partial_cmp(&two),
            (Self::Int(one), Self::Double(two)) => order(one, two),
            (Self::Double(one), Self::Int(two)) => order(two, one).map(Ordering::reverse),
        }
    }
}

/// The order of an integer of at most 65 bits and a double.
fn order(int: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // The conversion saturates far outside of what `int` can be.
    let floor = double.floor();
    Some(int.cmp(&(floor as i128)).then(if double > floor { Ordering::Less } else { Ordering::Equal }))
}

fn is_ordered(op: Op, order: Option<Ordering>) -> bool {
    order.is_some_and(|order| match op {
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
        Op::Eq | Op::Ne | Op::TextEq | Op::Exists => false,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Attribute, Kind, Resource, Scope, Status, StatusCode};

    fn meets(op: Op, asked: impl Into<Value>, value: ValueRef<'_>) -> bool {
        Test::new(&Condition { field: Field::Name, op, value: asked.into() }).is_met_by(value)
    }

    #[test]
    fn integers_are_not_rounded() {
        let above = 9_007_199_254_740_993_i64;
        assert!(!meets(Op::Eq, 9_007_199_254_740_992.0, ValueRef::Int(above)));
        assert!(meets(Op::Gt, 9_007_199_254_740_992.0, ValueRef::Int(above)));
        assert!(meets(Op::Lt, above, ValueRef::Double(9_007_199_254_740_992.0)));
        assert!(meets(Op::Lt, f64::INFINITY, ValueRef::Int(i64::MAX)));
        assert!(meets(Op::Gt, f64::NEG_INFINITY, ValueRef::Int(i64::MIN)));
        assert!(meets(Op::Lt, -0.5, ValueRef::Int(-1)));
        assert!(meets(Op::Gt, -0.5, ValueRef::Int(0)));
        let longest = Condition { field: Field::Duration, op: Op::Gt, value: Value::Int(i64::MAX) };
        assert!(Test::new(&longest).nanos(u64::MAX));
    }

    #[test]
    fn nan_equals_nothing_but_has_a_text() {
        for op in [Op::Eq, Op::Lt, Op::Le, Op::Gt, Op::Ge] {
            assert!(!meets(op, f64::NAN, ValueRef::Double(f64::NAN)));
            assert!(!meets(op, f64::NAN, ValueRef::Int(1)));
        }
        assert!(meets(Op::Ne, f64::NAN, ValueRef::Double(f64::NAN)));
        assert!(meets(Op::TextEq, "NaN", ValueRef::Double(f64::NAN)));
        assert!(!meets(Op::TextEq, "NaN", ValueRef::Double(1.0)));
    }

    #[test]
    fn text_is_the_one_form_of_a_value() {
        assert!(meets(Op::TextEq, "200", ValueRef::Int(200)));
        assert!(!meets(Op::TextEq, "+200", ValueRef::Int(200)));
        assert!(!meets(Op::TextEq, "0200", ValueRef::Int(200)));
        assert!(meets(Op::TextEq, "-0", ValueRef::Double(-0.0)));
        assert!(!meets(Op::TextEq, "0", ValueRef::Double(-0.0)));
        assert!(meets(Op::TextEq, "0.1", ValueRef::Double(0.1)));
        assert!(!meets(Op::TextEq, "1e-1", ValueRef::Double(0.1)));
        assert!(meets(Op::TextEq, "00ff", ValueRef::Bytes(&[0, 255])));
        assert!(!meets(Op::TextEq, "00FF", ValueRef::Bytes(&[0, 255])));
        assert!(meets(Op::TextEq, "true", ValueRef::Bool(true)));
        assert!(meets(Op::TextEq, "", ValueRef::Empty));
        assert!(meets(Op::TextEq, 200, ValueRef::String(b"200")), "a condition's value is read as text, too");
    }

    #[test]
    fn a_filter_holds_in_one_span() {
        let attribute = |key: &str, value: i64| vec![Attribute::new(key, value), Attribute::new(key, value + 1)];
        let mut resource = Resource { attributes: attribute("resource", 2), ..Resource::default() };
        resource.attributes.push(Attribute::new("service.name", "shop"));
        let span = Span {
            name: "pay".to_owned(),
            kind: Kind::Client,
            status: Status { code: StatusCode::Error, message: String::new() },
            start_unix_nanos: 10,
            duration_nanos: 20,
            attributes: attribute("span", 1),
            resource: Arc::new(resource),
            scope: Arc::new(Scope { attributes: attribute("scope", 3), ..Scope::default() }),
            ..Span::default()
        };
        let eq = |field, value| Condition { field, op: Op::Eq, value };
        let at = |scope, key: &str, value: i64| eq(Field::Attribute { scope, key: key.to_owned() }, value.into());
        let (any, own) = (AttributeScope::Any, AttributeScope::Span);
        let conditions = vec![
            eq(Field::Service, "shop".into()),
            eq(Field::Name, "pay".into()),
            eq(Field::Kind, "client".into()),
            eq(Field::Status, "error".into()),
            eq(Field::Error, true.into()),
            eq(Field::Start, 10.into()),
            eq(Field::Duration, 20.into()),
            at(any, "span", 1),
            at(any, "resource", 2),
            at(any, "scope", 3),
            at(AttributeScope::Resource, "resource", 2),
            at(AttributeScope::Instrumentation, "scope", 3),
            at(own, "span", 1),
        ];
        let is_met = |conditions: Vec<Condition>| SpanTest::new(&SpanFilter { conditions }).is_met_by(&span);
        assert!(is_met(conditions.clone()) && is_met(Vec::new()));
        for wrong in [at(any, "span", 2), at(own, "resource", 2), at(any, "absent", 1), eq(Field::Duration, 21.into())]
        {
            assert!(!is_met(vec![wrong.clone()]), "{wrong:?}");
            assert!(!is_met([conditions.clone(), vec![wrong]].concat()), "all must hold");
        }
    }
}
