//! Writes spans as a story is told: time moves as work is done, calls open and close spans, failures travel upwards.

use clew_model::{Attribute, Event, Kind, Link, Span, SpanId, StatusCode, TraceId, Value};

use super::fleet::{Fleet, Service};
use crate::seed::Seed;

/// Why a call failed; travels up through its callers.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// `exception.type`.
    pub(super) exception: &'static str,
    /// The words.
    pub(super) message: String,
    /// gRPC's status code.
    pub(super) grpc_code: i64,
}

/// How a call ended.
pub(super) type Reply = Result<(), Failure>;

/// A message in Kafka: the span that sent it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    span_id: SpanId,
    partition: i64,
    offset: i64,
}

/// Writes one trace.
pub(super) struct Tracer<'a> {
    fleet: &'a Fleet,
    /// Chance within this trace.
    pub(super) seed: Seed,
    /// Ids: they follow the time too, so that the same shop, opened again, does not send the same traces again.
    ids: Seed,
    trace_id: TraceId,
    spans: Vec<(Service, Span)>,
    open: Vec<usize>,
    now_unix_nanos: u64,
}

impl<'a> Tracer<'a> {
    pub(super) fn new(fleet: &'a Fleet, mut seed: Seed, now_unix_nanos: u64) -> Self {
        let mut ids = Seed::new(seed.next_u64() ^ now_unix_nanos);
        let trace_id = TraceId(ids.bytes());
        Self { fleet, seed, ids, trace_id, spans: Vec::new(), open: Vec::new(), now_unix_nanos }
    }

    /// The spans, by the clocks of their hosts.
    pub(super) fn finish(self) -> Vec<Span> {
        let by_host_clock = |(service, mut span): (Service, Span)| {
            let ahead = service.clock_ahead_nanos();
            span.start_unix_nanos += ahead;
            span.events.iter_mut().for_each(|event| event.time_unix_nanos += ahead);
            span
        };
        self.spans.into_iter().map(by_host_clock).collect()
    }

    /// Time passes in the open span: about that long.
    pub(super) fn work(&mut self, micros: u64) {
        self.now_unix_nanos += self.seed.around(micros * 1000);
    }

    /// A span of `service` under the open one, around `body`.
    pub(super) fn span(
        &mut self,
        service: Service,
        kind: Kind,
        name: &str,
        body: impl FnOnce(&mut Self) -> Reply,
    ) -> Reply {
        let (resource, scope) = self.fleet.member(service);
        let span = Span {
            trace_id: self.trace_id,
            span_id: SpanId(self.ids.bytes()),
            parent_span_id: self.open.last().map(|index| self.spans[*index].1.span_id),
            flags: 0x101,
            name: name.to_owned(),
            kind,
            start_unix_nanos: self.now_unix_nanos,
            resource,
            scope,
            ..Span::default()
        };
        self.open.push(self.spans.len());
        self.spans.push((service, span));
        let reply = body(self);
        let index = self.open.pop().expect("this span was opened above");
        let span = &mut self.spans[index].1;
        span.duration_nanos = self.now_unix_nanos.saturating_sub(span.start_unix_nanos).max(1_000);
        if let Err(failure) = &reply {
            span.status.code = StatusCode::Error;
            span.status.message.clone_from(&failure.message);
        }
        reply
    }

    /// An attribute of the open span.
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.current().attributes.push(Attribute::new(key, value));
    }

    /// An event of the open span, now.
    pub(super) fn event(&mut self, name: &str, attributes: Vec<Attribute>) {
        let time_unix_nanos = self.now_unix_nanos;
        self.current().events.push(Event { time_unix_nanos, name: name.to_owned(), attributes, ..Event::default() });
    }

    /// An exception thrown in the open span.
    pub(super) fn throw(&mut self, failure: Failure, stack: &str) -> Reply {
        let attributes = vec![
            Attribute::new("exception.type", failure.exception),
            Attribute::new("exception.message", failure.message.as_str()),
            Attribute::new("exception.stacktrace", format!("{}: {}\n{stack}", failure.exception, failure.message)),
        ];
        self.event("exception", attributes);
        Err(failure)
    }

    /// Two things at once; the time that passes is the longer one's.
    pub(super) fn together(
        &mut self,
        first: impl FnOnce(&mut Self) -> Reply,
        second: impl FnOnce(&mut Self) -> Reply,
    ) -> Reply {
        let begin = self.now_unix_nanos;
        let first_reply = first(self);
        let first_end = std::mem::replace(&mut self.now_unix_nanos, begin);
        let second_reply = second(self);
        self.now_unix_nanos = self.now_unix_nanos.max(first_end);
        first_reply.and(second_reply)
    }

    /// Something that begins `micros` from now, while the story goes on here.
    pub(super) fn later(&mut self, micros: u64, body: impl FnOnce(&mut Self) -> Reply) {
        let here = self.now_unix_nanos;
        self.work(micros);
        // A failure after the reply has nobody to travel to; it is on its own span.
        let _ = body(self);
        self.now_unix_nanos = here;
    }

    /// An HTTP call from the open span's service to `to`.
    pub(super) fn http(
        &mut self,
        to: Service,
        method: &str,
        route: &str,
        body: impl FnOnce(&mut Self) -> Reply,
    ) -> Reply {
        let from = self.service();
        let (host, port) = (to.name(), to.port());
        self.span(from, Kind::Client, method, |t| {
            t.set("http.request.method", method);
            t.set("url.full", format!("http://{host}:{port}{route}"));
            t.set("server.address", host);
            t.set("server.port", port);
            t.work(180);
            let reply = t.span(to, Kind::Server, &format!("{method} {route}"), |t| {
                t.set("http.request.method", method);
                t.set("http.route", route);
                t.set("url.path", route);
                t.set("url.scheme", "http");
                t.set("network.protocol.version", "1.1");
                t.set("client.address", format!("10.244.1.{}", 10 + from as i64));
                t.set("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
                t.work(120);
                let reply = body(t);
                t.set("http.response.status_code", http_status(&reply));
                reply
            });
            t.work(150);
            t.set("http.response.status_code", http_status(&reply));
            reply
        })
    }

    /// A gRPC call from the open span's service to `to`.
    pub(super) fn grpc(
        &mut self,
        to: Service,
        service: &str,
        method: &str,
        body: impl FnOnce(&mut Self) -> Reply,
    ) -> Reply {
        let from = self.service();
        let name = format!("{service}/{method}");
        let describe = |t: &mut Self| {
            t.set("rpc.system", "grpc");
            t.set("rpc.service", service);
            t.set("rpc.method", method);
            t.set("server.address", to.name());
            t.set("server.port", to.port());
        };
        self.span(from, Kind::Client, &name, |t| {
            describe(t);
            t.work(140);
            let reply = t.span(to, Kind::Server, &name, |t| {
                describe(t);
                t.set("network.peer.address", format!("10.244.1.{}", 10 + from as i64));
                t.work(60);
                let reply = body(t);
                t.set("rpc.grpc.status_code", grpc_status(&reply));
                reply
            });
            t.work(110);
            t.set("rpc.grpc.status_code", grpc_status(&reply));
            reply
        })
    }

    /// A query of the open span's service to PostgreSQL.
    pub(super) fn select(&mut self, table: &str, statement: &str, micros: u64) -> Reply {
        let from = self.service();
        let operation = statement.split(' ').next().unwrap_or_default();
        self.span(from, Kind::Client, &format!("{operation} {table}"), |t| {
            t.set("db.system.name", "postgresql");
            t.set("db.namespace", "shop");
            t.set("db.operation.name", operation);
            t.set("db.collection.name", table);
            t.set("db.query.text", statement);
            t.set("server.address", "postgresql");
            t.set("server.port", 5432_i64);
            t.work(micros);
            Ok(())
        })
    }

    /// A command of the open span's service to Valkey.
    pub(super) fn valkey(&mut self, command: &str, micros: u64) -> Reply {
        let from = self.service();
        self.span(from, Kind::Client, command, |t| {
            t.set("db.system.name", "redis");
            t.set("db.operation.name", command);
            t.set("db.query.text", format!("{command} cart:?"));
            t.set("server.address", "valkey-cart");
            t.set("server.port", 6379_i64);
            t.work(micros);
            Ok(())
        })
    }

    /// A message to a Kafka topic.
    pub(super) fn publish(&mut self, topic: &str) -> Message {
        let from = self.service();
        let partition = self.seed.below(3) as i64;
        let offset = self.seed.between(10_000, 99_999) as i64;
        let mut message = Message { span_id: SpanId::default(), partition, offset };
        let sent = self.span(from, Kind::Producer, &format!("publish {topic}"), |t| {
            message.span_id = t.current().span_id;
            t.set("messaging.operation.name", "publish");
            t.set("messaging.operation.type", "send");
            t.describe_message(topic, message);
            t.work(1_400);
            Ok(())
        });
        debug_assert!(sent.is_ok());
        message
    }

    /// The work on a Kafka message: a consumer span, child of the sender and linked to it.
    pub(super) fn consume(
        &mut self,
        by: Service,
        topic: &str,
        message: Message,
        body: impl FnOnce(&mut Self) -> Reply,
    ) -> Reply {
        let trace_id = self.trace_id;
        self.span(by, Kind::Consumer, &format!("process {topic}"), |t| {
            t.current().parent_span_id = Some(message.span_id);
            t.current().links.push(Link { trace_id, span_id: message.span_id, ..Link::default() });
            t.set("messaging.operation.name", "process");
            t.set("messaging.operation.type", "process");
            t.set("messaging.consumer.group.name", by.name());
            t.describe_message(topic, message);
            body(t)
        })
    }

    fn describe_message(&mut self, topic: &str, message: Message) {
        self.set("messaging.system", "kafka");
        self.set("messaging.destination.name", topic);
        self.set("messaging.destination.partition.id", message.partition.to_string());
        self.set("messaging.kafka.offset", message.offset);
        self.set("server.address", "kafka");
    }

    fn service(&self) -> Service {
        let index = *self.open.last().expect("a call is made from within a span");
        self.spans[index].0
    }

    fn current(&mut self) -> &mut Span {
        let index = *self.open.last().expect("only an open span is described");
        &mut self.spans[index].1
    }
}

fn http_status(reply: &Reply) -> i64 {
    if reply.is_ok() { 200 } else { 500 }
}

fn grpc_status(reply: &Reply) -> i64 {
    reply.as_ref().map_or_else(|failure| failure.grpc_code, |()| 0)
}
