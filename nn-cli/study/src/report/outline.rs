//! The outline of a mask as an SVG path.

use nn_core::data::Mask;
use std::fmt::Write as _;

/// Height and width of the grid that outlines follow: fine enough for a picture with
/// [`crate::picture::SIDE`] pixels.
const GRID: usize = 64;

/// The border of `mask`, scaled to a square with sides of `side`: straight segments along a grid. Empty if
/// the mask is all set or all unset.
pub fn outline(mask: &Mask, side: u32) -> String {
    let Ok(mask) = mask.resized(GRID, GRID) else { return String::new() };
    let step = f64::from(side) / GRID as f64;
    let mut path = String::new();
    for [(top, left), (bottom, right)] in mask.outline() {
        let [x, y, wide, high] = [left, top, right - left, bottom - top].map(|n| n as f64 * step);
        let line = if high > 0.0 { format!("v{high}") } else { format!("h{wide}") };
        // Writing to a String cannot fail.
        let _ = write!(path, "M{x} {y}{line}");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_has_four_sides() {
        let inside = |i: usize| (16..32).contains(&(i / 64)) && (16..48).contains(&(i % 64));
        let mask = Mask::new(64, 64, (0..64 * 64).map(inside).collect()).unwrap();
        assert_eq!(outline(&mask, 256), "M64 64h128M64 128h128M64 64v64M192 64v64");
        for all in [true, false] {
            assert_eq!(outline(&Mask::new(8, 8, vec![all; 64]).unwrap(), 256), "");
        }
    }
}
