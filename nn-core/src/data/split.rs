//! Splitting samples into training, validation and test.
//!
//! [`validation_split`] gives exactly the files of the reference: it shuffles as NumPy's legacy
//! `RandomState` does (`NumpyRandom`) and takes the end of the list. [`stratified_split`] is for
//! folders without `test/`, and uses the crate's own [`Rng`].

use super::part::Part;
use super::sample::Sample;
use crate::error::{Error, Result};
use crate::rng::{Rng, stream};
use std::path::Path;

/// Disjoint sets of samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Split {
    /// The training samples, used to update the weights.
    pub train: Vec<Sample>,
    /// The validation samples, evaluated after each epoch; may be empty.
    pub validation: Vec<Sample>,
    /// The test samples, evaluated after training; empty where a folder has validation images and no test.
    pub test: Vec<Sample>,
}

impl Split {
    /// The samples of one split.
    pub fn into_part(self, part: Part) -> Vec<Sample> {
        match part {
            Part::Train => self.train,
            Part::Validation => self.validation,
            Part::Test => self.test,
        }
    }
}

/// Splits `samples` into training and validation as the reference does.
///
/// The samples, which must be sorted by class and name, are shuffled by `NumpyRandom`; the last
/// `floor(fraction * n)` are for validation, the others for training, both in shuffled order. If
/// the fraction gives less than one image, the validation set is empty.
///
/// # Errors
/// If the fraction is not in `0.0..1.0`, or there is no sample to train on.
pub fn validation_split(
    mut samples: Vec<Sample>,
    fraction: f64,
    seed: u64,
) -> Result<(Vec<Sample>, Vec<Sample>)> {
    check_validation_split(fraction)?;
    let n = samples.len();
    let validation = (fraction * n as f64) as usize;
    // Rounding can make the product n for a fraction just below 1.
    if validation >= n {
        return Err(Error::setting(
            "validation split",
            "small enough to leave an image for training",
            format!("{fraction} of {n} images"),
            "lower it, or add images",
        ));
    }
    NumpyRandom::new(seed).shuffle(&mut samples);
    let validation = samples.split_off(n - validation);
    Ok((samples, validation))
}

/// Checks the fraction of images for validation.
///
/// # Errors
/// If it is not in `0.0..1.0`.
pub fn check_validation_split(fraction: f64) -> Result<()> {
    if (0.0..1.0).contains(&fraction) {
        return Ok(());
    }
    Err(Error::setting(
        "validation split",
        "at least 0 and below 1",
        fraction,
        "pass the share of the training images that validates, such as 0.125",
    ))
}

/// Splits `samples` into training, validation and test, stratified by class.
///
/// Of the `n` images of a class, shuffled, `n / 5` (rounded, at least one) are for the test. Of the others,
/// `fraction` (rounded; at least one unless the fraction is 0, and not all) is for validation, and the rest
/// for training: a fraction of an eighth gives 70/10/20. Each set is sorted by class, in shuffled order
/// within a class. The split of a class depends only on its own images, the fraction and the seed.
///
/// # Errors
/// If the fraction is not in `0.0..1.0`, a class has fewer than three images (two without
/// validation), which is too few for all sets, or a label is not an index into `classes`.
pub fn stratified_split(
    samples: &[Sample],
    classes: &[String],
    fraction: f64,
    seed: u64,
) -> Result<Split> {
    check_validation_split(fraction)?;
    let mut by_class = vec![Vec::new(); classes.len()];
    for sample in samples {
        match by_class.get_mut(sample.label) {
            Some(class) => class.push(sample.clone()),
            None => return Err(unknown_label(sample.label, classes.len())),
        }
    }
    let mut split = Split::default();
    for (mut class, name) in by_class.into_iter().zip(classes) {
        let (test, validation) =
            shares(class.len(), fraction).ok_or_else(|| too_small(&class, name, fraction > 0.0))?;
        Rng::new(seed, stream::SPLIT).shuffle(&mut class);
        split.test.extend(class.split_off(class.len() - test));
        split.validation.extend(class.split_off(class.len() - validation));
        split.train.append(&mut class);
    }
    Ok(split)
}

/// The numbers of test and validation images out of `n`; `None` if there are too few for all sets.
fn shares(n: usize, fraction: f64) -> Option<(usize, usize)> {
    let least = if fraction > 0.0 { 3 } else { 2 };
    if n < least {
        return None;
    }
    let test = ((n + 2) / 5).max(1);
    let rest = n - test;
    let validation = if fraction > 0.0 {
        ((fraction * rest as f64).round() as usize).clamp(1, rest - 1)
    } else {
        0
    };
    Some((test, validation))
}

fn too_small(class: &[Sample], name: &str, validates: bool) -> Error {
    let images = match class.len() {
        0 => "no images".to_string(),
        1 => "only 1 image".to_string(),
        n => format!("only {n} images"),
    };
    let expected = match validates {
        true => "at least 3, one each for training, validation and test",
        false => "at least 2, one each for training and test",
    };
    let folder = class.first().and_then(|sample| sample.path.parent());
    Error::file(
        folder.unwrap_or(Path::new(name)),
        format!("class {name} has {images}"),
        format!("expected {expected}: add images, or divide them into train/ and test/ yourself"),
    )
}

/// The error for a label that is out of range.
pub(super) fn unknown_label(label: usize, classes: usize) -> Error {
    Error::data(
        "label",
        format!("below the number of classes, {classes}"),
        label,
        "take labels and classes from the same folder",
    )
}

/// NumPy's legacy `RandomState`: the Mersenne Twister MT19937 and its shuffle.
///
/// It exists only for [`validation_split`], which must reproduce the file lists of the reference.
///
/// M. Matsumoto and T. Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform
/// pseudo-random number generator", 1998.
#[derive(Debug, Clone)]
struct NumpyRandom {
    key: [u32; Self::N],
    position: usize,
}

impl NumpyRandom {
    const N: usize = 624;
    const M: usize = 397;

    /// `RandomState(seed)`; a seed that needs more than 32 bits, which NumPy refuses, is taken as
    /// `RandomState([low 32 bits, high 32 bits])`.
    pub fn new(seed: u64) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        if high == 0 { Self::from_word(low) } else { Self::from_words(&[low, high]) }
    }

    fn from_word(seed: u32) -> Self {
        let mut key = [0; Self::N];
        let mut word = seed;
        for (i, slot) in key.iter_mut().enumerate() {
            *slot = word;
            word = 1_812_433_253_u32.wrapping_mul(word ^ (word >> 30)).wrapping_add(i as u32 + 1);
        }
        Self { key, position: Self::N }
    }

    /// `init_by_array` of the authors' code, for two words.
    fn from_words(words: &[u32; 2]) -> Self {
        let mut random = Self::from_word(19_650_218);
        let key = &mut random.key;
        let mut i = 1;
        for step in 0..2 * Self::N - 1 {
            let before = key[i - 1] ^ (key[i - 1] >> 30);
            key[i] = if step < Self::N {
                let j = step % words.len();
                let mixed = key[i] ^ before.wrapping_mul(1_664_525);
                mixed.wrapping_add(words[j]).wrapping_add(j as u32)
            } else {
                (key[i] ^ before.wrapping_mul(1_566_083_941)).wrapping_sub(i as u32)
            };
            i += 1;
            if i == Self::N {
                key[0] = key[Self::N - 1];
                i = 1;
            }
        }
        key[0] = 0x8000_0000;
        random
    }

    /// 32 uniform bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.position == Self::N {
            self.twist();
        }
        let mut word = self.key[self.position];
        self.position += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn twist(&mut self) {
        for i in 0..Self::N {
            let next = self.key[(i + 1) % Self::N];
            let word = (self.key[i] & 0x8000_0000) | (next & 0x7fff_ffff);
            let magic = if word & 1 == 1 { 0x9908_b0df } else { 0 };
            self.key[i] = self.key[(i + Self::M) % Self::N] ^ (word >> 1) ^ magic;
        }
        self.position = 0;
    }

    /// A uniform integer in `0..=max`, by rejection sampling with a bit mask.
    fn interval(&mut self, max: u32) -> u32 {
        if max == 0 {
            return 0;
        }
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let candidate = self.next_u32() & mask;
            if candidate <= max {
                return candidate;
            }
        }
    }

    /// Shuffles in place, as `RandomState.shuffle` does (for up to 2^32 items).
    pub fn shuffle<U>(&mut self, items: &mut [U]) {
        for i in (1..items.len()).rev() {
            let j = self.interval(i as u32) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::{Path, PathBuf};

    /// The training folder of both published sets, sorted as byte strings.
    fn published() -> Vec<Sample> {
        let class = |label, name| {
            (10..50).map(move |i| Sample { path: PathBuf::from(format!("{name}_{i}")), label })
        };
        class(0, "husky").chain(class(1, "wolf")).collect()
    }

    fn names(samples: &[Sample]) -> Vec<&str> {
        samples.iter().map(|s| s.path.to_str().unwrap()).collect()
    }

    #[test]
    fn the_reference_split_is_met_to_the_file() {
        let (train, validation) = validation_split(published(), 0.125, 27).unwrap();
        let expected = [
            "husky_12", "husky_23", "husky_35", "husky_34", "husky_47", "wolf_48", "husky_41",
            "wolf_42", "wolf_26", "husky_29",
        ];
        assert_eq!(names(&validation), expected);
        let expected = ["wolf_14", "wolf_17", "husky_32", "wolf_43", "wolf_18"];
        assert_eq!(names(&train)[..5], expected);
        assert_eq!(train.len(), 70);
        assert_eq!(train.iter().filter(|s| s.label == 0).count(), 33);
        // Labels stay with their files.
        let fits = |s: &Sample| s.path.to_str().unwrap().starts_with(["husky", "wolf"][s.label]);
        assert!(train.iter().chain(&validation).all(fits));
    }

    #[test]
    fn random_state_is_met_bit_for_bit() {
        // RandomState(seed).bytes(24), as words.
        let known: [(u64, [u32; 6]); 5] = [
            (27, [1828459539, 2065026744, 3498610504, 3929553439, 3158507320, 2009862896]),
            (0, [2357136044, 2546248239, 3071714933, 3626093760, 2588848963, 3684848379]),
            (5489, [3499211612, 581869302, 3890346734, 3586334585, 545404204, 4161255391]),
            (0xffff_ffff, [419326371, 479346978, 3918654476, 2416749639, 3388880820, 2260532800]),
            // RandomState([2, 1])
            (1 << 32 | 2, [4106135923, 3707026329, 4070888059, 3646664648, 242886303, 393353683]),
        ];
        for (seed, words) in known {
            let mut random = NumpyRandom::new(seed);
            assert_eq!(words.map(|_| random.next_u32()), words, "seed {seed}");
        }
        // The C++ standard gives the 10,000th output for the default seed, after many state updates.
        let mut random = NumpyRandom::new(5489);
        assert_eq!((0..10_000).map(|_| random.next_u32()).last(), Some(4_123_659_995));
    }

    #[test]
    fn fractions_are_checked() {
        for fraction in [-0.1, 1.0, 2.0, f64::NAN, f64::INFINITY] {
            let message = validation_split(published(), fraction, 27).unwrap_err().to_string();
            assert!(message.contains("at least 0 and below 1"), "{message}");
        }
        assert!(validation_split(Vec::new(), 0.0, 27).is_err());
        let nearly = 1.0 - f64::EPSILON / 2.0;
        let (train, validation) = validation_split(published(), nearly, 27).unwrap();
        assert_eq!((train.len(), validation.len()), (1, 79));
        for (fraction, expected) in [(0.0, 0), (0.01, 0), (0.0125, 1), (0.99, 79)] {
            let (train, validation) = validation_split(published(), fraction, 1).unwrap();
            assert_eq!((train.len(), validation.len()), (80 - expected, expected), "{fraction}");
        }
    }

    fn bare(counts: &[usize]) -> (Vec<Sample>, Vec<String>) {
        let sample = |label, i| Sample { path: PathBuf::from(format!("{label}/{i}.png")), label };
        let samples =
            counts.iter().enumerate().flat_map(|(label, &n)| (0..n).map(move |i| sample(label, i)));
        (samples.collect(), (0..counts.len()).map(|label| format!("class {label}")).collect())
    }

    #[test]
    fn bare_folders_are_split_class_by_class() {
        let counts = [3, 4, 10, 37, 100];
        let (samples, classes) = bare(&counts);
        let split = stratified_split(&samples, &classes, 0.125, 27).unwrap();
        let count = |set: &[Sample], label| set.iter().filter(|s| s.label == label).count();
        let expected = [(1, 1, 1), (2, 1, 1), (7, 1, 2), (26, 4, 7), (70, 10, 20)];
        for (label, expected) in expected.into_iter().enumerate() {
            let received = (
                count(&split.train, label),
                count(&split.validation, label),
                count(&split.test, label),
            );
            assert_eq!(received, expected, "{} images", counts[label]);
        }
        let all = split.train.iter().chain(&split.validation).chain(&split.test);
        let distinct: HashSet<&Path> = all.map(|s| s.path.as_path()).collect();
        assert_eq!(distinct.len(), samples.len());

        assert_eq!(stratified_split(&samples, &classes, 0.125, 27).unwrap(), split);
        assert_ne!(stratified_split(&samples, &classes, 0.125, 28).unwrap(), split);
    }

    #[test]
    fn an_eighth_of_what_does_not_test_is_a_tenth_of_all() {
        for n in 3..10_000 {
            let (test, validation) = shares(n, 0.125).unwrap();
            let rounded = |tenths: usize| ((n * tenths + 5) / 10).max(1);
            assert_eq!((test, validation), (rounded(2), rounded(1)), "{n} images");
        }
        assert_eq!(shares(100, 0.5), Some((20, 40)));
        assert_eq!(shares(100, 0.001), Some((20, 1)));
        assert_eq!(shares(100, 0.999), Some((20, 79)));
        assert_eq!(shares(100, 0.0), Some((20, 0)));
    }

    #[test]
    fn classes_too_small_to_split_are_refused() {
        let (samples, classes) = bare(&[5, 2]);
        let message = stratified_split(&samples, &classes, 0.125, 1).unwrap_err().to_string();
        assert!(message.contains("class 1") && message.contains("at least 3"), "{message}");
        assert!(stratified_split(&samples, &classes[..1], 0.125, 1).is_err());
        // Two images are enough without validation.
        let split = stratified_split(&samples, &classes, 0.0, 1).unwrap();
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (5, 0, 2));
        assert!(stratified_split(&bare(&[5, 1]).0, &classes, 0.0, 1).is_err());
    }
}
