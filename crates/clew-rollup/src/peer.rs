//! What a span's attributes say about the other side of a call.

use std::borrow::Cow;

use clew_model::{Attribute, Kind, Span, Value};

use crate::Connection;

/// What the attributes of one span say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer<'a> {
    /// Whether it receives messages, by the name of its operation.
    pub(crate) is_receiver: bool,
    has_db: bool,
    has_messaging: bool,
    has_rpc: bool,
    has_http: bool,
    /// Today's, and that of earlier conventions; so the next two.
    db_system: [Option<&'a str>; 2],
    db_namespace: [Option<&'a str>; 2],
    destination: [Option<&'a str>; 2],
    messaging_system: Option<&'a str>,
    service: Option<&'a str>,
    address: Option<&'a str>,
    port: Option<&'a Value>,
    net_name: Option<&'a str>,
    network_address: Option<&'a str>,
}

impl<'a> Peer<'a> {
    /// Reads the attributes once. Of several names for one thing, today's counts before those of earlier conventions; of
    /// repeated keys the first; empty texts are none.
    pub(crate) fn of(span: &'a Span) -> Self {
        let mut peer = Self { has_messaging: matches!(span.kind, Kind::Producer | Kind::Consumer), ..Self::default() };
        for Attribute { key, value } in &span.attributes {
            if let Some((family, rest)) = key.split_once('.') {
                peer.read(family, rest, value);
            }
        }
        peer
    }

    fn read(&mut self, family: &str, rest: &str, value: &'a Value) {
        let slot = match family {
            "db" => {
                self.has_db = true;
                match rest {
                    "system.name" => &mut self.db_system[0],
                    "system" => &mut self.db_system[1],
                    "namespace" => &mut self.db_namespace[0],
                    "name" => &mut self.db_namespace[1],
                    _ => return,
                }
            }
            "messaging" => {
                self.has_messaging = true;
                match rest {
                    "destination.name" => &mut self.destination[0],
                    "destination" => &mut self.destination[1],
                    "system" => &mut self.messaging_system,
                    "operation.type" | "operation" => {
                        self.is_receiver |= value.as_str() == Some("receive");
                        return;
                    }
                    _ => return,
                }
            }
            "rpc" => return self.has_rpc = true,
            "http" | "url" => return self.has_http = true,
            "server" => match rest {
                "address" => &mut self.address,
                "port" => {
                    self.port.get_or_insert(value);
                    return;
                }
                _ => return,
            },
            "peer" if rest == "service" => &mut self.service,
            "net" if rest == "peer.name" => &mut self.net_name,
            "network" if rest == "peer.address" => &mut self.network_address,
            _ => return,
        };
        *slot = slot.or(value.as_str().filter(|text| !text.is_empty()));
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

    /// A name for the other side, of which there is no span.
    pub(crate) fn name(&self) -> Option<Cow<'a, str>> {
        if self.is_database() { self.database_name() } else { self.messaging_name().or_else(|| self.host_name()) }
    }

    /// Whether a span above is the same call as the one with these attributes, seen from further away: an operation of a
    /// database or of a broker over what carries it, or a call over another to the same host.
    pub(crate) fn is_carrier_of(&self, above: &Self) -> bool {
        if self.is_database() || above.is_database() {
            return above.is_database();
        }
        if self.has_messaging || above.has_messaging {
            return above.has_messaging;
        }
        let host = |peer: &Self| peer.address.or(peer.net_name);
        host(self).is_some() && host(self) == host(above)
    }

    fn is_database(&self) -> bool {
        self.db_system().is_some() || self.db_namespace().is_some()
    }

    fn db_system(&self) -> Option<&'a str> {
        self.db_system[0].or(self.db_system[1])
    }

    fn db_namespace(&self) -> Option<&'a str> {
        self.db_namespace[0].or(self.db_namespace[1])
    }

    fn database_name(&self) -> Option<Cow<'a, str>> {
        if let Some(service) = self.service {
            return Some(service.into());
        }
        match (self.db_system(), self.db_namespace()) {
            (Some(system), Some(namespace)) => Some(format!("{system}/{namespace}").into()),
            (None, Some(namespace)) => Some(namespace.into()),
            (system, None) => {
                let host = self.address.or(self.net_name).or(self.network_address);
                host.or(system).map(Cow::from)
            }
        }
    }

    fn messaging_name(&self) -> Option<Cow<'a, str>> {
        if !self.has_messaging {
            return None;
        }
        let [destination, old_destination] = self.destination;
        destination.or(old_destination).or(self.messaging_system).map(Cow::from)
    }

    fn host_name(&self) -> Option<Cow<'a, str>> {
        if let Some(service) = self.service {
            return Some(service.into());
        }
        let Some(address) = self.address else { return self.net_name.map(Cow::from) };
        match self.port {
            Some(port @ Value::Int(_)) => Some(format!("{address}:{port}").into()),
            Some(Value::String(port)) if !port.is_empty() => Some(format!("{address}:{port}").into()),
            _ => Some(address.into()),
        }
    }
}
