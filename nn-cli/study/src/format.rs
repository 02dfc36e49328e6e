//! Formats numbers and names for people.

use std::time::Duration;

/// A name that is safe to print on a terminal or in a document.
///
/// Line breaks and tabs become spaces; other control characters, which could control a terminal and which
/// XML does not allow, become U+FFFD; invisible characters that change the writing direction are removed.
pub fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| {
            !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The name of a class, with a placeholder if it is empty.
pub fn class_name(name: &str) -> String {
    let name = clean(name);
    if name.trim().is_empty() { "(no name)".into() } else { name }
}

/// A percentage: `90.0 %`; a dash if it is not finite.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { "–".into() }
}

/// A loss with four decimals, or in scientific notation if it is too small or too large for that.
pub fn loss(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "–".into() } else { value.to_string() };
    }
    match value.abs() {
        a if a != 0.0 && !(5e-4..1e6).contains(&a) => format!("{value:.2e}"),
        _ => format!("{value:.4}"),
    }
}

/// `1 h 02 min`, `3 min 07 s`, `12.3 s`, `850 ms`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let whole = seconds.round() as u64;
    if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        let minutes = whole / 60;
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    }
}

/// A duration in few columns: `850 ms`, `12.3 s`, `3:07 min`, `1:02 h`.
pub fn clock(time: Duration) -> String {
    let whole = time.as_secs_f64().round() as u64;
    match time.as_secs_f64() {
        seconds if seconds < 59.95 => duration(time),
        _ if whole < 3600 => format!("{}:{:02} min", whole / 60, whole % 60),
        _ => format!("{}:{:02} h", whole / 3600, whole / 60 % 60),
    }
}

/// A size on disk: `28 MB`, `1.4 GB`.
pub fn bytes(size: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| size >= *unit) else {
        return plural(size, "byte");
    };
    let value = size as f64 / unit as f64;
    if value < 9.95 { format!("{value:.1} {name}") } else { format!("{value:.0} {name}") }
}

pub use nn_core::model::thousands as count;

/// `1 image`, `2 images`.
pub fn plural(n: u64, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `text` with its first letter capitalised.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(clean("a\u{1b}[31m\u{7}b\tc\n"), "a\u{fffd}[31m\u{fffd}b c ");
        assert_eq!(clean("x\u{202e}y\u{9b}"), "xy\u{fffd}");
        assert_eq!(class_name(" "), "(no name)");
        assert_eq!(class_name("wölf 狼"), "wölf 狼");
    }

    #[test]
    fn shares_and_losses() {
        assert_eq!(percent(f64::NAN), "–");
        assert_eq!(loss(0.587449), "0.5874");
        assert_eq!(loss(1e-9), "1.00e-9");
        assert_eq!(loss(0.0), "0.0000");
        assert_eq!(loss(f64::INFINITY), "inf");
    }

    #[test]
    fn durations_round_without_skipping_a_unit() {
        for (seconds, expected) in [
            (0.0, "0 ms"),
            (0.85, "850 ms"),
            (0.9996, "1.0 s"),
            (12.34, "12.3 s"),
            (59.96, "1 min 00 s"),
            (187.2, "3 min 07 s"),
            (3599.6, "1 h 00 min"),
            (3725.0, "1 h 02 min"),
        ] {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), expected);
        }
    }

    #[test]
    fn sizes_and_clocks() {
        for (size, expected) in [
            (1, "1 byte"),
            (999, "999 bytes"),
            (1500, "1.5 kB"),
            (28_300_000, "28 MB"),
            (1_420_000_000, "1.4 GB"),
        ] {
            assert_eq!(bytes(size), expected);
        }
        for (seconds, expected) in
            [(0.85, "850 ms"), (12.34, "12.3 s"), (187.2, "3:07 min"), (3725.0, "1:02 h")]
        {
            assert_eq!(clock(Duration::from_secs_f64(seconds)), expected);
        }
    }

    #[test]
    fn counts() {
        assert_eq!(count(7_877_538), "7,877,538");
        assert_eq!(count(123), "123");
        assert_eq!(plural(1, "image"), "1 image");
        assert_eq!(plural(2000, "image"), "2,000 images");
    }
}
