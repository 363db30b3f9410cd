//! What a span's attributes say about the other side of a call.

use clew_model::{Attribute, Kind, Span, Value};

use crate::Connection;

/// What the attributes of one span say. Texts stay where they are: it knows their places, so that it is small, and can be kept
/// in lists that are used for one trace after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peer {
    /// Whether it receives messages, by the name of its operation.
    pub(crate) is_receiver: bool,
    has_db: bool,
    has_messaging: bool,
    has_rpc: bool,
    has_http: bool,
    /// Of each [`Word`] the place of its attribute, plus one; 0 of those that there are none of.
    places: [u32; Word::COUNT],
}

/// What an attribute may be read for; `Old` are names of earlier conventions.
#[derive(Debug, Clone, Copy)]
enum Word {
    DbSystem,
    DbSystemOld,
    DbNamespace,
    DbNamespaceOld,
    Destination,
    DestinationOld,
    MessagingSystem,
    Service,
    Address,
    Port,
    NetName,
    NetworkAddress,
}

impl Word {
    const COUNT: usize = Self::NetworkAddress as usize + 1;
}

impl Peer {
    /// Reads the attributes once. Of several names for one thing, today's counts before those of earlier conventions; of
    /// repeated keys the first; empty texts are none.
    pub(crate) fn of(span: &Span) -> Self {
        let mut peer = Self { has_messaging: matches!(span.kind, Kind::Producer | Kind::Consumer), ..Self::default() };
        for (place, Attribute { key, value }) in (1..).zip(&span.attributes) {
            let Some(word) = peer.word(key, value) else { continue };
            let slot = &mut peer.places[word as usize];
            let counts = matches!(word, Word::Port) || value.as_str().is_some_and(|text| !text.is_empty());
            if *slot == 0 && counts {
                *slot = place;
            }
        }
        peer
    }

    /// What a key is read for. What it says by itself is noted.
    fn word(&mut self, key: &str, value: &Value) -> Option<Word> {
        // By the first letter, since most keys are none of these.
        match key.as_bytes().first()? {
            b'd' => {
                let rest = key.strip_prefix("db.")?;
                self.has_db = true;
                match rest {
                    "system.name" => Some(Word::DbSystem),
                    "system" => Some(Word::DbSystemOld),
                    "namespace" => Some(Word::DbNamespace),
                    "name" => Some(Word::DbNamespaceOld),
                    _ => None,
                }
            }
            b'm' => {
                let rest = key.strip_prefix("messaging.")?;
                self.has_messaging = true;
                match rest {
                    "destination.name" => Some(Word::Destination),
                    "destination" => Some(Word::DestinationOld),
                    "system" => Some(Word::MessagingSystem),
                    "operation.type" | "operation" => {
                        self.is_receiver |= value.as_str() == Some("receive");
                        None
                    }
                    _ => None,
                }
            }
            b'r' => {
                self.has_rpc |= key.starts_with("rpc.");
                None
            }
            b'h' | b'u' => {
                self.has_http |= key.starts_with("http.") || key.starts_with("url.");
                None
            }
            b's' => match key {
                "server.address" => Some(Word::Address),
                "server.port" => Some(Word::Port),
                _ => None,
            },
            b'p' => (key == "peer.service").then_some(Word::Service),
            b'n' => match key {
                "net.peer.name" => Some(Word::NetName),
                "network.peer.address" => Some(Word::NetworkAddress),
                _ => None,
            },
            _ => None,
        }
    }

    /// In what way two sides reach each other, by what either says.
    pub(crate) fn connection(&self, other: &Self) -> Connection {
        if self.has_db || other.has_db {
            Connection::Database
        } else if self.has_messaging || other.has_messaging {
            Connection::Messaging
        } else if self.has_rpc || other.has_rpc {
            Connection::Rpc
        } else if self.has_http || other.has_http {
            Connection::Http
        } else {
            Connection::Other
        }
    }

    /// A name for the other side, of which there is no span. One that is put together stands in `room`.
    pub(crate) fn name<'n>(&self, span: &'n Span, room: &'n mut String) -> Option<&'n str> {
        if self.is_database() {
            self.database_name(span, room)
        } else {
            self.messaging_name(span).or_else(|| self.host_name(span, room))
        }
    }

    /// Whether a span above is the same call as the one with these attributes, seen from further away: an operation of a
    /// database or of a broker over what carries it, or a call over another to the same host. Each comes with its span.
    pub(crate) fn is_carrier_of(&self, span: &Span, above: &Self, above_span: &Span) -> bool {
        if self.is_database() || above.is_database() {
            return above.is_database();
        }
        if self.has_messaging || above.has_messaging {
            return above.has_messaging;
        }
        let host = self.text(span, Word::Address).or_else(|| self.text(span, Word::NetName));
        let above_host = || above.text(above_span, Word::Address).or_else(|| above.text(above_span, Word::NetName));
        host.is_some() && host == above_host()
    }

    fn is_database(&self) -> bool {
        [Word::DbSystem, Word::DbSystemOld, Word::DbNamespace, Word::DbNamespaceOld].iter().any(|word| self.has(*word))
    }

    fn has(&self, word: Word) -> bool {
        self.places[word as usize] != 0
    }

    fn value<'s>(&self, span: &'s Span, word: Word) -> Option<&'s Value> {
        let place = self.places[word as usize].checked_sub(1)?;
        Some(&span.attributes.get(place as usize)?.value)
    }

    fn text<'s>(&self, span: &'s Span, word: Word) -> Option<&'s str> {
        self.value(span, word).and_then(Value::as_str)
    }

    fn database_name<'n>(&self, span: &'n Span, room: &'n mut String) -> Option<&'n str> {
        let text = |word| self.text(span, word);
        if self.has(Word::Service) {
            return text(Word::Service);
        }
        let system = text(Word::DbSystem).or_else(|| text(Word::DbSystemOld));
        match (system, text(Word::DbNamespace).or_else(|| text(Word::DbNamespaceOld))) {
            (Some(system), Some(namespace)) => Some(joined(room, system, "/", namespace)),
            (None, Some(namespace)) => Some(namespace),
            (system, None) => {
                let host = text(Word::Address).or_else(|| text(Word::NetName));
                host.or_else(|| text(Word::NetworkAddress)).or(system)
            }
        }
    }

    fn messaging_name<'s>(&self, span: &'s Span) -> Option<&'s str> {
        if !self.has_messaging {
            return None;
        }
        let text = |word| self.text(span, word);
        text(Word::Destination).or_else(|| text(Word::DestinationOld)).or_else(|| text(Word::MessagingSystem))
    }

    fn host_name<'n>(&self, span: &'n Span, room: &'n mut String) -> Option<&'n str> {
        if self.has(Word::Service) {
            return self.text(span, Word::Service);
        }
        let Some(address) = self.text(span, Word::Address) else { return self.text(span, Word::NetName) };
        match self.value(span, Word::Port) {
            Some(Value::Int(port)) => Some(joined(room, address, ":", &port.to_string())),
            Some(Value::String(port)) if !port.is_empty() => Some(joined(room, address, ":", port)),
            _ => Some(address),
        }
    }
}

fn joined<'r>(room: &'r mut String, left: &str, between: &str, right: &str) -> &'r str {
    room.clear();
    room.extend([left, between, right]);
    room
}
