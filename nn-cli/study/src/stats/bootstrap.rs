//! The uncertainty of scores that have no formula for it: their spread over samples that are drawn again.

use super::Interval;
use nn_core::rng::{Rng, stream};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// How often samples are drawn again, where time allows.
const RESAMPLES: usize = 2000;
/// With fewer, the ends of an interval would themselves be uncertain by several percent.
const FEWEST: usize = 200;
/// The most steps of all resamples together: a second or two.
const STEPS: usize = 400_000_000;
/// The seed: the same samples have the same intervals, whoever asks.
const SEED: u64 = 27;

/// The intervals of scores, and how they were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bootstrapped {
    /// How often the samples were drawn again; 0 if there are too many for it.
    pub resamples: usize,
    /// The 95 % interval of each score: from the 2.5th to the 97.5th percentile. `None` if the score is not
    /// defined, or the same in all resamples, which says nothing about others.
    pub intervals: Vec<Option<Interval>>,
}

/// The number of resamples for scores that take `steps` for each: 2,000, or fewer if they are large; 0 if there
/// is no time for enough of them.
pub fn resamples(steps: usize) -> usize {
    match (STEPS / steps.max(1)).min(RESAMPLES) {
        few if few < FEWEST => 0,
        enough => enough,
    }
}

/// What is drawn again: by stratum, units of samples that are drawn together.
pub struct Strata {
    samples: usize,
    strata: Vec<Vec<Vec<usize>>>,
}

impl Strata {
    /// Each sample by itself, from those of its class, as a score may depend on the shares of the classes.
    pub fn by_class(labels: &[usize]) -> Self {
        let groups: Vec<usize> = (0..labels.len()).collect();
        Self::by_group(labels, &groups)
    }

    /// The samples of each group together, from the groups that have their first sample in the same class.
    pub fn by_group(labels: &[usize], groups: &[usize]) -> Self {
        let mut units: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        groups.iter().enumerate().for_each(|(at, group)| units.entry(*group).or_default().push(at));
        let classes = labels.iter().max().map_or(0, |most| most + 1);
        let mut strata = vec![Vec::new(); classes];
        units.into_values().for_each(|unit| strata[labels[unit[0]]].push(unit));
        Self { samples: labels.len(), strata }
    }
}

/// Draws the samples again, `resamples` times, and computes `scores` each time, which is told how often each sample
/// was drawn: percentile bootstrap (Efron and Tibshirani 1993, "An introduction to the bootstrap", chapter 13).
///
/// As many units of each stratum are drawn as there are. The draws follow from the number of the resample alone, and
/// thus not from the number of threads.
pub fn bootstrap(
    strata: &Strata,
    resamples: usize,
    scores: impl Fn(&[u32]) -> Vec<Option<f64>> + Sync,
) -> Bootstrapped {
    let drawn = |number: usize| {
        let mut rng = Rng::new(SEED, stream::BOOTSTRAP + number as u64);
        let mut times = vec![0; strata.samples];
        for stratum in &strata.strata {
            for _ in stratum {
                stratum[rng.below(stratum.len())].iter().for_each(|&sample| times[sample] += 1);
            }
        }
        scores(&times)
    };
    let all: Vec<_> = (0..resamples).into_par_iter().map(drawn).collect();
    let count = all.first().map_or(0, Vec::len);
    let interval = |score: usize| {
        let values: Option<Vec<f64>> = all.iter().map(|scores| scores[score]).collect();
        let mut values = values?;
        values.sort_by(f64::total_cmp);
        let (low, high) = (quantile(&values, 0.025), quantile(&values, 0.975));
        (values[0] < values[values.len() - 1]).then_some(Interval { low, high })
    };
    Bootstrapped { resamples, intervals: (0..count).map(interval).collect() }
}

/// The quantile of sorted values, between the two nearest (NumPy's default, Hyndman and Fan's type 7).
fn quantile(sorted: &[f64], at: f64) -> f64 {
    let place = at * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (place - place.floor()) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of right ones among `n`, of which every fourth is wrong.
    fn share(n: usize) -> impl Fn(&[u32]) -> Vec<Option<f64>> + Sync {
        move |times| {
            let right = times.iter().enumerate().filter(|(at, _)| at % 4 > 0);
            vec![Some(right.map(|(_, n)| f64::from(*n)).sum::<f64>() / n as f64), None, Some(1.0)]
        }
    }

    #[test]
    fn the_interval_of_a_share_is_about_that_of_its_formula() {
        let found = bootstrap(&Strata::by_class(&[0; 400]), 2000, share(400));
        let interval = found.intervals[0].unwrap();
        // 0.75 ± 1.96 √(0.75 · 0.25 / 400).
        assert!((interval.low - 0.7076).abs() < 0.004, "{interval:?}");
        assert!((interval.high - 0.7924).abs() < 0.004, "{interval:?}");
        // What is not defined, or never changes, has none.
        assert_eq!(found.intervals[1..], [None, None]);
    }

    #[test]
    fn threads_change_no_bit_and_classes_keep_their_size() {
        let labels: Vec<usize> = (0..60).map(|at| usize::from(at % 5 == 0)).collect();
        let by = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bootstrap(&Strata::by_class(&labels), 300, share(60)))
        };
        assert_eq!(by(1), by(3));
        let of_class = |times: &[u32]| {
            let count = |class| {
                let own = times.iter().zip(&labels).filter(|(_, label)| **label == class);
                own.map(|(n, _)| n).sum::<u32>()
            };
            assert_eq!((count(0), count(1)), (48, 12));
            Vec::new()
        };
        assert_eq!(bootstrap(&Strata::by_class(&labels), 20, of_class).resamples, 20);
        assert_eq!(bootstrap(&Strata::by_class(&[]), 20, |_| vec![None]).intervals, [None]);
    }

    #[test]
    fn what_belongs_together_is_drawn_together() {
        let (labels, groups) = ([0, 0, 0, 1, 1, 1], [7, 7, 3, 2, 2, 9]);
        let strata = Strata::by_group(&labels, &groups);
        bootstrap(&strata, 50, |times| {
            assert_eq!((times[0], times[3]), (times[1], times[4]));
            // Two groups of each class are drawn.
            assert_eq!((times[0] + times[2], times[3] + times[5]), (2, 2));
            Vec::new()
        });
        // Copies ten times over tell no more than once.
        let (once, tenfold) = (vec![0; 40], vec![0; 400]);
        let groups: Vec<usize> = (0..400).map(|at| at / 10).collect();
        let wide = |strata: &Strata, each: usize| {
            let right = move |at: usize| !(at / each).is_multiple_of(4);
            let found = bootstrap(strata, 2000, |times| {
                let all: u32 = times.iter().sum();
                let right = times.iter().enumerate().filter(|(at, _)| right(*at));
                vec![Some(right.map(|(_, n)| f64::from(*n)).sum::<f64>() / f64::from(all))]
            });
            found.intervals[0].unwrap()
        };
        let (a, b) =
            (wide(&Strata::by_class(&once), 1), wide(&Strata::by_group(&tenfold, &groups), 10));
        assert_eq!(a, b);
    }

    #[test]
    fn large_sets_take_fewer_or_none() {
        assert_eq!((resamples(0), resamples(200_000)), (2000, 2000));
        assert_eq!((resamples(1_000_000), resamples(2_000_000)), (400, 200));
        assert_eq!(resamples(2_100_000), 0);
    }

    #[test]
    fn quantiles_lie_between_values() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.25), 1.5);
        assert_eq!((quantile(&[1.0, 2.0], 0.0), quantile(&[1.0, 2.0], 1.0)), (1.0, 2.0));
    }
}
