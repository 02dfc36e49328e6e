//! The data of training curves: one series of values over the epochs, and levels to compare them with.

/// One line: a value for each epoch, the first for epoch 1.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The line's name: `training`, `validation`.
    pub name: String,
    /// One value for each epoch; NaN if there is none.
    pub values: Vec<f64>,
    /// The spread around the values, for instance over seeds.
    pub band: Option<Band>,
}

/// The lower and the upper edge of a spread, one value for each epoch.
#[derive(Clone, Debug, Default)]
pub struct Band {
    /// Lower edge.
    pub lower: Vec<f64>,
    /// Upper edge.
    pub upper: Vec<f64>,
}

impl Series {
    /// A line without a band.
    pub fn new(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { name: name.into(), values, band: None }
    }

    /// The mean over several runs with one value for each epoch, and a band from the lowest value to the
    /// highest.
    pub fn over_runs(name: impl Into<String>, runs: &[Vec<f64>]) -> Self {
        let epochs = runs.iter().map(Vec::len).min().unwrap_or(0);
        let over = |fold: fn(f64, f64) -> f64, epoch: usize| {
            runs.iter().map(|run| run[epoch]).reduce(fold).unwrap_or(f64::NAN)
        };
        let all = |fold| (0..epochs).map(|epoch| over(fold, epoch)).collect::<Vec<f64>>();
        let mean = all(|a, b| a + b).iter().map(|sum| sum / runs.len() as f64).collect();
        let one = Self::new(name, mean);
        if runs.len() > 1 { one.with_band(all(f64::min), all(f64::max)) } else { one }
    }

    /// Adds a band between `lower` and `upper`.
    pub fn with_band(mut self, lower: Vec<f64>, upper: Vec<f64>) -> Self {
        self.band = Some(Band { lower, upper });
        self
    }
}

/// Whether a value can be drawn; any other value is a gap in its line.
pub(super) fn is_drawable(value: f64) -> bool {
    value.is_finite() && value.abs() < 1e100
}

/// The last epoch that has a value, counted from 1, and the value.
pub(super) fn last_value(values: &[f64]) -> Option<(usize, f64)> {
    values.iter().enumerate().rfind(|(_, v)| is_drawable(**v)).map(|(i, &v)| (i + 1, v))
}

/// A level to compare an accuracy with, such as the accuracy of guessing: a dashed or dotted line.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// The line's name.
    pub name: String,
    /// Its accuracy, from 0 to 1.
    pub accuracy: f64,
    /// Whether it is dotted; otherwise it is dashed.
    pub dotted: bool,
}

impl Baseline {
    /// The line's pattern, as in `stroke-dasharray`.
    pub(super) fn dash(&self) -> &'static str {
        if self.dotted { "2 4" } else { "5 4" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_runs_are_a_mean_and_a_band() {
        let one = Series::over_runs("one", &[vec![1.0, 2.0]]);
        assert_eq!((one.values, one.band.is_none()), (vec![1.0, 2.0], true));
        let runs = [vec![1.0, 2.0, f64::NAN], vec![3.0, 8.0, 1.0], vec![2.0, 2.0, 1.0]];
        let all = Series::over_runs("all", &runs);
        assert_eq!(all.values[..2], [2.0, 4.0]);
        assert!(all.values[2].is_nan());
        let band = all.band.unwrap();
        assert_eq!((&band.lower[..2], &band.upper[..2]), (&[1.0, 2.0][..], &[3.0, 8.0][..]));
    }
}
