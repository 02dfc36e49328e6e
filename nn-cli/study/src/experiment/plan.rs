//! The runs of an experiment.

use super::{Arm, Way};
use crate::config::RunConfig;

/// The runs of an experiment, in the order in which they begin: for each seed and each way both arms.
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
    /// The way to train.
    pub way: Way,
    /// The settings, as `train` would use them.
    pub config: RunConfig,
}

impl Plan {
    /// Plans a run of both arms for each of `count` seeds and each way that the settings ask for, which `config`
    /// returns for an arm.
    ///
    /// # Errors
    /// Those of `config`.
    pub fn new<E>(
        config: impl Fn(Arm) -> Result<RunConfig, E>,
        count: usize,
        given_share: Option<f64>,
    ) -> Result<Self, E> {
        let [leaky, clean] = Arm::ALL.map(config);
        let (leaky, clean) = (leaky?, clean?);
        let seeds = seeds(leaky.fit.seed, count);
        let both = Way::of(&leaky).into_iter().zip(Way::of(&clean));
        let each = both.flat_map(|((way, leaky), (_, clean))| {
            [(way, Arm::Leaky, leaky), (way, Arm::Clean, clean)]
        });
        let each: Vec<_> = each.collect();
        let runs = seeds.iter().flat_map(|&seed| {
            each.iter().map(move |(way, arm, config)| {
                let mut config = config.clone();
                config.fit.seed = seed;
                PlannedRun { arm: *arm, way: *way, config }
            })
        });
        Ok(Self { runs: runs.collect(), seeds, given_share })
    }

    /// The ways to train, in the order in which they are reported; the plain one is the first.
    pub fn ways(&self) -> Vec<Way> {
        let mut ways: Vec<Way> = self.runs.iter().map(|run| run.way).collect();
        ways.sort_unstable();
        ways.dedup();
        ways
    }

    /// The settings of the plain runs; the seed is that of the first run.
    pub fn config(&self) -> &RunConfig {
        &self.runs[0].config
    }
}

impl PlannedRun {
    /// The name of the run and of its folder: `leaky-27`, `frozen-leaky-27`.
    pub fn label(&self) -> String {
        label(self.way, self.arm, self.config.fit.seed)
    }
}

/// The name of a run and of its folder.
pub fn label(way: Way, arm: Arm, seed: u64) -> String {
    match way {
        Way::Plain => format!("{}-{seed}", arm.name()),
        _ => format!("{}-{}-{seed}", way.name(), arm.name()),
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
