//! Conversion of other number types to 16-bit samples.

use super::super::treatment::Depth;
use tiff::decoder::DecodingResult;

/// Converts values to unsigned 16-bit samples, and returns how they were scaled if this can no
/// longer be derived from their bits. A pixel has `bands` values, interleaved or planar. The first
/// `colours` of them determine the range.
pub(super) fn to_16_bits(
    values: &DecodingResult,
    bands: usize,
    colours: usize,
    planar: bool,
) -> (Vec<u16>, Option<Depth>) {
    use DecodingResult::{F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    let shape = Shape { bands, colours, planar };
    match values {
        U8(v) => (v.iter().map(|&v| u16::from(v)).collect(), None),
        U16(v) => (v.clone(), None),
        U32(v) => shape.integers(v.len(), &|i| f64::from(v[i]), f64::from(u32::MAX)),
        U64(v) => shape.integers(v.len(), &|i| v[i] as f64, u64::MAX as f64),
        I8(v) => shape.integers(v.len(), &|i| f64::from(v[i]), f64::from(i8::MAX)),
        I16(v) => shape.integers(v.len(), &|i| f64::from(v[i]), f64::from(i16::MAX)),
        I32(v) => shape.integers(v.len(), &|i| f64::from(v[i]), f64::from(i32::MAX)),
        I64(v) => shape.integers(v.len(), &|i| v[i] as f64, i64::MAX as f64),
        F16(v) => shape.floats(v.len(), &|i| f64::from(v[i])),
        F32(v) => shape.floats(v.len(), &|i| f64::from(v[i])),
        F64(v) => shape.floats(v.len(), &|i| v[i]),
    }
}

struct Shape {
    bands: usize,
    colours: usize,
    planar: bool,
}

/// The largest 16-bit value, as a float.
const FULL: f64 = 65_535.0;

impl Shape {
    fn is_colour(&self, i: usize, len: usize) -> bool {
        let band = if self.planar { i / (len / self.bands).max(1) } else { i % self.bands };
        band < self.colours
    }

    /// The smallest and the largest finite colour value.
    fn ends(&self, len: usize, value: &dyn Fn(usize) -> f64) -> (f64, f64) {
        let colours = (0..len).filter(|&i| self.is_colour(i, len)).map(value);
        let finite = colours.filter(|value| value.is_finite());
        let (low, high) =
            finite.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        if low <= high { (low, high) } else { (0.0, 0.0) }
    }

    fn map(
        &self,
        len: usize,
        value: &dyn Fn(usize) -> f64,
        (low, high): (f64, f64),
        opaque: f64,
    ) -> Vec<u16> {
        let range = if high > low { high - low } else { 1.0 };
        let sample = |i: usize| {
            let share = match self.is_colour(i, len) {
                true => (value(i) - low) / range,
                false => value(i) / opaque,
            };
            // NaN becomes black.
            (share * FULL).round().clamp(0.0, FULL) as u16
        };
        (0..len).map(sample).collect()
    }

    /// Integers; signed ones are shifted to be nonnegative. `opaque` is the largest alpha value.
    fn integers(
        &self,
        len: usize,
        value: &dyn Fn(usize) -> f64,
        opaque: f64,
    ) -> (Vec<u16>, Option<Depth>) {
        let (least, most) = self.ends(len, value);
        let low = if least < 0.0 { -power_of_two(-least) } else { 0.0 };
        if most - low <= FULL {
            // The depth is derived from the bits in use, as for any other 16-bit image.
            return (self.map(len, value, (low, low + FULL), opaque), None);
        }
        let bits = (power_of_two(most - low + 1.0).log2() as u8).next_multiple_of(2);
        let high = low + f64::from(bits).exp2() - 1.0;
        (self.map(len, value, (low, high), opaque), Some(Depth::Bits(bits)))
    }

    /// Floating-point numbers: mapped from 0 to 1 if they are in this range and differ by at least
    /// a sixteenth, otherwise stretched from the smallest to the largest.
    fn floats(&self, len: usize, value: &dyn Fn(usize) -> f64) -> (Vec<u16>, Option<Depth>) {
        let (least, most) = self.ends(len, value);
        let shares = least >= 0.0 && most <= 1.0 && most - least >= 1.0 / 16.0;
        let ends = if shares { (0.0, 1.0) } else { (least, most) };
        (self.map(len, value, ends, 1.0), Some(Depth::Float))
    }
}

/// The smallest power of two that is at least `value`.
fn power_of_two(value: f64) -> f64 {
    value.max(1.0).log2().ceil().exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(values: &DecodingResult) -> (Vec<u16>, Option<Depth>) {
        to_16_bits(values, 1, 1, false)
    }

    #[test]
    fn signed_numbers_are_moved_up_by_a_power_of_two() {
        let scan = DecodingResult::I16(vec![-1000, 0, 3000]);
        assert_eq!(grey(&scan), (vec![24, 1024, 4024], None));
        // The same shift as for another image of the scanner with another minimum.
        let other = DecodingResult::I16(vec![-600, 0]);
        assert_eq!(grey(&other).0[1], 1024);
        assert_eq!(grey(&DecodingResult::I32(vec![-1, 0])).0, [0, 1]);
    }

    #[test]
    fn large_numbers_are_brought_to_the_bits_in_use() {
        let (values, depth) = grey(&DecodingResult::U32(vec![0, 1 << 19, (1 << 20) - 1]));
        assert_eq!((values, depth), (vec![0, 32_768, 65_535], Some(Depth::Bits(20))));
        assert_eq!(grey(&DecodingResult::U32(vec![7, 65_535])), (vec![7, 65_535], None));
        let (values, depth) = grey(&DecodingResult::U64(vec![0, u64::MAX]));
        assert_eq!((values, depth), (vec![0, 65_535], Some(Depth::Bits(64))));
    }

    #[test]
    fn floating_point_numbers_are_shares_of_white_or_spread() {
        let values = |values: &[f32]| grey(&DecodingResult::F32(values.to_vec())).0;
        assert_eq!(values(&[0.25, 0.5]), [16_384, 32_768]);
        assert_eq!(values(&[-1.0, 1.0, 3.0]), [0, 32_768, 65_535]);
        assert_eq!(values(&[1e-9, 3e-9, 5e-9])[2], 65_535);
        assert_eq!(values(&[f32::NAN, f32::INFINITY, 5.0, 6.0])[..3], [0, 65_535, 0]);
        assert_eq!(values(&[f32::NAN]), [0]);
        assert_eq!(values(&[7.0, 7.0]), [0, 0]);
    }

    #[test]
    fn alpha_has_no_part_in_the_range() {
        let values = DecodingResult::F32(vec![10.0, 1.0, 20.0, 0.0]);
        assert_eq!(to_16_bits(&values, 2, 1, false).0, [0, 65_535, 65_535, 0]);
        let planes = DecodingResult::F32(vec![10.0, 20.0, 1.0, 0.0]);
        assert_eq!(to_16_bits(&planes, 2, 1, true).0, [0, 65_535, 65_535, 0]);
    }
}
