//! What a block will hold, told before its first row, so that its columns are known: shapes, resources and scopes by
//! number, and how many rows each shape has.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use clew_model::{Attribute, Resource, Scope};

use crate::row::{AttributeType, ResourceCode, ScopeCode, ShapeCode};
use crate::schema::SpanColumn;
use crate::spans::Shared;
use crate::{json, sidecar::bloom::KeyHash};

/// Columns of span attributes at most: each costs a page per row group, whatever it holds.
pub const SPAN_COLUMNS_MAX: usize = 256;
/// Longer keys have no column; the name of a column stands in every footer.
pub const COLUMN_KEY_BYTES_MAX: usize = 200;
/// One row of so many must have an attribute for it to have a column.
pub const COLUMN_FILL_MIN: u64 = 200;

/// A block as planned.
#[derive(Debug, Default)]
pub struct Plan {
    pub(crate) keys: Vec<PlannedKey>,
    /// By type, too.
    keys_by_name: HashMap<Arc<str>, [Option<u32>; AttributeType::ALL.len()]>,
    pub(crate) shapes: Vec<Shape>,
    shapes_by_keys: HashMap<Vec<u32>, u32>,
    pub(crate) resources: Vec<Interned<Resource>>,
    resources_by_text: HashMap<Vec<u8>, u32>,
    pub(crate) scopes: Vec<Interned<Scope>>,
    scopes_by_text: HashMap<Vec<u8>, u32>,
    row_count: u64,
    /// Of the texts of keys, resources and scopes.
    text_bytes: u64,
    pub(crate) shared: Shared,
}

/// A key and type of span attributes.
#[derive(Debug)]
pub(crate) struct PlannedKey {
    pub(crate) key: Arc<str>,
    pub(crate) value_type: AttributeType,
    pub(crate) hash: KeyHash,
}

#[derive(Debug)]
pub(crate) struct Shape {
    /// Numbers of keys, in the order of the attributes.
    pub(crate) keys: Vec<u32>,
    row_count: u64,
}

/// A resource or scope, and its JSON.
#[derive(Debug)]
pub(crate) struct Interned<T> {
    pub(crate) item: Arc<T>,
    pub(crate) text: String,
}

impl Plan {
    /// A plan of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of an attribute list's keys and types, in their order. Equal lists have the same.
    pub fn shape(&mut self, attributes: &[(&str, AttributeType)]) -> ShapeCode {
        let keys: Vec<u32> = attributes.iter().map(|(key, value_type)| self.key(key, *value_type)).collect();
        if let Some(code) = self.shapes_by_keys.get(&keys) {
            return ShapeCode(*code);
        }
        let code = self.shapes.len() as u32;
        self.shapes_by_keys.insert(keys.clone(), code);
        self.shapes.push(Shape { keys, row_count: 0 });
        ShapeCode(code)
    }

    /// The shape of an attribute list.
    pub fn shape_of(&mut self, attributes: &[Attribute]) -> ShapeCode {
        let typed = |attribute: &'_ Attribute| AttributeType::of((&attribute.value).into());
        let list: Vec<_> = attributes.iter().map(|attribute| (attribute.key.as_str(), typed(attribute))).collect();
        self.shape(&list)
    }

    fn key(&mut self, key: &str, value_type: AttributeType) -> u32 {
        if let Some(code) = self.keys_by_name.get(key).and_then(|codes| codes[value_type as usize]) {
            return code;
        }
        let code = self.keys.len() as u32;
        let name: Arc<str> = key.into();
        self.text_bytes += key.len() as u64;
        self.keys_by_name.entry(name.clone()).or_default()[value_type as usize] = Some(code);
        self.keys.push(PlannedKey { hash: KeyHash::new(key), key: name, value_type });
        code
    }

    /// The number of a resource. Equal ones have the same.
    pub fn resource(&mut self, resource: &Resource) -> ResourceCode {
        let text_bytes = &mut self.text_bytes;
        let write = json::write_resource;
        ResourceCode(intern(&mut self.resources, &mut self.resources_by_text, resource, write, text_bytes))
    }

    /// The number of a scope. Equal ones have the same.
    pub fn scope(&mut self, scope: &Scope) -> ScopeCode {
        let text_bytes = &mut self.text_bytes;
        ScopeCode(intern(&mut self.scopes, &mut self.scopes_by_text, scope, json::write_scope, text_bytes))
    }

    /// Says that the block has so many more rows of that shape. Wrong counts make a worse choice of columns, no more.
    pub fn count(&mut self, shape: ShapeCode, rows: u64) {
        if let Some(shape) = self.shapes.get_mut(shape.0 as usize) {
            shape.row_count += rows;
            self.row_count += rows;
        }
    }

    /// How many rows were counted.
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// Bytes of the texts of all keys, resources and scopes: what it takes in memory is some times as much.
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// The columns of span attributes, in their order in the file, by the number of their key.
    pub(crate) fn columns(&self) -> Vec<u32> {
        let mut rows = vec![0_u64; self.keys.len()];
        for shape in &self.shapes {
            let once: HashSet<u32> = shape.keys.iter().copied().collect();
            for key in once {
                rows[key as usize] += shape.row_count;
            }
        }
        let may_have_one = |code: &u32| {
            let PlannedKey { key, value_type, .. } = &self.keys[*code as usize];
            let filled = rows[*code as usize];
            filled > 0
                && filled * COLUMN_FILL_MIN >= self.row_count
                && *value_type != AttributeType::Empty
                && (1..=COLUMN_KEY_BYTES_MAX).contains(&key.len())
                && !key.chars().any(char::is_control)
        };
        let mut codes: Vec<u32> = (0..self.keys.len() as u32).filter(may_have_one).collect();
        codes.sort_unstable_by_key(|code| {
            let PlannedKey { key, value_type, .. } = &self.keys[*code as usize];
            (Reverse(rows[*code as usize]), key.clone(), *value_type)
        });
        // Engines that fold case would take two such columns for one.
        let mut names = HashSet::new();
        codes.retain(|code| names.insert(self.column(*code).name().to_lowercase()));
        codes.truncate(SPAN_COLUMNS_MAX);
        codes
    }

    /// The column of a key's number.
    pub(crate) fn column(&self, code: u32) -> SpanColumn {
        let PlannedKey { key, value_type, .. } = &self.keys[code as usize];
        SpanColumn { key: key.as_ref().to_owned(), value_type: *value_type }
    }

    /// The services of the resources, sorted, without repeats; and each resource's one, by number.
    pub(crate) fn services(&self) -> (Vec<String>, Vec<u32>) {
        let mut numbers: BTreeMap<&str, u32> =
            self.resources.iter().map(|resource| (resource.item.service(), 0)).collect();
        numbers.values_mut().enumerate().for_each(|(at, number)| *number = at as u32);
        let of_resource = self.resources.iter().map(|resource| numbers[resource.item.service()]).collect();
        (numbers.into_keys().map(str::to_owned).collect(), of_resource)
    }
}

fn intern<T: Clone>(
    list: &mut Vec<Interned<T>>,
    by_text: &mut HashMap<Vec<u8>, u32>,
    item: &T,
    write: impl Fn(&mut Vec<u8>, &T),
    text_bytes: &mut u64,
) -> u32 {
    let mut text = Vec::new();
    write(&mut text, item);
    if let Some(code) = by_text.get(&text) {
        return *code;
    }
    let code = list.len() as u32;
    *text_bytes += text.len() as u64;
    let valid = String::from_utf8(text.clone()).expect("JSON of texts is text");
    list.push(Interned { item: Arc::new(item.clone()), text: valid });
    by_text.insert(text, code);
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(plan: &Plan) -> Vec<String> {
        plan.columns().into_iter().map(|code| plan.column(code).name()).collect()
    }

    fn counted(plan: &mut Plan, attributes: &[(&str, AttributeType)], rows: u64) {
        let shape = plan.shape(attributes);
        plan.count(shape, rows);
    }

    #[test]
    fn columns_come_by_falling_fill_and_have_a_least_one() {
        use AttributeType::{Double, Empty, Int, Json, String};
        let mut plan = Plan::new();
        let long = "k".repeat(COLUMN_KEY_BYTES_MAX + 1);
        counted(&mut plan, &[("b", Int), ("a", String), (&long, Int), ("", Int), ("c\n", Int), ("e", Empty)], 900);
        counted(&mut plan, &[("a", String), ("a", String), ("A", String), ("a", Double), ("j", Json)], 95);
        counted(&mut plan, &[("five", Int)], 5);
        counted(&mut plan, &[("four", Int)], 4);
        assert_eq!(plan.row_count(), 1004);
        // Of "a" and "A", which some engines take for one, the fuller has the column; 5 of 1004 rows are too few.
        assert_eq!(columns(&plan), ["span.a:string", "span.b:int", "span.a:double", "span.j:json"]);
        plan.count(ShapeCode(2), 1);
        assert_eq!(columns(&plan).last().unwrap(), "span.five:int");
    }

    #[test]
    fn columns_are_bounded() {
        let mut plan = Plan::new();
        let keys: Vec<String> = (0..300).map(|number| format!("k{number:03}")).collect();
        let list: Vec<_> = keys.iter().map(|key| (key.as_str(), AttributeType::Int)).collect();
        counted(&mut plan, &list, 1);
        assert_eq!(columns(&plan).len(), SPAN_COLUMNS_MAX);
        assert_eq!(columns(&plan)[255], "span.k255:int");
    }

    #[test]
    fn equal_parts_have_one_number() {
        let mut plan = Plan::new();
        let nan = |key: &str| Resource { attributes: vec![Attribute::new(key, f64::NAN)], ..Resource::default() };
        let first = plan.resource(&nan("a"));
        assert_ne!(plan.resource(&nan("b")), first);
        assert_eq!(plan.resource(&nan("a")), first);
        assert_eq!(plan.scope(&Scope::default()), plan.scope(&Scope::default()));
        let (int, text) = (AttributeType::Int, AttributeType::String);
        assert_ne!(plan.shape(&[("a", int)]), plan.shape(&[("a", text)]));
        assert_ne!(plan.shape(&[("a", int), ("b", int)]), plan.shape(&[("b", int), ("a", int)]));
        assert_eq!(plan.shape(&[("a", int)]), plan.shape(&[("a", int)]));
    }
}
