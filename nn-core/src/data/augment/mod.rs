//! Augmentation: training images are changed a little, in another way in each epoch.
//!
//! ```text
//! kinds       what there is, by name and strength
//! geometry    where a pixel comes from: flips, turns, slants, zooms, shifts, crops
//! colour      brightness, contrast, saturation, hue
//! local       noise, blur, erased rectangles
//! mix         mixup and cutmix: two images become one
//! background  other backgrounds behind the subjects
//! ```
//!
//! What is done to an image follows from seed, epoch and the image's index alone, so it depends neither on threads nor
//! on where a run was stopped.

mod background;
mod colour;
mod geometry;
mod kinds;
mod local;
mod mix;

pub use background::Backgrounds;
pub use kinds::{GROUPS, KINDS, Kind, KindInfo};
pub(crate) use mix::Mix;

use crate::error::{Error, Result};
use crate::rng::{Rng, stream};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The smallest parameter of the beta distribution from which shares of mixed images are drawn.
const LEAST_SHAPE: f64 = 0.01;

/// The height, width and channels of an image.
pub(crate) type Size = [usize; 3];

/// Which augmentations are applied, and how strongly; by default none.
///
/// Its text is a list of names, of kinds or of groups of them, with a strength where it is not the usual one:
///
/// ```
/// use nn_core::data::augment::{Augmentation, Kind};
/// let augmentation: Augmentation = "flip,rotate=20".parse()?;
/// assert_eq!(augmentation.strength(Kind::Rotate), 20.0);
/// assert_eq!(augmentation.to_string(), "flip,rotate=20");
/// assert!("colour".parse::<Augmentation>()?.strength(Kind::Hue) > 0.0);
/// assert!("flip,rotat".parse::<Augmentation>().is_err());
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Augmentation {
    strengths: [f64; KINDS.len()],
}

impl Augmentation {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// The strength of a kind, 0 if it is off; [`KindInfo::strength`] says what it means.
    pub fn strength(&self, kind: Kind) -> f64 {
        self.strengths[kind as usize]
    }

    /// The same with another strength of a kind; 0 turns it off.
    ///
    /// # Errors
    /// If the strength is out of range.
    pub fn with(mut self, kind: Kind, strength: f64) -> Result<Self> {
        let KindInfo { name, usual, most, strength: meaning, .. } = kind.info();
        // A beta distribution of smaller parameters is next to 0 or 1.
        let mixes = matches!(kind, Kind::Mixup | Kind::Cutmix);
        let is_tiny = mixes && strength > 0.0 && strength < LEAST_SHAPE;
        if !(0.0..=most).contains(&strength) || is_tiny {
            return Err(Error::setting(
                format!("the strength of the augmentation {name} ({meaning})"),
                match mixes {
                    true => format!("0, or from {LEAST_SHAPE} to {most}"),
                    false => format!("from 0 to {most}"),
                },
                strength,
                format!("{usual} is usual"),
            ));
        }
        self.strengths[kind as usize] = strength;
        Ok(self)
    }

    /// The kinds that are on.
    pub fn kinds(&self) -> impl Iterator<Item = KindInfo> + '_ {
        KINDS.into_iter().filter(|info| self.strength(info.kind) > 0.0)
    }

    /// Whether nothing is done.
    pub fn is_none(&self) -> bool {
        self.kinds().next().is_none()
    }

    /// Whether images are mixed, so that labels are shares of classes.
    pub fn mixes(&self) -> bool {
        self.strength(Kind::Mixup) > 0.0 || self.strength(Kind::Cutmix) > 0.0
    }

    /// Checks that it can be applied to images of so many channels.
    ///
    /// # Errors
    /// If it changes colours, and the images have none.
    pub fn check(&self, channels: usize) -> Result<()> {
        let is_colour = |info: &KindInfo| matches!(info.kind, Kind::Saturation | Kind::Hue);
        match self.kinds().find(is_colour) {
            Some(info) if channels != 3 => Err(Error::setting(
                format!("the augmentation {}", info.name),
                "for images in colour, red, green and blue",
                format!("images of {channels} channels"),
                "leave it away",
            )),
            _ => Ok(()),
        }
    }

    /// The generator of a stream for an image in an epoch.
    fn rng((seed, epoch, index): (u64, usize, usize), stream: u64) -> Rng {
        // Another key for each epoch, so that each has room for as many images as a stream.
        let key = seed ^ (epoch as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Rng::new(key, stream + index as u64)
    }

    /// Changes the image at this place, of seed, epoch and index, of values 0 to 255; not its background, and not by others.
    /// `spare` is memory to work in.
    pub(crate) fn apply(
        &self,
        image: &mut [f32],
        size: Size,
        place: (u64, usize, usize),
        spare: &mut Vec<f32>,
    ) {
        let mut rng = Self::rng(place, stream::AUGMENT);
        geometry::apply(self, image, size, &mut rng, spare);
        colour::apply(self, image, size, &mut rng);
        local::apply(self, image, size, &mut rng, spare);
    }
}

impl FromStr for Augmentation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut augmentation = Self::none();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, strength) = match part.split_once('=') {
                Some((name, strength)) => (name.trim(), Some(strength.trim())),
                None => (part, None),
            };
            if let (None, Some((_, kinds))) =
                (strength, GROUPS.iter().find(|(group, _)| *group == name))
            {
                for kind in *kinds {
                    augmentation.strengths[*kind as usize] = kind.info().usual;
                }
                continue;
            }
            let Some(info) = KINDS.into_iter().find(|info| info.name == name) else {
                let known = KINDS.iter().map(|info| info.name);
                let known = GROUPS.iter().map(|(group, _)| *group).chain(known);
                return Err(Error::setting(
                    "an augmentation",
                    format!("one of {}", known.collect::<Vec<_>>().join(", ")),
                    format!("{name:?}"),
                    "write several with commas, and a strength behind =, as in flip,rotate=20",
                ));
            };
            let strength = match strength {
                None => info.usual,
                Some(number) => number.parse().map_err(|_| {
                    Error::setting(
                        format!("the strength of {name} ({})", info.strength),
                        format!("a number from 0 to {}", info.most),
                        format!("{number:?}"),
                        format!("{name}={} is usual", info.usual),
                    )
                })?,
            };
            augmentation = augmentation.with(info.kind, strength)?;
        }
        Ok(augmentation)
    }
}

impl fmt::Display for Augmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, info) in self.kinds().enumerate() {
            let separator = if i > 0 { "," } else { "" };
            let strength = self.strength(info.kind);
            match strength == info.usual {
                true => write!(f, "{separator}{}", info.name)?,
                false => write!(f, "{separator}{}={strength}", info.name)?,
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Augmentation {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Augmentation> for String {
    fn from(augmentation: Augmentation) -> Self {
        augmentation.to_string()
    }
}

#[cfg(test)]
mod tests;
