//! Gradients, stored as a tensor or as a product that is not computed yet.

use crate::kernels::Kernels;
use crate::kernels::linear::{self, Dims};
use crate::tensor::{BufferPool, Shape, Tensor};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// The gradient of one value: a tensor, or the two factors of a matrix product.
///
/// The gradient of a dense layer's weights is `dyt x`. With a batch of a few rows the factors are far
/// smaller than their product. An optimiser that reads the product piece by piece needs no memory for
/// it, and no time to write it and read it back. [`tensor`](Gradient::tensor) computes the product at
/// its first call.
#[derive(Debug, Clone)]
pub struct Gradient<T: Kernels = f32>(Form<T>);

#[derive(Debug, Clone)]
enum Form<T: Kernels> {
    Whole(Tensor<T>),
    Product {
        dims: Dims,
        shape: Shape,
        dy: Tensor<T>,
        x: Arc<Tensor<T>>,
        whole: OnceLock<Tensor<T>>,
    },
}

impl<T: Kernels> Gradient<T> {
    /// The product `dyt x`, with `dy [batch, outputs]` and `x [batch, inputs]`: `[outputs, inputs]`.
    pub(crate) fn product(dims: Dims, dy: Tensor<T>, x: Arc<Tensor<T>>) -> Self {
        let shape = Shape::from([dims.outputs, dims.inputs]);
        Self(Form::Product { dims, shape, dy, x, whole: OnceLock::new() })
    }

    /// The shape, equal to that of the value.
    pub fn shape(&self) -> &Shape {
        match &self.0 {
            Form::Whole(tensor) => tensor.shape(),
            Form::Product { shape, .. } => shape,
        }
    }

    /// Adds a gradient of the same shape.
    pub(crate) fn add(&mut self, other: &Self) {
        let (sum, more) = (self.tensor_mut().as_mut_slice(), other.tensor().as_slice());
        sum.iter_mut().zip(more).for_each(|(s, &m)| *s += m);
    }

    /// Multiplies every number by `factor`: of a product one of the factors, which is smaller.
    pub(crate) fn scale(&mut self, factor: T) {
        let numbers = match &mut self.0 {
            Form::Product { dy, whole, .. } if whole.get().is_none() => dy.as_mut_slice(),
            _ => self.tensor_mut().as_mut_slice(),
        };
        numbers.iter_mut().for_each(|g| *g *= factor);
    }

    /// The sum of the squares of all numbers. That of a product `dyt x` follows from its factors: it is the sum of
    /// `(dy dyt) * (x xt)`, element by element, with a row and a column for each sample.
    pub(crate) fn squares(&self) -> f64 {
        match &self.0 {
            Form::Product { dims, dy, x, whole, .. } if whole.get().is_none() => {
                let pairs = (0..dims.batch).flat_map(|i| (0..=i).map(move |j| (i, j)));
                let sum = pairs.map(|(i, j)| {
                    let product = dot(dy.row(i), dy.row(j)) * dot(x.row(i), x.row(j));
                    if i == j { product } else { 2.0 * product }
                });
                // Rounding may take a sum of nearly zero below it.
                sum.sum::<f64>().max(0.0)
            }
            _ => dot(self.tensor().as_slice(), self.tensor().as_slice()),
        }
    }

    /// The gradient as a tensor; a product is computed at the first call.
    pub fn tensor(&self) -> &Tensor<T> {
        match &self.0 {
            Form::Whole(tensor) => tensor,
            Form::Product { dims, shape, dy, x, whole } => {
                if let Some(tensor) = whole.get() {
                    return tensor;
                }
                // Computed without holding the cell's lock: while this thread waits for its parallel
                // tasks, it may run another task that needs the same tensor, which would deadlock.
                let mut tensor = Tensor::zeros(shape);
                linear::weight_gradient(*dims, dy.as_slice(), x.as_slice(), tensor.as_mut_slice());
                whole.get_or_init(|| tensor)
            }
        }
    }

    /// The gradient as a tensor; a product is computed into a buffer from `pool`.
    pub fn into_tensor(self, pool: &BufferPool<T>) -> Tensor<T> {
        match self.0 {
            Form::Whole(tensor) => tensor,
            Form::Product { dims, shape, dy, x, whole } => {
                whole.into_inner().unwrap_or_else(|| {
                    let mut tensor = Tensor::uninit(shape, pool);
                    linear::weight_gradient(
                        dims,
                        dy.as_slice(),
                        x.as_slice(),
                        tensor.as_mut_slice(),
                    );
                    tensor
                })
            }
        }
    }

    /// The gradient as a mutable tensor; a product is computed first.
    pub fn tensor_mut(&mut self) -> &mut Tensor<T> {
        if let Form::Product { .. } = self.0 {
            self.0 = Form::Whole(self.tensor().clone());
        }
        match &mut self.0 {
            Form::Whole(tensor) => tensor,
            Form::Product { .. } => unreachable!("it has just become whole"),
        }
    }

    /// The row length of a product that is not computed yet: pieces must not cross rows. `None` if
    /// pieces may be cut anywhere.
    pub(crate) fn row(&self) -> Option<usize> {
        match &self.0 {
            Form::Product { dims, whole, .. } if whole.get().is_none() => Some(dims.inputs),
            _ => None,
        }
    }

    /// The elements `range`, which must be within one row if there are [rows](Gradient::row): borrowed,
    /// or computed into the start of `buffer`, which is at least as long. Both are bit-identical.
    pub(crate) fn piece<'a>(&'a self, range: Range<usize>, buffer: &'a mut [T]) -> &'a [T] {
        match &self.0 {
            Form::Product { dims, dy, x, whole, .. } if whole.get().is_none() => {
                let (row, start) = (range.start / dims.inputs, range.start % dims.inputs);
                let piece = &mut buffer[..range.len()];
                linear::weight_gradient_row(*dims, dy.as_slice(), x.as_slice(), row, start, piece);
                piece
            }
            _ => &self.tensor().as_slice()[range],
        }
    }
}

/// The sum of the products of two rows, in f64. Eight sums side by side, added in a fixed order.
fn dot<T: Kernels>(a: &[T], b: &[T]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a.as_f64() * b.as_f64();
        }
    }
    sums.iter().sum()
}

impl<T: Kernels> From<Tensor<T>> for Gradient<T> {
    fn from(tensor: Tensor<T>) -> Self {
        Self(Form::Whole(tensor))
    }
}

impl<T: Kernels> PartialEq for Gradient<T> {
    fn eq(&self, other: &Self) -> bool {
        self.tensor() == other.tensor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::ops::testing::sample;
    use rayon::prelude::*;

    fn product() -> Gradient<f32> {
        let dims = Dims { batch: 3, inputs: 50, outputs: 7 };
        let (dy, x) = (sample([3, 7], 1).cast(), sample([3, 50], 2).cast());
        Gradient::product(dims, dy, Arc::new(x))
    }

    #[test]
    fn a_product_is_scaled_and_squared_by_its_factors() {
        let whole = Gradient::from(product().into_tensor(&BufferPool::new()));
        let (product, mut scaled) = (product(), product());
        assert!((product.squares() / whole.squares() - 1.0).abs() < 1e-5);
        scaled.scale(0.5);
        assert!(scaled.row().is_some() && product.row().is_some(), "no product was formed");
        let mut expected = whole;
        expected.scale(0.5);
        // Halves are exact.
        assert_eq!(scaled, expected);
    }

    #[test]
    fn pieces_are_those_of_the_tensor() {
        let gradient = product();
        let whole = gradient.clone().into_tensor(&BufferPool::new());
        let mut buffer = [f32::NAN; 50];
        assert_eq!((gradient.row(), gradient.shape().dims()), (Some(50), &[7, 50][..]));
        for range in [0..50, 50..51, 120..133, 349..350] {
            let piece = gradient.piece(range.clone(), &mut buffer).to_vec();
            assert_eq!(piece, whole.as_slice()[range]);
        }
        assert_eq!(gradient.tensor(), &whole);
        assert_eq!(gradient.row(), None, "now that it is there it is read");
        assert_eq!(gradient.piece(40..60, &mut buffer), &whole.as_slice()[40..60]);
    }

    #[test]
    fn tasks_of_one_pool_can_ask_for_the_same_tensor() {
        let dims = Dims { batch: 2, inputs: 1024, outputs: 1024 };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for _ in 0..30 {
            let (dy, x) = (Tensor::full([2, 1024], 1.0_f32), Tensor::full([2, 1024], 1.0));
            let gradient = Gradient::product(dims, dy, Arc::new(x));
            let ask = |i: usize| gradient.tensor().as_slice()[i];
            let asked: f32 = pool.install(|| (0..6).into_par_iter().with_max_len(1).map(ask).sum());
            assert_eq!(asked, 12.0);
        }
    }

    #[test]
    fn a_product_can_be_changed() {
        let mut gradient = product();
        let before = gradient.tensor().as_slice()[9];
        gradient.tensor_mut().as_mut_slice()[9] += 1.0;
        assert_eq!(gradient.tensor().as_slice()[9], before + 1.0);
        assert_ne!(gradient, product());
    }
}
