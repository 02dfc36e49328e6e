//! One image's explanation, and the way from its map to the image.

use crate::kernels::Kernels;
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
}

impl<T: Kernels> Explanation<T> {
    /// The map stretched to the size of the network's images, `[height, width]`; see [`stretch`].
    pub fn stretched(&self) -> Tensor<T> {
        stretch(&self.map, self.size.0, self.size.1)
    }

    /// The map to be shown: stretched, then brought to 0 to 1 by
    /// `(x - min) / (max - min + 1e-7)`. A map that is zero throughout stays so.
    pub fn normalized(&self) -> Tensor<T> {
        normalize(&self.stretched())
    }
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
#[expect(clippy::panic, reason = "documented, as an index out of bounds is for slices")]
pub fn stretch<T: Kernels>(map: &Tensor<T>, height: usize, width: usize) -> Tensor<T> {
    let &[h, w] = map.dims() else {
        panic!("a map [height, width] was expected, not {}", map.shape());
    };
    assert!(!map.is_empty() && height > 0 && width > 0, "an empty map cannot be stretched");
    let (rows, columns) = (sources(h, height), sources(w, width));
    let values = map.as_slice();
    let blend = |a: f64, b: f64, share: f64| a + (b - a) * share;
    Tensor::from_fn([height, width], |i| {
        let (y, x) = (&rows[i / width], &columns[i % width]);
        let at = |row: usize, column: usize| values[row * w + column].as_f64();
        let upper = blend(at(y.first, x.first), at(y.first, x.second), x.share);
        let lower = blend(at(y.second, x.first), at(y.second, x.second), x.share);
        T::from_f64(blend(upper, lower, y.share))
    })
}

/// Where one row or column comes from: two neighbours, and how far it lies towards the second.
struct Source {
    first: usize,
    second: usize,
    share: f64,
}

fn sources(from: usize, to: usize) -> Vec<Source> {
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
