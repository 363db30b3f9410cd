//! The types of values: how they read from text and show as TOML.

mod remote;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clew_model::Tenant;

use super::memory;
pub(crate) use remote::{BearerToken, HttpUrl};

/// A value as written, before anybody knows what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    /// A text, number or truth value.
    Text(String),
    /// A list.
    List(Vec<String>),
    /// Names and texts.
    Map(Vec<(String, String)>),
}

/// A type of setting.
pub(crate) trait SettingType: Sized {
    /// What the reference page calls it.
    const NAME: &'static str;

    /// Reads it; the error says what is expected.
    fn read(raw: &Raw, bounds: Option<&RangeInclusive<u64>>) -> Result<Self, String>;

    /// As TOML; `None` when it must not be shown.
    fn show(&self) -> Option<String>;
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteCount(pub(crate) u64);

/// A number of bytes, or `auto`: the smaller of 224 MiB and an eighth of the memory that this process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryShare(pub(crate) u64);

/// A number, or `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AutoCount(pub(crate) Option<u64>);

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much of a file system may be used: so many bytes, or a share of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpaceShare {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths, 1 to 100.
    Percent(u8),
}

/// A length of time for each tenant that is named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TenantDurations(pub(crate) BTreeMap<Tenant, Duration>);

/// A number of bytes for each of some tenants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TenantBytes(pub(crate) BTreeMap<Tenant, u64>);

/// Tokens and whose they are.
pub(crate) type Tokens = BTreeMap<String, Tenant>;

const UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const TIMES: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// `67108864` as `64MiB`.
pub(crate) fn show_bytes(bytes: u64) -> String {
    let (unit, size) = UNITS.iter().find(|(_, size)| bytes.is_multiple_of(*size) && bytes > 0).unwrap_or(&UNITS[4]);
    format!("{}{unit}", bytes / size)
}

/// `90000` milliseconds as `90s`.
pub(crate) fn show_millis(millis: u64) -> String {
    let (unit, size) = TIMES.iter().find(|(_, size)| millis.is_multiple_of(*size) && millis > 0).unwrap_or(&TIMES[3]);
    format!("{}{unit}", millis / size)
}

/// `16MiB` as a number of bytes; a bare number is bytes.
pub(crate) fn read_bytes(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is not a number of bytes such as 4096, 64KiB, 16MiB or 2GiB");
    let (number, unit) = split_unit(text);
    let size = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(expected()),
    };
    let number: u64 = number.parse().map_err(|_| expected())?;
    number.checked_mul(size).ok_or_else(expected)
}

/// `5s`, `250ms`, `10m`, `1h` or `7d` as milliseconds; a bare number has no unit and is refused, but for 0.
pub(crate) fn read_millis(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is not a duration such as 250ms, 5s, 10m, 1h or 7d");
    let (number, unit) = split_unit(text);
    let size = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" if number == "0" => 0,
        _ => return Err(expected()),
    };
    let number: u64 = number.parse().map_err(|_| expected())?;
    number.checked_mul(size).ok_or_else(expected)
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let at = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    (&text[..at], text[at..].trim())
}

fn text(raw: &Raw) -> Result<&str, String> {
    match raw {
        Raw::Text(text) => Ok(text),
        Raw::List(_) => Err("expected one value, found a list".to_owned()),
        Raw::Map(_) => Err("expected one value, found a table".to_owned()),
    }
}

fn list(raw: &Raw) -> Result<Vec<&str>, String> {
    match raw {
        Raw::Text(text) => Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()),
        Raw::List(parts) => Ok(parts.iter().map(|part| part.trim()).collect()),
        Raw::Map(_) => Err("expected a list, found a table".to_owned()),
    }
}

fn within(number: u64, bounds: Option<&RangeInclusive<u64>>, show: fn(u64) -> String) -> Result<u64, String> {
    match bounds {
        Some(bounds) if !bounds.contains(&number) => {
            let (low, high) = (show(*bounds.start()), show(*bounds.end()));
            Err(format!("{} is not between {low} and {high}", show(number)))
        }
        _ => Ok(number),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

impl SettingType for PathBuf {
    const NAME: &'static str = "path";

    fn read(raw: &Raw, _: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        let text = text(raw)?;
        if text.is_empty() { Err("expected a path, found nothing".to_owned()) } else { Ok(text.into()) }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string_lossy()))
    }
}

/// A share of a hundred, to a millionth of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Percent(u32);

const MILLIONTHS: f64 = 1e6;

impl Percent {
    /// The number between 0 and 100.
    pub(crate) fn to_f64(self) -> f64 {
        f64::from(self.0) / MILLIONTHS
    }
}

impl SettingType for Percent {
    const NAME: &'static str = "percent";

    fn read(raw: &Raw, _: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        let written = text(raw)?;
        let number: Option<f64> = written.trim_end_matches('%').trim().parse().ok();
        match number.filter(|number| (0.0..=100.0).contains(number)) {
            Some(number) => Ok(Self((number * MILLIONTHS).round() as u32)),
            None => Err(format!("`{written}` is not a percentage such as 100, 10 or 0.5")),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_f64().to_string())
    }
}

impl SettingType for String {
    const NAME: &'static str = "text";

    fn read(raw: &Raw, _: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        text(raw).map(str::to_owned)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl SettingType for Vec<String> {
    const NAME: &'static str = "list of texts";

    fn read(raw: &Raw, _: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        Ok(list(raw)?.into_iter().map(str::to_owned).collect())
    }

    fn show(&self) -> Option<String> {
        Some(format!("[{}]", self.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(", ")))
    }
}

impl SettingType for Vec<SocketAddr> {
    const NAME: &'static str = "list of addresses";

    fn read(raw: &Raw, _: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        let addresses = list(raw)?.into_iter().map(address).collect::<Result<Self, String>>()?;
        if addresses.is_empty() { Err("expected at least one address".to_owned()) } else { Ok(addresses) }
    }

    fn show(&self) -> Option<String> {
        Some(format!("[{}]", self.iter().map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(", ")))
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let spelled = text.replace("localhost:", "127.0.0.1:");
    spelled
        .parse()
        .map_err(|_| format!("`{text}` is not an address such as 127.0.0.1:4317, 0.0.0.0:8080 or [::1]:4318"))
}

impl SettingType for u64 {
    const NAME: &'static str = "number";

    fn read(raw: &Raw, bounds: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        let text = text(raw)?;
        let number = text.replace('_', "").parse().map_err(|_| format!("`{text}` is not a whole number"))?;
        within(number, bounds, |number| number.to_string())
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl SettingType for AutoCount {
    const NAME: &'static str = "number or `auto`";

    fn read(raw: &Raw, bounds: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        if text(raw)? == "auto" { Ok(Self(None)) } else { u64::read(raw, bounds).map(|number| Self(Some(number))) }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.map_or_else(|| "\"auto\"".to_owned(), |number| number.to_string()))
    }
}

impl SettingType for ByteCount {
    const NAME: &'static str = "bytes";

    fn read(raw: &Raw, bounds: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        within(read_bytes(text(raw)?)?, bounds, show_bytes).map(Self)
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{}\"", show_bytes(self.0)))
    }
}

impl SettingType for MemoryShare {
    const NAME: &'static str = "bytes or `auto`";

    fn read(raw: &Raw, bounds: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        if text(raw)? == "auto" {
            return Ok(Self((memory::available_bytes() / 8).min(224 << 20)));
        }
        ByteCount::read(raw, bounds).map(|bytes| Self(bytes.0))
    }

    fn show(&self) -> Option<String> {
        ByteCount(self.0).show()
    }
}

impl SettingType for Duration {
    const NAME: &'static str = "duration";

    fn read(raw: &Raw, bounds: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        within(read_millis(text(raw)?)?, bounds, show_millis).map(Self::from_millis)
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{}\"", show_millis(self.as_millis() as u64)))
    }
}

impl SettingType for SpaceShare {
    const NAME: &'static str = "bytes or a share";

    fn read(raw: &Raw, bounds: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        let text = text(raw)?.trim();
        if let Some(number) = text.strip_suffix('%') {
            let percent = number.trim_end().parse().ok().filter(|percent| (1..=100).contains(percent));
            let wrong = || format!("`{text}` is not a share of the file system from 1% to 100%, such as 80%");
            return percent.map(Self::Percent).ok_or_else(wrong);
        }
        let wrong = |_| format!("`{text}` is neither a number of bytes, such as 200GiB, nor a share, such as 80%");
        within(read_bytes(text).map_err(wrong)?, bounds, show_bytes).map(Self::Bytes)
    }

    fn show(&self) -> Option<String> {
        Some(match self {
            Self::Bytes(bytes) => format!("\"{}\"", show_bytes(*bytes)),
            Self::Percent(percent) => format!("\"{percent}%\""),
        })
    }
}

impl SettingType for TenantDurations {
    const NAME: &'static str = "list of tenant=duration";

    fn read(raw: &Raw, bounds: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        let length = |text: &str| within(read_millis(text)?, bounds, show_millis).map(Duration::from_millis);
        tenant_values(raw, "a duration, such as acme=3d", length).map(Self)
    }

    fn show(&self) -> Option<String> {
        Some(show_tenant_values(&self.0, |duration| show_millis(duration.as_millis() as u64)))
    }
}

impl SettingType for TenantBytes {
    const NAME: &'static str = "list of tenant=bytes";

    fn read(raw: &Raw, bounds: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        let bytes = |text: &str| within(read_bytes(text)?, bounds, show_bytes);
        tenant_values(raw, "a number of bytes, such as acme=10GiB", bytes).map(Self)
    }

    fn show(&self) -> Option<String> {
        Some(show_tenant_values(&self.0, |bytes| show_bytes(*bytes)))
    }
}

/// A value for each of some tenants; `what` says what values are, with an example.
fn tenant_values<T>(
    raw: &Raw,
    what: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<BTreeMap<Tenant, T>, String> {
    let pair = |text: &str| {
        let (tenant, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not a tenant and {what}"))?;
        Ok((tenant.trim().to_owned(), value.trim().to_owned()))
    };
    let pairs = match raw {
        Raw::Map(pairs) => pairs.clone(),
        Raw::Text(_) | Raw::List(_) => list(raw)?.into_iter().map(pair).collect::<Result<Vec<_>, String>>()?,
    };
    let mut values = BTreeMap::new();
    for (name, value) in pairs {
        let tenant = Tenant::new(&name).map_err(|error| format!("tenant `{name}`: {error}"))?;
        let value = read(&value).map_err(|what| format!("tenant `{name}`: {what}"))?;
        if values.insert(tenant, value).is_some() {
            return Err(format!("tenant `{name}` is listed twice"));
        }
    }
    Ok(values)
}

fn show_tenant_values<T>(values: &BTreeMap<Tenant, T>, show: impl Fn(&T) -> String) -> String {
    let pairs: Vec<_> = values.iter().map(|(tenant, value)| quoted(&format!("{tenant}={}", show(value)))).collect();
    format!("[{}]", pairs.join(", "))
}

impl SettingType for Tokens {
    const NAME: &'static str = "table of token = tenant";

    fn read(raw: &Raw, _: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        let pairs = match raw {
            Raw::Map(pairs) => pairs.clone(),
            Raw::Text(_) => list(raw)?.into_iter().map(token_pair).collect::<Result<_, String>>()?,
            Raw::List(_) => return Err("expected a table of token = tenant, found a list".to_owned()),
        };
        let mut tokens = Self::new();
        for (token, name) in pairs {
            // The token itself is a secret: no message shows it.
            if token.is_empty() || token.contains(char::is_whitespace) {
                return Err("a token is empty or contains a space".to_owned());
            }
            let tenant = Tenant::new(&name).map_err(|error| format!("tenant `{name}`: {error}"))?;
            if tokens.insert(token, tenant).is_some() {
                return Err("a token is listed twice".to_owned());
            }
        }
        Ok(tokens)
    }

    fn show(&self) -> Option<String> {
        self.is_empty().then(|| "{}".to_owned())
    }
}

fn token_pair(text: &str) -> Result<(String, String), String> {
    let (token, tenant) = text.rsplit_once('=').ok_or("expected token=tenant, separated by commas")?;
    Ok((token.to_owned(), tenant.to_owned()))
}

impl SettingType for LogFormat {
    const NAME: &'static str = "`text` or `json`";

    fn read(raw: &Raw, _: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        match text(raw)? {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("`{other}` is neither `text` nor `json`")),
        }
    }

    fn show(&self) -> Option<String> {
        Some(if *self == Self::Text { "\"text\"" } else { "\"json\"" }.to_owned())
    }
}

#[cfg(test)]
#[path = "value/tests.rs"]
mod tests;
