//! Random histories, from few words so that they meet: one number makes all of one.

use std::fmt::Write as _;
use std::sync::Arc;

use clew_model::{
    Attribute, Event, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode, Tenant, TraceId, Value,
};
use clew_server::ask::when::to_rfc3339;

use super::chance::Chance;
use super::evaluate::service;
use super::world::{Act, Form, Sent, TENANT_ATTRIBUTE};

/// When a history begins, in unix nanoseconds.
pub(crate) const BEGIN: u64 = 1_790_000_000_000_000_000;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
const TENANTS: [&str; 3] = ["default", "a", "b"];
const SERVICES: [&str; 4] = ["shop", "cart", "pay/ments & co", "unknown_service"];
const OPERATIONS: [&str; 5] = ["", "GET /", "charge", "send", "a=b&c"];
const KEYS: [&str; 7] = ["k", "error", "service.name", "http.response.status_code", "K", "rare.key", ""];
const TEXTS: [&str; 9] =
    ["", "a", "b", "true", "7", "7.5", "NaN", "[\"a\",7]", "longer than thirty-two bytes, + % & \u{e9}"];

/// A step of a history and what is asked after it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) act: Act,
    pub(crate) asks: Vec<Ask>,
}

/// A question.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Search(Query),
    /// All pages, while `meanwhile` happens, one act after each page; `limits` are those of the pages in turn.
    Walk {
        query: Query,
        limits: Vec<usize>,
        meanwhile: Vec<Act>,
    },
    Trace {
        tenant: Tenant,
        id: TraceId,
    },
    Names {
        tenant: Tenant,
        service: String,
    },
}

/// The parameters of a search.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) tenant: Tenant,
    /// Whether the tenant is named by header, and not as a parameter.
    pub(crate) by_header: bool,
    pub(crate) services: Vec<String>,
    pub(crate) operation: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) kind: Option<Kind>,
    pub(crate) min_nanos: Option<u64>,
    pub(crate) max_nanos: Option<u64>,
    pub(crate) min_span_nanos: Option<u64>,
    pub(crate) max_span_nanos: Option<u64>,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) from: Option<When>,
    pub(crate) to: Option<When>,
    pub(crate) since_seconds: Option<u64>,
    pub(crate) sort: Option<String>,
    pub(crate) limit: Option<usize>,
    pub(crate) total: Option<String>,
}

/// An instant as a question names it.
#[derive(Debug, Clone)]
pub(crate) enum When {
    At { unix_nanos: u64, as_number: bool },
    Now,
    SecondsAgo(u64),
}

/// The history that a number makes.
pub(crate) fn history(seed: u64) -> Vec<Step> {
    let mut maker = Maker::new(Chance::new(seed), TENANTS.map(str::to_owned).to_vec());
    let step_count = 3 + maker.chance.below(10);
    (0..step_count).map(|_| maker.step()).collect()
}

/// Requests of one tenant, and of each what is asked right after it: in turn first by id, by search, by name.
pub(crate) fn sends(seed: u64, tenant: &str, count: usize) -> Vec<Step> {
    let mut maker = Maker::new(Chance::new(seed), vec![tenant.to_owned()]);
    (0..count)
        .map(|turn| {
            let sent = maker.request();
            let mut asks = maker.about(&sent);
            asks.rotate_left(turn % 3);
            Step { act: Act::Send(sent), asks: asks.to_vec() }
        })
        .collect()
}

struct Maker {
    chance: Chance,
    tenants: Vec<String>,
    /// Every span that was sent, so that questions ask for what there is.
    sent: Vec<Span>,
    bodies: Vec<Sent>,
    now: u64,
}

impl Maker {
    fn new(chance: Chance, tenants: Vec<String>) -> Self {
        Self { chance, tenants, sent: Vec::new(), bodies: Vec::new(), now: BEGIN }
    }

    fn step(&mut self) -> Step {
        let act = if self.sent.is_empty() { Act::Send(self.request()) } else { self.act() };
        let ask_count = 3 + self.chance.below(4);
        Step { act, asks: (0..ask_count).map(|_| self.ask()).collect() }
    }

    fn act(&mut self) -> Act {
        match self.chance.below(20) {
            0..12 => Act::Send(self.request()),
            12..16 => Act::Seal,
            16 => Act::Restart,
            17 => Act::Crash,
            _ => self.advance(),
        }
    }

    fn advance(&mut self) -> Act {
        let nanos = *self.chance.pick(&[1, SECOND, 60 * SECOND, 700 * SECOND, DAY - SECOND, 3 * DAY]);
        self.now += nanos;
        Act::Advance { nanos }
    }

    fn request(&mut self) -> Sent {
        if !self.bodies.is_empty() && self.chance.one_in(12) {
            // The same request again, perhaps for another tenant.
            let mut again = self.chance.pick(&self.bodies).clone();
            if self.chance.one_in(3) {
                again.tenant = self.tenant_header();
            }
            return again;
        }
        let span_count = if self.chance.one_in(4) { 0 } else { self.chance.below(16) } + 1;
        let mut spans: Vec<Span> = Vec::new();
        for _ in 0..span_count {
            let span = match self.chance.below(10) {
                0 if !self.sent.is_empty() => self.chance.pick(&self.sent).clone(),
                1 if !self.sent.is_empty() => self.nearly_sent(),
                _ => self.span(),
            };
            spans.push(span);
        }
        self.sent.extend(spans.iter().cloned());
        let form =
            *self.chance.pick(&[Form::Protobuf, Form::Protobuf, Form::Protobuf, Form::Json, Form::Gzip, Form::Zstd]);
        let sent = Sent { tenant: self.tenant_header(), form, spans };
        self.bodies.push(sent.clone());
        sent
    }

    fn tenant(&mut self) -> Tenant {
        Tenant::new(self.chance.pick(&self.tenants).as_str()).unwrap()
    }

    fn tenant_header(&mut self) -> Option<Tenant> {
        (self.tenants.len() == 1 || !self.chance.one_in(3)).then(|| self.tenant())
    }

    fn trace_id(&mut self) -> TraceId {
        // The halves of ids repeat, and one id has 64 bits.
        let (high, low) = (*self.chance.pick(&[0, 7, u64::MAX]), 1 + self.chance.below(2));
        TraceId((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
    }

    /// A span that shares its ids with one that was sent, and differs in one thing.
    fn nearly_sent(&mut self) -> Span {
        let mut span = self.chance.pick(&self.sent).clone();
        match self.chance.below(6) {
            0 => span.kind = *self.chance.pick(&Kind::ALL),
            1 => span.resource = self.resource(),
            2 => span.status = self.status(),
            3 => span.duration_nanos = self.duration(),
            4 => span.attributes.push(self.attribute()),
            _ => span.scope = self.scope(),
        }
        span.duration_nanos = span.duration_nanos.min(u64::MAX - span.start_unix_nanos);
        span
    }

    fn span(&mut self) -> Span {
        // An id of zeros is none: such a span is rejected, and its neighbours are not.
        let trace_id = if self.chance.one_in(40) { TraceId::default() } else { self.trace_id() };
        let start_unix_nanos = self.start();
        let counts = [(); 3].map(|()| if self.chance.one_in(6) { 2 } else { 0 });
        Span {
            trace_id,
            span_id: SpanId::from_u64(1 + self.chance.below(8)),
            parent_span_id: (!self.chance.one_in(3)).then(|| SpanId::from_u64(1 + self.chance.below(12))),
            trace_state: (*self.chance.pick(&["", "", "a=b"])).to_owned(),
            flags: *self.chance.pick(&[0, 0, 1, 0x301]),
            name: (*self.chance.pick(&OPERATIONS)).to_owned(),
            kind: *self.chance.pick(&Kind::ALL),
            start_unix_nanos,
            duration_nanos: self.duration().min(u64::MAX - start_unix_nanos),
            status: self.status(),
            attributes: self.attributes(5),
            dropped_attributes_count: counts[0],
            events: (0..self.few()).map(|_| self.event()).collect(),
            dropped_events_count: counts[1],
            links: (0..self.few()).map(|_| self.link()).collect(),
            dropped_links_count: counts[2],
            resource: self.resource(),
            scope: self.scope(),
            ..Span::default()
        }
    }

    fn few(&mut self) -> u64 {
        if self.chance.one_in(3) { self.chance.below(3) } else { 0 }
    }

    /// Mostly in the minute before now, now and then late, at the edges of what is odd, or at those of all numbers.
    fn start(&mut self) -> u64 {
        match self.chance.below(24) {
            0 => 1 + self.chance.below(20),
            1 => u64::MAX - self.chance.below(3),
            2 => (1 << 63) - 2 + self.chance.below(4),
            3 => self.now + DAY - 2 + self.chance.below(4),
            4 => self.now + self.chance.below(10) * DAY,
            5 => self.now - self.chance.below(10) * DAY,
            6 => 946_684_800 * SECOND - 1 + self.chance.below(2),
            _ => self.now - self.chance.below(60) * SECOND - self.chance.below(3),
        }
    }

    fn duration(&mut self) -> u64 {
        match self.chance.below(12) {
            0 => 0,
            1 => u64::MAX,
            2 => (1 << 63) - 1 + self.chance.below(2),
            3 => self.chance.below(30) * SECOND,
            _ => self.chance.below(20) * 1_000_000 + self.chance.below(2),
        }
    }

    fn status(&mut self) -> Status {
        let code = *self.chance.pick(&[StatusCode::Unset, StatusCode::Unset, StatusCode::Ok, StatusCode::Error]);
        Status { code, message: (*self.chance.pick(&["", "", "out of stock"])).to_owned() }
    }

    fn attributes(&mut self, bound: u64) -> Vec<Attribute> {
        (0..self.chance.below(bound)).map(|_| self.attribute()).collect()
    }

    fn attribute(&mut self) -> Attribute {
        let key = if self.chance.one_in(30) { "rarer" } else { *self.chance.pick(&KEYS) };
        Attribute::new(key, self.value())
    }

    fn value(&mut self) -> Value {
        match self.chance.below(16) {
            0 => Value::Empty,
            1..6 => (*self.chance.pick(&TEXTS)).into(),
            6 | 7 => self.chance.one_in(2).into(),
            8..11 => (*self.chance.pick(&[-1_i64, 0, 7, 7, 200, i64::MIN, i64::MAX])).into(),
            11..13 => (*self.chance.pick(&[-0.0, 0.0, 7.0, 7.5, 1e300, 1e-7, f64::INFINITY, f64::NAN])).into(),
            13 => Value::Bytes((0..self.chance.below(3)).map(|_| self.chance.below(256) as u8).collect()),
            14 => Value::Array(vec!["a".into(), Value::Int(7)]),
            _ => Value::Map(vec![Attribute::new("m", Value::Array(vec![Value::Empty, true.into(), f64::NAN.into()]))]),
        }
    }

    fn event(&mut self) -> Event {
        Event {
            time_unix_nanos: self.start(),
            name: (*self.chance.pick(&TEXTS)).to_owned(),
            attributes: self.attributes(3),
            dropped_attributes_count: self.chance.below(2) as u32,
        }
    }

    fn link(&mut self) -> Link {
        Link {
            trace_id: self.trace_id(),
            span_id: SpanId::from_u64(1 + self.chance.below(12)),
            trace_state: (*self.chance.pick(&["", "c=d"])).to_owned(),
            attributes: self.attributes(3),
            dropped_attributes_count: self.chance.below(2) as u32,
            flags: self.chance.below(2) as u32,
        }
    }

    fn resource(&mut self) -> Arc<Resource> {
        let mut attributes = match self.chance.below(8) {
            0 => Vec::new(),
            1 => vec![Attribute::new("service.name", ""), Attribute::new("service.name", "second")],
            2 => vec![Attribute::new("service.name", Value::Array(vec!["a".into()]))],
            _ => vec![Attribute::new("service.name", *self.chance.pick(&SERVICES))],
        };
        if self.chance.one_in(2) {
            let place = self.chance.below(attributes.len() as u64 + 1) as usize;
            let value = self.value();
            attributes.insert(place, Attribute::new("k", value));
        }
        if self.chance.one_in(2) {
            let tenant = *self.chance.pick(&TENANTS);
            attributes.push(Attribute::new(TENANT_ATTRIBUTE, tenant));
        }
        Arc::new(Resource {
            attributes,
            dropped_attributes_count: u32::from(self.chance.one_in(8)),
            schema_url: (*self.chance.pick(&["", "", "", "https://schema"])).to_owned(),
        })
    }

    fn scope(&mut self) -> Arc<Scope> {
        if self.chance.one_in(2) {
            return Arc::default();
        }
        Arc::new(Scope {
            name: (*self.chance.pick(&["", "lib"])).to_owned(),
            version: (*self.chance.pick(&["", "1.0"])).to_owned(),
            attributes: self.attributes(2),
            dropped_attributes_count: u32::from(self.chance.one_in(8)),
            schema_url: (*self.chance.pick(&["", "", "https://schema"])).to_owned(),
        })
    }

    fn ask(&mut self) -> Ask {
        match self.chance.below(12) {
            0..6 => Ask::Search(self.query()),
            6..8 => self.walk(),
            8..11 => Ask::Trace { tenant: self.tenant(), id: self.trace_id() },
            _ => {
                let names = [&SERVICES[..], &["nobody", "second"]].concat();
                Ask::Names { tenant: self.tenant(), service: (*self.chance.pick(&names)).to_owned() }
            }
        }
    }

    /// A walk over pages so small that there are several.
    fn walk(&mut self) -> Ask {
        let mut query = self.query();
        if self.chance.one_in(2) {
            // A question that more traces are an answer to.
            query = Query {
                tenant: query.tenant,
                sort: query.sort,
                since_seconds: query.since_seconds,
                ..Query::default()
            };
        }
        let limits = (0..4).map(|_| 1 + self.chance.below(2) as usize).collect();
        let meanwhile = (0..self.chance.below(4)).map(|_| self.act()).collect();
        Ask::Walk { query, limits, meanwhile }
    }

    /// By id, by search, by name: questions about a span of the request.
    fn about(&mut self, sent: &Sent) -> [Ask; 3] {
        let span = self.chance.pick(&sent.spans).clone();
        let tenant = self.tenant();
        let id = if span.trace_id == TraceId::default() { self.trace_id() } else { span.trace_id };
        let names = Ask::Names { tenant: tenant.clone(), service: service(&span) };
        [Ask::Trace { tenant, id }, Ask::Search(self.query_about(Some(&span))), names]
    }

    fn query(&mut self) -> Query {
        // Half of the questions are about a span that was sent.
        let about = self.chance.one_in(2).then(|| self.chance.pick(&self.sent).clone());
        self.query_about(about.as_ref())
    }

    fn query_about(&mut self, about: Option<&Span>) -> Query {
        let mut query = Query { tenant: self.tenant(), by_header: self.chance.one_in(2), ..Query::default() };
        if self.chance.one_in(2) {
            query.services = (0..=self.chance.below(3) * self.chance.below(2))
                .map(|_| (*self.chance.pick(&SERVICES)).to_owned())
                .collect();
            query.services.extend(about.map(service).filter(|_| self.chance.one_in(2)));
        }
        if self.chance.one_in(4) {
            let named = about.map_or(*self.chance.pick(&OPERATIONS), |span| &span.name);
            query.operation = (!named.is_empty()).then(|| named.to_owned());
        }
        if self.chance.one_in(4) {
            query.status = Some((*self.chance.pick(&["error", "ok", "unset"])).to_owned());
        }
        if self.chance.one_in(6) {
            query.kind = Some(about.map_or(*self.chance.pick(&Kind::ALL), |span| span.kind));
        }
        if self.chance.one_in(3) {
            query.attributes = self.wanted_attributes(about);
        }
        (query.min_nanos, query.max_nanos) = self.bounds(6);
        (query.min_span_nanos, query.max_span_nanos) = self.bounds(6);
        self.period(&mut query);
        let mut word = |words: &[&str]| {
            words.get(self.chance.below(words.len() as u64 + 1) as usize).map(|word| (*word).to_owned())
        };
        (query.sort, query.total) =
            (word(&["start", "-start", "duration", "-duration"]), word(&["exact", "bounded", "none"]));
        query.limit = self.chance.one_in(2).then(|| 1 + self.chance.below(4) as usize);
        query
    }

    fn wanted_attributes(&mut self, about: Option<&Span>) -> Vec<(String, String)> {
        let sent: Vec<&Attribute> = about
            .into_iter()
            .flat_map(|span| [&span.attributes, &span.resource.attributes, &span.scope.attributes])
            .flatten()
            .filter(|attribute| !attribute.key.is_empty())
            .collect();
        let mut wanted = Vec::new();
        for _ in 0..=self.chance.below(2) {
            wanted.push(if sent.is_empty() || self.chance.one_in(3) {
                let key = *self.chance.pick(&KEYS[..6]);
                (key.to_owned(), self.value().to_string())
            } else {
                let attribute = self.chance.pick(&sent);
                (attribute.key.clone(), attribute.value.to_string())
            });
        }
        wanted
    }

    /// Bounds of a length, often just what a length is.
    fn bounds(&mut self, rarity: u64) -> (Option<u64>, Option<u64>) {
        let (one, other) = (self.duration(), self.duration());
        let (low, high) = (one.min(other), one.max(other));
        // So that the decimals of a number of milliseconds say it.
        let high = if high == u64::MAX { high } else { high + self.chance.below(2) };
        (self.chance.one_in(rarity).then_some(low), self.chance.one_in(rarity).then_some(high))
    }

    fn period(&mut self, query: &mut Query) {
        match self.chance.below(10) {
            0 | 1 => query.since_seconds = Some(*self.chance.pick(&[1, 30, 3600, 5 * 86_400])),
            2 | 3 => query.from = Some(self.when()),
            _ => {}
        }
        if self.chance.one_in(5) {
            query.to = Some(self.when());
        }
    }

    fn when(&mut self) -> When {
        match self.chance.below(6) {
            0 => When::Now,
            1 => When::SecondsAgo(self.chance.below(60)),
            _ => {
                let near =
                    if self.chance.one_in(2) { self.start() } else { self.chance.pick(&self.sent).start_unix_nanos };
                When::At { unix_nanos: near.saturating_add(self.chance.below(2)), as_number: self.chance.one_in(2) }
            }
        }
    }
}

impl Query {
    /// Whether anything but its service is asked of a span.
    pub(crate) fn has_conditions(&self) -> bool {
        let Self { operation, status, kind, min_span_nanos, max_span_nanos, attributes, .. } = self;
        let is_named = operation.is_some() || status.is_some() || kind.is_some() || !attributes.is_empty();
        // That a span lasts no less than nothing is no condition.
        is_named || min_span_nanos.is_some_and(|min| min > 0) || max_span_nanos.is_some_and(|max| max < u64::MAX)
    }

    /// The path and query that ask it.
    pub(crate) fn path(&self, limit: Option<usize>, cursor: Option<&str>) -> String {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: Option<String>| pairs.extend(value.map(|value| (name.to_owned(), value)));
        add("tenant", (!self.by_header).then(|| self.tenant.to_string()));
        self.services.iter().for_each(|service| add("service", Some(service.clone())));
        add("operation", self.operation.clone());
        add("status", self.status.clone());
        add("kind", self.kind.map(|kind| kind.as_str().to_owned()));
        let millis = |nanos: u64| format!("{}.{:06}", nanos / 1_000_000, nanos % 1_000_000);
        add("minDurationMs", self.min_nanos.map(millis));
        add("maxDurationMs", self.max_nanos.map(millis));
        add("minSpanDurationMs", self.min_span_nanos.map(millis));
        add("maxSpanDurationMs", self.max_span_nanos.map(millis));
        self.attributes.iter().for_each(|(key, text)| add(&format!("attr.{key}"), Some(text.clone())));
        add("from", self.from.as_ref().map(When::text));
        add("to", self.to.as_ref().map(When::text));
        add("since", self.since_seconds.map(|seconds| format!("{seconds}s")));
        add("sort", self.sort.clone());
        add("limit", limit.map(|limit| limit.to_string()));
        add("total", self.total.clone());
        add("cursor", cursor.map(str::to_owned));
        let pairs: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        format!("/v1/traces/search?{}", pairs.join("&"))
    }
}

impl When {
    fn text(&self) -> String {
        match self {
            // Numbers below this are read as coarser units.
            Self::At { unix_nanos, as_number: true } if *unix_nanos >= 100_000_000_000_000_000 => {
                unix_nanos.to_string()
            }
            Self::At { unix_nanos, .. } => to_rfc3339(*unix_nanos),
            Self::Now => "now".to_owned(),
            Self::SecondsAgo(seconds) => format!("-{seconds}s"),
        }
    }
}

/// Percent-encoded, whatever is not a letter or a digit.
pub(crate) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").unwrap();
        }
        escaped
    })
}
