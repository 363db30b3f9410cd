//! OTLP's trace messages as tables: which member of a JSON object is which protobuf field.
//!
//! Names and numbers: `opentelemetry/proto/{trace,common,resource}/v1`; JSON: the OTLP specification, "JSON Protobuf Encoding".

/// A message type.
pub(super) struct Message {
    pub(super) fields: &'static [Field],
}

/// A field of a message.
pub(super) struct Field {
    /// Its name in lowerCamelCase.
    pub(super) name: &'static str,
    /// Its protobuf number.
    pub(super) number: u32,
    /// Its type.
    pub(super) shape: Shape,
}

/// How a field is written in JSON and in protobuf.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// Bytes as hexadecimal text, in either case.
    Id,
    /// Bytes as base64.
    Bytes,
    /// A truth value.
    Bool,
    /// A signed varint; a number, or a string with one.
    Int64,
    /// An unsigned 32-bit varint; likewise.
    Uint32,
    /// Four bytes; likewise.
    Fixed32,
    /// Eight bytes; likewise.
    Fixed64,
    /// A double; a number, or a string with one or `NaN`, `Infinity`, `-Infinity`.
    Double,
    /// A number, or one of these names, in the order of their numbers.
    Enum(&'static [&'static str]),
    /// An object.
    One(&'static Message),
    /// An array of objects.
    Many(&'static Message),
}

impl Message {
    /// The field of that name, which may be in lowerCamelCase or as in the `.proto` file.
    pub(super) fn field(&self, name: &[u8]) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.is_named(name))
    }
}

impl Field {
    fn is_named(&self, mut name: &[u8]) -> bool {
        for byte in self.name.bytes() {
            name = match name {
                [first, rest @ ..] if *first == byte => rest,
                [b'_', first, rest @ ..] if byte.is_ascii_uppercase() && *first == byte.to_ascii_lowercase() => rest,
                _ => return false,
            };
        }
        name.is_empty()
    }
}

impl Shape {
    /// What the JSON text should hold.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Id => "a string of hexadecimal digits",
            Self::Bytes => "a string in base64",
            Self::Bool => "true or false",
            Self::Int64 => "a whole number, or a string with one",
            Self::Uint32 | Self::Fixed32 | Self::Fixed64 => "a whole number without sign, or a string with one",
            Self::Double => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
            Self::Enum(_) => "a number or a name of the enumeration",
            Self::One(_) => "an object",
            Self::Many(_) => "an array of objects",
        }
    }
}

const fn field(number: u32, name: &'static str, shape: Shape) -> Field {
    Field { name, number, shape }
}

/// `ExportTraceServiceRequest`, `TracesData`.
pub(super) static REQUEST: Message = Message { fields: &[field(1, "resourceSpans", Shape::Many(&RESOURCE_SPANS))] };

static RESOURCE_SPANS: Message = Message {
    fields: &[
        field(1, "resource", Shape::One(&RESOURCE)),
        field(2, "scopeSpans", Shape::Many(&SCOPE_SPANS)),
        field(3, "schemaUrl", Shape::Text),
    ],
};

static RESOURCE: Message = Message {
    fields: &[field(1, "attributes", Shape::Many(&KEY_VALUE)), field(2, "droppedAttributesCount", Shape::Uint32)],
};

static SCOPE_SPANS: Message = Message {
    fields: &[
        field(1, "scope", Shape::One(&SCOPE)),
        field(2, "spans", Shape::Many(&SPAN)),
        field(3, "schemaUrl", Shape::Text),
    ],
};

static SCOPE: Message = Message {
    fields: &[
        field(1, "name", Shape::Text),
        field(2, "version", Shape::Text),
        field(3, "attributes", Shape::Many(&KEY_VALUE)),
        field(4, "droppedAttributesCount", Shape::Uint32),
    ],
};

/// `Span`.
pub(super) static SPAN: Message = Message {
    fields: &[
        field(9, "attributes", Shape::Many(&KEY_VALUE)),
        field(1, "traceId", Shape::Id),
        field(2, "spanId", Shape::Id),
        field(4, "parentSpanId", Shape::Id),
        field(3, "traceState", Shape::Text),
        field(16, "flags", Shape::Fixed32),
        field(5, "name", Shape::Text),
        field(6, "kind", Shape::Enum(&KINDS)),
        field(7, "startTimeUnixNano", Shape::Fixed64),
        field(8, "endTimeUnixNano", Shape::Fixed64),
        field(10, "droppedAttributesCount", Shape::Uint32),
        field(11, "events", Shape::Many(&EVENT)),
        field(12, "droppedEventsCount", Shape::Uint32),
        field(13, "links", Shape::Many(&LINK)),
        field(14, "droppedLinksCount", Shape::Uint32),
        field(15, "status", Shape::One(&STATUS)),
    ],
};

static EVENT: Message = Message {
    fields: &[
        field(1, "timeUnixNano", Shape::Fixed64),
        field(2, "name", Shape::Text),
        field(3, "attributes", Shape::Many(&KEY_VALUE)),
        field(4, "droppedAttributesCount", Shape::Uint32),
    ],
};

static LINK: Message = Message {
    fields: &[
        field(1, "traceId", Shape::Id),
        field(2, "spanId", Shape::Id),
        field(3, "traceState", Shape::Text),
        field(4, "attributes", Shape::Many(&KEY_VALUE)),
        field(5, "droppedAttributesCount", Shape::Uint32),
        field(6, "flags", Shape::Fixed32),
    ],
};

static STATUS: Message =
    Message { fields: &[field(2, "message", Shape::Text), field(3, "code", Shape::Enum(&STATUS_CODES))] };

static KEY_VALUE: Message =
    Message { fields: &[field(1, "key", Shape::Text), field(2, "value", Shape::One(&ANY_VALUE))] };

static ANY_VALUE: Message = Message {
    fields: &[
        field(1, "stringValue", Shape::Text),
        field(2, "boolValue", Shape::Bool),
        field(3, "intValue", Shape::Int64),
        field(4, "doubleValue", Shape::Double),
        field(5, "arrayValue", Shape::One(&ARRAY_VALUE)),
        field(6, "kvlistValue", Shape::One(&KEY_VALUE_LIST)),
        field(7, "bytesValue", Shape::Bytes),
    ],
};

static ARRAY_VALUE: Message = Message { fields: &[field(1, "values", Shape::Many(&ANY_VALUE))] };

static KEY_VALUE_LIST: Message = Message { fields: &[field(1, "values", Shape::Many(&KEY_VALUE))] };

/// Names of span kinds, by number.
pub(super) static KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

/// Names of status codes, by number.
pub(super) static STATUS_CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];
