//! Telling the animal from the ground it stands on, roughly: a mask from one image and no training.
//!
//! Two rules, of which the border of the image chooses one:
//!
//! - **Plain backdrop.** If most of the border has one light, colourless tone, as in studio
//!   photographs on white, the background is what has that tone and is connected to the border.
//!   Fails where fur of the same tone runs into the border or the outline (a white dog on white loses
//!   patches), and keeps floors and shadows that are darker than the backdrop.
//! - **Border colours.** Otherwise, colours that are frequent near the border and rare in the middle
//!   count as background. Two colour histograms, one for the subject and one for the ground, begin
//!   with nothing but the place of the pixels, and are re-estimated a few times from each other's
//!   votes, which are smoothed over neighbouring pixels (the colour models of GrabCut, Rother et al.,
//!   2004, without its graph cut). Fails where subject and ground share their colours (a grey wolf
//!   before grey trees: the mask becomes a blob in the middle), where the subject fills the border or
//!   stands far from the middle, and takes for subject what differs from the rest of the ground as it
//!   does: dark shadows, a bench, a person beside the dog.
//!
//! Holes are filled, and what is thin or far smaller than the largest part is dropped. Of the published
//! photographs nearly all on white are cut out well; of those on grass and snow about three in five,
//! and the others take some ground for subject, seldom the other way round. This is good enough to say
//! on which side most of a heat map lies over a set of photographs (with what lies on the ground rather
//! counted too low), not to cut out a single one: look at the masks before you trust a number that
//! rests on them.

use super::decode::Rgb8;
use super::mask::Mask;
use serde::Serialize;

/// The longer side of the image that is looked at, in pixels; the mask has its size.
const SIDE: usize = 128;

/// How far a colour may lie from the backdrop's, in CIELAB (2 is hardly seen), and be of it.
const BACKDROP_TOLERANCE: f32 = 6.0;

/// Bins of a colour histogram along lightness, green to red, and blue to yellow.
const BINS: [usize; 3] = [10, 14, 14];

/// How often subject and ground are estimated from each other.
const ROUNDS: usize = 5;

/// By which rule a foreground was found; see the module's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForegroundRule {
    /// What differs from a light, plain backdrop.
    PlainBackdrop,
    /// What has not the colours of the border.
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
    /// Its pixels, in a smaller version of the image, at most 128 a side. [`Mask::resized`] brings
    /// it to any size. Empty if nothing stands out.
    pub mask: Mask,
    /// How they were found.
    pub rule: ForegroundRule,
    /// What the other rule finds, where it too can be asked: border colours before a plain backdrop. A
    /// snow field can pass for one, with half of the snow taken for the subject.
    pub second: Option<Mask>,
}

/// The subject of an image; the module's head says how, and when this fails.
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

/// A small version of the image, in colours whose distances are those that people see.
struct View {
    height: usize,
    width: usize,
    lab: Vec<[f32; 3]>,
}

impl View {
    /// The mean colour of each of at most [`SIDE`] by [`SIDE`] fields.
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

    /// What differs from a backdrop of this tone.
    fn before_backdrop(&self, tone: [f32; 3]) -> Mask {
        let distance: Vec<f32> = self.lab.iter().map(|&colour| distance(colour, tone)).collect();
        let distance = self.blurred(&distance, 0.5);
        let ground = self.mask(distance.iter().map(|&d| d < BACKDROP_TOLERANCE));
        ground.connected_to_border().inverted().opened(1).large_parts(0.25)
    }

    /// What has not the colours of the border.
    fn by_border_colours(&self) -> Mask {
        let ground = self.mask(self.votes().iter().map(|&p| p <= 0.5));
        ground.connected_to_border().inverted().opened(2).large_parts(0.25)
    }

    fn mask(&self, values: impl Iterator<Item = bool>) -> Mask {
        let values: Vec<bool> = values.collect();
        // Sizes come from the image itself, which is never empty.
        Mask::new(self.height, self.width, values).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// Whether each pixel lies within `share` of the shorter side of the border.
    fn ring(&self, share: f32) -> Vec<bool> {
        let deep = ((self.height.min(self.width) as f32 * share).round() as usize).max(2);
        let near = |i: usize, len: usize| i < deep || i + deep >= len;
        let pixel =
            |at: usize| near(at / self.width, self.height) || near(at % self.width, self.width);
        (0..self.lab.len()).map(pixel).collect()
    }

    /// The tone of a light, colourless backdrop, if the border shows one.
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

    /// The probability of each pixel that it belongs to the subject, by the border's colours.
    fn votes(&self) -> Vec<f32> {
        let bins: Vec<usize> = self.lab.iter().map(|&colour| bin(colour)).collect();
        let ring = self.ring(0.08);
        let prior: Vec<f32> = (0..self.lab.len()).map(|at| self.prior(at)).collect();
        let mut subject = prior.clone();
        for _ in 0..ROUNDS {
            let ground: Vec<f32> = (subject.iter().zip(&ring))
                // The border is ground whatever its colours say, if only in part.
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

    /// How likely a subject is at a place, before any colour is looked at.
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

/// How the weight is distributed over the bins, smoothed, with a little everywhere.
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

/// A Gaussian blur along one axis, of `len` places `stride` apart; at the ends it takes the mean of
/// what is there.
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

    /// An ellipse on a ground, each of noisy colours, and which pixels are the ellipse's.
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
        // The square, and some of the ground around it.
        assert!((0.07..0.3).contains(&second), "{second}");
    }

    #[test]
    fn where_nothing_stands_out_there_is_nothing_or_a_blob() {
        let (white, _) = scene((60, 60), [255; 3], [255; 3], 0);
        assert_eq!(foreground(&white).mask.share(), 0.0);
        // As the head says: the place is all that is left to go by.
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
