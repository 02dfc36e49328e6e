//! The runs of an experiment.

use super::Arm;
use crate::config::RunConfig;

/// The runs of an experiment, in the order in which they begin: for each seed both arms.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seeds, in the order in which they are reported.
    pub seeds: Vec<u64>,
    /// The runs, in the order in which they begin.
    pub runs: Vec<PlannedRun>,
    /// The validation share, if the user gave one.
    pub given_share: Option<f64>,
}

/// One training run.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    /// The arm it belongs to.
    pub arm: Arm,
    /// The settings, as `train` would use them.
    pub config: RunConfig,
}

impl Plan {
    /// Plans a run of both arms for each of `count` seeds, with the settings that `config` returns for an
    /// arm.
    ///
    /// # Errors
    /// Those of `config`.
    pub fn new<E>(
        config: impl Fn(Arm) -> Result<RunConfig, E>,
        count: usize,
        given_share: Option<f64>,
    ) -> Result<Self, E> {
        let [leaky, clean] = Arm::ALL.map(config);
        let both = [(Arm::Leaky, leaky?), (Arm::Clean, clean?)];
        let seeds = seeds(both[0].1.fit.seed, count);
        let runs = seeds.iter().flat_map(|&seed| {
            both.iter().map(move |(arm, config)| {
                let mut config = config.clone();
                config.fit.seed = seed;
                PlannedRun { arm: *arm, config }
            })
        });
        Ok(Self { runs: runs.collect(), seeds, given_share })
    }

    /// The settings that all runs share; the seed is that of the first run.
    pub fn config(&self) -> &RunConfig {
        &self.runs[0].config
    }
}

impl PlannedRun {
    /// The name of the run and of its folder: `leaky-27`.
    pub fn label(&self) -> String {
        format!("{}-{}", self.arm.name(), self.config.fit.seed)
    }
}

/// `count` seeds: `first`, followed by 1, 2, 3, ... without `first`.
pub fn seeds(first: u64, count: usize) -> Vec<u64> {
    std::iter::once(first).chain((1..).filter(|&seed| seed != first)).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn seeds_follow_the_rule_without_repeating_one() {
        assert_eq!(seeds(27, 1), [27]);
        assert_eq!(seeds(27, 5), [27, 1, 2, 3, 4]);
        assert_eq!(seeds(2, 4), [2, 1, 3, 4]);
        assert_eq!(seeds(0, 3), [0, 1, 2]);
    }
}
