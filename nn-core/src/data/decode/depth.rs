//! Reduction of 16-bit samples to 8 bits.
//!
//! Images of 10-, 12- or 14-bit detectors are often stored in 16 bits. 12-bit values use a
//! sixteenth of that range; divided by 257, such an image would be nearly black. So the range is
//! that of the smallest depth among 8, 10, 12, 14 and 16 bits that holds the image's largest value.
//! The brightness of images of one detector stays comparable, unless an image is so dark that it
//! fits a smaller depth. All channels have the same factor, so that colours are preserved.
//!
//! A grey image that would keep fewer than 16 of 256 levels, although it has more than 256 of its own
//! (temperatures in hundredths of a kelvin; 12-bit values with a few dead pixels at 65535), is stretched
//! from its smallest to its largest value, without a thousandth of the pixels at either end.

use super::treatment::Depth;

/// The depths of detectors, in bits.
const DEPTHS: [u8; 5] = [8, 10, 12, 14, 16];

/// Samples reduced to 8 bits.
pub(super) struct Reduced {
    pub samples: Vec<u8>,
    pub depth: Depth,
    /// Whether the 8 bits represent the 16-bit samples exactly.
    pub exact: bool,
}

/// Reduces 16-bit samples to 8 bits, with `channels` of them per pixel: grey, grey and alpha, RGB,
/// or RGB and alpha. Alpha always has 16 bits. `known` is the depth of samples that are already
/// scaled to their range.
pub(super) fn reduce(samples: &[u16], channels: usize, known: Option<Depth>) -> Reduced {
    let has_alpha = channels.is_multiple_of(2);
    let colours = channels - usize::from(has_alpha);
    // The colours of fully transparent pixels are ignored.
    let seen = || {
        let pixels = samples.chunks_exact(channels);
        pixels.filter(move |pixel| !has_alpha || pixel[colours] > 0).map(move |p| &p[..colours])
    };
    let largest = seen().flatten().copied().max().unwrap_or(0);
    let bits = match known {
        Some(_) => 16,
        None => DEPTHS.into_iter().find(|&bits| u32::from(largest) >> bits == 0).unwrap_or(16),
    };
    let spread = match known {
        None if colours == 1 && bits >= 14 => narrow(seen().flatten().copied(), bits),
        _ => None,
    };
    let (low, high) = spread.unwrap_or((0, ((1_u32 << bits) - 1) as u16));
    let range = u32::from(high - low).max(1);
    let table: Vec<u8> = (0..=u16::MAX)
        .map(|value| {
            let above = u32::from(value.clamp(low, high) - low);
            ((above * 255 + range / 2) / range) as u8
        })
        .collect();
    let mut exact = spread.is_none() && matches!(bits, 8 | 16);
    let mut reduced = Vec::with_capacity(samples.len());
    for pixel in samples.chunks_exact(channels) {
        for (c, &value) in pixel.iter().enumerate() {
            let byte = if c < colours {
                table[usize::from(value)]
            } else {
                ((u32::from(value) + 128) / 257) as u8
            };
            exact &= (bits == 8 && c < colours) || u16::from(byte) * 257 == value;
            reduced.push(byte);
        }
    }
    let depth = match (known, spread) {
        (Some(known), _) => known,
        (None, Some(_)) => Depth::Spread,
        (None, None) => Depth::Bits(bits),
    };
    Reduced { samples: reduced, depth, exact }
}

/// The smallest and the largest value without a thousandth of the pixels at either end, if less
/// than 16 of 256 levels would be left between them and they are more than 256 values apart.
fn narrow(values: impl Iterator<Item = u16>, bits: u8) -> Option<(u16, u16)> {
    let mut counts = vec![0_u32; 1 << 16];
    let mut all = 0;
    for value in values {
        counts[usize::from(value)] += 1;
        all += 1;
    }
    let beyond = all / 1000;
    let end = |mut order: Box<dyn Iterator<Item = usize>>| {
        let mut passed = 0;
        order.find(|&value| {
            passed += counts[value];
            passed > beyond
        })
    };
    let (low, high) = (end(Box::new(0..1 << 16))?, end(Box::new((0..1 << 16).rev()))?);
    let apart = high.checked_sub(low)?;
    (apart > 256 && apart < 1 << (bits - 4)).then_some((low as u16, high as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(values: &[u16]) -> (Vec<u8>, Depth) {
        let reduced = reduce(values, 1, None);
        (reduced.samples, reduced.depth)
    }

    #[test]
    fn the_range_is_that_of_the_bits_in_use() {
        for (bits, top) in [(8, 255), (10, 1023), (12, 4095), (14, 16383), (16, 65535)] {
            let reduced = grey(&[0, top / 2, top]);
            assert_eq!(reduced, (vec![0, 127, 255], Depth::Bits(bits)), "{bits}");
        }
        // 11-bit values come from a 12-bit detector.
        assert_eq!(grey(&[0, 2047]), (vec![0, 127], Depth::Bits(12)));
        assert_eq!(grey(&[0, 0]), (vec![0, 0], Depth::Bits(8)));
    }

    #[test]
    fn brightness_can_be_compared_among_images_of_one_detector() {
        // The maxima are 4000 and 1500; 1000 is the same grey in both.
        let (bright, dark) = (grey(&[4000, 1000]).0, grey(&[1500, 1000]).0);
        assert_eq!(bright[1], dark[1]);
    }

    #[test]
    fn all_of_sixteen_bits_is_divided_as_ever() {
        let values: Vec<u16> = (0..=u16::MAX).collect();
        let (reduced, depth) = grey(&values);
        assert_eq!(depth, Depth::Bits(16));
        let divided = values.iter().map(|&v| ((u32::from(v) + 128) / 257) as u8);
        assert!(reduced.into_iter().eq(divided));
    }

    #[test]
    fn what_uses_a_small_part_far_from_zero_is_spread() {
        // 20 to 30 degrees Celsius in hundredths of a kelvin.
        let warm: Vec<u16> = (29_315..=30_315).collect();
        let (reduced, depth) = grey(&warm);
        assert_eq!((reduced[0], reduced[500], reduced[1000]), (0, 128, 255));
        assert_eq!(depth, Depth::Spread);
        // A dead pixel among 12-bit values.
        let mut dead: Vec<u16> = (0..4000).collect();
        dead[7] = 65_535;
        let (reduced, depth) = grey(&dead);
        assert_eq!((reduced[7], depth), (255, Depth::Spread));
        assert!(reduced[2000].abs_diff(128) < 2);
        // The noise of a dark frame must not be stretched.
        let dark: Vec<u16> = (30_000..30_100).collect();
        assert_eq!(grey(&dark).1, Depth::Bits(16));
        assert_eq!(grey(&[300, 310]).1, Depth::Bits(10));
    }

    #[test]
    fn colours_have_one_factor_and_alpha_its_own() {
        let reduced = reduce(&[4095, 0, 1000, 65_535, 60_000, 60_000, 60_000, 0], 4, None);
        assert_eq!(reduced.depth, Depth::Bits(12), "what is transparent does not count");
        assert_eq!(reduced.samples[..4], [255, 0, 62, 255]);
        assert_eq!(reduced.samples[7], 0);
    }

    #[test]
    fn what_is_lost_is_known() {
        let exact = |values: &[u16], channels| reduce(values, channels, None).exact;
        assert!(exact(&[0, 77, 255], 1));
        assert!(exact(&[0, 257, 65_535], 1));
        assert!(!exact(&[0, 258, 65_535], 1));
        assert!(!exact(&[0, 1000, 4095], 1));
        assert!(exact(&[9, 65_535], 2) && !exact(&[9, 65_534], 2));
    }
}
