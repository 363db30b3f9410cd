//! What was embedded, and the media types.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use rust_embed::{Embed, EmbeddedFile};

/// The page of all the client's addresses.
const PAGE: &str = "index.html";
/// How the page says where the client's root is, for an address right below it.
const BASE: &str = r#"<base href="./""#;
/// Ends the name of a file's twin, packed by brotli.
const BROTLI: &str = ".br";
/// Where files are whose names carry the hash of their content.
const HASHED: &str = "assets/";

/// The UI, built; `ui/` says how.
#[derive(Embed)]
#[folder = "../../ui/dist/"]
struct Dist;

static FILES: LazyLock<Files> =
    LazyLock::new(|| Files::of(Dist::iter().filter_map(|path| Some((path.to_string(), Dist::get(&path)?)))));

/// The files of the UI.
pub(super) fn files() -> &'static Files {
    &FILES
}

/// Files by path.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, File>);

/// A file of the UI.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// Its bytes.
    pub(super) plain: Bytes,
    /// The same, packed.
    pub(super) brotli: Option<Bytes>,
    /// Stands for its content.
    pub(super) tag: String,
    /// Its media type.
    pub(super) media_type: &'static str,
    /// Whether its path stands for its content.
    pub(super) is_immutable: bool,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

impl Files {
    /// These files; one whose path is another's with `.br` after it is that one, packed.
    pub(super) fn of(embedded: impl IntoIterator<Item = (String, EmbeddedFile)>) -> Self {
        let (packed, plain): (Vec<_>, Vec<_>) = embedded.into_iter().partition(|(path, _)| path.ends_with(BROTLI));
        let file = |(path, file): (String, EmbeddedFile)| {
            let tag = hex(&file.metadata.sha256_hash()[..12]);
            let (media_type, is_immutable) = (media_type(&path), path.starts_with(HASHED));
            (path, File { plain: bytes(file.data), brotli: None, tag, media_type, is_immutable })
        };
        let mut files: BTreeMap<String, File> = plain.into_iter().map(file).collect();
        for (path, twin) in packed {
            if let Some(file) = files.get_mut(path.trim_end_matches(BROTLI)) {
                file.brotli = Some(bytes(twin.data));
            }
        }
        Self(files)
    }

    /// The file of that path.
    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.0.get(path)
    }

    /// The page for an address, with the way from there to the client's root in it.
    pub(super) fn page(&self, address: &str) -> Option<File> {
        let page = self.get(PAGE)?;
        let depth = address.bytes().filter(|byte| *byte == b'/').count().saturating_sub(1);
        if depth == 0 {
            return Some(page.clone());
        }
        let html =
            String::from_utf8_lossy(&page.plain).replacen(BASE, &format!(r#"<base href="{}""#, "../".repeat(depth)), 1);
        Some(File { plain: html.into(), brotli: None, tag: format!("{}-{depth}", page.tag), ..page.clone() })
    }

    /// The names of files beside the page that it may refer to.
    pub(super) fn beside_page(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|path| !path.contains('/') && !path.ends_with(".html"))
    }

    /// All paths.
    #[cfg(test)]
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}

/// By the end of the name. Whoever is told nothing of use must not guess (`X-Content-Type-Options`).
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
