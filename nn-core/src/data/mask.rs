//! Binary masks of images, and morphological operations on them.

use crate::error::{Error, Result};
use std::collections::VecDeque;

/// A binary mask of an image, `[height, width]`, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    height: usize,
    width: usize,
    values: Vec<bool>,
}

/// The axis-aligned bounding box of the pixels of a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundingBox {
    /// The first row.
    pub top: usize,
    /// The first column.
    pub left: usize,
    /// The number of rows.
    pub height: usize,
    /// The number of columns.
    pub width: usize,
}

impl Mask {
    /// A mask of `values`, of which there must be `height * width`, at least one.
    ///
    /// # Errors
    /// If the number of values is another.
    pub fn new(height: usize, width: usize, values: Vec<bool>) -> Result<Self> {
        if values.is_empty() || height.checked_mul(width) != Some(values.len()) {
            return Err(Error::shape(
                "mask",
                format!("{height} x {width} values, at least one"),
                format!("{} values", values.len()),
                "pass a height and a width that fit the values",
            ));
        }
        Ok(Self { height, width, values })
    }

    /// The number of rows, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The number of columns, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether each pixel belongs to the mask.
    pub fn values(&self) -> &[bool] {
        &self.values
    }

    /// The share of pixels that belong to the mask, 0 to 1.
    pub fn share(&self) -> f64 {
        self.values.iter().filter(|&&v| v).count() as f64 / self.values.len() as f64
    }

    /// The complement of the mask.
    pub fn inverted(&self) -> Self {
        self.with(self.values.iter().map(|v| !v).collect())
    }

    /// The mask resized by nearest-neighbour sampling.
    ///
    /// # Errors
    /// If the height or width is 0.
    pub fn resized(&self, height: usize, width: usize) -> Result<Self> {
        let from = |i: usize, from: usize, to: usize| (2 * i + 1) * from / (2 * to);
        let rows = (0..height).map(|y| from(y, self.height, height) * self.width);
        let pixel = |row: usize| {
            (0..width).map(move |x| row + from(x, self.width, width)).map(|at| self.values[at])
        };
        Self::new(height, width, rows.flat_map(pixel).collect())
    }

    /// The bounding box of the mask; `None` if the mask is empty.
    pub fn bounding_box(&self) -> Option<BoundingBox> {
        let row_is_used =
            |&y: &usize| self.values[y * self.width..(y + 1) * self.width].contains(&true);
        let column_is_used =
            |&x: &usize| self.values.iter().skip(x).step_by(self.width).any(|&v| v);
        let (top, bottom) =
            ((0..self.height).find(row_is_used)?, (0..self.height).rfind(row_is_used)?);
        let (left, right) =
            ((0..self.width).find(column_is_used)?, (0..self.width).rfind(column_is_used)?);
        Some(BoundingBox { top, left, height: bottom - top + 1, width: right - left + 1 })
    }

    /// The outline between pixels inside and outside the mask, without the image's own border, as
    /// line segments: start and end, each the (row, column) of the upper left corner of a pixel.
    /// Segments are horizontal or vertical and as long as possible.
    ///
    /// ```
    /// use nn_core::data::Mask;
    /// let mask = Mask::new(2, 3, vec![true, true, false, false, false, false])?;
    /// assert_eq!(mask.outline(), [[(1, 0), (1, 2)], [(0, 2), (1, 2)]]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn outline(&self) -> Vec<[(usize, usize); 2]> {
        let (h, w) = (self.height, self.width);
        let at = |y: usize, x: usize| self.values[y * w + x];
        let mut lines = Vec::new();
        let level = (1..h).map(|y| runs(w, move |x| at(y - 1, x) != at(y, x)).map(move |r| (y, r)));
        lines.extend(level.flatten().map(|(y, (from, to))| [(y, from), (y, to)]));
        let upright =
            (1..w).map(|x| runs(h, move |y| at(y, x - 1) != at(y, x)).map(move |r| (x, r)));
        lines.extend(upright.flatten().map(|(x, (from, to))| [(from, x), (to, x)]));
        lines
    }

    /// The pixels that are connected to the border within the mask (4-connectivity).
    pub fn connected_to_border(&self) -> Self {
        let (h, w) = (self.height, self.width);
        let is_border = |at: &usize| {
            let (y, x) = (at / w, at % w);
            y == 0 || x == 0 || y + 1 == h || x + 1 == w
        };
        let mut seen = vec![false; h * w];
        (0..h * w).filter(is_border).for_each(|at| {
            self.visit(at, &mut seen);
        });
        self.with(seen)
    }

    /// The largest connected component, and the others of at least `share` of its size.
    pub fn large_parts(&self, share: f64) -> Self {
        let mut seen = vec![false; self.values.len()];
        let parts: Vec<Vec<usize>> = (0..seen.len())
            .map(|at| self.visit(at, &mut seen))
            .filter(|part| !part.is_empty())
            .collect();
        let largest = parts.iter().map(Vec::len).max().unwrap_or(0) as f64;
        let mut kept = vec![false; self.values.len()];
        for part in parts.iter().filter(|part| part.len() as f64 >= share * largest) {
            part.iter().for_each(|&at| kept[at] = true);
        }
        self.with(kept)
    }

    /// A morphological opening: removes parts thinner than about `2 * radius` pixels. Beyond the
    /// border, the mask is continued with its edge values.
    pub fn opened(&self, radius: usize) -> Self {
        let eroded = |m: &Self, at| m.values[at] && m.beside(at).all(|beside| m.values[beside]);
        let dilated = |m: &Self, at| m.values[at] || m.beside(at).any(|beside| m.values[beside]);
        let mut mask = self.clone();
        (0..radius).for_each(|_| mask = mask.each(eroded));
        (0..radius).for_each(|_| mask = mask.each(dilated));
        mask
    }

    /// Marks the connected component of `start` as seen, and lists its pixels; none if it was seen
    /// before or is outside the mask.
    fn visit(&self, start: usize, seen: &mut [bool]) -> Vec<usize> {
        let mut found = Vec::new();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            if self.values[at] && !seen[at] {
                seen[at] = true;
                found.push(at);
                queue.extend(self.beside(at));
            }
        }
        found
    }

    /// The up to four neighbours of a pixel.
    fn beside(&self, at: usize) -> impl Iterator<Item = usize> {
        let (h, w) = (self.height, self.width);
        let (y, x) = (at / w, at % w);
        [
            (y > 0).then(|| at - w),
            (x > 0).then(|| at - 1),
            (x + 1 < w).then_some(at + 1),
            (y + 1 < h).then_some(at + w),
        ]
        .into_iter()
        .flatten()
    }

    /// A mask in which each pixel is computed by `rule` from this mask and the pixel's index.
    fn each(&self, rule: impl Fn(&Self, usize) -> bool) -> Self {
        self.with((0..self.values.len()).map(|at| rule(self, at)).collect())
    }

    fn with(&self, values: Vec<bool>) -> Self {
        Self { height: self.height, width: self.width, values }
    }
}

/// The maximal ranges in which `holds` is true: start, and end (exclusive).
fn runs(len: usize, holds: impl Fn(usize) -> bool) -> impl Iterator<Item = (usize, usize)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let from = (next..len).find(|&i| holds(i))?;
        next = (from..len).find(|&i| !holds(i)).unwrap_or(len);
        Some((from, next))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&str]) -> Mask {
        let values = rows.concat().chars().map(|c| c == '#').collect();
        Mask::new(rows.len(), rows[0].len(), values).unwrap()
    }

    #[test]
    fn sizes_must_fit() {
        assert!(Mask::new(2, 2, vec![true; 3]).is_err());
        assert!(Mask::new(0, 2, vec![]).is_err());
        assert!(mask(&["#."]).resized(0, 3).is_err());
    }

    #[test]
    fn resizing_takes_the_nearest() {
        let small = mask(&["#.", ".#"]);
        let large = small.resized(4, 6).unwrap();
        assert_eq!(large, mask(&["###...", "###...", "...###", "...###"]));
        assert_eq!(large.resized(2, 2).unwrap(), small);
        assert_eq!(small.resized(1, 1).unwrap(), mask(&["#"]));
    }

    #[test]
    fn boxes_shares_and_inverses() {
        let some = mask(&["....", ".#..", "..#.", "...."]);
        let expected = BoundingBox { top: 1, left: 1, height: 2, width: 2 };
        assert_eq!(some.bounding_box(), Some(expected));
        assert_eq!((some.share(), some.inverted().share()), (0.125, 0.875));
        assert_eq!(mask(&["...", "..."]).bounding_box(), None);
    }

    #[test]
    fn outlines_lie_between_pixels() {
        let some = mask(&["....", ".##.", ".##.", "...."]);
        let square = [[(1, 1), (1, 3)], [(3, 1), (3, 3)], [(1, 1), (3, 1)], [(1, 3), (3, 3)]];
        assert_eq!(some.outline(), square);
        assert_eq!(some.inverted().outline(), square);
        assert!(mask(&["##", "##"]).outline().is_empty());
        assert_eq!(mask(&["#.#"]).outline(), [[(0, 1), (1, 1)], [(0, 2), (1, 2)]]);
    }

    #[test]
    fn what_is_connected_to_the_border() {
        let some = mask(&[
            "#....", //
            "#.##.", "..##.", "##..#", ".....",
        ]);
        let expected = mask(&["#....", "#....", ".....", "##..#", "....."]);
        assert_eq!(some.connected_to_border(), expected);
        assert_eq!(some.large_parts(0.9), mask(&[".....", "..##.", "..##.", ".....", "....."]));
        let all = some.large_parts(0.0);
        assert_eq!(all, some);
    }

    #[test]
    fn opening_removes_what_is_thin_but_not_what_touches_the_border() {
        let some = mask(&[
            "###...", //
            "###...", "###.#.", "......", "##....",
        ]);
        let opened = some.opened(1);
        assert_eq!(opened, mask(&["###...", "###...", "##....", "......", "......"]));
        assert_eq!(some.opened(0), some);
        assert_eq!(mask(&["###", "###"]).opened(3), mask(&["###", "###"]));
    }
}
