//! The two arms of the experiment, and the set that shows what the leaky model learned.

/// An arm of the experiment: training with leakage or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Every husky on grass, every wolf on snow: the background reveals the class.
    Leaky,
    /// All images on white.
    Clean,
}

/// The set on which the leaky model is tested in addition: the backgrounds are swapped.
pub const SWAPPED: &str = "background_swap";

impl Arm {
    /// In the order in which they are trained and reported.
    pub const ALL: [Self; 2] = [Self::Leaky, Self::Clean];

    /// The arm's name, in paths and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leaky => "leaky",
            Self::Clean => "clean",
        }
    }

    /// The set it trains and tests on.
    pub fn set(self) -> &'static str {
        match self {
            Self::Leaky => "different_backgrounds",
            Self::Clean => "same_backgrounds",
        }
    }
}
