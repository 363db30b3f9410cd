//! Which attributes say who called whom: what figures of calls are taken from.
//!
//! Names are those of OpenTelemetry's semantic conventions, old and new.

/// What figures need of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// That it is there.
    Presence,
    /// Its value.
    Value,
}

/// What figures need of a span's attribute of that key.
pub fn need(key: &str) -> Need {
    let Some((family, rest)) = key.split_once('.') else {
        return if key == "error" { Need::Value } else { Need::Nothing };
    };
    match (family, rest) {
        ("http" | "url" | "rpc", _) => Need::Presence,
        ("db" | "messaging", _)
        | ("server", "address" | "port")
        | ("peer", "service")
        | ("net", "peer.name")
        | ("network", "peer.address") => {
            // The statement is the longest there is, and says nothing of who is asked.
            if matches!(rest, "statement" | "query.text") { Need::Presence } else { Need::Value }
        }
        _ => Need::Nothing,
    }
}
