//! Rough segmentation of an image into subject and background, without training.
//!
//! There are two rules; the border of the image decides which is used:
//!
//! - **Plain backdrop.** If most of the border has one light, colourless tone, as in studio
//!   photographs on white, the background is the region of that tone that is connected to the
//!   border. It fails where fur of the same tone reaches the border or the outline (a white dog on
//!   white loses patches), and floors and shadows darker than the backdrop count as subject.
//! - **Border colours.** Otherwise, colours that are frequent near the border and rare in the
//!   middle count as background. Two colour histograms, of subject and background, are initialised
//!   from the positions of the pixels alone and re-estimated a few times from each other's votes,
//!   which are smoothed over neighbouring pixels (the colour models of GrabCut, Rother et al.,
//!   2004, without the graph cut). It fails where subject and background share their colours (a
//!   grey wolf before grey trees: the mask becomes a blob in the middle), and where the subject
//!   covers the border or is far from the middle. Objects that differ from the rest of the
//!   background count as subject: dark shadows, a bench, a person beside the dog.
//!
//! Holes are filled; thin parts, and parts far smaller than the largest, are dropped. Of the
//! published photographs nearly all on white are segmented well; of those on grass and snow about
//! three in five, and the masks of the others include some background, rarely the reverse. This is
//! accurate enough to report on which side most of a heat map lies over a set of photographs (with
//! the share on the background rather underestimated), but not for a single image. Look at the
//! masks before you rely on a number that is based on them.

use super::decode::Rgb8;
use super::mask::Mask;
use serde::Serialize;

/// The longer side of the downscaled image that is segmented, in pixels; the mask has its size.
const SIDE: usize = 128;

/// The largest distance in CIELAB of a background colour from the backdrop's tone (2 is barely visible).
const BACKDROP_TOLERANCE: f32 = 6.0;

/// Bins of a colour histogram along the axes of CIELAB: lightness, green to red, blue to yellow.
const BINS: [usize; 3] = [10, 14, 14];

/// The number of re-estimations of the histograms.
const ROUNDS: usize = 5;

/// The largest difference allowed between what two masks of one image say, as a share. Chosen by hand
/// ([`explain::AGREEMENT`](crate::explain::AGREEMENT)).
pub(crate) const AGREEMENT: f64 = 0.15;

/// The rule that found a foreground; see the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForegroundRule {
    /// Everything that differs from a light, plain backdrop.
    PlainBackdrop,
    /// Everything that does not have the colours of the border.
    BorderColours,
}

impl ForegroundRule {
    /// The rule's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PlainBackdrop => "plain-backdrop",
            Self::BorderColours => "border-colours",
        }
    }
}

/// The subject of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreground {
    /// Its pixels, in a downscaled version of the image of at most 128 pixels a side.
    /// [`Mask::resized`] scales it to any size. Empty if no subject is found.
    pub mask: Mask,
    /// The rule that found them.
    pub rule: ForegroundRule,
    /// The mask of the other rule, where it applies too: border colours on a plain backdrop. A snow
    /// field can pass for a plain backdrop, with half of the snow taken for the subject.
    pub second: Option<Mask>,
}

/// The subject of an image; the module's documentation describes the method and its failures.
pub fn foreground(image: &Rgb8) -> Foreground {
    let view = View::of(image);
    let by_colours = view.by_border_colours();
    match view.backdrop() {
        Some(tone) => Foreground {
            mask: view.before_backdrop(tone),
            rule: ForegroundRule::PlainBackdrop,
            second: Some(by_colours),
        },
        None => Foreground { mask: by_colours, rule: ForegroundRule::BorderColours, second: None },
    }
}

/// The downscaled image in CIELAB, whose distances are perceptual.
struct View {
    height: usize,
    width: usize,
    lab: Vec<[f32; 3]>,
}

impl View {
    /// Downscales to at most [`SIDE`] pixels a side by area averaging.
    fn of(image: &Rgb8) -> Self {
        let longer = image.height().max(image.width()).max(SIDE);
        let scaled = |len: usize| (len * SIDE / longer).max(1);
        let (height, width) = (scaled(image.height()), scaled(image.width()));
        let range = |i: usize, from: usize, to: usize| i * from / to..(i + 1) * from / to;
        let mut lab = Vec::with_capacity(height * width);
        for y in 0..height {
            for x in 0..width {
                let (mut sum, mut count) = ([0u32; 3], 0);
                for row in range(y, image.height(), height) {
                    for column in range(x, image.width(), width) {
                        let at = (row * image.width() + column) * 3;
                        let pixel = &image.pixels()[at..at + 3];
                        sum.iter_mut().zip(pixel).for_each(|(s, &p)| *s += u32::from(p));
                        count += 1;
                    }
                }
                lab.push(to_lab(sum.map(|s| s as f32 / count as f32)));
            }
        }
        Self { height, width, lab }
    }

    /// The mask of everything that differs from a backdrop of this tone.
    fn before_backdrop(&self, tone: [f32; 3]) -> Mask {
        let distance: Vec<f32> = self.lab.iter().map(|&colour| distance(colour, tone)).collect();
        let distance = self.blurred(&distance, 0.5);
        let ground = self.mask(distance.iter().map(|&d| d < BACKDROP_TOLERANCE));
        ground.connected_to_border().inverted().opened(1).large_parts(0.25)
    }

    /// The mask of everything that does not have the colours of the border.
    fn by_border_colours(&self) -> Mask {
        let ground = self.mask(self.votes().iter().map(|&p| p <= 0.5));
        ground.connected_to_border().inverted().opened(2).large_parts(0.25)
    }

    fn mask(&self, values: impl Iterator<Item = bool>) -> Mask {
        let values: Vec<bool> = values.collect();
        // Sizes come from the image itself, which is never empty.
        Mask::new(self.height, self.width, values).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// Whether each pixel is nearer to the border than `share` of the shorter side.
    fn ring(&self, share: f32) -> Vec<bool> {
        let deep = ((self.height.min(self.width) as f32 * share).round() as usize).max(2);
        let near = |i: usize, len: usize| i < deep || i + deep >= len;
        let pixel =
            |at: usize| near(at / self.width, self.height) || near(at % self.width, self.width);
        (0..self.lab.len()).map(pixel).collect()
    }

    /// The tone of a light, colourless backdrop, if the border has one.
    fn backdrop(&self) -> Option<[f32; 3]> {
        let ring = self.ring(0.06);
        let border: Vec<[f32; 3]> =
            self.lab.iter().zip(ring).filter(|(_, in_ring)| *in_ring).map(|(&c, _)| c).collect();
        let median = |channel: usize| {
            let mut values: Vec<f32> = border.iter().map(|colour| colour[channel]).collect();
            values.sort_by(f32::total_cmp);
            values[values.len() / 2]
        };
        let tone = [median(0), median(1), median(2)];
        let same = border.iter().filter(|&&colour| distance(colour, tone) < 12.0).count();
        let is_plain = same as f32 > 0.6 * border.len() as f32;
        (is_plain && tone[0] > 80.0 && tone[1].hypot(tone[2]) < 10.0).then_some(tone)
    }

    /// The probability that each pixel belongs to the subject, by the colours of the border.
    fn votes(&self) -> Vec<f32> {
        let bins: Vec<usize> = self.lab.iter().map(|&colour| bin(colour)).collect();
        let ring = self.ring(0.08);
        let prior: Vec<f32> = (0..self.lab.len()).map(|at| self.prior(at)).collect();
        let mut subject = prior.clone();
        for _ in 0..ROUNDS {
            let ground: Vec<f32> = (subject.iter().zip(&ring))
                // Border pixels count at least half as background, whatever their colours.
                .map(|(p, &in_ring)| (1.0 - p).max(if in_ring { 0.5 } else { 0.0 }))
                .collect();
            let (of_subject, of_ground) = (histogram(&bins, &subject), histogram(&bins, &ground));
            let evidence = |&bin: &usize| (of_subject[bin] / of_ground[bin]).ln().clamp(-3.0, 3.0);
            let evidence: Vec<f32> = bins.iter().map(evidence).collect();
            let evidence = self.blurred(&evidence, 2.0);
            let vote = |(evidence, prior): (&f32, &f32)| {
                let odds = 1.5 * evidence + (prior / (1.0 - prior)).ln();
                1.0 / (1.0 + (-odds).exp())
            };
            subject = evidence.iter().zip(&prior).map(vote).collect();
        }
        subject
    }

    /// The prior probability of the subject at a pixel, by its position alone.
    fn prior(&self, at: usize) -> f32 {
        let centred = |i: usize, len: usize| (2.0 * i as f32 + 1.0) / len as f32 - 1.0;
        let (y, x) = (centred(at / self.width, self.height), centred(at % self.width, self.width));
        0.05 + 0.75 * (-1.44 * (y * y + x * x)).exp()
    }

    fn blurred(&self, values: &[f32], sigma: f32) -> Vec<f32> {
        blur(&blur(values, self.width, 1, sigma), self.height, self.width, sigma)
    }
}

/// The bin of a colour.
fn bin([l, a, b]: [f32; 3]) -> usize {
    // Casts of negative floats saturate at 0.
    let along = |share: f32, bins: usize| ((share * bins as f32) as usize).min(bins - 1);
    let [l, a, b] = [l / 100.0, (a + 60.0) / 120.0, (b + 60.0) / 120.0];
    (along(l, BINS[0]) * BINS[1] + along(a, BINS[1])) * BINS[2] + along(b, BINS[2])
}

/// The weights summed per bin, smoothed and normalised, with a small constant added to every bin.
fn histogram(bins: &[usize], weights: &[f32]) -> Vec<f32> {
    let mut histogram = vec![0.0; BINS.iter().product()];
    bins.iter().zip(weights).for_each(|(&bin, weight)| histogram[bin] += weight);
    histogram = blur(&histogram, BINS[2], 1, 1.0);
    histogram = blur(&histogram, BINS[1], BINS[2], 1.0);
    histogram = blur(&histogram, BINS[0], BINS[1] * BINS[2], 1.0);
    let total: f32 = histogram.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    let least = 1e-3 / histogram.len() as f32;
    histogram.iter().map(|weight| weight / total + least).collect()
}

/// A Gaussian blur along one axis of `len` elements with this stride; at the ends it is normalised
/// by the weights inside.
fn blur(values: &[f32], len: usize, stride: usize, sigma: f32) -> Vec<f32> {
    let reach = (3.0 * sigma).ceil() as usize;
    let kernel: Vec<f32> = (0..=reach).map(|d| (-0.5 * (d as f32 / sigma).powi(2)).exp()).collect();
    let value = |at: usize| {
        let place = at / stride % len;
        let first = at - place * stride;
        let (mut sum, mut weight) = (0.0, 0.0);
        for other in place.saturating_sub(reach)..(place + reach + 1).min(len) {
            let w = kernel[place.abs_diff(other)];
            sum += w * values[first + other * stride];
            weight += w;
        }
        sum / weight
    };
    (0..values.len()).map(value).collect()
}

fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
}

/// sRGB, 0 to 255, to CIELAB under D65.
fn to_lab(rgb: [f32; 3]) -> [f32; 3] {
    let [r, g, b] = rgb.map(|v| {
        let v = v / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    });
    let [x, y, z] = [
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    ]
    .map(|v| if v > 0.008_856 { v.cbrt() } else { 7.787 * v + 16.0 / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// An ellipse on a background, each of noisy colours, and the mask of the ellipse.
    fn scene(size: (usize, usize), ground: [u8; 3], subject: [u8; 3], noise: i32) -> (Rgb8, Mask) {
        let mut rng = Rng::new(3, 0);
        let (h, w) = size;
        let inside = |y: usize, x: usize| {
            let y = (y as f32 / h as f32 - 0.55) / 0.3;
            let x = (x as f32 / w as f32 - 0.45) / 0.25;
            y * y + x * x < 1.0
        };
        let (mut pixels, mut mask) = (Vec::new(), Vec::new());
        for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            mask.push(inside(y, x));
            let colour = if inside(y, x) { subject } else { ground };
            let shift = rng.below(2 * noise as usize + 1) as i32 - noise;
            pixels.extend(colour.map(|c| (i32::from(c) + shift).clamp(0, 255) as u8));
        }
        (Rgb8::new(h, w, pixels).unwrap(), Mask::new(h, w, mask).unwrap())
    }

    /// Intersection over union.
    fn overlap(found: &Mask, expected: &Mask) -> f64 {
        let found = found.resized(expected.height(), expected.width()).unwrap();
        let pairs = || found.values().iter().zip(expected.values());
        let both = pairs().filter(|(a, b)| **a && **b).count();
        let either = pairs().filter(|(a, b)| **a || **b).count();
        both as f64 / either as f64
    }

    #[test]
    fn subjects_are_found_on_white_grass_and_snow() {
        use ForegroundRule::{BorderColours, PlainBackdrop};
        for (ground, subject, noise, rule) in [
            ([255, 255, 255], [120, 100, 80], 4, PlainBackdrop),
            ([240, 240, 242], [30, 30, 30], 3, PlainBackdrop),
            ([70, 130, 50], [120, 100, 80], 40, BorderColours),
            ([190, 200, 225], [110, 95, 80], 25, BorderColours),
            ([40, 50, 40], [210, 205, 200], 30, BorderColours),
        ] {
            for size in [(300, 400), (100, 90), (520, 261)] {
                let (image, expected) = scene(size, ground, subject, noise);
                let found = foreground(&image);
                assert_eq!(found.rule, rule);
                assert_eq!(
                    found.mask.height().max(found.mask.width()),
                    size.0.max(size.1).min(128)
                );
                let overlap = overlap(&found.mask, &expected);
                println!("{} {ground:?} {size:?}: {overlap:.3}", rule.name());
                assert!(overlap > 0.85, "{ground:?} {size:?}: {overlap}");
            }
        }
    }

    #[test]
    fn shaded_snow_is_ground_by_its_colour_and_not_by_the_backdrop() {
        let (h, w) = (90, 90);
        let pixel = |y: usize, x: usize| match (y, x) {
            (30..60, 35..55) => [20, 20, 30],
            (0..45, _) => [250; 3],
            _ => [228; 3],
        };
        let pixels = (0..h * w).flat_map(|at| pixel(at / w, at % w)).collect();
        let found = foreground(&Rgb8::new(h, w, pixels).unwrap());
        assert_eq!(found.rule, ForegroundRule::PlainBackdrop);
        assert!(found.mask.share() > 0.5, "{}", found.mask.share());
        let second = found.second.unwrap().share();
        // The square, and some of the background around it.
        assert!((0.07..0.3).contains(&second), "{second}");
    }

    #[test]
    fn where_nothing_stands_out_there_is_nothing_or_a_blob() {
        let (white, _) = scene((60, 60), [255; 3], [255; 3], 0);
        assert_eq!(foreground(&white).mask.share(), 0.0);
        // As documented: only the position is left to decide.
        let (grass, _) = scene((60, 60), [70, 130, 50], [70, 130, 50], 20);
        assert!(foreground(&grass).mask.share() < 0.6);
    }

    #[test]
    fn images_of_any_shape_are_looked_at() {
        for (h, w) in [(1, 1), (1, 5), (3, 2), (2000, 3), (5, 1300)] {
            let image = Rgb8::new(h, w, vec![90; h * w * 3]).unwrap();
            let mask = foreground(&image).mask;
            assert!(mask.height() <= 128 && mask.width() <= 128);
        }
    }

    #[test]
    fn colours_are_those_of_the_standard() {
        for (rgb, expected) in [
            ([255., 255., 255.], [100., 0., 0.]),
            ([0., 0., 0.], [0., 0., 0.]),
            ([255., 0., 0.], [53.24, 80.09, 67.2]),
            ([0., 0., 255.], [32.3, 79.19, -107.86]),
        ] {
            assert!(distance(to_lab(rgb), expected) < 0.2, "{:?}", to_lab(rgb));
        }
    }
}
