//! Section `requests`: which requests' spans are in the block, so that one sent again after a restart is known.

use super::bytes::{Bytes, SideError};

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// XXH3-128 of its body, as the log has it.
    pub hash: u128,
    /// When it was received, in unix nanoseconds.
    pub received_unix_nanos: u64,
}

/// The requests of a block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requests {
    /// In the order in which they were given.
    pub requests: Vec<Request>,
}

impl Requests {
    /// The section's plain bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.requests.len() * 24);
        for request in &self.requests {
            out.extend(request.hash.to_le_bytes());
            out.extend(request.received_unix_nanos.to_le_bytes());
        }
        out
    }

    /// The section of these plain bytes.
    pub fn decode(plain: &[u8]) -> Result<Self, SideError> {
        let mut bytes = Bytes::new("requests", plain);
        let one = |_| Ok(Request { hash: bytes.u128()?, received_unix_nanos: bytes.u64()? });
        Ok(Self { requests: (0..plain.len().div_ceil(24)).map(one).collect::<Result<_, _>>()? })
    }
}
