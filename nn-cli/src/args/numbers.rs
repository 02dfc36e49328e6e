//! Parsers for numbers on the command line. Their errors say what is expected, with an example.

use super::MOST_SEED;

/// A parser for an integer from `least` to `most`; errors show `example`.
pub fn whole<T: TryFrom<u64>>(
    least: u64,
    most: u64,
    example: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |typed| {
        let expected = match most {
            _ if most >= u32::MAX.into() => format!("a whole number, {least} or more"),
            _ => format!("a whole number from {least} to {most}"),
        };
        let fits = |value: &u64| (least..=most).contains(value);
        if let Some(value) = typed.trim().parse().ok().filter(fits)
            && let Ok(value) = T::try_from(value)
        {
            return Ok(value);
        }
        let digits: String =
            typed.chars().filter(|c| !matches!(c, ',' | '_' | '\'' | ' ')).collect();
        let plain = digits.parse::<f64>().ok().filter(|value| {
            value.fract() == 0.0 && *value < 1e15 && *value >= 0.0 && fits(&(*value as u64))
        });
        Err(match plain {
            Some(value) => format!("expected {expected}; write {value}"),
            None => format!("expected {expected}, such as {example}"),
        })
    }
}

/// A parser for a seed, up to the largest integer of TOML, in which runs are recorded.
pub fn seed() -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    whole(0, MOST_SEED, 27)
}

/// Parses a learning rate: a finite number above 0.
pub fn rate(typed: &str) -> Result<f64, String> {
    let expected = "expected a number above 0";
    match number(typed) {
        Some(0.0) => Err(format!("{expected}, such as 0.001; with 0 nothing is learned")),
        Some(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err(with_point(typed, expected, "0.001")),
    }
}

/// A parser for a finite number above 0.
pub fn above_zero(
    example: &'static str,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |typed| match number(typed) {
        Some(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err(with_point(typed, "expected a number above 0", example)),
    }
}

/// A parser for a number above 0 and below 1.
pub fn below_one(
    example: &'static str,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |typed| match number(typed) {
        Some(value) if value > 0.0 && value < 1.0 => Ok(value),
        _ => Err(with_point(typed, "expected a number above 0 and below 1", example)),
    }
}

/// Parses a weight decay: a finite number, 0 or above.
pub fn decay(typed: &str) -> Result<f64, String> {
    match number(typed) {
        Some(value) if value >= 0.0 && value.is_finite() => Ok(value),
        _ => Err(with_point(typed, "expected a number, 0 or above", "0.01")),
    }
}

/// How long the learning rate rises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WarmUp {
    /// So many epochs.
    Epochs(f64),
    /// This share of all epochs.
    Share(f64),
}

impl WarmUp {
    /// The number of epochs, out of `all`.
    pub fn epochs(self, all: usize) -> f64 {
        match self {
            Self::Epochs(epochs) => epochs,
            Self::Share(share) => share * all as f64,
        }
    }
}

impl std::fmt::Display for WarmUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Epochs(epochs) => write!(f, "{epochs}"),
            Self::Share(share) => write!(f, "{}%", share * 100.0),
        }
    }
}

/// Parses a warm-up: a number of epochs, or a percentage of all.
pub fn warm_up(typed: &str) -> Result<WarmUp, String> {
    let expected = "expected a number of epochs or a percentage of all";
    let share = typed.trim().strip_suffix('%').and_then(number);
    match (share, number(typed)) {
        (Some(share), _) if (0.0..=100.0).contains(&share) => Ok(WarmUp::Share(share / 100.0)),
        (None, Some(epochs)) if epochs >= 0.0 && epochs.is_finite() => Ok(WarmUp::Epochs(epochs)),
        _ => Err(with_point(typed, expected, "2 or 5%")),
    }
}

/// Parses a share of images: a number from 0 to below 1.
pub fn share(typed: &str) -> Result<f64, String> {
    let expected = "expected a share from 0 to below 1";
    match number(typed) {
        Some(value) if (0.0..1.0).contains(&value) => Ok(value),
        Some(value) if (1.0..100.0).contains(&value) && value != 1.0 => {
            Err(format!("{expected}; for {value} % write {}", value / 100.0))
        }
        None => match typed.trim().strip_suffix('%').and_then(number) {
            Some(value) if (0.0..100.0).contains(&value) => {
                Err(format!("{expected}; write {}", value / 100.0))
            }
            _ => Err(with_point(typed, expected, "0.125")),
        },
        Some(_) => Err(with_point(typed, expected, "0.125")),
    }
}

fn number(typed: &str) -> Option<f64> {
    typed.trim().parse().ok()
}

/// What was expected, with an example: what was typed, if only its decimal comma is wrong.
fn with_point(typed: &str, expected: &str, example: &str) -> String {
    let pointed = typed.trim().replacen(',', ".", 1);
    match number(&pointed) {
        Some(value) if pointed != typed.trim() && value.is_finite() => {
            format!("{expected}; write {pointed}")
        }
        _ => format!("{expected}, such as {example}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_ups() {
        assert_eq!(warm_up("0.5"), Ok(WarmUp::Epochs(0.5)));
        assert_eq!(warm_up("5%").map(|share| share.epochs(40)), Ok(2.0));
        assert_eq!(warm_up("5%").unwrap().to_string(), "5%");
        for typed in ["-1", "x", "101%", "inf", "-5%"] {
            assert!(warm_up(typed).unwrap_err().contains("such as 2 or 5%"), "{typed}");
        }
        assert_eq!(
            below_one("0.1")("0,5"),
            Err("expected a number above 0 and below 1; write 0.5".into())
        );
        assert!(
            below_one("0.1")("1").is_err() && above_zero("1")("0").is_err() && decay("-1").is_err()
        );
    }

    #[test]
    fn whole_numbers() {
        let epochs = whole::<usize>(1, u64::MAX, 10);
        assert_eq!(epochs("12"), Ok(12));
        for (typed, says) in [
            ("ten", "a whole number, 1 or more, such as 10"),
            ("0", "1 or more"),
            ("-3", "1 or more"),
            ("1.5", "a whole number"),
            ("", "such as 10"),
            ("10.0", "write 10"),
            ("1e3", "write 1000"),
            ("1,000", "write 1000"),
            ("99999999999999999999999", "such as 10"),
        ] {
            let told = epochs(typed).unwrap_err();
            assert!(told.contains(says), "{typed}: {told}");
        }
        let size = whole::<u32>(22, 1024, 256);
        assert_eq!(size("1024"), Ok(1024));
        assert_eq!(size("21"), Err("expected a whole number from 22 to 1024, such as 256".into()));
    }

    #[test]
    fn rates_and_shares() {
        assert_eq!((rate("1e-3"), share("0"), share("0.5")), (Ok(0.001), Ok(0.0), Ok(0.5)));
        for (typed, says) in [
            ("0", "nothing is learned"),
            ("-0.0", "nothing is learned"),
            ("-1", "above 0, such as 0.001"),
            ("inf", "above 0, such as"),
            ("NaN", "above 0, such as"),
            ("0,01", "write 0.01"),
            ("fast", "above 0, such as"),
        ] {
            let told = rate(typed).unwrap_err();
            assert!(told.contains(says), "{typed}: {told}");
        }
        for (typed, says) in [
            ("1", "such as 0.125"),
            ("20", "for 20 % write 0.2"),
            ("20%", "write 0.2"),
            ("0,2", "write 0.2"),
            ("NaN", "such as"),
            ("-0.5", "such as"),
        ] {
            let told = share(typed).unwrap_err();
            assert!(told.contains(says), "{typed}: {told}");
        }
    }
}
