//! Tenants: whose spans these are.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A checked tenant name: 1 to 64 characters of `[A-Za-z0-9_.-]`, and never `.` or `..`.
///
/// The name is a label and a key, never a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(Arc<str>);

/// A text that is not a tenant name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant name has 1 to 64 characters of A-Z a-z 0-9 _ . - and is not `.` or `..`")]
pub struct TenantError;

impl Tenant {
    /// Where spans go that name no tenant.
    pub const DEFAULT: &'static str = "default";

    /// The longest name, in bytes.
    pub const LENGTH_MAX: usize = 64;

    /// The tenant of that name.
    pub fn new(name: &str) -> Result<Self, TenantError> {
        let fits = (1..=Self::LENGTH_MAX).contains(&name.len()) && name != "." && name != "..";
        let clean = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if fits && clean { Ok(Self(name.into())) } else { Err(TenantError) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Tenant {
    type Error = TenantError;

    fn try_from(name: String) -> Result<Self, TenantError> {
        Self::new(&name)
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_never_paths() {
        for good in ["default", "tenant_42", "a.b-c", "..."] {
            assert_eq!(Tenant::new(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "a b", "\u{e9}", &"x".repeat(65)] {
            assert_eq!(Tenant::new(bad), Err(TenantError), "{bad:?}");
        }
    }
}
