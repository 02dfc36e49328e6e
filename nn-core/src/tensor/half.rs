//! Half-precision numbers of files, widened to `f32` without loss.
//!
//! ```
//! use nn_core::tensor::half::{bf16, f16};
//! assert_eq!(f16(0x3e00), 1.5);
//! assert_eq!(bf16(0x3fc0), 1.5);
//! ```

/// The number that these bits are in IEEE 754 binary16, `F16`.
pub fn f16(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10) & 31, u32::from(bits & 1023));
    match exponent {
        // Zero, or a subnormal: a multiple of 2^-24.
        0 => f32::from_bits((fraction as f32 * (-24f32).exp2()).to_bits() | sign),
        31 => f32::from_bits(sign | 0xff << 23 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13),
    }
}

/// The number whose upper half these bits are, `BF16`; the lower half is 0.
pub fn bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_half_precision_has_its_value() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
            let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
            let expected = sign
                * match exponent {
                    0 => fraction * 2f64.powi(-24),
                    31 if fraction == 0.0 => f64::INFINITY,
                    31 => f64::NAN,
                    _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
                };
            let ours = f64::from(f16(bits));
            assert!(ours == expected || ours.is_nan() && expected.is_nan(), "{bits:#x}: {ours}");
            assert_eq!(ours.is_sign_negative(), bits >> 15 == 1, "{bits:#x}");
            assert_eq!(bf16(bits).to_bits() >> 16, u32::from(bits));
        }
        assert_eq!([bf16(0x3f80), bf16(0xc040), f16(0x3555)], [1.0, -3.0, 0.333_251_95]);
    }
}
