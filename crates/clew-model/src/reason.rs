//! Why spans and requests are refused: one list for counters, replies and documents.

use serde::{Deserialize, Serialize};

/// Why one span of an accepted request is not kept. The rest of its request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// The trace id is not 16 bytes, or is all zeros.
    BadTraceId = 1,
    /// The span id is not 8 bytes, or is all zeros.
    BadSpanId = 2,
    /// There is no start time.
    MissingStart = 3,
    /// The span's own bytes cannot be read as a span.
    Undecodable = 4,
    /// The span names a tenant, by the configured resource attribute, that is not a valid name.
    BadTenant = 5,
    /// The span's tenant would be one more than this server holds.
    TooManyTenants = 6,
    /// The tenant's quota of spans per second is spent.
    TenantQuota = 7,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::BadTraceId,
        Self::BadSpanId,
        Self::MissingStart,
        Self::Undecodable,
        Self::BadTenant,
        Self::TooManyTenants,
        Self::TenantQuota,
    ];

    /// The reason of a number in the log.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| *reason as u8 == number)
    }

    /// The name in counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadTraceId => "bad_trace_id",
            Self::BadSpanId => "bad_span_id",
            Self::MissingStart => "missing_start",
            Self::Undecodable => "undecodable",
            Self::BadTenant => "bad_tenant",
            Self::TooManyTenants => "too_many_tenants",
            Self::TenantQuota => "tenant_quota",
        }
    }

    /// What the sender is told.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::BadTraceId => "trace id is not 16 bytes or is all zeros",
            Self::BadSpanId => "span id is not 8 bytes or is all zeros",
            Self::MissingStart => "start time is missing",
            Self::Undecodable => "span cannot be decoded",
            Self::BadTenant => "tenant name is not valid (1 to 64 characters of A-Z a-z 0-9 _ . -)",
            Self::TooManyTenants => "this server holds as many tenants as it is configured for",
            Self::TenantQuota => "the tenant's quota of spans per second is spent",
        }
    }
}

/// Who has to act on a refused request, and so which status it maps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefuseClass {
    /// The request is wrong and will be wrong again: 400-class, `INVALID_ARGUMENT`, never retried.
    Client,
    /// The tenant sends more than it may: 429, `RESOURCE_EXHAUSTED`, with a retry hint.
    Quota,
    /// The node cannot take it now: 503, `UNAVAILABLE`, with a retry hint.
    Unavailable,
}

/// Why a whole request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefuseReason {
    /// The body is not the message that its content type says.
    Malformed,
    /// The body ends before its message does, or before its announced length.
    Truncated,
    /// The body is larger than allowed, before or after decompression.
    TooLarge,
    /// The content type or encoding is not known.
    UnsupportedMedia,
    /// The request's tenant is not a valid name.
    BadTenant,
    /// The request's tenant would be one more than this server holds.
    TooManyTenants,
    /// The sender was slower than the read timeout.
    SlowSender,
    /// The tenant's quota is spent.
    TenantQuota,
    /// The bytes in flight have reached their bound.
    InFlightFull,
    /// Live spans have reached their bound.
    LiveFull,
    /// The disk is full.
    DiskFull,
    /// The log failed to sync and takes nothing until a restart.
    LogFailed,
    /// The server is stopping.
    Stopping,
}

impl RefuseReason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::Malformed,
        Self::Truncated,
        Self::TooLarge,
        Self::UnsupportedMedia,
        Self::BadTenant,
        Self::TooManyTenants,
        Self::SlowSender,
        Self::TenantQuota,
        Self::InFlightFull,
        Self::LiveFull,
        Self::DiskFull,
        Self::LogFailed,
        Self::Stopping,
    ];

    /// The name in counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::UnsupportedMedia => "unsupported_media",
            Self::BadTenant => "bad_tenant",
            Self::TooManyTenants => "too_many_tenants",
            Self::SlowSender => "slow_sender",
            Self::TenantQuota => "tenant_quota",
            Self::InFlightFull => "in_flight_full",
            Self::LiveFull => "live_full",
            Self::DiskFull => "disk_full",
            Self::LogFailed => "log_failed",
            Self::Stopping => "stopping",
        }
    }

    /// Who has to act.
    pub fn class(self) -> RefuseClass {
        match self {
            Self::Malformed
            | Self::Truncated
            | Self::TooLarge
            | Self::UnsupportedMedia
            | Self::BadTenant
            | Self::SlowSender => RefuseClass::Client,
            Self::TooManyTenants | Self::TenantQuota => RefuseClass::Quota,
            Self::InFlightFull | Self::LiveFull | Self::DiskFull | Self::LogFailed | Self::Stopping => {
                RefuseClass::Unavailable
            }
        }
    }

    /// What the sender is told: what happened and what to do.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Malformed => "the body is not a readable message of its content type; nothing of it was stored",
            Self::Truncated => "the body ends in the middle of its message; nothing of it was stored",
            Self::TooLarge => "the request is larger than allowed; send smaller batches",
            Self::UnsupportedMedia => {
                "content type or encoding not supported; send application/x-protobuf or application/json, identity, gzip or zstd"
            }
            Self::BadTenant => "tenant name is not valid: use 1 to 64 characters of A-Z a-z 0-9 _ . -",
            Self::TooManyTenants => "this server holds as many tenants as it is configured for; raise limits.tenants",
            Self::SlowSender => "the body came too slowly; the read timeout has passed",
            Self::TenantQuota => {
                "the tenant's quota of spans per second is spent; retry later or raise limits.tenant_spans_per_second"
            }
            Self::InFlightFull => "too many bytes are in flight; retry later",
            Self::LiveFull => "live spans fill their memory bound; retry later or raise live.bytes",
            Self::DiskFull => "the disk that holds the log is full; free space, service resumes by itself",
            Self::LogFailed => "the log could not be synced to disk; nothing is accepted until the server is restarted",
            Self::Stopping => "the server is stopping; retry with another or later",
        }
    }
}
