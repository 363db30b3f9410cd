//! JSON (RFC 8259) read token by token, so that no tree is built and nothing recurses.

use std::borrow::Cow;

use crate::otlp::WireError;

/// A JSON text and how far it was read.
pub(crate) struct Json<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Json<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Where reading stands, for [`Json::return_to`].
    pub(crate) fn mark(&self) -> usize {
        self.at
    }

    /// The text between two marks.
    pub(crate) fn between(&self, from: usize, to: usize) -> &'a [u8] {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Goes back to a mark.
    pub(crate) fn return_to(&mut self, mark: usize) {
        self.at = mark;
    }

    /// The first byte of the next token.
    pub(crate) fn peek(&mut self) -> Result<u8, WireError> {
        self.skip_space();
        self.text.get(self.at).copied().ok_or_else(|| self.truncated())
    }

    /// Reads one punctuation mark.
    pub(crate) fn punctuation(&mut self, mark: u8, expected: &str) -> Result<(), WireError> {
        if self.peek()? != mark {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Steps to the next entry of an array or object that `end` closes; `false` when there is none and `end` was read.
    pub(crate) fn next_entry(&mut self, is_first: &mut bool, end: u8) -> Result<bool, WireError> {
        let next = self.peek()?;
        if next == end {
            self.at += 1;
            return Ok(false);
        }
        if !std::mem::take(is_first) {
            let expected = if end == b'}' { "`,` or `}`" } else { "`,` or `]`" };
            self.punctuation(b',', expected)?;
        }
        Ok(true)
    }

    /// Reads the name of a member and its colon.
    pub(crate) fn name(&mut self) -> Result<Cow<'a, [u8]>, WireError> {
        if self.peek()? != b'"' {
            return Err(self.expected("the name of a member"));
        }
        let name = self.string()?;
        self.punctuation(b':', "`:`")?;
        Ok(name)
    }

    /// Reads a string; bytes that are not UTF-8 and lone surrogates come as they are.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, [u8]>, WireError> {
        self.punctuation(b'"', "a string")?;
        let run = self.run()?;
        if self.text[self.at] == b'"' {
            self.at += 1;
            return Ok(Cow::Borrowed(run));
        }
        let mut string = run.to_vec();
        loop {
            self.at += 1;
            if self.text[self.at - 1] == b'"' {
                return Ok(Cow::Owned(string));
            }
            self.escape(&mut string)?;
            string.extend_from_slice(self.run()?);
        }
    }

    /// The bytes up to the next quote or backslash, which is there.
    fn run(&mut self) -> Result<&'a [u8], WireError> {
        let rest = &self.text[self.at..];
        let stop = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        let Some(stop) = stop else {
            self.at = self.text.len();
            return Err(self.truncated());
        };
        self.at += stop;
        if rest[stop] < 0x20 {
            return Err(self.expected("no control character in a string"));
        }
        Ok(&rest[..stop])
    }

    fn escape(&mut self, string: &mut Vec<u8>) -> Result<(), WireError> {
        let escape = *self.text.get(self.at).ok_or_else(|| self.truncated())?;
        let byte = match escape {
            b'"' | b'\\' | b'/' => escape,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 12,
            b'r' => b'\r',
            b'u' => {
                self.at += 1;
                return self.unicode(string);
            }
            _ => return Err(self.expected("an escape that JSON knows")),
        };
        self.at += 1;
        string.push(byte);
        Ok(())
    }

    fn unicode(&mut self, string: &mut Vec<u8>) -> Result<(), WireError> {
        let unit = self.hex4()?;
        let mut code = unit;
        if (0xd800..0xdc00).contains(&unit) && self.text[self.at..].starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            } else {
                self.at = before;
            }
        }
        match char::from_u32(code) {
            Some(character) => string.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            // A lone surrogate has no UTF-8: its bytes are mended and noted where texts are read.
            None => string.extend_from_slice(&[0xed, (0x80 | code >> 6 & 0x3f) as u8, (0x80 | code & 0x3f) as u8]),
        }
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, WireError> {
        let digits = self.text.get(self.at..self.at + 4).ok_or_else(|| self.truncated())?;
        let mut unit = 0;
        for digit in digits {
            let digit = char::from(*digit).to_digit(16).ok_or_else(|| self.expected("four hexadecimal digits"))?;
            unit = unit * 16 + digit;
        }
        self.at += 4;
        Ok(unit)
    }

    /// Reads a number's text.
    pub(crate) fn number(&mut self) -> Result<&'a str, WireError> {
        self.skip_space();
        let from = self.at;
        self.at += usize::from(self.here() == Some(b'-'));
        if self.here() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.here() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.here(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.here(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(str::from_utf8(&self.text[from..self.at]).unwrap_or_default())
    }

    fn digits(&mut self) -> Result<(), WireError> {
        let count = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(if self.here().is_none() { self.truncated() } else { self.expected("a digit") });
        }
        self.at += count;
        Ok(())
    }

    /// Reads `true`, `false` or `null`: these letters.
    pub(crate) fn literal(&mut self, letters: &str) -> Result<(), WireError> {
        self.skip_space();
        let rest = &self.text[self.at..];
        if rest.starts_with(letters.as_bytes()) {
            self.at += letters.len();
            return Ok(());
        }
        Err(if letters.as_bytes().starts_with(rest) { self.truncated() } else { self.expected("a value") })
    }

    /// Steps over a value of any kind and depth.
    pub(crate) fn skip_value(&mut self) -> Result<(), WireError> {
        let mut ends = Vec::new();
        loop {
            let mut is_first = false;
            match self.peek()? {
                b'"' => drop(self.string()?),
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                b'-' | b'0'..=b'9' => drop(self.number()?),
                open @ (b'{' | b'[') => {
                    self.at += 1;
                    // The closing mark lies two after the opening one, in both pairs.
                    ends.push(open + 2);
                    is_first = true;
                }
                _ => return Err(self.expected("a value")),
            }
            loop {
                let Some(end) = ends.last().copied() else { return Ok(()) };
                if self.next_entry(&mut is_first, end)? {
                    if end == b'}' {
                        self.name()?;
                    }
                    break;
                }
                ends.pop();
                is_first = false;
            }
        }
    }

    /// Reads the end of the text.
    pub(crate) fn end(&mut self) -> Result<(), WireError> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.expected("the end of the text")) }
    }

    /// The error of a text that does not have what is expected here.
    #[cold]
    pub(crate) fn expected(&self, expected: &str) -> WireError {
        let before = &self.text[..self.at.min(self.text.len())];
        let line = before.split(|byte| *byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        WireError::Malformed { offset: self.at, what: format!("expected {expected} (line {line}, column {column})") }
    }

    #[cold]
    fn truncated(&self) -> WireError {
        WireError::Truncated { offset: self.text.len(), what: "the JSON text" }
    }

    fn here(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.here() {
            self.at += 1;
        }
    }
}
