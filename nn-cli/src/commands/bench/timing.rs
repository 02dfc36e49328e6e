//! Measures the time of repeated work.

use crate::interrupt;
use crate::ui::Counter;
use nn_core::Result;
use serde::Serialize;
use std::time::Instant;

/// The duration of repeated work, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Times {
    pub min: f64,
    pub median: f64,
}

/// The number of repetitions, and the progress counter.
pub struct Clock {
    /// The number of timed runs, 1 or more.
    pub steps: usize,
    /// The number of untimed runs before them.
    pub warm_up: usize,
    /// Incremented after each run.
    pub counter: Counter,
}

impl Clock {
    /// Times `work`; creating its input is not timed.
    ///
    /// # Errors
    /// Any error of the work, or that the user interrupted it.
    pub fn time<I>(
        &self,
        mut input: impl FnMut() -> I,
        mut work: impl FnMut(I) -> Result<()>,
    ) -> Result<Times> {
        let mut times = Vec::with_capacity(self.steps);
        for step in 0..self.warm_up + self.steps {
            interrupt::check()?;
            let input = input();
            let started = Instant::now();
            work(input)?;
            if step >= self.warm_up {
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
            self.counter.add(1);
        }
        Ok(Times::of(times))
    }
}

impl Times {
    /// The minimum and the median of `times`, which must not be empty.
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let (low, high) = (times[(times.len() - 1) / 2], times[times.len() / 2]);
        Self { min: times[0], median: (low + high) / 2.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(Times::of(vec![5.0]), Times { min: 5.0, median: 5.0 });
        assert_eq!(Times::of(vec![9.0, 1.0, 2.0]), Times { min: 1.0, median: 2.0 });
        assert_eq!(Times::of(vec![4.0, 1.0, 2.0, 9.0]), Times { min: 1.0, median: 3.0 });
    }
}
