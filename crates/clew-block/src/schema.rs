//! The columns of the Parquet file: their names, types and encodings.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use crate::writer::WriteOptions;
use crate::{AttributeType, BlockName};

/// Begins the names of columns that hold span attributes.
pub const SPAN_PREFIX: &str = "span.";
/// The key of the file's metadata that holds the format's version.
pub const FORMAT_KEY: &str = "clew.format";
/// The version of the format.
pub const FORMAT: &str = "1";
/// The key of the file's metadata that holds the block's name.
pub const BLOCK_KEY: &str = "clew.block";
/// The schema's root, which some engines show.
pub const ROOT: &str = "spans";

/// A point read inflates the dictionary of every column that it touches, so none may be large.
const DICTIONARY_BYTES_MAX: usize = 64 * 1024;
/// Level 9 saves 1 % and takes four times as long.
const ZSTD_LEVEL: i32 = 1;

/// A column that every block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub form: Form,
    /// Whether it has nulls.
    pub is_nullable: bool,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text, given row by row.
    Text,
    /// Text, given by its number in a list.
    Code,
    /// So many bytes.
    Fixed(i32),
    /// A signed 32-bit integer.
    I32,
    /// An unsigned 32-bit integer.
    U32,
    /// An unsigned 64-bit integer.
    U64,
    /// A truth value.
    Bool,
}

/// A column of span attributes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpanColumn {
    /// The key.
    pub key: String,
    /// The type of its values.
    pub value_type: AttributeType,
}

/// The columns before those of span attributes.
pub const COLUMNS: [Column; 23] = [
    column("tenant", Form::Code, false),
    column("trace_id", Form::Fixed(16), false),
    column("span_id", Form::Fixed(8), false),
    column("parent_offset", Form::I32, true),
    column("parent_span_id", Form::Fixed(8), true),
    column("start_unix_nanos", Form::U64, false),
    column("duration_nanos", Form::U64, false),
    column("received_unix_nanos", Form::U64, false),
    column("service", Form::Code, false),
    column("name", Form::Text, false),
    column("kind", Form::Code, false),
    column("status", Form::Code, false),
    column("status_message", Form::Text, true),
    column("trace_state", Form::Text, true),
    column("error", Form::Bool, false),
    column("flags", Form::U32, false),
    column("notes", Form::U32, false),
    column("dropped_attributes", Form::U32, true),
    column("dropped_events", Form::U32, true),
    column("dropped_links", Form::U32, true),
    column("resource", Form::Code, false),
    column("scope", Form::Code, false),
    column("shape", Form::Code, false),
];

/// The columns after them.
pub const LAST_COLUMNS: [Column; 3] =
    [column("rest", Form::Text, true), column("events", Form::Text, true), column("links", Form::Text, true)];

/// Those with a smallest and largest value per row group, by which other engines pass over row groups. Clew's own scans
/// ask the sidecar.
const WITH_STATISTICS: [&str; 7] =
    ["tenant", "trace_id", "start_unix_nanos", "duration_nanos", "service", "name", "error"];

const fn column(name: &'static str, form: Form, is_nullable: bool) -> Column {
    Column { name, form, is_nullable }
}

impl SpanColumn {
    /// Its name: `span.KEY:TYPE`.
    pub fn name(&self) -> String {
        format!("{SPAN_PREFIX}{}:{}", self.key, self.value_type.as_str())
    }

    /// The column of that name; `None` for names of other columns.
    pub fn parse(name: &str) -> Option<Self> {
        let (key, word) = name.strip_prefix(SPAN_PREFIX)?.rsplit_once(':')?;
        let value_type = AttributeType::parse(word).filter(|value_type| *value_type != AttributeType::Empty)?;
        (!key.is_empty()).then(|| Self { key: key.to_owned(), value_type })
    }
}

/// The schema of a block with these span columns.
pub(crate) fn arrow(columns: &[SpanColumn]) -> Arc<Schema> {
    let fixed = |column: &Column| Field::new(column.name, data_type(column.form), column.is_nullable);
    let span = |column: &SpanColumn| {
        let data_type = match column.value_type {
            AttributeType::Int => DataType::Int64,
            AttributeType::Double => DataType::Float64,
            AttributeType::Bool => DataType::Boolean,
            AttributeType::Bytes => DataType::Binary,
            AttributeType::String | AttributeType::Json | AttributeType::Empty => DataType::Utf8,
        };
        Field::new(column.name(), data_type, true)
    };
    let fields = COLUMNS.iter().map(fixed).chain(columns.iter().map(span)).chain(LAST_COLUMNS.iter().map(fixed));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn data_type(form: Form) -> DataType {
    match form {
        Form::Text => DataType::Utf8,
        Form::Code => DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8)),
        Form::Fixed(bytes) => DataType::FixedSizeBinary(bytes),
        Form::I32 => DataType::Int32,
        Form::U32 => DataType::UInt32,
        Form::U64 => DataType::UInt64,
        Form::Bool => DataType::Boolean,
    }
}

/// How the file is written.
pub(crate) fn properties(name: BlockName, options: &WriteOptions) -> WriterProperties {
    let of_key = |key: &str, value: String| KeyValue { key: key.to_owned(), value: Some(value) };
    let path = |name: &str| ColumnPath::new(vec![name.to_owned()]);
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("clew ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(vec![of_key(FORMAT_KEY, FORMAT.to_owned()), of_key(BLOCK_KEY, name.to_string())]))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).expect("a level that zstd has")))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_data_page_row_count_limit(options.page_rows)
        .set_data_page_size_limit(options.page_bytes)
        .set_max_row_group_row_count(Some(options.row_group_rows))
        .set_statistics_enabled(EnabledStatistics::None);
    for name in WITH_STATISTICS {
        properties = properties.set_column_statistics_enabled(path(name), EnabledStatistics::Chunk);
    }
    // Random bytes: neither a dictionary nor a codec finds anything in them.
    for name in ["span_id", "parent_span_id"] {
        properties = properties
            .set_column_compression(path(name), Compression::UNCOMPRESSED)
            .set_column_encoding(path(name), Encoding::PLAIN)
            .set_column_dictionary_enabled(path(name), false);
    }
    // Apart, their high bytes repeat and their low ones do not: the codec packs 8 bytes into 3.4 and 3.2. Deltas would be
    // as long as the jump from one trace to the next, which packs of 32 of them take for all.
    for name in ["start_unix_nanos", "duration_nanos"] {
        properties = properties
            .set_column_encoding(path(name), Encoding::BYTE_STREAM_SPLIT)
            .set_column_dictionary_enabled(path(name), false);
    }
    properties.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_span_columns_are_read_back() {
        for key in ["http.method", "a:b", "a b", "span.x:string", "\u{e9}"] {
            for value_type in AttributeType::ALL {
                let column = SpanColumn { key: key.to_owned(), value_type };
                let expected = (value_type != AttributeType::Empty).then(|| column.clone());
                assert_eq!(SpanColumn::parse(&column.name()), expected);
            }
        }
        for other in ["tenant", "span.", "span.x", "span.x:text", "span.:int", "rest"] {
            assert_eq!(SpanColumn::parse(other), None, "{other}");
        }
    }
}
