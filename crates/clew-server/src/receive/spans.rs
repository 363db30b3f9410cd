//! From a body to an acknowledgement: decompress, admit, find the tenants, offer to the store, wait for its reply.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use clew_model::{Notes, RefuseReason, RejectReason, Tenant};
use clew_store::{Batch, Encoding, Outcome, Protocol, Source, Tenants};
use clew_wire::otlp::{Admission, AdmitOptions, Group, NoteCounts};
use clew_wire::{otlp, otlp_json};
use tokio::sync::oneshot;
use xxhash_rust::xxh3::Xxh3;

use super::Envelope;
use super::answer::PartialSuccess;
use super::in_flight::Hold;
use super::inflate::inflate;
use super::refusal::Refusal;
use super::signal::Syntax;
use crate::app::App;
use crate::hints::{Example, Hint, first_odd_time};
use crate::tenants::Quota;

/// An admitted body.
struct Admitted {
    body: Bytes,
    received_unix_nanos: u64,
    admission: Admission,
    envelope: Envelope,
}

/// Stores the spans of a request and waits until they are durable and visible.
pub(super) async fn store(app: &Arc<App>, envelope: Envelope, heavy: bool) -> Result<PartialSuccess, Refusal> {
    let admitted = if heavy {
        let app = Arc::clone(app);
        let admitted = tokio::task::spawn_blocking(move || admit(&app, envelope)).await;
        admitted.map_err(|_| Refusal::new(RefuseReason::Malformed).because("it cannot be processed"))??
    } else {
        admit(app, envelope)?
    };
    let shares = Shares::of(app, &admitted)?;
    let admission = &admitted.admission;
    let partial = PartialSuccess::of_spans(admission.span_count, &shares.rejected, &admission.notes);
    if partial.rejected == u64::from(admission.span_count) {
        shares.count(app, &NoteCounts::default());
        return Ok(partial);
    }
    let span_count = admission.span_count;
    match offer(app, admitted, shares).await {
        Outcome::Stored | Outcome::Repeated => Ok(partial),
        Outcome::Refused(reason) => Err(Refusal::new(reason).of_spans(span_count)),
    }
}

fn admit(app: &App, mut envelope: Envelope) -> Result<Admitted, Refusal> {
    let request_bytes = app.config.request_bytes;
    let mut body = inflate(envelope.encoding, &envelope.body, request_bytes, &mut envelope.hold)?;
    if envelope.syntax == Syntax::Json {
        envelope.hold.try_grow_to(envelope.hold.bytes() + body.len())?;
        let translated = otlp_json::to_protobuf(&body);
        body = translated.map_err(|error| Refusal::from(error).looking_at(envelope.syntax, &body))?.into();
    }
    let received_unix_nanos = app.clock.unix_nanos();
    // A tenant by token or header goes before any that a resource names.
    let tenant_attribute = app.config.tenant_attribute.as_deref().filter(|_| envelope.tenant.is_none());
    let options = AdmitOptions { limits: app.config.limits, received_unix_nanos, tenant_attribute };
    let admission = otlp::admit(&body, &options);
    let admission = admission.map_err(|error| Refusal::from(error).looking_at(envelope.syntax, &body))?;
    let admitted = Admitted { body, received_unix_nanos, admission, envelope };
    notice(app, &admitted);
    Ok(admitted)
}

/// Counts the usual mistakes that the spans of a body show.
fn notice(app: &App, admitted: &Admitted) {
    let Admitted { body, received_unix_nanos, admission, envelope } = admitted;
    let example = |detail: String| Example::new(envelope.place, envelope.agent.as_ref(), detail);
    let plain = || example(String::new());
    let noted = |wanted: Notes| {
        let counts = Notes::NAMES.iter().zip(admission.notes.0);
        counts.filter(|((note, _), _)| *note == wanted).map(|(_, count)| u64::from(count)).sum()
    };
    let odd = || example(first_odd_time(body, &app.config.limits, *received_unix_nanos));
    app.notice(Hint::OddTimes, noted(Notes::ODD_TIME), odd);
    app.notice(Hint::MissingServiceName, noted(Notes::NO_SERVICE), plain);
    let rejected = |reasons: &[RejectReason]| {
        admission.rejected.iter().filter(|rejected| reasons.contains(&rejected.reason)).count() as u64
    };
    app.notice(Hint::MissingStart, rejected(&[RejectReason::MissingStart]), plain);
    app.notice(Hint::BadIds, rejected(&[RejectReason::BadTraceId, RejectReason::BadSpanId]), plain);
}

async fn offer(app: &Arc<App>, admitted: Admitted, shares: Shares) -> Outcome {
    let Admitted { body, received_unix_nanos, admission, envelope } = admitted;
    let complete_nanos = envelope.complete_nanos;
    let (batch, hold) = batch(app, body, received_unix_nanos, &admission, envelope, &shares);
    let (sender, receiver) = oneshot::channel();
    let app_then = Arc::clone(app);
    let reply = move |outcome| {
        // Here, not after the wait, so that a sender that has left changes no count.
        match outcome {
            Outcome::Stored => {
                shares.count(&app_then, &admission.notes);
                app_then.figures.store(received_unix_nanos);
            }
            Outcome::Repeated => {}
            Outcome::Refused(_) => shares.give_back(),
        }
        if !matches!(outcome, Outcome::Refused(_)) {
            app_then.figures.ack.observe_nanos(app_then.clock.monotonic_nanos().saturating_sub(complete_nanos));
        }
        drop(hold);
        // The sender's connection may be gone; the batch is stored all the same.
        let _ = sender.send(outcome);
    };
    app.store.offer(batch, Box::new(reply));
    receiver.await.unwrap_or(Outcome::Refused(RefuseReason::Stopping))
}

fn batch(
    app: &App,
    body: Bytes,
    received_unix_nanos: u64,
    admission: &Admission,
    envelope: Envelope,
    shares: &Shares,
) -> (Batch, Hold) {
    let (protocol, encoding, stored) = match envelope.syntax {
        Syntax::Protobuf => (Protocol::Otlp, envelope.encoding, envelope.body.clone()),
        Syntax::Json => (Protocol::OtlpJson, Encoding::Identity, body.clone()),
    };
    let batch = Batch {
        protocol,
        encoding,
        stored,
        body,
        body_hash: body_hash(&envelope, shares),
        tenants: shares.tenants.clone(),
        span_count: admission.span_count - shares.rejected.len() as u32,
        rejected: shares.rejected.clone(),
        limits: app.config.limits,
        received_unix_nanos,
        source: Source::default(),
    };
    (batch, envelope.hold)
}

/// What a request is known by when it is sent again. Spans that were rejected for what the server held at the time, not
/// for what they are, belong to it: the same body with fewer of them is not the same batch.
fn body_hash(envelope: &Envelope, shares: &Shares) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(envelope.tenant.as_ref().map_or("", Tenant::as_str).as_bytes());
    hasher.update(b"\0");
    hasher.update(&envelope.body);
    let of_this_server = |reason| matches!(reason, RejectReason::TenantQuota | RejectReason::TooManyTenants);
    for (ordinal, _) in shares.rejected.iter().filter(|(_, reason)| of_this_server(*reason)) {
        hasher.update(&ordinal.to_le_bytes());
    }
    hasher.digest128()
}

/// Who sent how much of a batch, and what of it is kept.
struct Shares {
    tenants: Tenants,
    /// For each tenant: spans kept, spans rejected by reason, and the quota that the kept ones were taken from.
    counts: Vec<Share>,
    /// By rising ordinal.
    rejected: Vec<(u32, RejectReason)>,
}

#[derive(Clone, Default)]
struct Share {
    kept: u32,
    rejected: [u32; RejectReason::ALL.len()],
    quota: Option<Arc<Quota>>,
}

impl Shares {
    /// Lets the batch's tenants in and takes their quotas. Spans of a tenant that may not send them now are rejected;
    /// when that would be all, the request is refused, because a later retry helps.
    fn of(app: &App, admitted: &Admitted) -> Result<Self, Refusal> {
        let admission = &admitted.admission;
        let tenants = tenants_of(admitted.envelope.tenant.as_ref(), &admission.groups)?;
        let rejected = admission.rejected.iter().map(|rejected| (rejected.ordinal, rejected.reason)).collect();
        let mut shares = Self { counts: Vec::new(), tenants, rejected };
        shares.tally(&admission.groups, admission.span_count);
        let mut turned_away = HashMap::new();
        let mut refusal = None;
        for (index, (share, tenant)) in shares.counts.iter_mut().zip(&shares.tenants.names).enumerate() {
            if share.kept == 0 {
                continue;
            }
            match take(app, tenant, share.kept) {
                Ok(quota) => share.quota = Some(quota),
                Err((reason, refused)) => {
                    turned_away.insert(index, reason);
                    refusal = refusal.or(Some(refused));
                }
            }
        }
        if let Some(refusal) = refusal {
            if shares.counts.iter().all(|share| share.quota.is_none()) {
                return Err(refusal.of_spans(admission.span_count));
            }
            shares.reject_groups(&admission.groups, &turned_away);
            shares.tally(&admission.groups, admission.span_count);
        }
        Ok(shares)
    }

    fn reject_groups(&mut self, groups: &[Group], turned_away: &HashMap<usize, RejectReason>) {
        let mut rejected: HashMap<u32, RejectReason> = self.rejected.iter().copied().collect();
        for (group, index) in groups.iter().zip(&self.tenants.of_group) {
            if let Some(reason) = turned_away.get(&usize::from(*index)) {
                for ordinal in group.first_span..group.first_span + group.span_count {
                    rejected.entry(ordinal).or_insert(*reason);
                }
            }
        }
        self.rejected = rejected.into_iter().collect();
        self.rejected.sort_unstable_by_key(|(ordinal, _)| *ordinal);
    }

    /// Counts kept and rejected spans for each tenant.
    fn tally(&mut self, groups: &[Group], span_count: u32) {
        self.counts.resize(self.tenants.names.len(), Share::default());
        for share in &mut self.counts {
            (share.kept, share.rejected) = (0, Default::default());
        }
        let whole = [Group { tenant: None, first_span: 0, span_count }];
        let groups = if self.tenants.of_group.is_empty() { &whole[..] } else { groups };
        let mut rejected = self.rejected.iter().peekable();
        for (position, group) in groups.iter().enumerate() {
            let index = self.tenants.of_group.get(position).map_or(0, |index| usize::from(*index));
            let share = &mut self.counts[index];
            share.kept += group.span_count;
            let end = group.first_span + group.span_count;
            while let Some((_, reason)) = rejected.next_if(|(ordinal, _)| *ordinal < end) {
                share.kept -= 1;
                if let Some(place) = RejectReason::ALL.iter().position(|other| other == reason) {
                    share.rejected[place] += 1;
                }
            }
        }
    }

    /// Counts what was stored and what was not.
    fn count(&self, app: &App, notes: &NoteCounts) {
        app.figures.note(notes);
        for (share, tenant) in self.counts.iter().zip(&self.tenants.names) {
            let figures = app.figures.tenant(tenant);
            figures.received.add(u64::from(share.kept));
            for (reason, count) in RejectReason::ALL.into_iter().zip(share.rejected) {
                figures.reject(reason, u64::from(count));
            }
        }
    }

    fn give_back(&self) {
        for share in &self.counts {
            if let Some(quota) = &share.quota {
                quota.give_back(share.kept);
            }
        }
    }
}

/// Lets a tenant in and takes from its quota.
fn take(app: &App, tenant: &Tenant, span_count: u32) -> Result<Arc<Quota>, (RejectReason, Refusal)> {
    let Some(quota) = app.tenants.enter(tenant) else {
        return Err((RejectReason::TooManyTenants, Refusal::new(RefuseReason::TooManyTenants)));
    };
    match quota.take(span_count, app.clock.monotonic_nanos()) {
        Ok(()) => Ok(quota),
        Err(wait) => Err((RejectReason::TenantQuota, Refusal::new(RefuseReason::TenantQuota).retry_after(wait))),
    }
}

/// The tenant of each group: the request's, or else the one that its resource names, or else the default.
fn tenants_of(named: Option<&Tenant>, groups: &[Group]) -> Result<Tenants, Refusal> {
    if named.is_some() || groups.iter().all(|group| group.tenant.is_none()) {
        return Ok(Tenants::one(named.cloned().unwrap_or_default()));
    }
    let mut tenants = Tenants { names: Vec::new(), of_group: Vec::with_capacity(groups.len()) };
    let mut indexes = HashMap::new();
    for group in groups {
        let tenant = group.tenant.clone().unwrap_or_default();
        let index = *indexes.entry(tenant.clone()).or_insert_with(|| {
            tenants.names.push(tenant);
            tenants.names.len() - 1
        });
        let index = u16::try_from(index).map_err(|_| Refusal::new(RefuseReason::TooManyTenants))?;
        tenants.of_group.push(index);
    }
    Ok(tenants)
}
