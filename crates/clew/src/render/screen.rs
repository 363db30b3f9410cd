//! The place where text goes: its width, and whether it shows colours and glyphs beyond ASCII.

use std::io::IsTerminal as _;

use clap::ValueEnum;

/// What the command line says about it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ScreenOptions {
    /// When to use colours and line glyphs; NO_COLOR is respected
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: When,
    /// Columns to fill
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    width: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Columns.
    pub(crate) width: usize,
    /// How colours are written.
    pub(crate) colors: Colors,
    /// Whether glyphs beyond ASCII are drawn.
    pub(crate) glyphs: bool,
}

/// How colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colors {
    /// Not at all.
    None,
    /// With 256 of them.
    Palette,
    /// As red, green and blue.
    True,
}

/// What a colour means. Grey is normal; there is one hue per meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// As it is.
    Plain,
    /// The sentence.
    Bold,
    /// Less important.
    Muted,
    /// The thread: amber.
    Thread,
    /// An error: red.
    Error,
}

impl Screen {
    /// Standard output, as the options and the environment describe it.
    pub(crate) fn of(options: ScreenOptions) -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_terminal = std::io::stdout().is_terminal();
        let colored = match options.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                is_terminal && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        let deep = std::env::var("COLORTERM").is_ok_and(|kind| kind == "truecolor" || kind == "24bit");
        let colors = match (colored, deep) {
            (false, _) => Colors::None,
            (true, false) => Colors::Palette,
            (true, true) => Colors::True,
        };
        let columns =
            rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col).filter(|width| *width > 0);
        let width = options.width.or(columns.filter(|_| is_terminal)).unwrap_or(120);
        Self { width: usize::from(width).max(40), colors, glyphs: options.color == When::Always || is_terminal }
    }

    /// The text in that ink.
    pub(crate) fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match (self.colors, ink) {
            (Colors::None, _) | (_, Ink::Plain) => return text.to_owned(),
            (_, Ink::Bold) => "1",
            (Colors::Palette, Ink::Muted) => "38;5;246",
            (Colors::Palette, Ink::Thread) => "38;5;215",
            (Colors::Palette, Ink::Error) => "38;5;203",
            (Colors::True, Ink::Muted) => "38;2;154;163;173",
            (Colors::True, Ink::Thread) => "38;2;248;189;64",
            (Colors::True, Ink::Error) => "38;2;247;93;89",
        };
        if text.is_empty() { String::new() } else { format!("\u{1b}[{code}m{text}\u{1b}[0m") }
    }

    /// The first when glyphs are drawn, else the second.
    pub(crate) fn glyph<T>(&self, drawn: T, ascii: T) -> T {
        if self.glyphs { drawn } else { ascii }
    }
}

/// A sender's text without control characters, which could move a terminal's cursor or worse.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// The text in exactly `width` columns: cut with `..` or filled with spaces.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return format!("{text}{}", " ".repeat(width - length));
    }
    let kept: String = text.chars().take(width.saturating_sub(2)).collect();
    format!("{kept}{}", &".."[..width.min(2)])
}

/// The text in at most `width` columns: its middle makes place, since a name such as
/// `package.Service/Method` says most at its end.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width || width < 4 {
        return text.chars().take(width).collect();
    }
    let tail = (width - 2) * 2 / 3;
    let head: String = text.chars().take(width - 2 - tail).collect();
    let tail: String = text.chars().skip(length - tail).collect();
    format!("{head}..{tail}")
}
