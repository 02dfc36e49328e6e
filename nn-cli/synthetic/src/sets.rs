//! The pictures of each set: backgrounds, folders and numbers.

use crate::animal::Species;
use crate::picture::STREAMS;
use crate::scene::Ground;
use nn_core::rng::Rng;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The named sets, which exist under the same names as published photographs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyntheticSet {
    /// Both animals on pure white.
    SameBackgrounds,
    /// Huskies on grass, wolves on snow: the leak.
    DifferentBackgrounds,
    /// Huskies on snow, wolves on grass: the test that exposes the leak.
    BackgroundSwap,
}

impl SyntheticSet {
    /// Every set.
    pub const ALL: [Self; 3] =
        [Self::SameBackgrounds, Self::DifferentBackgrounds, Self::BackgroundSwap];

    /// The set called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// The set's name on the command line, and its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::SameBackgrounds => "same_backgrounds",
            Self::DifferentBackgrounds => "different_backgrounds",
            Self::BackgroundSwap => "background_swap",
        }
    }

    /// The background of `species` in this set.
    pub fn ground(self, species: Species) -> Ground {
        match (self, species) {
            (Self::SameBackgrounds, _) => Ground::White,
            (Self::DifferentBackgrounds, Species::Husky)
            | (Self::BackgroundSwap, Species::Wolf) => Ground::Grass,
            (Self::DifferentBackgrounds, Species::Wolf)
            | (Self::BackgroundSwap, Species::Husky) => Ground::Snow,
        }
    }
}

/// Which subset of a set a picture belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subset {
    /// In `train/`.
    Train,
    /// In `test/`.
    Test,
    /// The set is not divided: its folder contains the class folders.
    All,
}

impl Subset {
    /// The numbers of the pictures of each class.
    fn numbers(self) -> std::ops::Range<u32> {
        match self {
            Self::Train => 10..50,
            Self::Test => 0..10,
            Self::All => 1..21,
        }
    }
}

/// One picture of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The set.
    pub set: SyntheticSet,
    /// The subset of the set.
    pub subset: Subset,
    /// The class.
    pub species: Species,
    /// The number in the file name.
    pub number: u32,
}

impl Spec {
    /// The picture's path below the set's folder: `train/husky/husky_12.png`.
    pub fn path(&self) -> PathBuf {
        let class = self.species.name();
        let file = format!("{class}_{}.png", self.number);
        match self.subset {
            Subset::Train => ["train", class, &file].iter().collect(),
            Subset::Test => ["test", class, &file].iter().collect(),
            Subset::All => [class, &file].iter().collect(),
        }
    }

    /// The quantile of the picture's coat within its species, from 0 to 1. The coats of a class are a
    /// stratified sample: of the `n` pictures of a subset, one is in each interval of length `1 / n`, in
    /// random order. So even ten test pictures represent the species.
    pub(crate) fn coat_quantile(&self, seed: u64) -> f64 {
        let all = Self { number: u32::from(u16::MAX), ..*self };
        let mut rng = Rng::new(seed, STREAMS * all.stream());
        let mut numbers: Vec<u32> = self.subset.numbers().collect();
        rng.shuffle(&mut numbers);
        let place = numbers.iter().position(|&number| number == self.number).unwrap_or(0);
        (place as f64 + rng.uniform()) / numbers.len() as f64
    }

    /// The picture's random stream, a number that is unique over all sets.
    pub(crate) fn stream(&self) -> u64 {
        let class = match self.species {
            Species::Husky => 0,
            Species::Wolf => 1,
        };
        (self.set as u64) << 24 | (self.subset as u64) << 20 | class << 16 | u64::from(self.number)
    }
}

/// The pictures of `set`, with the numbers of the photographs: in each class 0 to 9 for testing and 10 to
/// 49 for training, or 1 to 20 in the undivided set.
pub fn specs(set: SyntheticSet) -> Vec<Spec> {
    let subsets: &[Subset] = match set {
        SyntheticSet::BackgroundSwap => &[Subset::All],
        _ => &[Subset::Train, Subset::Test],
    };
    let mut all = Vec::new();
    for &subset in subsets {
        for species in [Species::Husky, Species::Wolf] {
            all.extend(subset.numbers().map(|number| Spec { set, subset, species, number }));
        }
    }
    all
}
