//! Which runs an experiment is made of.

use super::Arm;
use crate::args::ExperimentArgs;
use crate::config::RunConfig;
use crate::failure::Failure;

/// The runs of an experiment, in the order they begin: for each seed both arms.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seeds: Vec<u64>,
    pub runs: Vec<PlannedRun>,
    /// The share for validation, if one was asked for.
    pub given_share: Option<f64>,
}

/// One training run.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    pub arm: Arm,
    /// What `train` with these settings would be given.
    pub config: RunConfig,
}

impl Plan {
    /// The runs that the command line asks for.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn from_args(args: &ExperimentArgs) -> Result<Self, Failure> {
        let settings =
            Arm::ALL.map(|arm| RunConfig::for_set(arm.set(), &args.images, &args.settings));
        let [leaky, clean] = settings;
        let both = [(Arm::Leaky, leaky?), (Arm::Clean, clean?)];
        let seeds = seeds(both[0].1.fit.seed, args.seeds.into());
        let runs = seeds.iter().flat_map(|&seed| {
            both.iter().map(move |(arm, config)| {
                let mut config = config.clone();
                config.fit.seed = seed;
                PlannedRun { arm: *arm, config }
            })
        });
        let given_share = args.settings.validation_split;
        Ok(Self { runs: runs.collect(), seeds, given_share })
    }

    /// The settings all runs share; the seed is the first one.
    pub fn config(&self) -> &RunConfig {
        &self.runs[0].config
    }
}

impl PlannedRun {
    /// The run's name among the others, and that of its folder: `leaky-27`.
    pub fn label(&self) -> String {
        format!("{}-{}", self.arm.name(), self.config.fit.seed)
    }
}

/// `count` seeds: `first`, then 1, 2, 3, ... without it.
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
