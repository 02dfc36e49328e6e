//! Axes: round tick values, and the format of their numbers.

/// Round values that cover `low..=high`, about `count` of them: steps are 1, 2, 2.5 or 5 times a
/// power of ten. The first is at or below `low`, the last at or above `high`.
pub fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let high = if high > low { high } else { low + 1.0 };
    let rough = (high - low) / count.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|&s| s >= rough * (1.0 - 1e-9))
        .unwrap_or(10.0 * power);
    let first = (low / step + 1e-9).floor();
    let last = (high / step - 1e-9).ceil();
    // Integer multiples, not a running sum, so that 0.3 is the floating-point number nearest to 0.3.
    (0..=(last - first) as usize).map(|i| (first + i as f64) * step).collect()
}

/// Tick positions of an axis from epoch 1 to `epochs`: all of them if there are at most `at_most`, else
/// every 2nd, 5th, 10th, ... epoch, and the first one if the step is larger than 2.
pub fn epoch_ticks(epochs: usize, at_most: usize) -> Vec<usize> {
    let at_most = at_most.max(2);
    if epochs <= at_most {
        return (1..=epochs).collect();
    }
    let step = (0..)
        .flat_map(|p| [1, 2, 5].map(|m| m * 10usize.saturating_pow(p)))
        .find(|&s| epochs / s < at_most)
        .unwrap_or(epochs);
    let mut all: Vec<usize> = (1..=epochs / step).map(|i| i * step).collect();
    if step > 2 {
        all.insert(0, 1);
    }
    all
}

/// Labels for `ticks`, all with the decimals that their step needs.
pub fn tick_labels(ticks: &[f64]) -> Vec<String> {
    let step = if ticks.len() > 1 { ticks[1] - ticks[0] } else { 1.0 };
    let largest = ticks.iter().fold(0f64, |m, t| m.max(t.abs()));
    if !(1e-3..1e5).contains(&largest) {
        return ticks.iter().map(|&t| scientific(t)).collect();
    }
    let decimals = (0..6)
        .find(|&d| {
            let scaled = step * 10f64.powi(d);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
        .unwrap_or(6) as usize;
    ticks.iter().map(|t| format!("{:.decimals$}", t + 0.0)).collect()
}

/// A share as a percentage, with one decimal unless it is whole.
pub fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).round();
    if tenths % 10.0 == 0.0 {
        format!("{:.0} %", tenths / 10.0 + 0.0)
    } else {
        format!("{:.1} %", tenths / 10.0)
    }
}

/// A loss with three significant digits or three decimals, whichever is shorter.
pub fn loss(value: f64) -> String {
    match value.abs() {
        a if a >= 1e5 || (a > 0.0 && a < 5e-4) => scientific(value),
        a if a >= 100.0 => format!("{value:.0}"),
        a if a >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// `2.5×10⁻⁷`, in characters the built-in font has.
fn scientific(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let text = format!("{value:.1e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = mantissa.strip_suffix(".0").unwrap_or(mantissa);
    let raised: String = exponent
        .chars()
        .map(|c| match c {
            '-' => '\u{207b}',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            c => c.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)).unwrap_or(c),
        })
        .collect();
    format!("{mantissa}×10{raised}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_range() {
        assert_eq!(ticks(0.0, 1.0, 4), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks(0.0, 0.71, 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8]);
        assert_eq!(ticks(0.0, 0.0, 2), [0.0, 0.5, 1.0]);
        for (low, high) in [(0.0, 1e-12), (-3.0, 7.0), (0.0, 123_456.0), (0.0, 1e99), (0.0, 0.3)] {
            let all = ticks(low, high, 5);
            assert!(all[0] <= low && *all.last().unwrap() >= high * (1.0 - 1e-9), "{all:?}");
            assert!((3..=8).contains(&all.len()), "{all:?}");
        }
    }

    #[test]
    fn epochs_are_whole_and_never_crowded() {
        assert_eq!(epoch_ticks(1, 10), [1]);
        assert_eq!(epoch_ticks(10, 10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(epoch_ticks(15, 10), [2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(epoch_ticks(200, 10), [1, 50, 100, 150, 200]);
        for epochs in [1, 2, 11, 37, 99, 1000, 123_456] {
            let all = epoch_ticks(epochs, 10);
            assert!(all.len() <= 11 && all.iter().all(|e| (1..=epochs).contains(e)), "{all:?}");
        }
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(tick_labels(&[0.0, 0.25, 0.5]), ["0.00", "0.25", "0.50"]);
        assert_eq!(tick_labels(&[0.0, 2.0, 4.0]), ["0", "2", "4"]);
        assert_eq!(tick_labels(&[0.0, 2e6]), ["0", "2×10⁶"]);
        assert_eq!(percent(0.9), "90 %");
        assert_eq!(percent(0.875), "87.5 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(loss(0.58749), "0.587");
        assert_eq!(loss(34.62), "34.6");
        assert_eq!(loss(2.5e-7), "2.5×10⁻⁷");
        assert_eq!(loss(0.0), "0.000");
    }
}
