//! Section `names`: services, operations and keys of the block. Other sections name them by number.

use clew_model::scan::AttributeScope;

use super::bytes::{self, Bytes, SideError};
use crate::AttributeType;

/// Services, operations and keys; all lists are sorted and without repeats.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// The services.
    pub services: Vec<String>,
    /// Their operations.
    pub operations: Vec<Operation>,
    /// The keys of attributes, with each type that they have.
    pub keys: Vec<Key>,
    /// For each tenant, in the order of [`crate::BlockMeta::tenants`], which operations it has.
    pub tenants: Vec<Vec<u32>>,
}

/// An operation of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation {
    /// The service's number.
    pub service: u32,
    /// Its name.
    pub name: String,
}

/// A key of attributes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Where the attributes lie; never `Any`.
    pub scope: AttributeScope,
    /// The key.
    pub key: String,
    /// The type of their values.
    pub value_type: AttributeType,
}

impl Key {
    /// What keys are sorted by.
    pub(crate) fn order(&self) -> (u8, &str, AttributeType) {
        (scope_number(self.scope), &self.key, self.value_type)
    }
}

impl Names {
    /// The section's plain bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        bytes::varint(&mut out, self.services.len() as u64);
        self.services.iter().for_each(|service| bytes::text(&mut out, service));
        bytes::varint(&mut out, self.operations.len() as u64);
        for operation in &self.operations {
            bytes::varint(&mut out, u64::from(operation.service));
            bytes::text(&mut out, &operation.name);
        }
        bytes::varint(&mut out, self.keys.len() as u64);
        for key in &self.keys {
            out.extend([scope_number(key.scope), type_number(key.value_type)]);
            bytes::text(&mut out, &key.key);
        }
        bytes::varint(&mut out, self.tenants.len() as u64);
        self.tenants.iter().for_each(|operations| bytes::rising(&mut out, operations));
        out
    }

    /// The section of these plain bytes.
    pub fn decode(plain: &[u8]) -> Result<Self, SideError> {
        let mut bytes = Bytes::new("names", plain);
        let services = (0..bytes.count(1)?).map(|_| bytes.text()).collect::<Result<Vec<_>, _>>()?;
        let operation = |bytes: &mut Bytes<'_>| {
            let service = bytes.varint_u32()?;
            if service as usize >= services.len() {
                return Err(bytes.problem("a code that stands for nothing"));
            }
            Ok(Operation { service, name: bytes.text()? })
        };
        let operations = (0..bytes.count(2)?).map(|_| operation(&mut bytes)).collect::<Result<Vec<_>, _>>()?;
        let key = |bytes: &mut Bytes<'_>| {
            let (scope, value_type) = (scope_of(bytes.u8()?), type_of(bytes.u8()?));
            let (scope, value_type) = scope.zip(value_type).ok_or(bytes.problem("a scope or type is not known"))?;
            Ok(Key { scope, key: bytes.text()?, value_type })
        };
        let keys = (0..bytes.count(3)?).map(|_| key(&mut bytes)).collect::<Result<Vec<_>, _>>()?;
        let tenants = (0..bytes.count(1)?).map(|_| bytes.rising(operations.len())).collect::<Result<Vec<_>, _>>()?;
        bytes.end()?;
        Ok(Self { services, operations, keys, tenants })
    }

    /// The services of a tenant, sorted.
    pub fn services_of(&self, tenant: usize) -> Vec<&str> {
        let mut services: Vec<u32> = self.operations_at(tenant).map(|operation| operation.service).collect();
        services.dedup();
        services.iter().filter_map(|service| self.services.get(*service as usize)).map(String::as_str).collect()
    }

    /// The operations of a tenant's service, sorted.
    pub fn operations_of(&self, tenant: usize, service: &str) -> Vec<&str> {
        let Ok(service) = self.services.binary_search_by(|known| known.as_str().cmp(service)) else {
            return Vec::new();
        };
        let operations = self.operations_at(tenant).filter(|operation| operation.service as usize == service);
        operations.map(|operation| operation.name.as_str()).collect()
    }

    fn operations_at(&self, tenant: usize) -> impl Iterator<Item = &Operation> {
        let operations = self.tenants.get(tenant).into_iter().flatten();
        operations.filter_map(|operation| self.operations.get(*operation as usize))
    }

    /// The number of a service.
    pub fn service_code(&self, service: &str) -> Option<u32> {
        Some(self.services.binary_search_by(|known| known.as_str().cmp(service)).ok()? as u32)
    }
}

fn scope_number(scope: AttributeScope) -> u8 {
    match scope {
        AttributeScope::Any => 0,
        AttributeScope::Span => 1,
        AttributeScope::Resource => 2,
        AttributeScope::Instrumentation => 3,
    }
}

fn scope_of(number: u8) -> Option<AttributeScope> {
    let scopes = [AttributeScope::Span, AttributeScope::Resource, AttributeScope::Instrumentation];
    scopes.into_iter().find(|scope| scope_number(*scope) == number)
}

fn type_number(value_type: AttributeType) -> u8 {
    value_type as u8
}

fn type_of(number: u8) -> Option<AttributeType> {
    AttributeType::ALL.into_iter().find(|value_type| type_number(*value_type) == number)
}
