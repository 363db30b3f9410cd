//! Addresses of other servers, and what they ask for.

use std::fmt;
use std::ops::RangeInclusive;

use http::{HeaderValue, Uri};

use super::{Raw, SettingType, quoted, text};

/// The address of something that is reached over plain HTTP, or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct HttpUrl(pub(crate) Option<Uri>);

/// A bearer token, or none. It shows nowhere.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct BearerToken(Option<HeaderValue>);

impl BearerToken {
    /// The value of `Authorization`.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        self.0.clone()
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "BearerToken(..)" } else { "BearerToken" })
    }
}

impl SettingType for HttpUrl {
    const NAME: &'static str = "http URL";

    fn read(raw: &Raw, _: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        let written = text(raw)?.trim();
        if written.is_empty() {
            return Ok(Self(None));
        }
        let url: Option<Uri> = written.parse().ok();
        let url = url.filter(|url| url.host().is_some_and(|host| !host.is_empty()));
        match url.as_ref().and_then(Uri::scheme_str) {
            // What is before `@` may be a password, and is not shown again.
            _ if written.contains('@') => Err("an address with a user or a password is not supported".to_owned()),
            Some("http") => Ok(Self(url)),
            Some("https") => {
                Err("https is not spoken: name an http address of a proxy or an agent that speaks it, such \
                                  as Prometheus in agent mode on this machine"
                    .to_owned())
            }
            _ => Err(format!("`{written}` is not an address such as http://127.0.0.1:9090/api/v1/write")),
        }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.0.as_ref().map(Uri::to_string).unwrap_or_default()))
    }
}

impl SettingType for BearerToken {
    const NAME: &'static str = "secret text";

    fn read(raw: &Raw, _: Option<&RangeInclusive<u64>>) -> Result<Self, String> {
        let token = text(raw)?.trim();
        if token.is_empty() {
            return Ok(Self(None));
        }
        // No message shows the token.
        let wrong = || "a token has characters that no header may have".to_owned();
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| wrong())?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }

    fn show(&self) -> Option<String> {
        self.0.is_none().then(|| quoted(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(written: &str) -> Result<Option<String>, String> {
        HttpUrl::read(&Raw::Text(written.to_owned()), None).map(|url| url.0.map(|url| url.to_string()))
    }

    #[test]
    fn an_address_is_plain_http_with_a_host() {
        assert_eq!(url(""), Ok(None));
        for right in ["http://127.0.0.1:9090/api/v1/write", "http://prometheus/write?db=1", "http://[::1]:9090/write"] {
            assert_eq!(url(right), Ok(Some(right.to_owned())));
        }
        for wrong in ["127.0.0.1:9090", "localhost", "/api/v1/write", "http://", "ftp://a/b", "http:/a", "http://a b/"]
        {
            assert!(url(wrong).unwrap_err().contains("is not an address such as http://"), "{wrong}");
        }
        assert!(url("https://example.org/write").unwrap_err().contains("a proxy or an agent"));
        assert!(!url("http://me:s3cret@example.org/write").unwrap_err().contains("s3cret"));
    }

    #[test]
    fn a_token_shows_nowhere() {
        let token = BearerToken::read(&Raw::Text("s3cret".to_owned()), None).unwrap();
        assert_eq!(token.authorization().unwrap(), "Bearer s3cret");
        let shown = format!("{token:?} {:?} {:?}", token.show(), token.authorization());
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(!BearerToken::read(&Raw::Text("s3\ncret".to_owned()), None).unwrap_err().contains("cret"));
    }
}
