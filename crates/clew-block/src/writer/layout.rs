//! A plan made final: which column each attribute of each shape goes to.

use std::sync::Arc;

use clew_model::scan::AttributeScope;
use clew_model::{Attribute, Resource, Scope};

use crate::AttributeType;
use crate::plan::{Interned, Plan, PlannedKey};
use crate::schema::SpanColumn;
use crate::sidecar::Key;
use crate::sidecar::bloom::KeyHash;

/// The plan of a writer.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) columns: Vec<SpanColumn>,
    pub(super) keys: Vec<PlannedKey>,
    pub(super) shapes: Vec<LaidShape>,
    pub(super) resources: Vec<LaidContext<Resource>>,
    pub(super) scopes: Vec<LaidContext<Scope>>,
    /// Sorted.
    pub(super) services: Vec<String>,
    /// Of each resource, by number of `services`.
    pub(super) service_of_resource: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct LaidShape {
    pub(super) keys: Vec<u32>,
    pub(super) slots: Vec<Slot>,
    pub(super) has_rest: bool,
    /// As in the column `shape`.
    pub(super) text: String,
}

/// Where an attribute goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// To the span column of that number.
    Column(u32),
    /// To `rest`.
    Rest,
}

/// A resource or scope.
#[derive(Debug)]
pub(super) struct LaidContext<T> {
    pub(super) item: Arc<T>,
    pub(super) text: String,
    pub(super) keys: Vec<Key>,
    /// Of its attributes, for the filters.
    pub(super) hashes: Vec<u64>,
}

impl Layout {
    pub(super) fn new(plan: Plan) -> Self {
        let codes = plan.columns();
        let columns: Vec<_> = codes.iter().map(|code| plan.column(*code)).collect();
        let mut column_of_key = vec![None; plan.keys.len()];
        codes.iter().enumerate().for_each(|(column, key)| column_of_key[*key as usize] = Some(column as u32));
        let (services, service_of_resource) = plan.services();
        let Plan { keys, shapes, resources, scopes, .. } = plan;
        let attributes = |resource: &Resource| resource.attributes.clone();
        let resources = resources.into_iter().map(|one| laid(one, AttributeScope::Resource, attributes)).collect();
        let attributes = |scope: &Scope| scope.attributes.clone();
        let scopes = scopes.into_iter().map(|one| laid(one, AttributeScope::Instrumentation, attributes)).collect();
        let shapes = shapes.into_iter().map(|shape| LaidShape::new(shape.keys, &column_of_key)).collect();
        Self { columns, keys, shapes, resources, scopes, services, service_of_resource }
    }
}

impl LaidShape {
    fn new(keys: Vec<u32>, column_of_key: &[Option<u32>]) -> Self {
        // A column holds one value of a row: the second of equal keys and types goes to `rest`.
        let slot = |(at, key): (usize, &u32)| match column_of_key[*key as usize] {
            Some(column) if !keys[..at].contains(key) => Slot::Column(column),
            _ => Slot::Rest,
        };
        let slots: Vec<Slot> = keys.iter().enumerate().map(slot).collect();
        let token = |slot: &Slot| match slot {
            Slot::Column(column) => column.to_string(),
            Slot::Rest => "r".to_owned(),
        };
        let text = slots.iter().map(token).collect::<Vec<_>>().join(",");
        Self { has_rest: slots.contains(&Slot::Rest), keys, slots, text }
    }
}

fn laid<T>(interned: Interned<T>, scope: AttributeScope, attributes: impl Fn(&T) -> Vec<Attribute>) -> LaidContext<T> {
    let attributes = attributes(&interned.item);
    let key = |attribute: &Attribute| {
        let value_type = AttributeType::of((&attribute.value).into());
        Key { scope, key: attribute.key.clone(), value_type }
    };
    let hash = |attribute: &Attribute| KeyHash::new(&attribute.key).with((&attribute.value).into());
    LaidContext {
        keys: attributes.iter().map(key).collect(),
        hashes: attributes.iter().filter_map(hash).collect(),
        item: interned.item,
        text: interned.text,
    }
}
