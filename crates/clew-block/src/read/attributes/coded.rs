//! A column as small numbers, one a row: what a text stands for is worked out once, not once a row.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::super::bitmap::Bitmap;
use super::super::column::{Column, Values};
use super::super::damage::ReadError;

/// The number of a row that is not asked about, or has no value.
pub(super) const ABSENT: u32 = u32::MAX;
/// The number of a row whose value is there and does not count.
pub(super) const UNCOUNTED: u32 = u32::MAX - 1;

/// Texts whose number is remembered, of a column without a dictionary.
const KEPT_MAX: usize = 1 << 13;

/// The numbers of the rows, by row. `number` gives one to a value, the same or another when it comes again; `None` is
/// damage.
pub(super) fn coded(
    column: &mut Column<'_>,
    rows: &Bitmap,
    mut number: impl FnMut(&Values, usize) -> Option<u32>,
) -> Result<Vec<u32>, ReadError> {
    let mut numbers = vec![ABSENT; rows.row_count()];
    let mut of_code: Vec<Option<u32>> = Vec::new();
    let mut of_text: HashMap<Box<[u8]>, u32, RandomState> = HashMap::default();
    let mut of_number: HashMap<u64, u32, RandomState> = HashMap::default();
    let mut is_wrong = false;
    while let Some(page) = column.next(rows)? {
        let mut ask = |values: &Values, at: usize| {
            let number = number(values, at);
            is_wrong |= number.is_none();
            number.unwrap_or(ABSENT)
        };
        match (&page.values, &page.dictionary) {
            (Values::Codes(codes), Some(dictionary)) => {
                of_code.resize(dictionary.len(), None);
                page.for_each_in(rows, |row, at| {
                    let code = codes[at] as usize;
                    numbers[row] = *of_code[code].get_or_insert_with(|| ask(dictionary, code));
                });
            }
            (values @ (Values::Texts(_) | Values::Fixed(..)), _) => page.for_each_in(rows, |row, at| {
                let text = values.bytes(at);
                numbers[row] = of_text.get(text).copied().unwrap_or_else(|| {
                    if of_text.len() >= KEPT_MAX {
                        of_text.clear();
                    }
                    let number = ask(values, at);
                    of_text.insert(text.into(), number);
                    number
                });
            }),
            (values, _) => page.for_each_in(rows, |row, at| {
                let content = values.number(at) | u64::from(values.truth(at));
                numbers[row] = *of_number.entry(content).or_insert_with(|| ask(values, at));
            }),
        }
    }
    if is_wrong { Err(column.damaged("a text is malformed")) } else { Ok(numbers) }
}
