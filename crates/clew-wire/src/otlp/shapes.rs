//! Attribute lists that came before: spans of one operation have the same keys in the same order, so where the last one had a
//! key the next one is expected to have it, too, and comparing is cheaper than reading.

use super::reader::Reader;
use super::text::Text;
use super::value::{only_bytes, push_plain_value, split_plain};
use super::view::{KeyValueView, Limits, SpanView, ValueView};

/// The lists of one walk as a tree: an attribute lies below the one before it.
#[derive(Default)]
pub(super) struct Shapes<'a> {
    nodes: Vec<Node<'a>>,
    /// The node of the last attribute of the list that is being read; [`START`] before the first.
    at: u32,
}

/// An attribute after those above it: its key, and the type of its value.
struct Node<'a> {
    /// The message up to the length of its value: two bytes, the key, which is UTF-8, and one byte.
    head: &'a [u8],
    /// The tag of its value, which says its type.
    tag: u8,
    /// The first of the nodes below it, or 0.
    below: u32,
    /// The next of the nodes beside it, or 0.
    beside: u32,
}

/// The node above all first attributes, which stands for no attribute.
const START: u32 = 0;

/// The list has an attribute that is no node.
const LOST: u32 = u32::MAX;

/// Nodes below one, at most: all of them are looked at.
const BELOW_MAX: usize = 16;

impl<'a> Shapes<'a> {
    /// A list begins.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.at = START;
    }

    /// The number of the list so far: lists of a walk with the same number have the same keys and types. 0 says nothing.
    #[inline]
    pub(super) fn number(&self) -> u32 {
        if self.at == LOST { 0 } else { self.at }
    }

    /// Reads an attribute into the list if it has the key and the type of one that came there before, and nothing to mend or
    /// cut; answers whether it did.
    #[inline(always)]
    pub(super) fn push(&mut self, message: Reader<'a>, limits: &Limits, list: &mut Vec<KeyValueView<'a>>) -> bool {
        if list.len() >= limits.attributes as usize {
            return false;
        }
        let bytes = message.rest();
        let mut next = self.nodes.get(self.at as usize).map_or(0, |node| node.below);
        while let Some(node) = self.nodes.get(next as usize).filter(|_| next != 0) {
            if let Some(value) = after(bytes, node.head).and_then(only_bytes)
                && value.first() == Some(&node.tag)
            {
                let is_plain = push_plain_value(node.key(), value, limits.value_bytes, list);
                if is_plain {
                    self.at = next;
                }
                return is_plain;
            }
            next = node.beside;
        }
        false
    }

    /// Remembers an attribute that was read into the list without help.
    #[inline(never)]
    pub(super) fn learn(&mut self, message: Reader<'a>, limits: &Limits, read: Option<&KeyValueView<'_>>) {
        let above = std::mem::replace(&mut self.at, LOST);
        let bytes = message.rest();
        let (Some((key, [tag, ..])), Some(read)) = (split_plain(bytes, limits.value_bytes), read) else { return };
        // Of several fields in a value, the last says its type.
        let is_as_tagged = matches!(
            (tag, &read.value),
            (0x0a, ValueView::String(_))
                | (0x10, ValueView::Bool(_))
                | (0x18, ValueView::Int(_))
                | (0x21, ValueView::Double(_))
        );
        if above == LOST || !is_as_tagged || Text::new(key).is_none() {
            return;
        }
        let (head, tag) = (&bytes[..key.len() + 3], *tag);
        if self.nodes.is_empty() {
            self.nodes.push(Node { head: &[], tag: 0, below: 0, beside: 0 });
        }
        let (mut beside, mut count) = (0, 0);
        let mut next = self.nodes[above as usize].below;
        while next != 0 {
            let node = &self.nodes[next as usize];
            if node.tag == tag && node.head == head {
                self.at = next;
                return;
            }
            (beside, next) = (next, node.beside);
            count += 1;
        }
        let number = self.nodes.len() as u32;
        if count >= BELOW_MAX || number >= SpanView::SHAPES_MAX {
            return;
        }
        self.nodes.push(Node { head, tag, below: 0, beside: 0 });
        // The last one, so that what came first is looked at first.
        match beside {
            0 => self.nodes[above as usize].below = number,
            _ => self.nodes[beside as usize].beside = number,
        }
        self.at = number;
    }
}

impl<'a> Node<'a> {
    #[inline(always)]
    fn key(&self) -> &'a [u8] {
        &self.head[2..self.head.len() - 1]
    }
}

/// What follows `head` in the bytes, if they begin with it.
#[inline(always)]
fn after<'b>(bytes: &'b [u8], head: &[u8]) -> Option<&'b [u8]> {
    let (start, rest) = bytes.split_at_checked(head.len())?;
    let first = |bytes: &[u8]| bytes.first_chunk().map(|word: &[u8; 8]| u64::from_le_bytes(*word));
    let last = |bytes: &[u8]| bytes.last_chunk().map(|word: &[u8; 8]| u64::from_le_bytes(*word));
    // Word by word instead of by a call. The last word differs more often than the first.
    let is_same = match head.len() {
        8..=16 => last(start) == last(head) && first(start) == first(head),
        17..=32 => {
            last(start) == last(head)
                && first(start) == first(head)
                && first(&start[8..]) == first(&head[8..])
                && last(&start[..start.len() - 8]) == last(&head[..head.len() - 8])
        }
        _ => start == head,
    };
    is_same.then_some(rest)
}

#[cfg(test)]
#[path = "shapes/tests.rs"]
mod tests;
