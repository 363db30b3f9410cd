//! The spans of a file, whatever wrote it.

use std::collections::BTreeMap;
use std::io::Read;

use clew_model::Span;
use clew_wire::otlp::{self, AdmitOptions, Limits, WireError};
use clew_wire::{JsonKind, jaeger_json, json_kind, otlp_json, zipkin_json};

use super::error::AskError;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const PARQUET: &[u8] = b"PAR1";
const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
/// The tag of the one field of a `TracesData`, which begins every message that holds anything.
const FIRST_TAG: u8 = 0x0a;
/// Spans that are read at most. A file of that many in 64 MiB has little to say of each.
const SPANS_MAX: usize = 500_000;
/// Largest zstd window, as a power of two.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct FileSpans {
    pub(super) spans: Vec<Span>,
    /// What of it could not be used, in sentences.
    pub(super) problems: Vec<String>,
}

/// Why nothing of a file could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(super) enum FileError {
    /// Nothing is in it.
    #[error("the file is empty")]
    Empty,
    /// It is something, and not what is read here.
    #[error("this seems to be {seems}; read are OTLP (JSON or protobuf), Zipkin's JSON of version 2 and Jaeger's JSON")]
    Kind {
        /// What it seems to be, and perhaps what to do.
        seems: &'static str,
    },
    /// It seems to be what is read here, and cannot be read.
    #[error("this seems to be {seems}, and {what}")]
    Broken {
        /// What it seems to be.
        seems: &'static str,
        /// What is wrong.
        what: String,
    },
    /// It holds no span.
    #[error("this seems to be {seems}, and no span in it can be shown{why}")]
    NoSpans {
        /// What it seems to be.
        seems: &'static str,
        /// Why spans were left out.
        why: String,
    },
    /// It is too large when decompressed, or has too many spans.
    #[error("{0}")]
    TooLarge(String),
}

impl From<FileError> for AskError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::TooLarge(what) => Self::TooLarge(what),
            other => Self::parameter("body", other.to_string()),
        }
    }
}

/// The spans of a file of at most `bytes_max` bytes, mended within the limits as if they had been received now.
pub(super) fn read(
    bytes: &[u8],
    limits: &Limits,
    now_unix_nanos: u64,
    bytes_max: usize,
) -> Result<FileSpans, FileError> {
    let plain = inflated(bytes, bytes_max)?;
    let bytes = plain.as_deref().unwrap_or(bytes);
    let bytes = bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes);
    let mut reader = Reader {
        limits: *limits,
        now_unix_nanos,
        file: FileSpans::default(),
        rejected: BTreeMap::new(),
        odd: BTreeMap::new(),
    };
    let seems = reader.file(bytes)?;
    reader.finish(seems)
}

struct Reader {
    limits: Limits,
    now_unix_nanos: u64,
    file: FileSpans,
    /// How many spans were left out, by why.
    rejected: BTreeMap<&'static str, usize>,
    /// How many lines or messages could not be read, and the first of them, by what they seemed to be.
    odd: BTreeMap<&'static str, (usize, String)>,
}

impl Reader {
    /// Reads all; says what it seems to be.
    fn file(&mut self, bytes: &[u8]) -> Result<&'static str, FileError> {
        let trimmed = bytes.trim_ascii();
        match trimmed.first() {
            None => Err(FileError::Empty),
            Some(b'{' | b'[') => match self.text(trimmed) {
                // 123 bytes of protobuf after their length begin as an object and its line end do.
                Err(_) if bytes.starts_with(&[b'{', FIRST_TAG]) => self.protobuf(bytes),
                read => read,
            },
            Some(b'<') => Err(FileError::Kind { seems: "a web page or XML" }),
            _ if bytes.starts_with(PARQUET) => {
                Err(FileError::Kind { seems: "a Parquet file, such as a block of a clew data folder" })
            }
            _ => self.protobuf(bytes),
        }
    }

    /// One JSON text, or one a line.
    fn text(&mut self, text: &[u8]) -> Result<&'static str, FileError> {
        let lines: Vec<&[u8]> = if is_lines(text) {
            text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).collect()
        } else {
            vec![text]
        };
        let mut seems = None;
        for (number, line) in lines.iter().enumerate() {
            match self.json(line) {
                Ok(kind) => seems = seems.or(Some(kind)),
                Err(error) if lines.len() == 1 => return Err(error),
                // A line that was cut is no reason not to show the others.
                Err(FileError::Broken { seems, what }) => self.note(seems, format!("line {}: {what}", number + 1)),
                Err(other) => return Err(other),
            }
        }
        seems.ok_or_else(|| match self.odd.pop_first() {
            Some((seems, (_, what))) => FileError::Broken { seems, what },
            None => FileError::Empty,
        })
    }

    fn json(&mut self, text: &[u8]) -> Result<&'static str, FileError> {
        let broken = |seems| move |error: WireError| FileError::Broken { seems, what: error.to_string() };
        let refused = |seems| Err(FileError::Kind { seems });
        let (seems, spans) = match json_kind(text).map_err(broken("JSON"))? {
            JsonKind::Otlp => {
                let body = otlp_json::to_protobuf(text).map_err(broken("OTLP/JSON"))?;
                self.otlp(&body).map_err(broken("OTLP/JSON"))?;
                self.check_count()?;
                return Ok("OTLP/JSON");
            }
            JsonKind::Jaeger => ("Jaeger's JSON", jaeger_json::spans(text).map_err(broken("Jaeger's JSON"))?),
            JsonKind::Zipkin => ("Zipkin's JSON", zipkin_json::spans(text).map_err(broken("Zipkin's JSON"))?),
            JsonKind::Empty => {
                return Err(FileError::NoSpans { seems: "JSON", why: ": it is an empty list".to_owned() });
            }
            JsonKind::ZipkinV1 => return refused("Zipkin's JSON of version 1; fetch it from /api/v2"),
            JsonKind::Tempo => {
                return refused("Grafana Tempo's own JSON; fetch it with `Accept: application/protobuf`");
            }
            JsonKind::Clew => return refused("a trace as clew explains it; download it with format=otlp"),
            JsonKind::OtherSignal => return refused("OTLP/JSON without spans: metrics, logs or profiles"),
            JsonKind::ChromeTrace => return refused("a profile of Chrome's trace viewer"),
            JsonKind::Other => return refused("JSON of another kind"),
        };
        if spans.len() > SPANS_MAX {
            return Err(too_many());
        }
        // By the way of all spans: what is odd is mended, noted and rejected alike, whoever sent it.
        self.otlp(&otlp::encode(&spans)).map_err(broken(seems))?;
        self.check_count()?;
        Ok(seems)
    }

    /// One message, or messages after their lengths: of four bytes, or as a varint.
    fn protobuf(&mut self, bytes: &[u8]) -> Result<&'static str, FileError> {
        const SEEMS: &str = "OTLP in protobuf";
        if bytes.first() == Some(&FIRST_TAG) && self.otlp(bytes).is_ok() && !self.is_untouched() {
            self.check_count()?;
            return Ok(SEEMS);
        }
        let mut rest = bytes;
        for number in 1.. {
            let Some((length, after)) = frame(rest, bytes[0] == 0) else { break };
            let message = after.get(..length).ok_or_else(|| match number {
                1 => FileError::Kind { seems: "none of the files that are known here" },
                _ => FileError::Broken { seems: SEEMS, what: format!("message {number} is cut off") },
            })?;
            rest = &after[length..];
            let unpacked = if message.starts_with(ZSTD) { inflated(message, bytes.len().max(64 << 20))? } else { None };
            if let Err(error) = self.otlp(unpacked.as_deref().unwrap_or(message)) {
                if number == 1 {
                    return Err(FileError::Kind { seems: "none of the files that are known here" });
                }
                self.note(SEEMS, format!("message {number}: {error}"));
            }
            self.check_count()?;
        }
        if self.is_untouched() && self.odd.is_empty() {
            return Err(FileError::Kind { seems: "none of the files that are known here" });
        }
        Ok(SEEMS)
    }

    /// The spans of a request.
    fn otlp(&mut self, body: &[u8]) -> Result<(), WireError> {
        let options =
            AdmitOptions { limits: self.limits, received_unix_nanos: self.now_unix_nanos, tenant_attribute: None };
        let admission = otlp::admit(body, &options)?;
        for rejected in &admission.rejected {
            *self.rejected.entry(rejected.reason.sentence()).or_default() += 1;
        }
        let rejected: Vec<u32> = admission.rejected.iter().map(|rejected| rejected.ordinal).collect();
        self.file.spans.append(&mut otlp::spans(body, &self.limits, self.now_unix_nanos, &rejected)?);
        Ok(())
    }

    fn is_untouched(&self) -> bool {
        self.file.spans.is_empty() && self.rejected.is_empty()
    }

    fn check_count(&self) -> Result<(), FileError> {
        if self.file.spans.len() > SPANS_MAX { Err(too_many()) } else { Ok(()) }
    }

    fn note(&mut self, seems: &'static str, what: String) {
        self.odd.entry(seems).or_insert((0, what)).0 += 1;
    }

    fn finish(mut self, seems: &'static str) -> Result<FileSpans, FileError> {
        let sentence = |(reason, count): (&&str, &usize)| match count {
            1 => format!("1 span was left out: {reason}"),
            count => format!("{count} spans were left out: {reason}"),
        };
        let left_out: Vec<String> = self.rejected.iter().map(sentence).collect();
        if self.file.spans.is_empty() {
            let why = left_out.first().map_or_else(String::new, |first| format!("; {first}"));
            return Err(FileError::NoSpans { seems, why });
        }
        self.file.problems = left_out;
        for (count, what) in self.odd.into_values() {
            let others = if count > 1 { format!(", and {} more like it", count - 1) } else { String::new() };
            self.file.problems.push(format!("{what}{others}"));
        }
        Ok(self.file)
    }
}

/// Whether each line is a JSON text of its own.
fn is_lines(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    first.starts_with(b"{") && first.ends_with(b"}") && second.starts_with(b"{")
}

/// The length that begins the bytes, and what comes after it.
fn frame(bytes: &[u8], is_four_bytes: bool) -> Option<(usize, &[u8])> {
    if is_four_bytes {
        let (length, rest) = bytes.split_first_chunk()?;
        return Some((u32::from_be_bytes(*length) as usize, rest));
    }
    let mut length = 0_u64;
    for (place, byte) in bytes.iter().enumerate().take(9) {
        length |= u64::from(byte & 0x7f) << (7 * place);
        if *byte < 0x80 {
            return Some((usize::try_from(length).ok()?, &bytes[place + 1..]));
        }
    }
    // None was left, or what is there is no length: as one beyond the end.
    (!bytes.is_empty()).then_some((usize::MAX, bytes))
}

/// What was compressed, at most so many bytes of it; `None` when it was not.
fn inflated(bytes: &[u8], bytes_max: usize) -> Result<Option<Vec<u8>>, FileError> {
    let broken = |seems| move |error: std::io::Error| FileError::Broken { seems, what: error.to_string() };
    let mut plain = Vec::new();
    let limit = bytes_max as u64 + 1;
    if bytes.starts_with(GZIP) {
        let decoder = flate2::bufread::MultiGzDecoder::new(bytes);
        decoder.take(limit).read_to_end(&mut plain).map_err(broken("a file packed by gzip"))?;
    } else if bytes.starts_with(ZSTD) {
        let broken = broken("a file packed by zstd");
        let mut decoder = zstd::Decoder::with_buffer(bytes).map_err(broken)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
        decoder.take(limit).read_to_end(&mut plain).map_err(broken)?;
    } else {
        return Ok(None);
    }
    if plain.len() > bytes_max {
        let what = format!("decompressed, it is larger than {bytes_max} bytes (query.explain_bytes)");
        return Err(FileError::TooLarge(what));
    }
    Ok(Some(plain))
}

fn too_many() -> FileError {
    FileError::TooLarge(format!(
        "it holds more than {SPANS_MAX} spans; `clew import` keeps it, and then all can be asked"
    ))
}

#[cfg(test)]
#[path = "file/tests.rs"]
mod tests;
