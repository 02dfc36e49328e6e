//! The outline of a mask, as a path of SVG.

use nn_core::data::Mask;
use std::fmt::Write as _;

/// Height and width of the grid that outlines follow: fine enough for a picture of [`super::picture::SIDE`].
const GRID: usize = 64;

/// The border between inside and outside of `mask`, stretched over a square of `side`: straight pieces along a grid.
/// Empty if nothing or everything is inside.
pub fn outline(mask: &Mask, side: u32) -> String {
    let Ok(mask) = mask.resized(GRID, GRID) else { return String::new() };
    let inside = |row: usize, column: usize| mask.values()[row * GRID + column];
    // Between the columns, then between the rows; one piece for each run of cells with the same border.
    let vertical = |line: usize, along: usize| inside(along, line - 1) != inside(along, line);
    let horizontal = |line: usize, along: usize| inside(line - 1, along) != inside(line, along);
    let step = f64::from(side) / GRID as f64;
    let mut path = String::new();
    for (is_border, direction) in
        [(&vertical as &dyn Fn(usize, usize) -> bool, 'v'), (&horizontal, 'h')]
    {
        for line in 1..GRID {
            let mut along = 0;
            while along < GRID {
                let length = (along..GRID).take_while(|&at| is_border(line, at)).count();
                if length > 0 {
                    let (across, from) = (line as f64 * step, along as f64 * step);
                    let (x, y) = if direction == 'v' { (across, from) } else { (from, across) };
                    // Writing to a String cannot fail.
                    let _ = write!(path, "M{x} {y}{direction}{}", length as f64 * step);
                }
                along += length.max(1);
            }
        }
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
        assert_eq!(outline(&mask, 256), "M64 64v64M192 64v64M64 64h128M64 128h128");
        for all in [true, false] {
            assert_eq!(outline(&Mask::new(8, 8, vec![all; 64]).unwrap(), 256), "");
        }
    }
}
