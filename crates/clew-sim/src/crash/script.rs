//! What happens to a store: batches and steps from a seed.

use std::collections::BTreeMap;

use bytes::Bytes;
use clew_model::{Span, SpanId, Tenant, TraceId};
use clew_store::{Batch, Encoding, Protocol, Source, Tenants};
use clew_wire::otlp::{self, AdmitOptions, Limits};

use super::{EPOCH_UNIX_NANOS, TENANTS, drops};
use crate::seed::Seed;
use crate::workload::Workload;

/// One step of a recorded run.
#[derive(Debug, Clone)]
pub enum Step {
    /// Offer the batch of that number; some are offered twice, as by a client whose answer was lost.
    Offer(usize),
    /// Commit what waits.
    Flush,
    /// A quiet second.
    Idle,
    /// Cut the log.
    Cut,
    /// Seal the oldest generation, if it is complete.
    Seal,
    /// Delete a trace, or all that a tenant has.
    Delete(Tenant, Option<TraceId>),
    /// Pin a trace.
    Pin(Tenant, TraceId),
    /// Take the pin of a trace off, if there is one.
    Unpin(Tenant, TraceId),
    /// Remove what is over.
    Expire,
    /// Write blocks anew that hold what was deleted.
    Purge,
    /// Run the merge that is due; or commit the one that was run, whatever has happened since.
    Merge,
    /// Remove the files of removed blocks that nobody reads.
    Bury,
    /// Settle what is complete.
    Settle,
    /// So many nanoseconds pass.
    Advance(u64),
    /// The wall clock is set back so many nanoseconds.
    SetBack(u64),
    /// A reader takes the view, in place of the last reader.
    Hold,
    /// The reader is done.
    Release,
    /// Compare what the view answers with the ledger.
    Ask,
}

/// The spans of a batch that belong to one trace of one tenant: they share every fate.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Whose.
    pub tenant: Tenant,
    /// Of which trace.
    pub trace_id: TraceId,
    /// The spans, as they are stored.
    pub spans: Vec<Span>,
}

/// A run that can be repeated: its batches, and what is done with them.
#[derive(Debug, Default)]
pub struct Script {
    /// The batches.
    pub batches: Vec<Batch>,
    /// The pieces of each batch.
    pub pieces: Vec<Vec<Piece>>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// A trace that is sent bit by bit.
struct Sender {
    tenant: usize,
    spans: Vec<Span>,
    sent: usize,
}

/// Attributes of a span at most: each becomes a column of a block, and opening one takes longer than reading what is in it.
const ATTRIBUTES_MAX: usize = 2;

/// Spans of a trace at most: parts of a trace are more telling than a long one.
const TRACE_SPANS_MAX: usize = 12;

/// So that merges do not come where the workload draws.
const MERGES_SALT: u64 = 0x6d65_7267;

/// So that pins do not come there either.
const PINS_SALT: u64 = 0x7069_6e73;

/// Nor late spans.
const LATE_SALT: u64 = 0x6c61_7465;

/// One seed in so many ends with a week in which nothing is sent.
const SEEDS_A_WEEK: u64 = 8;

const DAY_NANOS: u64 = 24 * 60 * MINUTE_NANOS;

const SECOND_NANOS: u64 = 1_000_000_000;

const MINUTE_NANOS: u64 = 60_000_000_000;

/// Deletions are old enough after it for blocks to be written anew.
const PURGE_NANOS: u64 = 12 * MINUTE_NANOS;

impl Script {
    /// A run of that many group commits: offers, flushes and quiet moments only.
    pub fn of_log(seed: u64, flushes: usize) -> Self {
        let mut random = Seed::new(seed);
        let mut workload = Workload::new(random.next_u64());
        let mut script = Self::default();
        for _ in 0..flushes {
            for _ in 0..random.between(1, 4) {
                let number = script.batches.len();
                let spans = workload.next_request(random.between(1, 6) as usize, EPOCH_UNIX_NANOS);
                script.add(batch(number, &spans));
                if random.percent(15) {
                    script.steps.push(Step::Offer(random.below(number as u64 + 1) as usize));
                }
            }
            script.steps.push(Step::Flush);
            if random.percent(10) {
                script.steps.push(Step::Idle);
            }
        }
        script
    }

    /// A run in which everything happens that happens to a store.
    pub fn of_store(seed: u64) -> Self {
        let mut random = Seed::new(seed);
        let mut workload = Workload::new(random.next_u64());
        let mut senders: Vec<Sender> = (0..6).map(|_| Sender::new(&mut random, &mut workload)).collect();
        // One trace id that two tenants use, and the same spans under it.
        let twin = (senders[0].tenant + 1) % TENANTS.len();
        let spans = senders[0].spans.clone();
        senders.push(Sender { tenant: twin, spans, sent: 0 });
        let mut script = Self::default();
        let mut now = EPOCH_UNIX_NANOS;
        for _ in 0..random.between(16, 36) {
            match random.below(100) {
                0..36 => script.group(&mut random, &mut workload, &mut senders, now),
                36..44 => {
                    let nanos = SECOND_NANOS * *random.pick(&[0, 1, 31, 31, 301]);
                    now += nanos;
                    script.steps.extend([Step::Advance(nanos), Step::Settle]);
                }
                44..48 => script.steps.push(Step::Cut),
                48..62 => script.steps.extend([Step::Cut, Step::Seal]),
                62..66 => script.steps.push(Step::Seal),
                66..74 => script.delete(&mut random),
                74..77 => script.steps.push(Step::Expire),
                77..83 => {
                    now += PURGE_NANOS;
                    script.steps.extend([Step::Advance(PURGE_NANOS), Step::Purge]);
                }
                83..86 => script.steps.push(Step::Bury),
                86..88 => {
                    now -= MINUTE_NANOS / 2;
                    script.steps.push(Step::SetBack(MINUTE_NANOS / 2));
                }
                88..93 => {
                    let nanos = MINUTE_NANOS * *random.pick(&[1, 35, 70, 150]);
                    now += nanos;
                    script.steps.push(Step::Advance(nanos));
                    if random.percent(60) {
                        script.steps.push(Step::Expire);
                    }
                }
                93..95 => script.steps.push(Step::Idle),
                95..97 => script.steps.push(Step::Hold),
                97 => script.steps.push(Step::Release),
                _ => script.steps.push(Step::Ask),
            }
        }
        script.merge_between(&mut Seed::new(seed ^ MERGES_SALT));
        script.pin_between(&mut Seed::new(seed ^ PINS_SALT));
        if seed % SEEDS_A_WEEK == 5 {
            script.idle_for_a_week();
        }
        if drops(seed) {
            script.come_late(&mut Seed::new(seed ^ LATE_SALT), now);
        }
        script
    }

    /// In the end blocks are merged without what is not to be kept, and then more spans of some traces come.
    fn come_late(&mut self, random: &mut Seed, now: u64) {
        let mut now = now;
        if self.pieces.is_empty() {
            return;
        }
        for _ in 0..3 {
            let nanos = MINUTE_NANOS * *random.pick(&[65, 75, 130]);
            now += nanos;
            self.steps.extend([Step::Cut, Step::Seal, Step::Seal, Step::Advance(nanos), Step::Settle]);
            // Each is run and committed.
            self.steps.extend([const { Step::Merge }; 8]);
            let pieces: Vec<Piece> =
                (0..4).map(|_| random.pick(&self.pieces)).filter_map(|of| of.first()).cloned().collect();
            let spans = pieces.iter().filter_map(|piece| {
                let span_id = SpanId::from_u64(random.next_u64() | 1);
                let span = Span { span_id, ..piece.spans.first()?.clone() };
                Some((TENANTS.iter().position(|name| *name == piece.tenant.as_str())?, span))
            });
            let spans: Vec<(usize, Span)> = spans.collect();
            self.add(batch_of(self.batches.len(), &spans, now));
            now += 6 * MINUTE_NANOS;
            self.steps.extend([Step::Flush, Step::Ask, Step::Advance(6 * MINUTE_NANOS), Step::Settle, Step::Ask]);
        }
    }

    /// Lets traces be pinned between the other steps, in a third of the seeds; most pins are taken off again.
    fn pin_between(&mut self, random: &mut Seed) {
        if !random.percent(33) || self.pieces.is_empty() {
            return;
        }
        let mut pinned = Vec::new();
        for step in std::mem::take(&mut self.steps) {
            self.steps.push(step);
            if random.percent(6) {
                let pieces = random.pick(&self.pieces);
                let Piece { tenant, trace_id, .. } = random.pick(pieces).clone();
                pinned.push((tenant.clone(), trace_id));
                self.steps.push(Step::Pin(tenant, trace_id));
            }
            if !pinned.is_empty() && random.percent(3) {
                let (tenant, trace_id) = pinned.swap_remove(random.below(pinned.len() as u64) as usize);
                self.steps.push(Step::Unpin(tenant, trace_id));
            }
        }
    }

    /// Nothing is sent, and days pass: what there is is settled, merged, and over.
    fn idle_for_a_week(&mut self) {
        for _ in 0..7 {
            self.steps.extend([Step::Advance(DAY_NANOS), Step::Idle, Step::Cut, Step::Seal, Step::Settle]);
            self.steps.extend([Step::Merge, Step::Merge, Step::Expire, Step::Purge, Step::Bury]);
        }
        self.steps.push(Step::Ask);
    }

    /// Lets merges run and be committed between the other steps, which stay those of the seed.
    fn merge_between(&mut self, random: &mut Seed) {
        let steps = std::mem::take(&mut self.steps);
        for step in steps {
            let percent = if matches!(step, Step::Seal) { 50 } else { 10 };
            self.steps.push(step);
            if random.percent(percent) {
                self.steps.push(Step::Merge);
                // Half of them are committed at once.
                self.steps.extend(random.percent(50).then_some(Step::Merge));
            }
        }
    }

    /// Some batches that are committed together.
    fn group(&mut self, random: &mut Seed, workload: &mut Workload, senders: &mut [Sender], now: u64) {
        for _ in 0..random.between(1, 3) {
            let mut spans = Vec::new();
            for _ in 0..random.between(1, 3) {
                let at = random.below(senders.len() as u64) as usize;
                let sender = &mut senders[at];
                if sender.sent == sender.spans.len() {
                    *sender = Sender::new(random, workload);
                }
                sender.send(random, &mut spans);
            }
            self.add(batch_of(self.batches.len(), &spans, now));
            if random.percent(10) {
                self.steps.push(Step::Offer(random.below(self.batches.len() as u64) as usize));
            }
        }
        self.steps.push(Step::Flush);
    }

    fn delete(&mut self, random: &mut Seed) {
        let Some(pieces) = self.pieces.last() else { return };
        let recent = random.percent(50).then_some(pieces);
        let pieces = recent.unwrap_or_else(|| random.pick(&self.pieces));
        let Piece { tenant, trace_id, .. } = random.pick(pieces).clone();
        self.steps.push(Step::Delete(tenant, (!random.percent(25)).then_some(trace_id)));
    }

    fn add(&mut self, batch: Batch) {
        self.steps.push(Step::Offer(self.batches.len()));
        self.pieces.push(pieces(&batch));
        self.batches.push(batch);
    }
}

impl Sender {
    fn new(random: &mut Seed, workload: &mut Workload) -> Self {
        let mut spans = workload.next_trace(EPOCH_UNIX_NANOS + random.below(100) * MINUTE_NANOS);
        spans.truncate(TRACE_SPANS_MAX);
        for span in &mut spans {
            span.attributes.truncate(ATTRIBUTES_MAX);
        }
        if random.percent(10) {
            // A clock that was never set.
            spans[0].start_unix_nanos = 1 + random.below(1000);
        }
        // Children come before their parents as often as after them.
        if random.percent(50) {
            spans.reverse();
        }
        Self { tenant: random.below(TENANTS.len() as u64) as usize, spans, sent: 0 }
    }

    fn send(&mut self, random: &mut Seed, into: &mut Vec<(usize, Span)>) {
        if self.sent > 0 && random.percent(5) {
            // A span that was sent before, in another request.
            into.push((self.tenant, self.spans[random.below(self.sent as u64) as usize].clone()));
        }
        let next = (self.sent + random.between(1, 4) as usize).min(self.spans.len());
        into.extend(self.spans[self.sent..next].iter().map(|span| (self.tenant, span.clone())));
        self.sent = next;
    }
}

/// A batch of spans of the default tenant, as admitted; its number is its hash.
pub fn batch(number: usize, spans: &[Span]) -> Batch {
    let body = Bytes::from(otlp::encode(spans));
    let span_count = spans.len() as u32;
    admitted(number, body, Tenants::one(Tenant::default()), span_count, EPOCH_UNIX_NANOS)
}

/// A batch of spans of several tenants.
fn batch_of(number: usize, spans: &[(usize, Span)], received_unix_nanos: u64) -> Batch {
    // Bodies that follow each other are one body: each span has a resource of its own.
    let body: Vec<u8> = spans.iter().flat_map(|(_, span)| otlp::encode(std::slice::from_ref(span))).collect();
    let names = TENANTS.iter().map(|name| Tenant::new(name).expect("a name of letters")).collect();
    let tenants = Tenants { names, of_group: spans.iter().map(|(tenant, _)| *tenant as u16).collect() };
    admitted(number, body.into(), tenants, spans.len() as u32, received_unix_nanos)
}

fn admitted(number: usize, body: Bytes, tenants: Tenants, span_count: u32, received_unix_nanos: u64) -> Batch {
    Batch {
        protocol: Protocol::Otlp,
        encoding: Encoding::Identity,
        stored: body.clone(),
        body,
        tenants,
        rejected: Vec::new(),
        limits: Limits::default(),
        received_unix_nanos,
        body_hash: number as u128,
        span_count,
        source: Source::default(),
    }
}

/// What a batch consists of.
fn pieces(batch: &Batch) -> Vec<Piece> {
    let received_unix_nanos = batch.received_unix_nanos;
    let options = AdmitOptions { limits: batch.limits, received_unix_nanos, tenant_attribute: None };
    let groups = otlp::admit(&batch.body, &options).expect("a body that was encoded here").groups;
    let spans = otlp::spans(&batch.body, &batch.limits, received_unix_nanos, &[]).expect("the same body");
    let mut pieces: BTreeMap<(Tenant, TraceId), Vec<Span>> = BTreeMap::new();
    for (number, group) in (0_u32..).zip(&groups) {
        for ordinal in group.first_span..group.first_span + group.span_count {
            let span = spans[ordinal as usize].clone();
            pieces.entry((batch.tenants.of(number).clone(), span.trace_id)).or_default().push(span);
        }
    }
    pieces.into_iter().map(|((tenant, trace_id), spans)| Piece { tenant, trace_id, spans }).collect()
}
