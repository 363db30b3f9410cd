//! OTLP files to messages, one at a time. Compression, framing and encoding are seen from the content.
//!
//! Framings: lines of OTLP/JSON; protobuf after a length of four bytes, big-endian (the OpenTelemetry Collector's file
//! exporter, which may also compress each message by itself); protobuf after a varint (OpenTelemetry's specification of
//! files).

use std::io::{self, BufRead as _, BufReader, Read};

use clew_wire::otlp::{self, AdmitOptions, Limits};
use clew_wire::otlp_json;

/// Longest message; a file that claims a longer one is damaged or no OTLP file.
const MESSAGE_BYTES_MAX: u64 = 64 << 20;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The tag of the one field of a `TracesData`, which begins every protobuf message that holds anything.
const FIRST_TAG: u8 = 0x0a;
/// Nothing is cut: the server has limits of its own, and notes what it cuts.
const LIMITS: Limits =
    Limits { value_bytes: u32::MAX, attributes: u32::MAX, events: u32::MAX, links: u32::MAX, depth: 48 };

/// The messages of a file.
pub(super) struct Messages {
    input: BufReader<Box<dyn Read>>,
    framing: Framing,
    number: u64,
}

/// How a file tells where a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Lines,
    FourBytes,
    Varint,
}

/// One message, or why it cannot be read.
#[derive(Debug)]
pub(super) struct Message {
    /// From one; of lines, blank ones count.
    pub(super) number: u64,
    /// Length in the file, after decompression of the file.
    pub(super) byte_count: u64,
    pub(super) otlp: Result<Otlp, String>,
}

/// The spans of a message, as an `ExportTraceServiceRequest`.
#[derive(Debug)]
pub(super) struct Otlp {
    pub(super) body: Vec<u8>,
    pub(super) span_count: u64,
}

/// A long message in parts.
#[derive(Debug)]
pub(super) struct Parts {
    /// Requests, each with its number of spans.
    pub(super) bodies: Vec<(Vec<u8>, u64)>,
    /// Spans that no server would keep, and why.
    pub(super) rejected: u64,
    pub(super) why: String,
}

impl Messages {
    pub(super) fn open(input: Box<dyn Read>) -> io::Result<Self> {
        let (head, input) = peek(input, 4)?;
        let plain: Box<dyn Read> = if head.starts_with(GZIP) {
            Box::new(flate2::read::MultiGzDecoder::new(input))
        } else if head.starts_with(ZSTD) {
            Box::new(zstd::stream::read::Decoder::new(input)?)
        } else {
            input
        };
        let (head, plain) = peek(plain, 16)?;
        Ok(Self { input: BufReader::with_capacity(64 * 1024, plain), framing: Framing::of(&head), number: 0 })
    }

    /// What a message is called when it is named by its number.
    pub(super) fn unit(&self) -> &'static str {
        if self.framing == Framing::Lines { "line" } else { "message" }
    }

    /// The next message; an error says why nothing more can be read.
    pub(super) fn next(&mut self) -> Result<Option<Message>, String> {
        loop {
            self.number += 1;
            let bytes = match self.framing {
                Framing::Lines => self.line(),
                Framing::FourBytes | Framing::Varint => self.frame(),
            };
            let (unit, number) = (self.unit(), self.number);
            let Some(bytes) = bytes.map_err(|error| format!("{unit} {number}: {error}"))? else { return Ok(None) };
            if !bytes.trim_ascii().is_empty() {
                let byte_count = bytes.len() as u64;
                return Ok(Some(Message { number, byte_count, otlp: Otlp::read(bytes, self.framing) }));
            }
        }
    }

    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        self.input.by_ref().take(MESSAGE_BYTES_MAX + 1).read_until(b'\n', &mut line)?;
        if line.len() as u64 > MESSAGE_BYTES_MAX {
            return Err(too_long(None));
        }
        Ok((!line.is_empty()).then_some(line))
    }

    fn frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let length = match self.framing {
            Framing::FourBytes => {
                let mut length = [0; 4];
                self.input.read_exact(&mut length).map_err(truncated)?;
                u64::from(u32::from_be_bytes(length))
            }
            _ => self.varint()?,
        };
        if length > MESSAGE_BYTES_MAX {
            return Err(too_long(Some(length)));
        }
        // Not by a buffer of the length that was claimed: memory is for bytes that came.
        let mut message = Vec::new();
        self.input.by_ref().take(length).read_to_end(&mut message)?;
        if (message.len() as u64) < length {
            return Err(truncated(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(Some(message))
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut length = 0;
        for shift in (0..63).step_by(7) {
            let mut byte = [0];
            self.input.read_exact(&mut byte).map_err(truncated)?;
            length |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(length);
            }
        }
        Ok(u64::MAX)
    }
}

impl Framing {
    /// By the first bytes. What is neither is read as lines, so that the first one says what is wrong.
    fn of(head: &[u8]) -> Self {
        let length = head.iter().take_while(|byte| **byte >= 0x80).count() + 1;
        match head {
            // A line does not end in an object's first character, but 123 bytes of protobuf begin with it.
            [b'{', FIRST_TAG, ..] => Self::Varint,
            _ if head.trim_ascii_start().starts_with(b"{") => Self::Lines,
            [0, ..] => Self::FourBytes,
            _ if head.get(length) == Some(&FIRST_TAG) && !head.trim_ascii().is_empty() => Self::Varint,
            _ => Self::Lines,
        }
    }
}

impl Otlp {
    fn read(bytes: Vec<u8>, framing: Framing) -> Result<Self, String> {
        let bytes = if framing != Framing::Lines && bytes.starts_with(ZSTD) { inflate(&bytes)? } else { bytes };
        let body = if framing == Framing::Lines || bytes.starts_with(b"{") {
            otlp_json::to_protobuf(&bytes).map_err(|error| format!("is not OTLP/JSON: {error}"))?
        } else {
            bytes
        };
        let options = AdmitOptions { limits: LIMITS, received_unix_nanos: 0, tenant_attribute: None };
        let admission = otlp::admit(&body, &options).map_err(|error| format!("is not OTLP: {error}"))?;
        Ok(Self { body, span_count: u64::from(admission.span_count) })
    }

    /// The same spans in requests of about so many bytes.
    pub(super) fn parts(self, bytes: usize) -> Parts {
        let options = AdmitOptions { limits: LIMITS, received_unix_nanos: 0, tenant_attribute: None };
        let admission = otlp::admit(&self.body, &options).unwrap_or_default();
        let rejected: Vec<u32> = admission.rejected.iter().map(|rejected| rejected.ordinal).collect();
        let spans = otlp::spans(&self.body, &LIMITS, 0, &rejected).unwrap_or_default();
        let at_once = (spans.len() * bytes / self.body.len().max(1)).max(1);
        let bodies = spans.chunks(at_once).map(|spans| (otlp::encode(spans), spans.len() as u64)).collect();
        let why = admission.rejected.first().map(|rejected| rejected.reason.sentence().to_owned());
        Parts { bodies, rejected: rejected.len() as u64, why: why.unwrap_or_default() }
    }
}

/// The first bytes, and all of them again.
fn peek(mut input: Box<dyn Read>, count: u64) -> io::Result<(Vec<u8>, Box<dyn Read>)> {
    let mut head = Vec::new();
    input.by_ref().take(count).read_to_end(&mut head)?;
    Ok((head.clone(), Box::new(io::Cursor::new(head).chain(input))))
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(bytes).map_err(|error| error.to_string())?;
    decoder.take(MESSAGE_BYTES_MAX + 1).read_to_end(&mut plain).map_err(|error| format!("is not zstd: {error}"))?;
    if plain.len() as u64 > MESSAGE_BYTES_MAX { Err(too_long(None).to_string()) } else { Ok(plain) }
}

fn too_long(length: Option<u64>) -> io::Error {
    let length = length.map_or_else(String::new, |length| format!("claims {length} bytes and "));
    io::Error::other(format!("{length}is longer than {} MiB: is this an OTLP file?", MESSAGE_BYTES_MAX >> 20))
}

fn truncated(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return io::Error::other("the file ends in the middle of it");
    }
    error
}

#[cfg(test)]
#[path = "read/tests.rs"]
mod tests;
