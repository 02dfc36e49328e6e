//! Comparison of the colours of two registered pictures.
//!
//! Grey regions of one picture may have any colour in the other, since greyscale copies are copies.
//! A copy may differ in saturation and be slightly tinted. But a picture of a red shirt is no copy
//! of one of a blue shirt.

use super::difference::laid;
use super::luma::Luma;
use super::placement::Placement;
use super::shrink::Small;
use crate::kernels::multiversion::{Multiversion, multiversion};

/// Pixels of the small picture along a side of one cell.
const CELL: usize = 4;
/// The Gaussian blur of the colours, in cells.
const BLUR: f32 = 0.8;
/// The distance from grey from which a cell counts as coloured.
const COLOURED: f32 = 10.0;
/// The largest share of coloured cells of a grey picture.
const GREY: f32 = 0.01;
/// The range of saturation factors of a copy.
const FACTORS: std::ops::RangeInclusive<f32> = 0.5..=2.0;
/// The largest tint of a copy.
const TINT: f32 = 20.0;
/// The largest colour error: relative to the distance from grey, and absolute.
const OFF: (f32, f32) = (0.25, 6.0);
/// The share of coloured cells with another colour from which the colours differ.
const DIFFERS: f32 = 0.25;
/// The share of all cells up to which other colours are ignored as specks.
const SPECKS: f32 = 0.03;
/// The largest difference of the mean colours of copies, if nothing else may tell two pictures apart:
/// relative to the distance from grey, and absolute.
const MEAN_OFF: (f32, f32) = (0.15, 2.0);
/// Rounds of reweighted least squares.
const ROUNDS: usize = 6;

/// The colours of a small picture, in cells: the chroma channels Cb and Cr (Rec. 601), around 128.
#[derive(Debug, Clone, PartialEq)]
pub struct Colours {
    width: usize,
    planes: [Vec<u8>; 2],
}

/// The result of a colour comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourMatch {
    /// Both have the same colours, or both are grey.
    Same,
    /// One of them is grey.
    Grey,
    /// They have different colours.
    Different,
}

impl Colours {
    /// The colours of a small picture.
    pub fn new(small: &Small) -> Self {
        let width = small.width.div_ceil(CELL);
        Self { width, planes: multiversion(CellMeans(small)) }
    }

    /// The memory used, in bytes.
    pub fn bytes(&self) -> usize {
        self.planes.iter().map(Vec::len).sum()
    }

    fn plane(&self, number: usize) -> Luma {
        let plane = &self.planes[number];
        let pixels = plane.iter().map(|&value| f32::from(value)).collect();
        // Blurred, since a small spot may lie in one cell here and between two there.
        Luma { width: self.width, height: plane.len() / self.width, pixels }.blurred(BLUR)
    }

    /// The colours of both at the same positions; `placement` places the small picture of `b` on
    /// that of `self`.
    fn cells(
        &self,
        b: &Self,
        placement: &Placement,
        is_hidden: impl Fn(usize) -> bool,
    ) -> Vec<Cell> {
        if self.width < 2 || self.planes[0].len() < 2 * self.width {
            return Vec::new();
        }
        let placement = placement.halved().halved();
        let of_b = [0, 1].map(|plane| b.plane(plane));
        let on = [0, 1].map(|plane: usize| laid(&self.plane(plane), &of_b[plane], &placement));
        (0..on[0].len())
            .filter(|&i| !on[0][i].is_nan() && !is_hidden(i))
            .map(|i| Cell {
                a: [0, 1].map(|plane: usize| on[plane][i] - 128.0),
                b: [0, 1].map(|plane: usize| of_b[plane].pixels[i] - 128.0),
            })
            .collect()
    }

    /// Whether `b`, placed on `self`, has other colours, another saturation, or no colours. This is
    /// stricter than [`Colours::compare`]: for pictures on one template, which may differ in nothing else.
    pub fn differ(&self, b: &Self, placement: &Placement) -> bool {
        let mut cells = self.cells(b, placement, |_| false);
        let shift = Shift::NONE;
        cells.retain(|cell| cell.most(&shift) > COLOURED);
        let n = cells.len() as f32;
        let other = cells.iter().filter(|cell| cell.is_off(&shift)).count();
        // Thin strokes hardly colour a cell. Over many cells, small differences become certain.
        let mean = |of: fn(&Cell) -> [f32; 2]| {
            let sum = cells.iter().map(of).fold([0.0; 2], |sum, c| [sum[0] + c[0], sum[1] + c[1]]);
            sum.map(|sum| sum / n.max(1.0))
        };
        let mean = Cell { a: mean(|cell| cell.a), b: mean(|cell| cell.b) };
        let apart = norm(shift.residual(&mean));
        other as f32 > DIFFERS * n || apart > MEAN_OFF.0 * mean.most(&shift) + MEAN_OFF.1
    }

    /// Compares `self` with `b`, which `placement` places on it, except for the pixels of `b`, in
    /// rows of `width`, that are `hidden`.
    pub fn compare(
        &self,
        b: &Self,
        placement: &Placement,
        hidden: &[bool],
        width: usize,
    ) -> ColourMatch {
        // Colours are blurred, so the surroundings of hidden pixels are affected, too.
        let cells = self.cells(b, placement, |cell| {
            let around = |at: usize, len: usize| at.saturating_sub(CELL)..(at + 2 * CELL).min(len);
            let columns = around(cell % b.width * CELL, width);
            around(cell / b.width * CELL, hidden.len() / width)
                .any(|y| hidden[y * width + columns.start..y * width + columns.end].contains(&true))
        });
        let share = |is: &dyn Fn(&Cell) -> bool| {
            cells.iter().filter(|cell| is(cell)).count() as f32 / cells.len().max(1) as f32
        };
        let coloured =
            [share(&|cell| norm(cell.a) > COLOURED), share(&|cell| norm(cell.b) > COLOURED)];
        match coloured.map(|share| share <= GREY) {
            [true, true] => return ColourMatch::Same,
            [false, false] => {}
            _ => return ColourMatch::Grey,
        }
        let shift = Shift::between(&cells);
        let coloured = || cells.iter().filter(|cell| cell.most(&shift) > COLOURED);
        let (n, other) =
            (coloured().count(), coloured().filter(|cell| cell.is_off(&shift)).count());
        let differs =
            other as f32 > DIFFERS * n as f32 && other as f32 > SPECKS * cells.len() as f32;
        if differs { ColourMatch::Different } else { ColourMatch::Same }
    }
}

/// Computes the mean colours of each cell of a small picture.
struct CellMeans<'a>(&'a Small);

impl Multiversion for CellMeans<'_> {
    type Output = [Vec<u8>; 2];

    #[inline(always)]
    fn run(self) -> [Vec<u8>; 2] {
        let small = self.0;
        let (across, down) = (small.width.div_ceil(CELL), small.height.div_ceil(CELL));
        let mut sums = [(); 3].map(|()| vec![0.0_f32; across * down]);
        for (sums, plane) in sums.iter_mut().zip(&small.planes) {
            for (y, row) in plane.chunks_exact(small.width).enumerate() {
                let sums = &mut sums[y / CELL * across..][..across];
                let (whole, rest) = row.as_chunks::<CELL>();
                for (sum, cell) in sums.iter_mut().zip(whole) {
                    *sum += (cell[0] + cell[1]) + (cell[2] + cell[3]);
                }
                if !rest.is_empty() {
                    sums[across - 1] += rest.iter().sum::<f32>();
                }
            }
        }
        let [red, green, blue] = sums;
        let mut planes = [(); 2].map(|()| vec![0; across * down]);
        for i in 0..across * down {
            let len = |at: usize, len: usize| CELL.min(len - at * CELL) as f32;
            let n = len(i % across, small.width) * len(i / across, small.height);
            let grey = 0.299 * red[i] + 0.587 * green[i] + 0.114 * blue[i];
            let byte = |against_grey: f32| (against_grey / n + 128.5).clamp(0.0, 255.0) as u8;
            planes[0][i] = byte(0.564 * (blue[i] - grey));
            planes[1][i] = byte(0.713 * (red[i] - grey));
        }
        planes
    }
}

/// The colours of both pictures in one cell.
struct Cell {
    a: [f32; 2],
    b: [f32; 2],
}

impl Cell {
    /// The distance from grey of the more saturated one.
    fn most(&self, shift: &Shift) -> f32 {
        norm(self.b).max(shift.factor * norm(self.a))
    }

    fn is_off(&self, shift: &Shift) -> bool {
        norm(shift.residual(self)) > OFF.0 * self.most(shift) + OFF.1
    }
}

fn norm([x, y]: [f32; 2]) -> f32 {
    (x * x + y * y).sqrt()
}

/// The saturation factor between two pictures, and the tint.
struct Shift {
    factor: f32,
    tint: [f32; 2],
}

impl Shift {
    const NONE: Self = Self { factor: 1.0, tint: [0.0; 2] };

    /// The robust fit over all cells.
    fn between(cells: &[Cell]) -> Self {
        let mut shift = Self::NONE;
        for _ in 0..ROUNDS {
            let (mut n, mut a, mut b) = (0.0, [0.0; 2], [0.0; 2]);
            let (mut aa, mut ab) = (0.0, 0.0);
            for cell in cells {
                let far = norm(shift.residual(cell)) / COLOURED;
                let weight = 1.0 / ((1.0 + far * far) * (1.0 + far * far));
                n += weight;
                for plane in 0..2 {
                    a[plane] += weight * cell.a[plane];
                    b[plane] += weight * cell.b[plane];
                    aa += weight * cell.a[plane] * cell.a[plane];
                    ab += weight * cell.a[plane] * cell.b[plane];
                }
            }
            for plane in 0..2 {
                aa -= a[plane] * a[plane] / n;
                ab -= a[plane] * b[plane] / n;
            }
            // A weak prior for unchanged colours.
            let factor = (ab + n) / (aa + n);
            shift.factor = factor.clamp(*FACTORS.start(), *FACTORS.end());
            let tint = [0, 1].map(|plane: usize| (b[plane] - shift.factor * a[plane]) / n);
            let bound = (TINT / norm(tint).max(TINT)).min(1.0);
            shift.tint = tint.map(|value| value * bound);
        }
        shift
    }

    fn residual(&self, cell: &Cell) -> [f32; 2] {
        [0, 1].map(|plane: usize| cell.b[plane] - self.factor * cell.a[plane] - self.tint[plane])
    }
}
