//! What was done to images on their way to 8-bit RGB.

use super::AlphaBackground;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was done to one image beyond looking up its colours. Nothing, for an ordinary photograph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Treatment {
    /// Some of it is transparent, and was laid on the background.
    pub transparent: bool,
    /// Laid on the background, it is of one colour, although on another it is not.
    pub vanished: bool,
    /// Its values are finer than 8 bits, and were brought to 8.
    pub depth: Option<Depth>,
    /// It is an animation, of which one frame was taken.
    pub animation: bool,
    /// Its file has several pages, of which the first was taken.
    pub pages: bool,
}

impl Treatment {
    /// Whether nothing was done.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// How values that are not of 8 bits were brought to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// They are of this many bits, whatever they are stored in: 0 to 2^bits - 1 became 0 to 255.
    Bits(u8),
    /// They use a small part of their range, and were spread from the least to the largest.
    Spread,
    /// They are floating-point numbers: 0 to 1, or else spread from the least to the largest.
    Float,
}

/// How many images were treated in which way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Treated {
    /// The colour that transparent images were laid on.
    pub alpha_background: AlphaBackground,
    /// Images with transparency.
    pub transparent: usize,
    /// Those of them that are of one colour on this background and would not be on another.
    pub vanished: usize,
    /// Images stored in 16 bits or more, by the bits that their values are of.
    pub bits: BTreeMap<u8, usize>,
    /// Images in a small part of 14 or 16 bits, spread from their least to their largest value.
    pub spread: usize,
    /// Images of floating-point numbers.
    pub floating_point: usize,
    /// Animations, of each of which one frame was taken.
    pub animations: usize,
    /// Files of several pages, of each of which the first was taken.
    pub multi_page: usize,
}

impl Treated {
    /// No image yet, with this background for those that are transparent.
    pub fn on(alpha_background: AlphaBackground) -> Self {
        Self { alpha_background, ..Self::default() }
    }

    /// Counts one image.
    pub fn add(&mut self, treatment: &Treatment) {
        self.transparent += usize::from(treatment.transparent);
        self.vanished += usize::from(treatment.vanished);
        self.animations += usize::from(treatment.animation);
        self.multi_page += usize::from(treatment.pages);
        match treatment.depth {
            Some(Depth::Bits(bits)) => *self.bits.entry(bits).or_default() += 1,
            Some(Depth::Spread) => self.spread += 1,
            Some(Depth::Float) => self.floating_point += 1,
            None => {}
        }
    }

    /// Counts the images that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.transparent += other.transparent;
        self.vanished += other.vanished;
        self.spread += other.spread;
        self.floating_point += other.floating_point;
        self.animations += other.animations;
        self.multi_page += other.multi_page;
        for (&bits, &images) in &other.bits {
            *self.bits.entry(bits).or_default() += images;
        }
    }
}
