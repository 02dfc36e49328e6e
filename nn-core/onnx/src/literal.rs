//! Lists of texts, and dictionaries of them by number, as JSON and Python write them.

use std::iter::Peekable;
use std::str::Chars;

/// The most texts that are read; ImageNet-21k has 21,841.
const MOST: usize = 1 << 20;

/// The texts of `["a", "b"]`, `{"0": "a", "1": "b"}`, `['a', 'b']` or `{0: 'a', 1: 'b'}`, in the order of their
/// numbers, which begin at 0 and leave none out. `None` for anything else.
pub fn texts(literal: &str) -> Option<Vec<String>> {
    let mut chars = literal.chars().peekable();
    let end = match next(&mut chars)? {
        '[' => ']',
        '(' => ')',
        '{' => '}',
        _ => return None,
    };
    let is_list = end != '}';
    let mut texts = Vec::new();
    loop {
        if peek(&mut chars)? == end {
            break;
        }
        if !is_list && (number(&mut chars)? != texts.len() || next(&mut chars)? != ':') {
            return None;
        }
        peek(&mut chars)?;
        texts.push(text(&mut chars)?);
        match peek(&mut chars)? {
            ',' if texts.len() < MOST => drop(chars.next()),
            c if c == end => {}
            _ => return None,
        }
    }
    chars.next();
    (peek(&mut chars).is_none() && !texts.is_empty()).then_some(texts)
}

/// The next character that is no space, which stays.
fn peek(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    while chars.next_if(|c| c.is_whitespace()).is_some() {}
    chars.peek().copied()
}

fn next(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    peek(chars)?;
    chars.next()
}

/// A number, which JSON has to write as a text where it is a key.
fn number(chars: &mut Peekable<Chars<'_>>) -> Option<usize> {
    if peek(chars)?.is_ascii_digit() {
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        return digits.parse().ok();
    }
    text(chars)?.parse().ok()
}

/// A text between quotes of one kind, with its escapes resolved.
fn text(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let quote = chars.next().filter(|c| matches!(c, '"' | '\''))?;
    let mut text = String::new();
    loop {
        match chars.next()? {
            c if c == quote => return Some(text),
            '\\' => text.push(escape(chars)?),
            c => text.push(c),
        }
    }
}

fn escape(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let digits = match chars.next()? {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        c => return Some(c).filter(|c| c.is_ascii_punctuation()),
    };
    match code(chars, digits)? {
        // JSON writes what lies beyond 16 bits as two halves.
        high @ 0xd800..0xdc00 => {
            let is_code = (chars.next()?, chars.next()?) == ('\\', 'u');
            let low = code(chars, 4).filter(|low| is_code && (0xdc00..0xe000).contains(low))?;
            char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
        }
        code => char::from_u32(code),
    }
}

/// A number of so many hexadecimal digits.
fn code(chars: &mut Peekable<Chars<'_>>, digits: usize) -> Option<u32> {
    (0..digits).try_fold(0, |code, _| Some(code << 4 | chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_python() {
        for literal in [
            r#"["a", "b's"]"#,
            r#"{"0":"a","1":"b's"}"#,
            r#"['a', "b's"]"#,
            r#" { 0 : 'a', 1 : 'b\'s', } "#,
            r"('a', 'b\x27s')",
        ] {
            assert_eq!(texts(literal), Some(vec!["a".into(), "b's".into()]), "{literal}");
        }
        let escaped = Some(vec!["\u{e9}\u{1f43a}\\\n".to_owned()]);
        assert_eq!(texts(r#"["\u00e9\ud83d\udc3a\\\n"]"#), escaped);
        assert_eq!(texts(r#"['é\U0001f43a\\\n']"#), escaped);
    }

    #[test]
    fn anything_else_is_not_guessed() {
        for literal in [
            "",
            "a, b",
            "[]",
            "{}",
            "['a', 'b'",
            "['a' 'b']",
            "['a', 1]",
            "{1: 'a', 2: 'b'}",
            "{0: 'a', 2: 'b'}",
            "['a'] b",
            "['a'}",
            "['a\\",
            r#"["\ud83d"]"#,
            "['\\q']",
        ] {
            assert_eq!(texts(literal), None, "{literal}");
        }
    }
}
