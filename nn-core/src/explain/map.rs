//! One image's explanation, and the way from its map to the image.

use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::model::{ReceptiveAxis, ReceptiveField};
use crate::tensor::Tensor;

/// What keeps the normalisation of a map without heat from dividing by zero.
pub const NORMALIZE_EPSILON: f64 = 1e-7;

/// What speaks for a class in one image.
#[derive(Debug, Clone)]
pub struct Explanation<T: Kernels = f32> {
    /// The class that is explained.
    pub class: usize,
    /// The class the network finds most probable.
    pub predicted: usize,
    /// The class's score, its logit.
    pub score: f64,
    /// What the network says: one probability per class, or, where its output is neither softmax
    /// nor sigmoid, its outputs as they are.
    pub outputs: Vec<f64>,
    /// The raw map `[height, width]` in the method's own resolution: 0 where nothing speaks for the
    /// class, larger where more does.
    pub map: Tensor<T>,
    /// Height and width of the network's images.
    pub(super) size: (usize, usize),
    /// Where the map's cells lie in the image.
    pub(super) field: ReceptiveField,
    /// How the map is brought to the image.
    pub(super) alignment: Alignment,
}

/// How a map is brought to the size of its image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alignment {
    /// Each cell at the centre of its receptive field, linear between the centres; beyond the outermost
    /// the map goes on as it is there, so that a map without preference stays one.
    #[default]
    Centres,
    /// The corner cells in the corners of the image, linear between them, as tf-keras-vis does. A network
    /// without padding sees the image within its border: there, heat lies away from its cause.
    Corners,
}

impl<T: Kernels> Explanation<T> {
    /// The same, brought to the image in another way.
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

    /// The map at the size of the network's images, its cells where they look.
    pub(super) fn centred(&self) -> Tensor<T> {
        place(&self.map, self.field, self.size.0, self.size.1)
    }

    /// Whether the map says nothing of places: it has no heat, or the same everywhere.
    pub fn is_flat(&self) -> bool {
        let values = || self.map.as_slice().iter().map(|v| v.as_f64());
        let high = values().fold(0.0, f64::max);
        values().all(|v| high - v <= FLAT * high)
    }

    /// The map to be shown: stretched, then brought to 0 to 1 by
    /// `(x - min) / (max - min + 1e-7)`. A map that is zero throughout stays so.
    pub fn normalized(&self) -> Tensor<T> {
        normalize(&self.stretched())
    }
}

/// How far the values of a flat map may lie apart, as a share of the largest: what rounding leaves.
const FLAT: f64 = 1e-5;

/// A map `[h, w]` at another size, `[height, width]`, its cells at the places that `field` says: linear
/// between their centres, and beyond the outermost as there.
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

/// A map `[h, w]` at another size, `[height, width]`: linear, with the corners in the corners, so that
/// row `i` comes from row `i * (h - 1) / (height - 1)`. Values stay within those of the map.
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

/// Height and width of a map to be brought to another size.
#[expect(clippy::panic, reason = "documented, as an index out of bounds is for slices")]
fn extent<T: Kernels>(map: &Tensor<T>, height: usize, width: usize) -> (usize, usize) {
    let &[h, w] = map.dims() else {
        panic!("a map [height, width] was expected, not {}", map.shape());
    };
    assert!(!map.is_empty() && height > 0 && width > 0, "an empty map cannot be stretched");
    (h, w)
}

/// A map `w` cells wide, each row and column from where `rows` and `columns` say.
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

/// Where one row or column comes from: two neighbours, and how far it lies towards the second.
struct Source {
    first: usize,
    second: usize,
    share: f64,
}

/// Pixels between cells whose centres lie where `axis` says.
fn centred(cells: usize, len: usize, axis: ReceptiveAxis) -> Vec<Source> {
    let last = cells - 1;
    let source = |pixel: usize| {
        let at = ((pixel as f64 - axis.first) / axis.step).clamp(0.0, last as f64);
        let first = (at as usize).min(last);
        Source { first, second: (first + 1).min(last), share: at - first as f64 }
    };
    (0..len).map(source).collect()
}

/// Pixels between cells of which the outermost lie in the corners.
fn cornered(from: usize, to: usize) -> Vec<Source> {
    let source = |i: usize| {
        // In whole numbers, so that the corners are met exactly.
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

/// The share of a map's heat, 0 to 1, that lies where `mask` is true: a value per number of the map,
/// in the same order. `None` if the map has no heat at all.
///
/// Meant for a stretched map (whose values are 0 or above) and the background of its image. A map
/// that does not care where the animal is has the background's share of the area.
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
