//! Division of samples into folds for cross-validation, by class, with groups kept whole.
//!
//! Samples of one group (copies of an image, images of one subject) are never divided: a network that has been
//! trained on one of them knows something of the others. As many samples of each class as possible go to each fold.

use super::split::check_validation_split;
use crate::error::{Error, Result};
use crate::rng::{Rng, stream};
use std::collections::BTreeMap;

/// Samples by class and group: what is divided into folds.
///
/// `labels[i]` and `groups[i]` belong to sample `i`; a group is any number, such as the lowest index of its samples.
#[derive(Debug, Clone, Copy)]
pub struct Grouped<'a> {
    /// The class of each sample, as an index into `classes`.
    pub labels: &'a [usize],
    /// The group of each sample.
    pub groups: &'a [usize],
    /// The names of the classes, for errors.
    pub classes: &'a [String],
}

/// The samples of one group: how many there are of each class.
struct Group {
    samples: Vec<usize>,
    classes: BTreeMap<usize, usize>,
}

impl Grouped<'_> {
    /// The fold of each sample, from 0 to `folds - 1`: stratified by class, no group divided.
    ///
    /// The groups, shuffled by `seed`, the largest first, go to the fold that lacks most of their classes
    /// (as scikit-learn's `StratifiedGroupKFold` does, with another measure of what a fold lacks). Without groups, the
    /// folds have the same number of samples of each class, give or take one.
    ///
    /// ```
    /// use nn_core::data::Grouped;
    ///
    /// let classes = ["cat".to_string(), "dog".to_string()];
    /// // Eight images; the first two are copies of one another.
    /// let (labels, groups) = ([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 2, 3, 4, 5, 6, 7]);
    /// let images = Grouped { labels: &labels, groups: &groups, classes: &classes };
    /// let folds = images.folds(2, 27)?;
    /// assert_eq!(folds[0], folds[1]);
    /// assert_eq!(folds.iter().filter(|fold| **fold == 0).count(), 4);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than two folds, or too few groups for so many; if all samples of a class would be in one
    /// fold, so that a network that is tested on them would be trained without the class; if a label is not an index
    /// into `classes`, or there is not a group for each label.
    pub fn folds(&self, folds: usize, seed: u64) -> Result<Vec<usize>> {
        let groups = self.collected()?;
        let at_most = groups.len();
        if folds < 2 || folds > at_most {
            let expected = match at_most {
                0 | 1 => "at least 2, of as many groups of images".to_string(),
                _ => format!("from 2 to {at_most}, the number of groups of images"),
            };
            let remedy =
                "5 or 10 are usual; a group is what must stay together, and often a single image";
            return Err(Error::setting("the number of folds", expected, folds, remedy));
        }
        let mut order = shuffled(&groups, seed);
        // A stable sort, so that groups of one size stay shuffled.
        order.sort_by_key(|&at| std::cmp::Reverse(groups[at].samples.len()));
        let fold = self.divide(&groups, &order, &vec![1.0 / folds as f64; folds]);
        if let Some(empty) = (0..folds).find(|at| !fold.contains(at)) {
            return Err(Error::setting(
                "the number of folds",
                "few enough that each gets images",
                format!("{folds}, of which fold {} gets none", empty + 1),
                "lower it; a few groups have most of the images",
            ));
        }
        if let Some(class) = (0..self.classes.len()).find(|&class| self.is_in_one(class, &fold)) {
            return Err(Error::data(
                format!("class {}", self.classes[class]),
                "images in at least two groups, one to train on and one to test on",
                "images that would all be in one fold",
                "add images that are no copies of these, group them in another way, or try another seed",
            ));
        }
        Ok(fold)
    }

    /// Whether all samples of a class, which has some, are in one fold.
    fn is_in_one(&self, class: usize, fold: &[usize]) -> bool {
        let of_class = self.labels.iter().zip(fold).filter(|(label, _)| **label == class);
        let mut folds = of_class.map(|(_, fold)| fold);
        folds.next().is_some_and(|first| folds.all(|fold| fold == first))
    }

    /// Which samples are held out, about `share` of each class, no group divided. At least one group of each class is
    /// not held out; unless `share` is 0, at least one sample is, if that leaves each class in the others.
    ///
    /// # Errors
    /// If the share is not in `0.0..1.0`; if a label is not an index into `classes`, or there is not a group for each
    /// label.
    pub fn holdout(&self, share: f64, seed: u64) -> Result<Vec<bool>> {
        check_validation_split(share)?;
        let groups = self.collected()?;
        if share == 0.0 {
            return Ok(vec![false; self.labels.len()]);
        }
        // In any order: with the largest first, the small ones alone would be left for the smaller part.
        let part = self.divide(&groups, &shuffled(&groups, seed), &[1.0 - share, share]);
        let mut is_out: Vec<bool> =
            groups.iter().map(|group| part[group.samples[0]] == 1).collect();
        // What is left of each class, in groups.
        let mut left = vec![0; self.classes.len()];
        for (group, _) in groups.iter().zip(&is_out).filter(|(_, out)| !**out) {
            group.classes.keys().for_each(|&class| left[class] += 1);
        }
        for (group, out) in groups.iter().zip(&mut is_out).filter(|(_, out)| **out) {
            if group.classes.keys().any(|&class| left[class] == 0) {
                *out = false;
                group.classes.keys().for_each(|&class| left[class] += 1);
            }
        }
        if !is_out.contains(&true) {
            let can_leave = |group: &Group| group.classes.keys().all(|&class| left[class] > 1);
            let smallest = (0..groups.len())
                .filter(|&at| can_leave(&groups[at]))
                .min_by_key(|&at| groups[at].samples.len());
            smallest.into_iter().for_each(|at| is_out[at] = true);
        }
        let mut held = vec![false; self.labels.len()];
        for (group, _) in groups.iter().zip(&is_out).filter(|(_, out)| **out) {
            group.samples.iter().for_each(|&sample| held[sample] = true);
        }
        Ok(held)
    }

    /// The groups, by their lowest sample.
    fn collected(&self) -> Result<Vec<Group>> {
        let (n, labels) = (self.groups.len(), self.labels.len());
        if n != labels {
            let remedy = "pass one for each sample";
            return Err(Error::data("groups", format!("{labels}, as labels"), n, remedy));
        }
        if let Some(&label) = self.labels.iter().find(|label| **label >= self.classes.len()) {
            return Err(super::split::unknown_label(label, self.classes.len()));
        }
        let mut at: BTreeMap<usize, usize> = BTreeMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for (sample, (label, group)) in self.labels.iter().zip(self.groups).enumerate() {
            let at = *at.entry(*group).or_insert(groups.len());
            if at == groups.len() {
                groups.push(Group { samples: Vec::new(), classes: BTreeMap::new() });
            }
            groups[at].samples.push(sample);
            *groups[at].classes.entry(*label).or_default() += 1;
        }
        Ok(groups)
    }

    /// The part of each sample, where part `p` shall have `shares[p]` of the samples of each class; groups are placed in
    /// this order.
    fn divide(&self, groups: &[Group], order: &[usize], shares: &[f64]) -> Vec<usize> {
        let mut of_class = vec![0_usize; self.classes.len()];
        self.labels.iter().for_each(|&label| of_class[label] += 1);
        // What each part has, in all and of each class; counts are exact where sums of shares would not be.
        let mut has = vec![0_usize; shares.len()];
        let mut has_of = vec![vec![0_usize; self.classes.len()]; shares.len()];
        let mut part = vec![0; self.labels.len()];
        for group in order.iter().map(|at| &groups[*at]) {
            // Squared distance to the shares grows least where most is lacking.
            let surplus = |at: usize| -> f64 {
                let of = |(&class, &count): (&usize, &usize)| {
                    let all = of_class[class] as f64;
                    count as f64 / all * (has_of[at][class] as f64 / all - shares[at])
                };
                group.classes.iter().map(of).sum()
            };
            let rank = |at: usize| (surplus(at), has[at] as f64 / shares[at]);
            let least = (0..shares.len()).map(|at| (rank(at), at)).min_by(|a, b| {
                let ((a, full_a), (b, full_b)) = (a.0, b.0);
                a.total_cmp(&b).then(full_a.total_cmp(&full_b))
            });
            let to = least.map_or(0, |(_, at)| at);
            has[to] += group.samples.len();
            group.classes.iter().for_each(|(&class, count)| has_of[to][class] += count);
            group.samples.iter().for_each(|&sample| part[sample] = to);
        }
        part
    }
}

/// The places of the groups, shuffled.
fn shuffled(groups: &[Group], seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    Rng::new(seed, stream::FOLDS).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    /// Labels for classes of these sizes, each sample a group of its own.
    fn singles(counts: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let labels = counts.iter().enumerate().flat_map(|(label, &n)| vec![label; n]);
        let labels: Vec<usize> = labels.collect();
        let groups = (0..labels.len()).collect();
        (labels, groups)
    }

    #[test]
    fn without_groups_each_fold_has_its_share_of_each_class() {
        let (labels, groups) = singles(&[50, 13, 7, 4]);
        let classes = names(4);
        let images = Grouped { labels: &labels, groups: &groups, classes: &classes };
        for seed in [1, 2, 27] {
            let folds = images.folds(5, seed).unwrap();
            let count = |fold: usize, label: usize| {
                let all = labels.iter().zip(&folds);
                all.filter(|(at, to)| **at == label && **to == fold).count()
            };
            for (label, n) in [(0, 50_usize), (1, 13), (2, 7), (3, 4)] {
                for fold in 0..5 {
                    let here = count(fold, label);
                    assert!((n / 5..=n.div_ceil(5)).contains(&here), "{label} {fold}: {here}");
                }
            }
            let sizes: Vec<_> =
                (0..5).map(|fold| folds.iter().filter(|to| **to == fold).count()).collect();
            assert!(sizes.iter().all(|size| (13..=16).contains(size)), "{sizes:?}");
            assert_eq!(folds, images.folds(5, seed).unwrap());
        }
        assert_ne!(images.folds(5, 1).unwrap(), images.folds(5, 2).unwrap());
    }

    #[test]
    fn groups_are_never_divided_and_folds_stay_even() {
        // 300 samples of 3 classes by 40 subjects, some of them large.
        let mut rng = Rng::new(5, 0);
        let groups: Vec<usize> = (0..300).map(|_| rng.below(40).min(rng.below(40))).collect();
        let labels: Vec<usize> = groups.iter().map(|group| group % 3).collect();
        let classes = names(3);
        let images = Grouped { labels: &labels, groups: &groups, classes: &classes };
        let folds = images.folds(5, 27).unwrap();
        for (group, fold) in groups.iter().zip(&folds) {
            let first = groups.iter().position(|other| other == group).unwrap();
            assert_eq!(folds[first], *fold);
        }
        for fold in 0..5 {
            let size = folds.iter().filter(|to| **to == fold).count();
            assert!((50..=70).contains(&size), "fold {fold}: {size}");
        }
        let held = images.holdout(0.25, 27).unwrap();
        for (group, out) in groups.iter().zip(&held) {
            let first = groups.iter().position(|other| other == group).unwrap();
            assert_eq!(held[first], *out);
        }
        let count = held.iter().filter(|out| **out).count();
        assert!((60..=90).contains(&count), "{count}");
    }

    #[test]
    fn large_groups_validate_as_well() {
        // One class, whose subjects have 40, 35, 30, ... images.
        let sizes = [40, 35, 30, 25, 20, 15, 12, 8, 4, 3];
        let groups: Vec<usize> =
            sizes.iter().enumerate().flat_map(|(at, &n)| vec![at; n]).collect();
        let (labels, classes) = (vec![0; groups.len()], names(1));
        let images = Grouped { labels: &labels, groups: &groups, classes: &classes };
        let mut chosen = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let held = images.holdout(0.125, seed).unwrap();
            chosen.extend(groups.iter().zip(held).filter(|(_, out)| *out).map(|(group, _)| *group));
        }
        assert!(chosen.contains(&0) && chosen.contains(&9), "{chosen:?}");
    }

    #[test]
    fn what_is_held_out_leaves_every_class() {
        let classes = names(3);
        // The second class is one group, the third has two images.
        let (labels, groups) = ([0, 0, 0, 0, 1, 1, 1, 2, 2], [0, 1, 2, 3, 4, 4, 4, 5, 6]);
        let images = Grouped { labels: &labels, groups: &groups, classes: &classes };
        for share in [0.125, 0.5, 0.9] {
            let held = images.holdout(share, 27).unwrap();
            for class in 0..3 {
                let left = labels.iter().zip(&held).any(|(label, out)| *label == class && !out);
                assert!(left, "{share}: class {class}");
            }
            assert!(held.contains(&true), "{share}");
        }
        assert_eq!(images.holdout(0.0, 27).unwrap(), [false; 9]);
        assert!(images.holdout(1.0, 27).is_err());
        // Nothing can be held out of two classes with an image each.
        let images = Grouped { labels: &[0, 1], groups: &[0, 1], classes: &classes };
        assert_eq!(images.holdout(0.5, 27).unwrap(), [false, false]);
    }

    #[test]
    fn folds_that_cannot_be_are_refused() {
        let classes = names(2);
        let (labels, groups) = singles(&[3, 3]);
        let images = Grouped { labels: &labels, groups: &groups, classes: &classes };
        for folds in [0, 1, 7] {
            let message = images.folds(folds, 1).unwrap_err().to_string();
            assert!(message.contains("from 2 to 6"), "{message}");
        }
        assert!(images.folds(6, 1).is_ok());
        let images = Grouped { groups: &[0, 0, 0, 3, 4, 5], ..images };
        let message = images.folds(2, 1).unwrap_err().to_string();
        assert!(message.contains("class class 0") && message.contains("in one fold"), "{message}");
        // One group has most of the images of both classes; the rest is one more group.
        let images = Grouped { labels: &[0, 0, 1, 1, 0, 1], groups: &[0, 0, 0, 0, 1, 1], ..images };
        assert!(images.folds(2, 1).is_ok());
        assert!(Grouped { groups: &[0], ..images }.folds(2, 1).is_err());
        assert!(Grouped { classes: &classes[..1], ..images }.folds(2, 1).is_err());
        let none = Grouped { labels: &[], groups: &[], classes: &classes };
        assert!(none.folds(2, 1).unwrap_err().to_string().contains("at least 2"));
    }
}
