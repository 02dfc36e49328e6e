//! A stopwatch for something that is done again and again.

use crate::interrupt;
use crate::ui::Counter;
use nn_core::Result;
use serde::Serialize;
use std::time::Instant;

/// How long something took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Times {
    pub min: f64,
    pub median: f64,
}

/// How often things are done, and who watches.
pub struct Clock {
    /// Runs that count, 1 or more.
    pub steps: usize,
    /// Runs before them.
    pub warm_up: usize,
    /// Told of each run.
    pub counter: Counter,
}

impl Clock {
    /// Times `work`; making its input does not count.
    ///
    /// # Errors
    /// The work's, or that the user asked to stop.
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
    /// The least and the middle of `times`, which are at least one.
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
