//! The conversions that were applied to images to make them 8-bit RGB.

use super::AlphaBackground;
use serde::Serialize;
use std::collections::BTreeMap;

/// The conversions applied to one image, besides palette lookup. None, for an ordinary photograph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Treatment {
    /// It is partly transparent, and was composited on the background.
    pub transparent: bool,
    /// Composited on this background it has only one colour; on another it would have more.
    pub vanished: bool,
    /// How its values were reduced to 8 bits, if they have more.
    pub depth: Option<Depth>,
    /// It is an animation, of which one frame is used.
    pub animation: bool,
    /// Its file has several pages, of which one is used.
    pub pages: bool,
}

impl Treatment {
    /// Whether no conversion was applied.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// How values of more than 8 bits were reduced to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// They have this many significant bits: 0 to 2^bits - 1 was mapped to 0 to 255.
    Bits(u8),
    /// They use a small part of their range, and were stretched from the smallest to the largest value.
    Spread,
    /// They are floating-point numbers: mapped from 0 to 1, or else from the smallest to the largest value.
    Float,
}

/// How many images were converted in which way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Treated {
    /// The background colour for transparent images.
    pub alpha_background: AlphaBackground,
    /// Images with transparency.
    pub transparent: usize,
    /// Those of them that have only one colour on this background and would have more on another.
    pub vanished: usize,
    /// Images stored in 16 bits or more, counted by their significant bits.
    pub bits: BTreeMap<u8, usize>,
    /// Images that use a small part of 14 or 16 bits, stretched from their smallest to their largest value.
    pub spread: usize,
    /// Images of floating-point numbers.
    pub floating_point: usize,
    /// Animations, of which one frame each is used.
    pub animations: usize,
    /// Files of several pages, of which one each is used.
    pub multi_page: usize,
}

impl Treated {
    /// Counts of no image, with this background for transparent ones.
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

    /// Adds the counts of `other`.
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
