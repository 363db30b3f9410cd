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

/// Keys of which one says what all of them say by being there, and that some are read for what they say.
const FAMILIES: [&[&str]; 4] = [&["http", "url"], &["rpc"], &["db"], &["messaging"]];

/// What figures need of a span's attribute of that key.
pub fn need(key: &str) -> Need {
    let Some((first, rest)) = key.split_once('.') else {
        return if key == "error" { Need::Value } else { Need::Nothing };
    };
    match (first, rest) {
        ("db", "system.name" | "system" | "namespace" | "name")
        | ("messaging", "destination.name" | "destination" | "system" | "operation.type" | "operation")
        | ("server", "address" | "port")
        | ("peer", "service")
        | ("net", "peer.name")
        | ("network", "peer.address") => Need::Value,
        _ if family(first).is_some() => Need::Presence,
        _ => Need::Nothing,
    }
}

/// What figures need of the attributes of a span, by their keys: of keys that say no more than that they are there, the first
/// of a kind is enough.
pub fn needs<K: AsRef<str>>(keys: &[K]) -> Vec<Need> {
    let mut needs: Vec<Need> = keys.iter().map(|key| need(key.as_ref())).collect();
    let family_of = |key: &K| key.as_ref().split_once('.').and_then(|(first, _)| family(first));
    let mut is_told = [false; FAMILIES.len()];
    for wanted in [Need::Value, Need::Presence] {
        for (key, need) in keys.iter().zip(&mut needs).filter(|(_, need)| **need == wanted) {
            if let Some(family) = family_of(key)
                && std::mem::replace(&mut is_told[family], true)
                && wanted == Need::Presence
            {
                *need = Need::Nothing;
            }
        }
    }
    needs
}

fn family(first: &str) -> Option<usize> {
    FAMILIES.iter().position(|family| family.contains(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_kind_tells_that_it_is_there() {
        use Need::{Nothing, Presence, Value};
        assert_eq!(
            needs(&["http.route", "url.path", "rpc.system", "http.x", "x.y"]),
            [Presence, Nothing, Presence, Nothing, Nothing]
        );
        assert_eq!(
            needs(&["db.query.text", "db.system", "db.name", "error", "server.port"]),
            [Nothing, Value, Value, Value, Value]
        );
        assert_eq!(needs(&["db.statement", "messaging.system", "db.x"]), [Presence, Value, Nothing]);
        assert_eq!(needs::<&str>(&[]), []);
    }
}
