//! The kinds of augmentation: their names, strengths and ranges.

/// A kind of augmentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Left and right are exchanged, or not.
    Flip,
    /// Top and bottom are exchanged, or not.
    FlipVertical,
    /// A turn about the middle.
    Rotate,
    /// A slant, as that of italics: what is higher moves sideways.
    Shear,
    /// Larger or smaller, about the middle.
    Zoom,
    /// A shift.
    Translate,
    /// A part of the image instead of all of it (Szegedy et al., 2015).
    Crop,
    /// All values times a factor.
    Brightness,
    /// Distances from the mean grey times a factor.
    Contrast,
    /// Distances from grey times a factor.
    Saturation,
    /// Colours turned around the axis of greys.
    Hue,
    /// Normal noise.
    Noise,
    /// Gaussian blur.
    Blur,
    /// A rectangle in the image's mean colour (random erasing; Zhong et al., 2020).
    Erase,
    /// The mean of two images and of their labels (Zhang et al., 2018).
    Mixup,
    /// A rectangle of another image, with its share of the label (Yun et al., 2019).
    Cutmix,
    /// Another background behind the subject.
    Background,
}

/// What a kind is called, and how strong it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KindInfo {
    /// The kind.
    pub kind: Kind,
    /// Its name in settings.
    pub name: &'static str,
    /// The strength that is used where none is said.
    pub usual: f64,
    /// The largest strength; the smallest is 0, which turns it off.
    pub most: f64,
    /// What the strength is, in words.
    pub strength: &'static str,
}

const fn info(
    kind: Kind,
    name: &'static str,
    usual: f64,
    most: f64,
    strength: &'static str,
) -> KindInfo {
    KindInfo { kind, name, usual, most, strength }
}

/// All kinds, in the order in which they are applied but for the last three, which come first.
pub const KINDS: [KindInfo; 17] = [
    info(Kind::Flip, "flip", 0.5, 1.0, "share of images that are flipped"),
    info(Kind::FlipVertical, "flip-vertical", 0.5, 1.0, "share of images that are flipped"),
    info(Kind::Rotate, "rotate", 15.0, 180.0, "degrees at most, either way"),
    info(Kind::Shear, "shear", 10.0, 60.0, "degrees at most, either way"),
    info(Kind::Zoom, "zoom", 0.2, 0.9, "share of the size at most, either way"),
    info(Kind::Translate, "translate", 0.1, 0.9, "share of the side at most, in any direction"),
    info(Kind::Crop, "crop", 0.5, 0.95, "share of the area that may be cut away"),
    info(Kind::Brightness, "brightness", 0.2, 1.0, "factor from 1 less this to 1 plus this"),
    info(Kind::Contrast, "contrast", 0.2, 1.0, "factor from 1 less this to 1 plus this"),
    info(Kind::Saturation, "saturation", 0.2, 1.0, "factor from 1 less this to 1 plus this"),
    info(Kind::Hue, "hue", 10.0, 180.0, "degrees at most, either way"),
    info(Kind::Noise, "noise", 8.0, 255.0, "standard deviation at most, in grey levels of 255"),
    info(Kind::Blur, "blur", 1.0, 10.0, "standard deviation at most, in pixels"),
    info(Kind::Erase, "erase", 0.5, 1.0, "share of images that lose a rectangle"),
    info(Kind::Mixup, "mixup", 0.2, 2.0, "both parameters of the beta distribution"),
    info(Kind::Cutmix, "cutmix", 1.0, 2.0, "both parameters of the beta distribution"),
    info(Kind::Background, "background", 0.8, 1.0, "share of images that get another background"),
];

/// Names for several kinds at their usual strengths.
pub const GROUPS: [(&str, &[Kind]); 2] = [
    (
        "standard",
        &[Kind::Flip, Kind::Rotate, Kind::Zoom, Kind::Translate, Kind::Brightness, Kind::Contrast],
    ),
    ("colour", &[Kind::Brightness, Kind::Contrast, Kind::Saturation, Kind::Hue]),
];

impl Kind {
    /// What is known of it.
    pub fn info(self) -> KindInfo {
        KINDS[self as usize]
    }
}
