//! The sidecar's sections, through the cache. A section that is missing or damaged is remembered, and not read again.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use clew_model::{Tenant, TraceId, Verdict};

use super::cache::Part;
use super::damage::ReadError;
use super::data::Data;
use super::footer::{Footer, whole};
use super::pieces::Pieces;
use super::{Block, Bloom};
use crate::BlockFile;
use crate::sidecar::{
    Dropped, Fence, Group, Groups, Header, Names, Requests, Section, SectionId, Summaries, Sums, Verdicts,
};

/// About what a name takes in memory besides its text.
const NAME_BYTES: usize = 56;

impl Block {
    /// Bytes of the sidecar.
    pub(super) fn side(&self, offset: u64, length: u64) -> Result<bytes::Bytes, ReadError> {
        let wrong = |detail| ReadError { name: self.meta.name, file: BlockFile::Side, offset, length, detail };
        if offset.checked_add(length).is_none_or(|end| end > self.side_bytes) {
            return Err(wrong(format!("the file has {} bytes only", self.side_bytes)));
        }
        let bytes = self.ranges.read(self.meta.name, BlockFile::Side, offset, length as usize);
        let bytes = bytes.map_err(|err| wrong(format!("cannot be read: {err}")))?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            Err(wrong(format!("only {} bytes were read", bytes.len())))
        }
    }

    pub(super) fn header(&self) -> Result<Arc<Header>, ReadError> {
        let read = || {
            let length = self.side_bytes.min(Header::BYTES_MAX as u64);
            let start = self.side(0, length)?;
            let error = |err: crate::sidecar::SideError| self.side_error((0, length), &err);
            let header = Header::decode(&start).map_err(error)?;
            let bytes = header.sections.len() * size_of::<Section>();
            Ok((header, bytes as u64))
        };
        self.noting(self.cache.get(self.meta.name, Part::Header, read))
    }

    /// Where a section lies.
    pub(super) fn section(&self, id: SectionId) -> Result<Section, ReadError> {
        let header = self.header()?;
        header.section(id).copied().ok_or_else(|| {
            let detail = format!("the section {} is missing", id.as_str());
            ReadError { name: self.meta.name, file: BlockFile::Side, offset: 0, length: self.side_bytes, detail }
        })
    }

    /// A decoded section, read when it is not in the cache.
    fn decoded<T: Send + Sync + 'static>(
        &self,
        part: Part,
        id: SectionId,
        decode: impl FnOnce(Cow<'_, [u8]>) -> Result<(T, usize), crate::sidecar::SideError>,
    ) -> Result<Arc<T>, ReadError> {
        if let Some(lost) = self.damage.lost(id) {
            return Err(lost);
        }
        let read = || {
            let section = self.section(id)?;
            let stored = self.side(section.offset, section.stored_bytes)?;
            let place = (section.offset, section.stored_bytes);
            let decoded = section.unpack(&stored).and_then(decode);
            let (content, bytes) = decoded.map_err(|err| {
                let lost = self.side_error(place, &err);
                self.damage.lose(id, &lost);
                lost
            })?;
            Ok((content, bytes as u64))
        };
        self.noting(self.cache.get(self.meta.name, part, read))
    }

    pub(super) fn fence(&self) -> Result<Arc<Fence>, ReadError> {
        self.decoded(Part::Fence, SectionId::Fence, |plain| {
            let fence = Fence::decode(&plain)?;
            let bytes = fence.memory_bytes();
            Ok((fence, bytes))
        })
    }

    /// The requests whose spans it was sealed from.
    pub fn requests(&self) -> Result<Requests, ReadError> {
        let section = self.section(SectionId::Requests)?;
        let stored = self.side(section.offset, section.stored_bytes)?;
        let place = (section.offset, section.stored_bytes);
        let decoded = section.unpack(&stored).and_then(|plain| Requests::decode(&plain));
        self.noting(decoded.map_err(|error| self.side_error(place, &error)))
    }

    /// What was decided about a trace; `None` when nothing is known of it, or when that cannot be read.
    pub fn verdict(&self, tenant: &Tenant, id: TraceId) -> Option<Verdict> {
        let verdicts = self.verdicts()?;
        let number = self.tenant_number(tenant)?;
        let place = self.find(number, id, &|| false).ok()??;
        verdicts.get(self.first_trace(number) + place.number).cloned()
    }

    /// The retention classes that verdicts about its traces name.
    pub fn classes(&self) -> BTreeSet<String> {
        let verdicts = self.verdicts();
        let named = verdicts.iter().flat_map(|verdicts| &verdicts.verdicts).map(|verdict| verdict.class.clone());
        named.filter(|class| !class.is_empty()).collect()
    }

    /// What was decided about the traces, by their numbers among all of the block.
    pub(crate) fn verdicts(&self) -> Option<Arc<Verdicts>> {
        self.header().ok()?.section(SectionId::Verdicts)?;
        let verdicts = self.decoded(Part::Verdicts, SectionId::Verdicts, |plain| {
            let verdicts = Verdicts::decode(&plain)?;
            let bytes = verdicts.codes.len() * 4 + verdicts.verdicts.len() * size_of::<Verdict>();
            Ok((verdicts, bytes))
        });
        verdicts.ok()
    }

    /// The traces that were left out of it, or of those that it was merged from; `None` when there were none.
    pub fn dropped(&self) -> Result<Option<Arc<Dropped>>, ReadError> {
        if self.header()?.section(SectionId::Dropped).is_none() {
            return Ok(None);
        }
        let dropped = self.decoded(Part::Dropped, SectionId::Dropped, |plain| {
            let dropped = Dropped::decode(plain.into_owned())?;
            let bytes = dropped.memory_bytes();
            Ok((dropped, bytes))
        });
        dropped.map(Some)
    }

    pub(super) fn names(&self) -> Result<Arc<Names>, ReadError> {
        self.decoded(Part::Names, SectionId::Names, |plain| {
            let names = Names::decode(&plain)?;
            let bytes = names_bytes(&names) + plain.len();
            Ok((names, bytes))
        })
    }

    pub(super) fn stored_summaries(&self) -> Result<Arc<Summaries>, ReadError> {
        self.decoded(Part::Traces, SectionId::Traces, |plain| {
            let summaries = Summaries::decode(plain.into_owned())?;
            let bytes = summaries.memory_bytes();
            Ok((summaries, bytes))
        })
    }

    pub(super) fn groups(&self) -> Result<(Arc<Groups>, Arc<Names>), ReadError> {
        let names = self.names()?;
        let groups = self.decoded(Part::Groups, SectionId::Groups, |plain| {
            let groups = Groups::decode(&plain, &names)?;
            let codes = |group: &Group| {
                (group.services.len() + group.keys.len()) * 4 + group.durations_nanos.len() * 16 + size_of::<Group>()
            };
            let bytes = groups.groups.iter().map(codes).sum();
            Ok((groups, bytes))
        })?;
        Ok((groups, names))
    }

    /// The Bloom filter of a row group.
    pub(super) fn bloom(&self, number: usize, group: &Group) -> Result<Bloom, ReadError> {
        if let Some(lost) = self.damage.lost(SectionId::Blooms) {
            return Err(lost);
        }
        let read = || {
            let section = self.section(SectionId::Blooms)?;
            let length = group.bloom.end.saturating_sub(group.bloom.start);
            let offset = section.offset.saturating_add(group.bloom.start);
            let filter = self.side(offset, length)?;
            if crc32c::crc32c(&filter) != group.bloom_checksum {
                let detail = "a Bloom filter does not match its checksum".to_owned();
                let lost = ReadError { name: self.meta.name, file: BlockFile::Side, offset, length, detail };
                self.damage.lose(SectionId::Blooms, &lost);
                return Err(lost);
            }
            Ok((filter, length))
        };
        self.noting(self.cache.get(self.meta.name, Part::Bloom(number as u32), read))
    }

    fn sums(&self) -> Result<Arc<Sums>, ReadError> {
        let sums = self.decoded(Part::Sums, SectionId::Sums, |plain| Ok((Sums::decode(&plain)?, plain.len())))?;
        if sums.file_bytes == self.meta.data_bytes {
            return Ok(sums);
        }
        let detail = format!("the checksums are those of a file of {} bytes", sums.file_bytes);
        let (offset, length) = (0, self.side_bytes);
        let lost = ReadError { name: self.meta.name, file: BlockFile::Side, offset, length, detail };
        self.damage.lose(SectionId::Sums, &lost);
        self.noting(Err(lost))
    }

    /// The Parquet file. Without its checksums it is read unverified, and the block says so among its damage.
    pub(crate) fn data(&self) -> Result<Data, ReadError> {
        let pieces = Arc::new(Pieces {
            name: self.meta.name,
            length: self.meta.data_bytes,
            ranges: Arc::clone(&self.ranges),
            sums: self.sums().ok(),
            last: Arc::default(),
        });
        let footer = self.cache.get(self.meta.name, Part::Footer, || {
            let footer = Footer::read(&pieces)?;
            let rows = footer.first_rows.last().copied().unwrap_or(0);
            if rows != self.meta.row_count {
                return Err(whole(&pieces, &format!("it has {rows} rows, not {}", self.meta.row_count)));
            }
            let bytes = footer.memory_bytes();
            Ok((footer, bytes))
        });
        Ok(Data::new(pieces, self.noting(footer)?, Arc::clone(&self.cache)))
    }

    pub(super) fn side_error(&self, (offset, length): (u64, u64), error: &dyn std::fmt::Display) -> ReadError {
        ReadError { name: self.meta.name, file: BlockFile::Side, offset, length, detail: error.to_string() }
    }

    /// Remembers the error, if it is one.
    pub(super) fn noting<T>(&self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.inspect_err(|error| self.damage.note(error))
    }
}

pub(super) fn names_bytes(names: &Names) -> usize {
    let tenants: usize = names.tenants.iter().map(|operations| operations.len() * 4).sum();
    (names.services.len() + names.operations.len() + names.keys.len()) * NAME_BYTES + tenants
}
