//! Columns in memory, for the rows of one batch.

use std::mem;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, UInt32Type};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, PrimitiveArray, StringArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;

/// Texts or bytes.
#[derive(Debug)]
pub(super) struct Texts {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    nulls: NullBufferBuilder,
}

/// Numbers.
#[derive(Debug)]
pub(super) struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
}

/// Truth values.
#[derive(Debug)]
pub(super) struct Truths {
    values: BooleanBufferBuilder,
    nulls: NullBufferBuilder,
}

/// Values of so many bytes.
#[derive(Debug)]
pub(super) struct Fixed<const N: usize> {
    bytes: Vec<u8>,
    nulls: NullBufferBuilder,
}

/// Texts by number.
#[derive(Debug)]
pub(super) struct Codes {
    codes: Vec<u32>,
    texts: Arc<StringArray>,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self { offsets: vec![0], bytes: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }

    /// The value of row `row`; rows that were passed over are null.
    pub(super) fn put(&mut self, row: usize, text: &[u8]) {
        self.put_with(row, |bytes| bytes.extend_from_slice(text));
    }

    /// The value of row `row`, written in place; returns its length.
    pub(super) fn put_with(&mut self, row: usize, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.fill(row);
        let from = self.bytes.len();
        write(&mut self.bytes);
        self.offsets.push(self.bytes.len() as i32);
        self.nulls.append_non_null();
        self.bytes.len() - from
    }

    fn fill(&mut self, rows: usize) {
        let missing = rows - self.nulls.len();
        if missing > 0 {
            self.nulls.append_n_nulls(missing);
            self.offsets.resize(rows + 1, self.bytes.len() as i32);
        }
    }

    fn finish(&mut self, rows: usize) -> (OffsetBuffer<i32>, Buffer, Option<arrow_buffer::NullBuffer>) {
        self.fill(rows);
        let offsets = mem::replace(&mut self.offsets, Vec::with_capacity(rows + 1));
        self.offsets.push(0);
        let bytes = mem::take(&mut self.bytes);
        self.bytes.reserve(bytes.len());
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes), self.nulls.finish())
    }

    /// The column of so many rows; an error when a text is not UTF-8.
    pub(super) fn texts(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        let (offsets, bytes, nulls) = self.finish(rows);
        Ok(Arc::new(StringArray::try_new(offsets, bytes, nulls)?))
    }

    /// The column of so many rows, of any bytes.
    pub(super) fn bytes(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        let (offsets, bytes, nulls) = self.finish(rows);
        Ok(Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?))
    }
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }

    pub(super) fn put(&mut self, row: usize, value: T::Native) {
        self.fill(row);
        self.values.push(value);
        self.nulls.append_non_null();
    }

    fn fill(&mut self, rows: usize) {
        let missing = rows - self.values.len();
        if missing > 0 {
            self.nulls.append_n_nulls(missing);
            self.values.resize(rows, T::Native::default());
        }
    }

    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        self.fill(rows);
        let values = mem::replace(&mut self.values, Vec::with_capacity(rows));
        Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), self.nulls.finish()))
    }
}

impl Truths {
    pub(super) fn new() -> Self {
        Self { values: BooleanBufferBuilder::new(0), nulls: NullBufferBuilder::new(0) }
    }

    pub(super) fn put(&mut self, row: usize, truth: bool) {
        self.fill(row);
        self.values.append(truth);
        self.nulls.append_non_null();
    }

    fn fill(&mut self, rows: usize) {
        let missing = rows - self.values.len();
        if missing > 0 {
            self.nulls.append_n_nulls(missing);
            self.values.append_n(missing, false);
        }
    }

    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        self.fill(rows);
        Arc::new(BooleanArray::new(self.values.finish(), self.nulls.finish()))
    }
}

impl<const N: usize> Fixed<N> {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }

    pub(super) fn put(&mut self, row: usize, value: [u8; N]) {
        self.fill(row);
        self.bytes.extend_from_slice(&value);
        self.nulls.append_non_null();
    }

    fn fill(&mut self, rows: usize) {
        let missing = rows - self.nulls.len();
        if missing > 0 {
            self.nulls.append_n_nulls(missing);
            self.bytes.resize(rows * N, 0);
        }
    }

    pub(super) fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        self.fill(rows);
        let bytes = mem::replace(&mut self.bytes, Vec::with_capacity(rows * N));
        Ok(Arc::new(FixedSizeBinaryArray::try_new(N as i32, Buffer::from_vec(bytes), self.nulls.finish())?))
    }
}

impl Codes {
    pub(super) fn new(texts: impl IntoIterator<Item: AsRef<str>>) -> Self {
        Self { codes: Vec::new(), texts: Arc::new(StringArray::from_iter_values(texts)) }
    }

    pub(super) fn put(&mut self, code: u32) {
        self.codes.push(code);
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let capacity = self.codes.len();
        let codes = mem::replace(&mut self.codes, Vec::with_capacity(capacity));
        let keys = PrimitiveArray::<UInt32Type>::new(ScalarBuffer::from(codes), None);
        Ok(Arc::new(DictionaryArray::try_new(keys, self.texts.clone())?))
    }
}
