//! The log: every frame of every segment, down to the spans of its body.

use std::path::Path;

use clew_wire::otlp::{self, ResourceView, ScopeView, SpanSink, SpanView};
use serde::Serialize;

use super::CheckReport;
use crate::OpenError;
use crate::log::frame::{self, Place, SHARED_BYTES};
use crate::log::recover::{
    LOG_FOLDER, SegmentBytes, SegmentFile, missing_start, newer_segment, read_segment, segment_files, segment_path,
    set_aside,
};
use crate::log::segment::{Found, SEGMENT_HEADER_BYTES, segment_first, segment_header, segment_name};
use crate::log::writer::put_file;
use crate::log::{Damage, Replayed};
use crate::port::Disk;

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentReport {
    /// File name.
    pub name: String,
    /// Batches that read well.
    pub batches: u64,
    /// Their kept spans.
    pub spans: u64,
    /// Bytes of their frames.
    pub bytes: u64,
    /// Bytes of a torn tail, which were never acknowledged.
    pub torn_bytes: u64,
    /// Damaged ranges.
    pub damage: Vec<Damage>,
}

/// Checks the segments from a position on, before which everything is in blocks.
pub(super) fn check(
    data_dir: &Path,
    disk: &dyn Disk,
    from: u64,
    repair: bool,
    report: &mut CheckReport,
) -> Result<(), OpenError> {
    // A cut is a boundary of segments, so what begins before it is sealed to its end.
    let (freed, files): (Vec<SegmentFile>, Vec<SegmentFile>) =
        segment_files(data_dir, disk)?.into_iter().partition(|file| file.first < from);
    report.freed_segments = freed.into_iter().map(|file| file.name).collect();
    if let Some(damage) = missing_start(&files, from) {
        if repair {
            repair_missing_start(data_dir, disk, &damage)?;
            report.repaired_segments += 1;
        }
        let name = damage.segment.clone();
        report.segments.push(SegmentReport { name, damage: vec![damage], ..SegmentReport::default() });
    }
    let mut sequence = 0;
    for file in &files {
        let segment = read_segment(data_dir, disk, file);
        let mut reader = SegmentReader {
            file,
            segment: &segment,
            sequence,
            gaps: Vec::new(),
            lost: Vec::new(),
            report: SegmentReport::default(),
        };
        reader.read().map_err(|newer| newer_segment(data_dir, file, newer))?;
        sequence = reader.sequence;
        if repair && !reader.report.damage.is_empty() {
            reader.repair(data_dir, disk)?;
            report.repaired_segments += 1;
        }
        report.segments.push(reader.report);
    }
    Ok(())
}

/// Reads one segment and remembers what to put in the place of damage.
struct SegmentReader<'a> {
    file: &'a SegmentFile,
    segment: &'a SegmentBytes,
    /// Of the last frame that was read.
    sequence: u64,
    /// What is to be written where, and the offset at which the gap ends.
    gaps: Vec<(u64, Vec<u8>, u64)>,
    /// Where a lost segment began that had no frame: no gap is short enough for its place.
    lost: Vec<u64>,
    report: SegmentReport,
}

impl SegmentReader<'_> {
    fn read(&mut self) -> Result<(), u32> {
        self.report.name.clone_from(&self.file.name);
        let mut scan = self.segment.scan(self.file, self.sequence);
        while let Some(found) = scan.step().map_err(|newer| newer.0)? {
            match found {
                Found::Batch { offset, header, stored } => {
                    let replayed = Replayed {
                        segment: self.file.name.clone(),
                        offset,
                        position: self.file.first + offset,
                        header: *header,
                        stored,
                    };
                    self.batch(&replayed, scan.offset() - offset);
                }
                Found::Filler { .. } => {}
                Found::Torn { range } => self.report.torn_bytes += range.end - range.start,
                Found::Damaged { range, held, error } => {
                    self.damaged(self.segment.damage(self.file, range, held.as_deref(), error));
                }
            }
            self.sequence = self.sequence.max(scan.sequence());
        }
        Ok(())
    }

    fn batch(&mut self, replayed: &Replayed, length: u64) {
        match count_spans(replayed) {
            Ok(spans) => {
                self.report.batches += 1;
                self.report.spans += spans;
                self.report.bytes += length;
            }
            Err(what) => self.damaged(replayed.unreadable(&what)),
        }
    }

    fn damaged(&mut self, damage: Damage) {
        let end = damage.offset + damage.length;
        let first = self.file.first;
        if damage.offset == 0 {
            self.gaps.push((0, segment_header(first, 0).to_vec(), end));
        } else if damage.length < SHARED_BYTES as u64 {
            self.lost.push(first + damage.offset);
        } else {
            self.gaps.push((damage.offset, gap(first + damage.offset, self.sequence, damage.length), end));
        }
        self.report.damage.push(damage);
    }

    /// Writes the segment anew with gaps in the place of damage; positions stay.
    fn repair(&self, data_dir: &Path, disk: &dyn Disk) -> Result<(), OpenError> {
        let path = segment_path(data_dir, &self.file.name);
        for damage in &self.report.damage {
            set_aside(data_dir, disk, damage, 0, &self.segment.bytes).map_err(OpenError::at(&path))?;
        }
        let longest = self.gaps.iter().map(|(_, _, end)| *end).max().unwrap_or(0);
        let length = longest.max(self.segment.bytes.len() as u64);
        let mut parts: Vec<(u64, &[u8])> = vec![(0, &self.segment.bytes)];
        parts.extend(self.gaps.iter().map(|(offset, bytes, _)| (*offset, bytes.as_slice())));
        put_segment(data_dir, disk, &self.file.name, length, &parts)?;
        self.lost.iter().try_for_each(|first| {
            let header = segment_header(*first, 0);
            put_segment(data_dir, disk, &segment_name(*first), header.len() as u64, &[(0, &header)])
        })
    }
}

/// Puts a segment that is one gap where the log's first segments are missing.
fn repair_missing_start(data_dir: &Path, disk: &dyn Disk, damage: &Damage) -> Result<(), OpenError> {
    let first = segment_first(&damage.segment).unwrap_or(0);
    let header_bytes = SEGMENT_HEADER_BYTES as u64;
    let gap = gap(first + header_bytes, 0, damage.length.saturating_sub(header_bytes));
    let parts: [(u64, &[u8]); 2] = [(0, &segment_header(first, 0)), (header_bytes, &gap)];
    let length = parts.iter().map(|(offset, bytes)| offset + bytes.len() as u64).max().unwrap_or(0);
    put_segment(data_dir, disk, &damage.segment, length, &parts)
}

fn put_segment(
    data_dir: &Path,
    disk: &dyn Disk,
    name: &str,
    length: u64,
    parts: &[(u64, &[u8])],
) -> Result<(), OpenError> {
    put_file(disk, &data_dir.join(LOG_FOLDER), name, length, parts)
        .map(drop)
        .map_err(|error| OpenError::at(&segment_path(data_dir, name))(error.into()))
}

/// The header of a gap that stands for `length` bytes.
fn gap(position: u64, sequence: u64, length: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SHARED_BYTES);
    let body_bytes = length.saturating_sub(SHARED_BYTES as u64);
    frame::write_gap(&mut bytes, Place { position, sequence, synced: position }, body_bytes);
    bytes
}

/// How many spans a batch keeps, counted in its body; or why it cannot be read.
fn count_spans(replayed: &Replayed) -> Result<u64, String> {
    let announced = u64::from(replayed.header.span_count);
    let batch = replayed.header.clone().into_batch(replayed.stored.clone()).map_err(|error| error.to_string())?;
    let rejected: Vec<u32> = batch.rejected.iter().map(|(ordinal, _)| *ordinal).collect();
    let mut counter = Counter(0);
    otlp::walk(&batch.body, &batch.limits, batch.received_unix_nanos, &rejected, &mut counter)
        .map_err(|error| format!("its body cannot be read: {error}"))?;
    if counter.0 == announced {
        Ok(counter.0)
    } else {
        Err(format!("its body keeps {} spans, its header says {announced}", counter.0))
    }
}

struct Counter(u64);

impl<'a> SpanSink<'a> for Counter {
    fn resource(&mut self, _: &ResourceView<'a, '_>) {}

    fn scope(&mut self, _: &ScopeView<'a, '_>) {}

    fn span(&mut self, _: u32, _: &SpanView<'a, '_>) {
        self.0 += 1;
    }
}
