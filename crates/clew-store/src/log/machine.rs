//! The log's state machine: events in, effects out. It does no IO, asks no clock and has no threads.
//!
//! Group commit: whatever waits becomes one write and one sync; only then are batches made visible, and only then are
//! they acknowledged. At most one effect on the disk is under way at any time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use clew_model::RefuseReason;

use super::frame::{self, Place, SHARED_BYTES};
use super::repeat::{Known, Repeats};
use super::segment::SEGMENT_HEADER_BYTES;
use crate::{Batch, Outcome, StoreConfig};

/// What has happened.
#[derive(Debug)]
pub enum Event {
    /// A batch was offered.
    Offered {
        /// Names it from now on; never used twice.
        ticket: u64,
        /// The batch.
        batch: Arc<Batch>,
        /// Whether the live head has no room for it.
        live_full: bool,
    },
    /// Nothing more is offered for the moment: what waits is to be committed.
    Flush,
    /// The effect on the disk is done.
    Done,
    /// The effect on the disk failed.
    Failed(Failure),
    /// A batch was made visible, or could not be.
    Inserted {
        /// Which.
        ticket: u64,
        /// Whether it is visible.
        result: Inserted,
    },
    /// The log was quiet for a while.
    Idle,
    /// What was taken so far is to be sealed: the next group begins a new segment, and a new generation.
    Cut,
    /// No more offers are to be taken; what waits is to be committed.
    Stop,
    /// Nothing more will be written: the room behind the last frame goes back to the disk.
    Close,
}

/// What became of a batch that was to be made visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is visible.
    Visible,
    /// It is in the log but cannot be read.
    Unreadable,
    /// The live head failed.
    Failed,
}

/// Why an effect on the disk failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// There is no room; nothing that was synced is touched.
    Full,
    /// Anything else, in words.
    Broken(String),
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Make the next segment durable, header and name, and write to it from now on.
    CreateSegment {
        /// Position of its first byte.
        first: u64,
        /// Length of its file.
        length: u64,
    },
    /// Write to the current segment.
    Write {
        /// Offset in its file.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Sync the current segment.
    Sync,
    /// Cut the current segment behind its last frame. Whether that is durable does not matter.
    Trim {
        /// The length that is left.
        length: u64,
    },
    /// Everything before this position belongs to what is sealed next, everything after it does not. Comes once for each
    /// [`Event::Cut`], unless the log has failed.
    Cut {
        /// The end of the last frame.
        position: u64,
    },
    /// Make a batch visible, then answer that it is stored, then tell the machine.
    Insert {
        /// Which.
        ticket: u64,
    },
    /// Answer.
    Reply {
        /// Whom.
        ticket: u64,
        /// What.
        outcome: Outcome,
    },
}

/// How the log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Well.
    Well,
    /// The last try found no room on the disk.
    DiskFull,
    /// It takes nothing until a restart; why.
    Failed(String),
}

/// Where a recovered or empty log goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resume {
    /// Position after the last frame.
    pub end: u64,
    /// Sequence number of the last frame.
    pub sequence: u64,
    /// Hash and receive time of its batches, oldest first, as far as they matter for repeated requests.
    pub stored: Vec<(u128, u64)>,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    segment_bytes: u64,
    group_bytes: u64,
    disk_full_pause_nanos: u64,
    status: Status,
    stopping: bool,
    retry_at_nanos: u64,
    segment: Option<Segment>,
    /// Position after the last frame that is synced.
    end: u64,
    sequence: u64,
    marker_due: bool,
    cuts_due: u32,
    step: Step,
    waiting: VecDeque<Waiting>,
    group: Vec<Waiting>,
    group_length: u64,
    inserting: HashMap<u64, (u128, u64)>,
    repeats: Repeats,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    first: u64,
    length: u64,
}

/// The effect on the disk that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    None,
    Creating { first: u64, length: u64 },
    Writing,
    Syncing,
    Trimming,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    batch: Arc<Batch>,
    frame_bytes: u64,
}

/// A marker always finds room in the segment that holds the frames it speaks of.
const MARKER_BYTES: u64 = SHARED_BYTES as u64;

impl Machine {
    /// A machine that goes on where the log ends. Its first group begins a new segment.
    pub fn new(config: &StoreConfig, resume: Resume) -> Self {
        let mut repeats = Repeats::new(config.repeat_window.as_nanos() as u64, config.repeat_batches.max(1));
        for (hash, received_unix_nanos) in resume.stored {
            repeats.stored(hash, received_unix_nanos);
        }
        Self {
            segment_bytes: config.segment_bytes,
            group_bytes: config.group_bytes as u64,
            disk_full_pause_nanos: config.disk_full_pause.as_nanos() as u64,
            status: Status::Well,
            stopping: false,
            retry_at_nanos: 0,
            segment: None,
            end: resume.end,
            sequence: resume.sequence,
            marker_due: false,
            cuts_due: 0,
            step: Step::None,
            waiting: VecDeque::new(),
            group: Vec::new(),
            group_length: 0,
            inserting: HashMap::new(),
            repeats,
        }
    }

    /// One step. `now_nanos` is monotonic.
    pub fn apply(&mut self, event: Event, now_nanos: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Offered { ticket, batch, live_full } => {
                self.offered(ticket, batch, live_full, now_nanos, &mut effects);
            }
            Event::Flush => self.commit(&mut effects),
            Event::Stop => {
                self.stopping = true;
                self.commit(&mut effects);
            }
            Event::Idle => self.mark(&mut effects),
            Event::Cut => {
                self.cuts_due += 1;
                self.cut(&mut effects);
            }
            Event::Close => self.trim(&mut effects),
            Event::Done => self.done(&mut effects),
            Event::Failed(failure) => self.failed(failure, now_nanos, &mut effects),
            Event::Inserted { ticket, result } => self.inserted(ticket, result, &mut effects),
        }
        effects
    }

    /// How the log is.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Whether [`Event::Idle`] would write a marker.
    pub fn is_marker_due(&self) -> bool {
        self.marker_due
    }

    /// Position after the last synced frame.
    pub fn end(&self) -> u64 {
        self.end
    }

    fn offered(&mut self, ticket: u64, batch: Arc<Batch>, live_full: bool, now_nanos: u64, effects: &mut Vec<Effect>) {
        let mut refuse = |reason| effects.push(Effect::Reply { ticket, outcome: Outcome::Refused(reason) });
        if matches!(self.status, Status::Failed(_)) {
            return refuse(RefuseReason::LogFailed);
        }
        if self.stopping {
            return refuse(RefuseReason::Stopping);
        }
        let Some(frame_bytes) = frame::batch_bytes(&batch) else {
            return refuse(RefuseReason::TooLarge);
        };
        let hash = batch.body_hash;
        match self.repeats.look(hash, batch.received_unix_nanos, ticket) {
            Known::Parked => return,
            Known::Stored => return effects.push(Effect::Reply { ticket, outcome: Outcome::Repeated }),
            Known::New => {}
        }
        if live_full {
            self.repeats.forget(hash);
            return refuse(RefuseReason::LiveFull);
        }
        if self.status == Status::DiskFull && now_nanos < self.retry_at_nanos {
            self.repeats.forget(hash);
            return refuse(RefuseReason::DiskFull);
        }
        self.waiting.push_back(Waiting { ticket, batch, frame_bytes });
    }

    /// Begins the next group, or the segment for it, unless something is under way.
    fn commit(&mut self, effects: &mut Vec<Effect>) {
        let Some(first_bytes) = self.waiting.front().map(|waiting| waiting.frame_bytes) else { return };
        if self.step != Step::None {
            return;
        }
        let Some(segment) = self.segment.filter(|segment| first_bytes <= self.room(*segment)) else {
            let length = self.segment_bytes.max(SEGMENT_HEADER_BYTES as u64 + first_bytes + MARKER_BYTES);
            self.step = Step::Creating { first: self.end, length };
            effects.push(Effect::CreateSegment { first: self.end, length });
            return;
        };
        let most = self.room(segment).min(self.group_bytes.max(first_bytes));
        let mut length = 0;
        while let Some(waiting) = self.waiting.pop_front_if(|waiting| length + waiting.frame_bytes <= most) {
            length += waiting.frame_bytes;
            self.group.push(waiting);
        }
        let mut bytes = Vec::with_capacity(length as usize);
        for index in 0..self.group.len() {
            let place = self.next_place(bytes.len() as u64);
            frame::write_batch(&mut bytes, place, &self.group[index].batch);
        }
        self.write(segment, bytes, effects);
    }

    /// Writes a marker, so that the last frames lie below a position that is known to be synced.
    fn mark(&mut self, effects: &mut Vec<Effect>) {
        let Some(segment) = self.segment else { return };
        let busy = self.step != Step::None || !self.waiting.is_empty();
        if busy || !self.marker_due || matches!(self.status, Status::Failed(_)) {
            return;
        }
        let mut bytes = Vec::with_capacity(SHARED_BYTES);
        let place = self.next_place(0);
        frame::write_marker(&mut bytes, place);
        self.write(segment, bytes, effects);
    }

    /// Ends the segment, as soon as nothing is under way and a marker calls its frames synced: what the next segment's
    /// name says of them comes only when there is a next batch.
    fn cut(&mut self, effects: &mut Vec<Effect>) {
        if matches!(self.status, Status::Failed(_)) {
            self.cuts_due = 0;
        }
        if self.cuts_due == 0 || self.step != Step::None {
            return;
        }
        if self.marker_due && self.waiting.is_empty() {
            return self.mark(effects);
        }
        self.segment = None;
        self.marker_due = false;
        for _ in 0..std::mem::take(&mut self.cuts_due) {
            effects.push(Effect::Cut { position: self.end });
        }
    }

    fn trim(&mut self, effects: &mut Vec<Effect>) {
        if self.step != Step::None || matches!(self.status, Status::Failed(_)) {
            return;
        }
        let Some(segment) = self.segment.take() else { return };
        self.step = Step::Trimming;
        effects.push(Effect::Trim { length: self.end - segment.first });
    }

    fn write(&mut self, segment: Segment, bytes: Vec<u8>, effects: &mut Vec<Effect>) {
        self.group_length = bytes.len() as u64;
        self.step = Step::Writing;
        effects.push(Effect::Write { offset: self.end - segment.first, bytes });
    }

    fn done(&mut self, effects: &mut Vec<Effect>) {
        match std::mem::replace(&mut self.step, Step::None) {
            Step::None | Step::Trimming => {}
            Step::Creating { first, length } => {
                self.segment = Some(Segment { first, length });
                self.end = first + SEGMENT_HEADER_BYTES as u64;
                // The segment's name says that everything before it was synced.
                self.marker_due = false;
                self.commit(effects);
            }
            // Poisoned while it was under way: its batches were refused.
            Step::Writing | Step::Syncing if matches!(self.status, Status::Failed(_)) => {}
            Step::Writing => {
                self.step = Step::Syncing;
                effects.push(Effect::Sync);
            }
            Step::Syncing => {
                self.status = Status::Well;
                self.end += self.group_length;
                self.marker_due = !self.group.is_empty();
                for Waiting { ticket, batch, .. } in std::mem::take(&mut self.group) {
                    self.inserting.insert(ticket, (batch.body_hash, batch.received_unix_nanos));
                    effects.push(Effect::Insert { ticket });
                }
                self.cut(effects);
                self.commit(effects);
            }
        }
    }

    fn failed(&mut self, failure: Failure, now_nanos: u64, effects: &mut Vec<Effect>) {
        let step = std::mem::replace(&mut self.step, Step::None);
        match (step, failure) {
            // Nothing of the group counts: the next write begins at the same position, with higher sequence numbers.
            (Step::None | Step::Creating { .. } | Step::Writing | Step::Trimming, Failure::Full) => {
                self.status = Status::DiskFull;
                self.retry_at_nanos = now_nanos.saturating_add(self.disk_full_pause_nanos);
                self.refuse_all(RefuseReason::DiskFull, effects);
                // The marker can wait: what is sealed needs none, and sealing is what makes room.
                self.marker_due &= self.cuts_due == 0;
                self.cut(effects);
            }
            (Step::Syncing, Failure::Full) => self.poison("the disk was full at a sync".to_owned(), effects),
            (_, Failure::Broken(what)) => self.poison(what, effects),
        }
    }

    fn inserted(&mut self, ticket: u64, result: Inserted, effects: &mut Vec<Effect>) {
        let Some((hash, received_unix_nanos)) = self.inserting.remove(&ticket) else { return };
        let (parked, outcome) = match result {
            Inserted::Visible => (self.repeats.stored(hash, received_unix_nanos), Outcome::Repeated),
            Inserted::Unreadable => (self.repeats.forget(hash), Outcome::Refused(RefuseReason::Malformed)),
            Inserted::Failed => (self.repeats.forget(hash), Outcome::Refused(RefuseReason::LogFailed)),
        };
        effects.extend(parked.into_iter().map(|ticket| Effect::Reply { ticket, outcome }));
        if result == Inserted::Failed {
            self.poison("the live head failed while a batch was made visible".to_owned(), effects);
        }
    }

    /// After this nothing is taken until a restart: what a failed sync left on the disk is unknown.
    fn poison(&mut self, what: String, effects: &mut Vec<Effect>) {
        if !matches!(self.status, Status::Failed(_)) {
            self.status = Status::Failed(what);
        }
        // Nor is a marker ever written: nobody needs to wait for a quiet moment.
        self.marker_due = false;
        self.refuse_all(RefuseReason::LogFailed, effects);
    }

    fn refuse_all(&mut self, reason: RefuseReason, effects: &mut Vec<Effect>) {
        let outcome = Outcome::Refused(reason);
        for Waiting { ticket, batch, .. } in self.group.drain(..).chain(self.waiting.drain(..)) {
            effects.push(Effect::Reply { ticket, outcome });
            let parked = self.repeats.forget(batch.body_hash);
            effects.extend(parked.into_iter().map(|ticket| Effect::Reply { ticket, outcome }));
        }
    }

    fn room(&self, segment: Segment) -> u64 {
        (segment.first + segment.length).saturating_sub(self.end + MARKER_BYTES)
    }

    fn next_place(&mut self, written: u64) -> Place {
        self.sequence += 1;
        Place { position: self.end + written, sequence: self.sequence, synced: self.end }
    }
}

#[cfg(test)]
mod tests;
