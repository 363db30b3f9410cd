//! `clew export`: whole traces to a file, as OTLP.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;

use crate::client::{Server, Streamed};
use crate::exit::{self, Failure};
use crate::progress::Progress;
use crate::render::{bytes, clean, count};
use crate::search::Filter;

pub(crate) const EXAMPLES: &str = "\
Examples:
  clew export --since 1d --output day.jsonl.zst
  clew export --service checkout --status error | jq -c .resourceSpans
  clew export --format protobuf --output all.otlp.gz

JSON is one TracesData object a line, as the OpenTelemetry Collector's file
exporter writes and its otlpjsonfile receiver reads; a protobuf message comes
after its length in four bytes, big-endian, as that exporter writes it. A file
that ends with .gz or .zst is compressed. Traces come whole, oldest first.

A file has its name once it is complete; until then .partial is at its end.";

/// Bytes that are moved at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What is exported, and to where.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    filter: Filter,
    /// Where to; `-` is standard output
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// How traces are written
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    #[command(flatten)]
    server: Server,
}

/// How traces are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One TracesData object a line
    Json,
    /// TracesData messages, each after its length
    Protobuf,
}

/// Asks, writes and reports.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut query = options.filter.query();
    let format = if options.format == Format::Json { "json" } else { "protobuf" };
    query.push(("format".to_owned(), format.to_owned()));
    // A refusal leaves no file behind.
    let streamed = options.server.stream("/v1/export", &query)?;
    if options.output == Path::new("-") {
        return copy(streamed, Sink::Plain(Box::new(io::stdout().lock()))).map(|_| ());
    }
    let partial = partial_name(&options.output);
    let copied = copy(streamed, Sink::open(&partial, &options.output)?);
    let (byte_count, line_count) = match copied {
        Ok(counts) => counts,
        Err(failure) => {
            exit::explain(format_args!("what was written is in {}", partial.display()));
            return Err(failure);
        }
    };
    rename(&partial, &options.output)?;
    let lines = if options.format == Format::Json { format!("{} lines, ", count(line_count)) } else { String::new() };
    exit::explain(format_args!("exported {lines}{} to {}", bytes(byte_count), options.output.display()));
    Ok(())
}

/// Moves everything; gives the number of bytes, before compression, and of line ends.
fn copy(streamed: Streamed, mut sink: Sink) -> Result<(u64, u64), Failure> {
    let Streamed { incomplete, mut body } = streamed;
    let mut progress = Progress::new();
    let (mut piece, mut byte_count, mut line_count) = (vec![0; PIECE_BYTES], 0, 0);
    loop {
        let length = match body.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                sink.finish()?;
                return Err(cut(byte_count, incomplete.as_deref(), &error));
            }
        };
        match sink.write_all(&piece[..length]) {
            // A reader that has gone, as `head` does, ends the export and is no failure.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok((byte_count, line_count)),
            written => written?,
        }
        byte_count += length as u64;
        line_count += piece[..length].split(|byte| *byte == b'\n').count() as u64 - 1;
        progress.show(|| format!("{} exported", bytes(byte_count)));
    }
    match sink.finish() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok((byte_count, line_count)),
    }
}

fn cut(byte_count: u64, incomplete: Option<&str>, error: &io::Error) -> Failure {
    let why = match incomplete {
        Some(why) => clean(why),
        None => format!("the transfer broke off ({error}); the server's log and /v1/health say why"),
    };
    Failure::Failed(anyhow::anyhow!("the export is not complete, {} came: {why}", bytes(byte_count)))
}

/// Where bytes go, compressed as the file's name says.
enum Sink {
    Plain(Box<dyn Write>),
    Gzip(flate2::write::GzEncoder<File>),
    Zstd(zstd::stream::write::Encoder<'static, File>),
}

impl Sink {
    /// A file that is compressed as `named` says.
    fn open(path: &Path, named: &Path) -> anyhow::Result<Self> {
        let file = create(path)?;
        Ok(match named.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default())),
            Some("zst") => Self::Zstd(zstd::stream::write::Encoder::new(file, 3)?),
            _ => Self::Plain(Box::new(file)),
        })
    }

    /// Writes what is left; afterwards a file is on the disk.
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut plain) => plain.flush(),
            Self::Gzip(encoder) => encoder.finish()?.sync_all(),
            Self::Zstd(encoder) => encoder.finish()?.sync_all(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(plain) => plain.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(plain) => plain.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

fn partial_name(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

#[expect(clippy::disallowed_methods, reason = "the edge of the process: a file that the user named")]
fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "the edge of the process: a file that the user named")]
fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::rename(from, to).with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}
