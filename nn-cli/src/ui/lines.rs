//! Text width and line wrapping.
//!
//! On a terminal, or if `COLUMNS` is set, lines are wrapped at words; in a pipe or a file lines are not
//! wrapped, so that they can be searched.

use std::io::IsTerminal;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The narrowest terminal that text is wrapped for; below, nothing fits in any case.
const NARROWEST: usize = 20;

/// The width of long texts if the terminal's width is unknown.
pub const TEXT: usize = 80;

/// The indentation of a paragraph's lines after the first.
const HANGING: usize = 2;

/// A stream that may be a terminal whose size the system knows.
#[cfg(unix)]
pub trait Stream: IsTerminal + std::os::fd::AsFd {}
#[cfg(unix)]
impl<T: IsTerminal + std::os::fd::AsFd> Stream for T {}
/// A stream that may be a terminal whose size the system knows.
#[cfg(windows)]
pub trait Stream: IsTerminal + std::os::windows::io::AsHandle {}
#[cfg(windows)]
impl<T: IsTerminal + std::os::windows::io::AsHandle> Stream for T {}

/// The width for text on `stream` in columns: `COLUMNS`, or that of the terminal; `None` if lines are not
/// wrapped.
pub fn columns_of(stream: &impl Stream) -> Option<usize> {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
    let shown = || {
        let (width, _) = terminal_size::terminal_size_of(stream)?;
        stream.is_terminal().then_some(usize::from(width.0))
    };
    told.or_else(shown).filter(|&width| width > 0).map(|width| width.max(NARROWEST))
}

/// The width of a text on a terminal, in columns.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text shortened to at most `most` columns: its beginning and its end, with an ellipsis between.
pub fn shortened(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_string();
    }
    let room = most.saturating_sub(1);
    let tail = room / 3;
    let (mut start, mut end) = (String::new(), Vec::new());
    let mut left = room - tail;
    for c in text.chars() {
        let Some(rest) = left.checked_sub(c.width().unwrap_or(0)) else { break };
        left = rest;
        start.push(c);
    }
    let mut left = tail;
    for c in text.chars().rev() {
        let Some(rest) = left.checked_sub(c.width().unwrap_or(0)) else { break };
        left = rest;
        end.push(c);
    }
    start.push('…');
    start.extend(end.iter().rev());
    start
}

/// Wraps the lines of a text to at most `most` columns at words. Continuation lines are indented further
/// than their line. Lines of a table frame are not wrapped. Commands are not broken, so that they can be
/// copied, nor are words longer than a line.
pub fn broken(text: &str, most: usize) -> String {
    let lines: Vec<String> = text.split('\n').flat_map(|line| broken_line(line, most)).collect();
    lines.join("\n")
}

fn broken_line(line: &str, most: usize) -> Vec<String> {
    // A wrapped line of a table frame would be unreadable.
    if line.width() <= most || line.contains(['─', '━', '│', '┃']) {
        return vec![line.to_string()];
    }
    let inset = line.len() - line.trim_start_matches(' ').len();
    let next = " ".repeat((inset + HANGING).min(most / 2));
    let mut lines = vec![" ".repeat(inset)];
    for (i, word) in words(&line[inset..]).into_iter().enumerate() {
        let used = lines.last().map_or(0, |line| line.width());
        match lines.last_mut() {
            Some(line) if i == 0 => line.push_str(word),
            Some(line) if used + 1 + word.width() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{next}{word}")),
        }
    }
    lines
}

/// The pieces that are not broken: words, numbers with their unit, and whole commands.
fn words(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = piece(rest);
        pieces.push(&rest[..end]);
        rest = rest[end..].strip_prefix(' ').unwrap_or(&rest[end..]);
    }
    pieces
}

/// The end of the first piece of `text`, in bytes.
fn piece(text: &str) -> usize {
    let bare = text.trim_start_matches('(');
    let opened = text.len() - bare.len();
    // A text in backquotes, with what follows the second one up to a space.
    if let Some(close) = bare.strip_prefix('`').and_then(|quoted| quoted.find('`')) {
        let after = opened + close + 2;
        return after + text[after..].find(' ').unwrap_or(text.len() - after);
    }
    // An unquoted command extends to the end of its clause or line.
    if bare.starts_with("nn-cli ") {
        let end = [";", ", or ", "`"].iter().filter_map(|end| text.find(end)).min();
        return end
            .map_or(text.len(), |end| end + text[end..].find(' ').unwrap_or(text.len() - end));
    }
    let end = text.find(' ').unwrap_or(text.len());
    if text[end..].starts_with(" %") {
        return end + 2 + text[end + 2..].find(' ').unwrap_or(text.len() - end - 2);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_words() {
        let text = "error: the folder of the run is not there\nnext";
        assert_eq!(broken(text, 80), text);
        assert_eq!(broken(text, 22), "error: the folder of\n  the run is not there\nnext");
        assert_eq!(broken("  a longer line here", 12), "  a longer\n    line\n    here");
        assert_eq!(broken("x /a/path/that/is/long y", 10), "x\n  /a/path/that/is/long\n  y");
        assert_eq!(broken("takes 46 % of", 8), "takes\n  46 %\n  of");
    }

    #[test]
    fn a_command_can_be_copied() {
        let text = "interrupted; to go on: nn-cli train --resume --out runs/a";
        assert_eq!(
            broken(text, 40),
            "interrupted; to go on:\n  nn-cli train --resume --out runs/a"
        );
        let text = "get it (`nn-cli data fetch` downloads it), then go on";
        assert_eq!(
            broken(text, 24),
            "get it\n  (`nn-cli data fetch`\n  downloads it), then go\n  on"
        );
        let text = "run nn-cli runs a b; then see";
        assert_eq!(broken(text, 19), "run\n  nn-cli runs a b;\n  then see");
    }

    #[test]
    fn wide_letters_take_two_columns() {
        assert_eq!(shortened("日本語", 6), "日本語");
        assert_eq!(shortened("日本語", 5), "日…");
        assert_eq!(shortened("background_swap", 10), "backgr…wap");
        assert!(width(&shortened(&"狼".repeat(40), 28)) <= 28);
        assert_eq!(broken("狼狼狼 狼狼", 9), "狼狼狼\n  狼狼");
    }
}
