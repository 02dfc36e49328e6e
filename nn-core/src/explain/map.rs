//! The explanation of one image, and how its map is scaled to the size of the image.

use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::model::{ReceptiveAxis, ReceptiveField};
use crate::tensor::Tensor;

/// Added to the denominator when a map is normalised, so that a map without heat does not divide by zero.
pub const NORMALIZE_EPSILON: f64 = 1e-7;

/// What supports a class in one image.
#[derive(Debug, Clone)]
pub struct Explanation<T: Kernels = f32> {
    /// The class that is explained.
    pub class: usize,
    /// The predicted class.
    pub predicted: usize,
    /// The class's score: its logit, before softmax or sigmoid.
    pub score: f64,
    /// The network's output: one probability per class, or, where the output activation is neither
    /// softmax nor sigmoid, the outputs unchanged.
    pub outputs: Vec<f64>,
    /// The raw map `[height, width]` at the method's own resolution: 0 where nothing supports the
    /// class, larger where the support is stronger.
    pub map: Tensor<T>,
    /// Height and width of the network's input images.
    pub(super) size: (usize, usize),
    /// The receptive fields of the map's cells.
    pub(super) field: ReceptiveField,
    /// How the map is scaled to the image.
    pub(super) alignment: Alignment,
}

/// How a map is scaled to the size of its image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alignment {
    /// Each cell at the centre of its receptive field, with linear interpolation between the
    /// centres. Beyond the outermost centres the map is continued with the edge values, so that a
    /// constant map stays constant.
    #[default]
    Centres,
    /// The corner cells in the corners of the image, with linear interpolation between them, as in
    /// tf-keras-vis. In a network without padding the outermost receptive fields are centred inside
    /// the image, so that heat is displaced from its cause.
    Corners,
}

impl<T: Kernels> Explanation<T> {
    /// The same explanation with another alignment.
    pub fn aligned(mut self, alignment: Alignment) -> Self {
        self.alignment = alignment;
        self
    }

    /// The map at the size of the network's images, `[height, width]`; see [`Alignment`].
    pub fn stretched(&self) -> Tensor<T> {
        match self.alignment {
            Alignment::Centres => self.centred(),
            Alignment::Corners => stretch(&self.map, self.size.0, self.size.1),
        }
    }

    /// The map at the size of the network's images, each cell at the centre of its receptive field.
    pub(super) fn centred(&self) -> Tensor<T> {
        place(&self.map, self.field, self.size.0, self.size.1)
    }

    /// Whether the map has no spatial information: it has no heat, or is constant.
    pub fn is_flat(&self) -> bool {
        let values = || self.map.as_slice().iter().map(|v| v.as_f64());
        let high = values().fold(0.0, f64::max);
        values().all(|v| high - v <= FLAT * high)
    }

    /// The map for display: stretched, then scaled to 0 to 1 by `(x - min) / (max - min + 1e-7)`. A
    /// map that is zero throughout stays zero.
    pub fn normalized(&self) -> Tensor<T> {
        normalize(&self.stretched())
    }
}

/// The largest difference between the values of a flat map, relative to the largest value: rounding error.
const FLAT: f64 = 1e-5;

/// A map `[h, w]` resized to `[height, width]`, with its cells at the centres that `field` gives:
/// linear between the centres, edge values beyond the outermost.
///
/// # Panics
/// As [`stretch`].
///
/// ```
/// use nn_core::{Tensor, explain::place, model::ReceptiveField};
/// let map = Tensor::<f32>::from_vec([1, 2], vec![0., 6.])?;
/// let field = ReceptiveField::even((1, 2), (1, 6)); // cells with their centres at pixels 1 and 4
/// assert_eq!(place(&map, field, 1, 6).as_slice(), [0., 0., 2., 4., 6., 6.]);
/// # Ok::<(), nn_core::Error>(())
/// ```
pub fn place<T: Kernels>(
    map: &Tensor<T>,
    field: ReceptiveField,
    height: usize,
    width: usize,
) -> Tensor<T> {
    let (h, w) = extent(map, height, width);
    blend(map, w, &centred(h, height, field.vertical), &centred(w, width, field.horizontal))
}

/// A map `[h, w]` resized to `[height, width]`: bilinear with aligned corners, so that row `i` is
/// sampled at row `i * (h - 1) / (height - 1)`. Values stay within the range of the map.
///
/// # Panics
/// If the map is not of two dimensions, or it or the result would be empty.
///
/// ```
/// use nn_core::{Tensor, explain::stretch};
/// let map = Tensor::<f32>::from_vec([1, 2], vec![0., 6.])?;
/// assert_eq!(stretch(&map, 1, 4).as_slice(), [0., 2., 4., 6.]);
/// # Ok::<(), nn_core::Error>(())
/// ```
pub fn stretch<T: Kernels>(map: &Tensor<T>, height: usize, width: usize) -> Tensor<T> {
    let (h, w) = extent(map, height, width);
    blend(map, w, &cornered(h, height), &cornered(w, width))
}

/// Height and width of a map that is to be resized.
#[expect(clippy::panic, reason = "documented, as an index out of bounds is for slices")]
fn extent<T: Kernels>(map: &Tensor<T>, height: usize, width: usize) -> (usize, usize) {
    let &[h, w] = map.dims() else {
        panic!("a map [height, width] was expected, not {}", map.shape());
    };
    assert!(!map.is_empty() && height > 0 && width > 0, "an empty map cannot be stretched");
    (h, w)
}

/// Resamples a map of `w` columns: row `i` of the result from `rows[i]`, column `j` from `columns[j]`.
fn blend<T: Kernels>(map: &Tensor<T>, w: usize, rows: &[Source], columns: &[Source]) -> Tensor<T> {
    let (values, width) = (map.as_slice(), columns.len());
    let between = |a: f64, b: f64, share: f64| a + (b - a) * share;
    Tensor::from_fn([rows.len(), width], |i| {
        let (y, x) = (&rows[i / width], &columns[i % width]);
        let at = |row: usize, column: usize| values[row * w + column].as_f64();
        let upper = between(at(y.first, x.first), at(y.first, x.second), x.share);
        let lower = between(at(y.second, x.first), at(y.second, x.second), x.share);
        T::from_f64(between(upper, lower, y.share))
    })
}

/// The source of one output row or column: two neighbours, and the interpolation weight of the second.
struct Source {
    first: usize,
    second: usize,
    share: f64,
}

/// The sources of `len` pixels between cells whose centres `axis` gives.
fn centred(cells: usize, len: usize, axis: ReceptiveAxis) -> Vec<Source> {
    let last = cells - 1;
    let source = |pixel: usize| {
        let at = ((pixel as f64 - axis.first) / axis.step).clamp(0.0, last as f64);
        let first = (at as usize).min(last);
        Source { first, second: (first + 1).min(last), share: at - first as f64 }
    };
    (0..len).map(source).collect()
}

/// The sources of `to` pixels between `from` cells, of which the outermost lie in the corners.
fn cornered(from: usize, to: usize) -> Vec<Source> {
    let source = |i: usize| {
        // In integers, so that the corners are hit exactly.
        let (above, below) = (i * (from - 1), (to - 1).max(1));
        let first = above / below;
        let share = (above % below) as f64 / below as f64;
        Source { first, second: (first + 1).min(from - 1), share }
    };
    (0..to).map(source).collect()
}

fn normalize<T: Kernels>(map: &Tensor<T>) -> Tensor<T> {
    let values = map.as_slice().iter().map(|v| v.as_f64());
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    map.map(|v| T::from_f64((v.as_f64() - low) / (high - low + NORMALIZE_EPSILON)))
}

/// The share of a map's heat, 0 to 1, where `mask` is true. The mask has one value per element of
/// the map, in the same order. `None` if the map has no heat at all.
///
/// Meant for a stretched map (whose values are 0 or above) and the background of its image. For a map that
/// is independent of the subject's position, the expected share is the background's share of the area.
///
/// # Errors
/// If mask and map differ in size.
///
/// ```
/// use nn_core::{Tensor, explain::share_where};
/// let map = Tensor::<f32>::from_vec([2, 2], vec![3., 0., 1., 0.])?;
/// assert_eq!(share_where(&map, &[true, true, false, false])?, Some(0.75));
/// # Ok::<(), nn_core::Error>(())
/// ```
pub fn share_where<T: Kernels>(map: &Tensor<T>, mask: &[bool]) -> Result<Option<f64>> {
    if mask.len() != map.len() {
        return Err(Error::shape(
            "share of heat",
            format!("a mask of {} values, one per number of the map", map.len()),
            mask.len(),
            "bring both to one size first",
        ));
    }
    let (mut inside, mut total) = (0.0, 0.0);
    for (value, &is_inside) in map.as_slice().iter().zip(mask) {
        total += value.as_f64();
        inside += if is_inside { value.as_f64() } else { 0.0 };
    }
    Ok((total > 0.0).then(|| inside / total))
}
