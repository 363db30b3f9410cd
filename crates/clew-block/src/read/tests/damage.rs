use clew_model::Tenant;
use clew_model::scan::{Expired, MatchedRequest, ScanRequest, SpanSource};

use super::oracle::Oracle;
use super::random::{Chance, request, tenants};
use super::{Written, shown};
use crate::BlockFile;
use crate::read::{Block, verify};
use crate::sidecar::SectionId;

const NEVER: Expired<'static> = &|| false;

/// What a whole block answers.
struct Right {
    tenant: Tenant,
    requests: Vec<ScanRequest>,
    oracle: Oracle,
}

impl Right {
    fn new(oracle: Oracle, chance: &mut Chance) -> Self {
        let tenant = oracle.0.keys().next().unwrap().clone();
        let requests = (0..3).map(|_| request(chance, &tenant)).collect();
        Self { tenant, requests, oracle }
    }

    /// Asks everything; answers that are wrong must say that something may be missing. Whether any was.
    fn ask(&self, block: &Block) -> bool {
        let mut lacks = false;
        let ids = self.oracle.ids(&self.tenant);
        let rows = block.rows(&self.tenant, &ids, NEVER).unwrap();
        let expected = self.oracle.rows(&self.tenant, &ids);
        lacks |= rows.incomplete.is_some();
        assert!(rows.incomplete.is_some() || shown(&rows.spans) == shown(&expected));
        for request in &self.requests {
            let answer = block.scan(request, NEVER).unwrap();
            lacks |= answer.incomplete.is_some();
            assert!(answer.incomplete.is_some() || answer.matches == self.oracle.scan(request));
        }
        let filters = &self.requests[0].filters;
        let asked = MatchedRequest { tenant: &self.tenant, ids: &ids, filters, shown_per_trace: 2 };
        let mut matched = block.matched(&asked, NEVER).unwrap();
        matched.traces.sort_by_key(|trace| trace.trace_id);
        lacks |= matched.incomplete.is_some();
        assert!(matched.incomplete.is_some() || matched.traces == self.oracle.matched(&asked));
        let extents = block.extents(&self.tenant, &ids, NEVER).unwrap();
        assert!(extents.incomplete.is_some() || extents.extents == self.oracle.extents(&self.tenant));
        let summaries = block.summaries(&self.tenant, &ids, NEVER).unwrap();
        assert!(summaries.incomplete.is_some() || summaries.summaries == self.oracle.summaries(&self.tenant));
        if let Ok(services) = block.services(&self.tenant) {
            assert_eq!(services, self.oracle.services(&self.tenant));
        }
        lacks
    }
}

fn written(seed: u64) -> (Written, Right) {
    let mut chance = Chance(seed);
    let oracle = Oracle(tenants(&mut chance, 12));
    (Written::of(&oracle.0, 32, 8), Right::new(oracle, &mut chance))
}

/// Changes each `step`th byte of a file in turn.
fn flip(written: &Written, file: BlockFile, step: usize, mut ask: impl FnMut(&Block, usize)) {
    let whole = written.files.bytes(file);
    for at in (0..whole.len()).step_by(step) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1 << (at % 8);
        written.files.replace(file, bytes);
        ask(&written.open(), at);
    }
    written.files.replace(file, whole);
}

#[test]
fn a_changed_byte_is_never_a_wrong_answer_in_silence() {
    let (written, right) = written(31);
    assert!(!right.ask(&written.open()));
    flip(&written, BlockFile::Side, 3, |block, at| {
        let lacks = right.ask(block);
        assert!(!lacks, "byte {at}: what the sidecar lost is made up for");
    });
    // One piece has one checksum, so its bytes are alike.
    flip(&written, BlockFile::Data, 211, |block, at| {
        right.ask(block);
        verify(block);
        assert!(block.damage().iter().any(|place| place.file == BlockFile::Data), "byte {at}");
    });
}

#[test]
fn bytes_that_nothing_vouches_for_cause_no_panic() {
    let (written, right) = written(32);
    let written = written.without(SectionId::Sums);
    let ids = right.oracle.ids(&right.tenant);
    flip(&written, BlockFile::Data, 17, |block, _| {
        let _ = block.rows(&right.tenant, &ids, NEVER);
        for request in &right.requests {
            let _ = block.scan(request, NEVER);
        }
        assert!(!block.damage().is_empty());
    });
}

#[test]
fn a_file_that_is_cut_is_never_a_wrong_answer_in_silence() {
    let (written, right) = written(33);
    for (file, step) in [(BlockFile::Side, 31), (BlockFile::Data, 1009)] {
        let whole = written.files.bytes(file);
        for length in (0..whole.len()).step_by(step) {
            written.files.replace(file, whole.slice(..length));
            let block = written.open();
            right.ask(&block);
            assert!(!verify(&block).is_empty(), "{file:?} of {length} bytes");
        }
        written.files.replace(file, whole);
    }
}

#[test]
fn what_can_still_be_read_is_read() {
    let mut chance = Chance(34);
    let oracle = Oracle(tenants(&mut chance, 900));
    let written = Written::of(&oracle.0, 1000, 100);
    let whole = written.files.bytes(BlockFile::Data);
    let mut bytes = whole.to_vec();
    let at = bytes.len() / 3;
    bytes[at] ^= 0x10;
    written.files.replace(BlockFile::Data, bytes);
    let block = written.open();
    let mut found = 0;
    let mut lost = Vec::new();
    for tenant in oracle.0.keys() {
        lost.extend(block.for_each_trace(Some(tenant), |_, _, spans| {
            found += spans.len();
            Ok::<_, ()>(())
        }));
    }
    let all: usize = oracle.0.values().map(Vec::len).sum();
    let lost: Vec<_> = lost.into_iter().flatten().collect();
    assert!(!lost.is_empty() && lost.iter().all(|place| place.offset <= at as u64));
    assert!(found < all && found > all / 2, "{found} of {all}");
    assert!(block.damage().len() <= 64);
    let problems = verify(&block);
    assert!(problems.iter().any(|problem| problem.to_string().contains("checksum")), "{problems:?}");
}
