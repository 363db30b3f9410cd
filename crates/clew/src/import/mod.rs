//! `clew import`: the traces of OTLP files, sent over OTLP/HTTP.
//!
//! | Module | What it holds |
//! |---|---|
//! | `read` | files to messages: compression, framing, JSON or protobuf, all by content |
//! | `send` | a batch to its acknowledgement, with retries |

mod read;
mod send;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use self::read::{Message, Messages};
use self::send::{Answer, Sender};
use crate::client::Server;
use crate::exit::{self, Failure};
use crate::progress::Progress;
use crate::render::{bytes, count};

pub(crate) const EXAMPLES: &str = "\
Examples:
  clew import day.jsonl.zst
  clew import --server http://127.0.0.1:9090 --tenant acme collector-*.json
  ssh host cat traces.otlp.gz | clew import -

A file holds OTLP/JSON, one object a line, or protobuf messages, each after
its length: four bytes big-endian, as the OpenTelemetry Collector's file
exporter writes, or a varint. Which, and whether it is compressed with gzip
or zstd, is seen from its content. What is refused for now is sent again.
Importing a file twice is harmless: identical spans are shown once.";

/// A batch is sent once it has so many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// A longer message is sent in parts, since servers bound their requests.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Messages that cannot be read, and reasons for rejections, that are named one by one.
const NAMED_MAX: usize = 10;

/// Which files, and to whom.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// OTLP files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    server: Server,
}

/// Sends and reports.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut import = Import::new(options.server.clone());
    let sent = options.files.iter().try_for_each(|file| import.file(file)).and_then(|()| import.flush());
    drop(import.progress);
    exit::print(import.tally.text())?;
    sent?;
    import.tally.failure().map_or(Ok(()), |why| Err(Failure::Failed(anyhow::Error::msg(why))))
}

/// What became of everything.
#[derive(Debug, Default)]
struct Tally {
    files: u64,
    bytes: u64,
    messages: u64,
    accepted: u64,
    rejected: u64,
    /// Messages without spans: metrics, logs, or nothing.
    spanless: u64,
    unreadable: u64,
    /// What was said of rejected and mended spans.
    reasons: BTreeSet<String>,
}

impl Tally {
    fn reject(&mut self, spans: u64, why: String) {
        self.rejected += spans;
        if !why.is_empty() && self.reasons.len() < NAMED_MAX {
            self.reasons.insert(why);
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "imported {} messages ({}) from {} files: {} spans accepted, {} rejected\n",
            count(self.messages),
            bytes(self.bytes),
            count(self.files),
            count(self.accepted),
            count(self.rejected)
        );
        for reason in &self.reasons {
            let _ = writeln!(text, "  {reason}");
        }
        if self.spanless > 0 {
            let _ = writeln!(text, "  {} messages hold no spans", count(self.spanless));
        }
        text
    }

    /// Why not all that was in the files is in the server.
    fn failure(&self) -> Option<String> {
        match (self.unreadable, self.rejected) {
            (0, 0) => None,
            (0, rejected) => Some(format!("{} spans were rejected", count(rejected))),
            (unreadable, 0) => Some(format!("{} messages could not be read", count(unreadable))),
            (unreadable, rejected) => Some(format!(
                "{} messages could not be read, {} spans were rejected",
                count(unreadable),
                count(rejected)
            )),
        }
    }
}

/// The import under way.
struct Import {
    sender: Sender,
    /// Messages that wait to be sent together: messages of a kind one after the other are one message.
    batch: Vec<u8>,
    batch_spans: u64,
    tally: Tally,
    progress: Progress,
}

impl Import {
    fn new(server: Server) -> Self {
        Self {
            sender: Sender::new(server),
            batch: Vec::new(),
            batch_spans: 0,
            tally: Tally::default(),
            progress: Progress::new(),
        }
    }

    /// Sends a file; its last spans may wait in the batch.
    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let name = path.display();
        let mut messages = Messages::open(input(path)?).with_context(|| format!("cannot read {name}"))?;
        self.tally.files += 1;
        let mut unreadable = 0;
        loop {
            let Message { number, byte_count, otlp } = match messages.next() {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(why) => {
                    // What came before it is sent all the same.
                    self.flush()?;
                    return Err(Failure::Failed(anyhow::anyhow!("{name}: {why}")));
                }
            };
            self.tally.messages += 1;
            self.tally.bytes += byte_count;
            match otlp {
                Ok(otlp) => self.take(otlp)?,
                Err(why) => {
                    unreadable += 1;
                    if unreadable <= NAMED_MAX {
                        exit::explain(format_args!("{name}: {} {number}: {why}", messages.unit()));
                    }
                }
            }
            let tally = &self.tally;
            self.progress.show(|| format!("{} read, {} spans accepted", bytes(tally.bytes), count(tally.accepted)));
        }
        if unreadable > NAMED_MAX {
            exit::explain(format_args!("{name}: {} more cannot be read", unreadable - NAMED_MAX));
        }
        self.tally.unreadable += unreadable as u64;
        Ok(())
    }

    fn take(&mut self, otlp: read::Otlp) -> Result<(), Failure> {
        if otlp.span_count == 0 {
            self.tally.spanless += 1;
            return Ok(());
        }
        if otlp.body.len() > MESSAGE_BYTES_MAX {
            self.flush()?;
            let parts = otlp.parts(BATCH_BYTES);
            self.tally.reject(parts.rejected, parts.why);
            for (body, span_count) in parts.bodies {
                self.add(&body, span_count)?;
            }
            return Ok(());
        }
        self.add(&otlp.body, otlp.span_count)
    }

    fn add(&mut self, body: &[u8], span_count: u64) -> Result<(), Failure> {
        self.batch.extend_from_slice(body);
        self.batch_spans += span_count;
        if self.batch.len() >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let (batch, span_count) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.batch_spans));
        if span_count == 0 {
            return Ok(());
        }
        match self.sender.send(&batch)? {
            Answer::Stored { rejected, why } => {
                self.tally.accepted += span_count - rejected.min(span_count);
                self.tally.reject(rejected.min(span_count), why);
            }
            Answer::TooLarge(why) => self.tally.reject(span_count, why),
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge of the process: a file that the user named")]
fn input(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?))
}
