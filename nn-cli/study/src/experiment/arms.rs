//! The two arms of the experiment, and the set that tells what the leaky one learned.

/// A way to train: with the leak or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Every husky on grass, every wolf on snow: the background gives the class away.
    Leaky,
    /// All on white.
    Clean,
}

/// The set on which the leaky model is tested once more: the backgrounds have changed places.
pub const SWAPPED: &str = "background_swap";

impl Arm {
    /// In the order in which they are trained and told.
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
