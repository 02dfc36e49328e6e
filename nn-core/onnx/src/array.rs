//! Numbers that are known when a file is read: weights, shapes, indices.

use crate::refusal::{Refusal, Result};
use std::rc::Rc;

/// The most elements of a constant: that of all parameters of a model.
pub const MOST_ELEMENTS: usize = 1 << 30;

/// The most dimensions of a value: as many as NumPy's arrays have.
const MOST_DIMENSIONS: usize = 64;

/// An array of a file, in row-major order. Its numbers are shared.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub dims: Vec<usize>,
    pub data: Data,
    /// Whether some of its numbers are weights of the file, as they are or computed with: see [`Array::is_learned`].
    pub from_weights: bool,
}

/// Numbers: all real ones as `f32`, all whole ones and truths as `i64`.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    Floats(Rc<Vec<f32>>),
    Integers(Rc<Vec<i64>>),
}

impl Array {
    pub fn floats(dims: impl Into<Vec<usize>>, values: Vec<f32>) -> Self {
        Self { dims: dims.into(), data: Data::Floats(Rc::new(values)), from_weights: false }
    }

    pub fn integers(dims: impl Into<Vec<usize>>, values: Vec<i64>) -> Self {
        Self { dims: dims.into(), data: Data::Integers(Rc::new(values)), from_weights: false }
    }

    /// A list of whole numbers.
    pub fn list(values: impl IntoIterator<Item = i64>) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        Self::integers([values.len()], values)
    }

    pub fn len(&self) -> usize {
        match &self.data {
            Data::Floats(values) => values.len(),
            Data::Integers(values) => values.len(),
        }
    }

    /// The same numbers with another shape of as many elements.
    pub fn with_dims(&self, dims: impl Into<Vec<usize>>) -> Self {
        Self { dims: dims.into(), ..self.clone() }
    }

    /// The numbers as `f32`; a copy if they are whole numbers.
    pub fn to_floats(&self) -> Rc<Vec<f32>> {
        match &self.data {
            Data::Floats(values) => Rc::clone(values),
            Data::Integers(values) => Rc::new(values.iter().map(|&v| v as f32).collect()),
        }
    }

    /// The number at an index as `f64`; whole numbers beyond 2^53 are rounded.
    pub fn number(&self, i: usize) -> f64 {
        match &self.data {
            Data::Floats(values) => values[i].into(),
            Data::Integers(values) => values[i] as f64,
        }
    }

    /// The numbers as whole ones.
    pub fn to_integers(&self) -> Result<Rc<Vec<i64>>> {
        match &self.data {
            Data::Integers(values) => Ok(Rc::clone(values)),
            Data::Floats(values) => {
                let whole = |&v: &f32| (v.fract() == 0.0 && v.abs() < 1e15).then_some(v as i64);
                let values: Option<Vec<_>> = values.iter().map(whole).collect();
                values.map(Rc::new).ok_or_else(|| {
                    Refusal::new(
                        "expected whole numbers, received real ones",
                        "export the model again",
                    )
                })
            }
        }
    }

    /// Its only number, whatever the shape.
    pub fn scalar(&self) -> Option<f64> {
        (self.len() == 1).then(|| self.number(0))
    }

    /// The entries at these indices, with this shape.
    pub fn picked(&self, dims: Vec<usize>, indices: impl Iterator<Item = usize>) -> Self {
        let data = match &self.data {
            Data::Floats(values) => Data::Floats(Rc::new(indices.map(|i| values[i]).collect())),
            Data::Integers(values) => Data::Integers(Rc::new(indices.map(|i| values[i]).collect())),
        };
        Self { dims, data, from_weights: self.from_weights }
    }

    /// The same numbers, which are weights if this is so.
    pub fn of_weights(self, from_weights: bool) -> Self {
        Self { from_weights, ..self }
    }

    /// Whether training is to change the numbers where a node combines them with a value: they are real, come from
    /// weights, and are no mask. A mask has two different numbers, one of which is 0.
    pub fn is_learned(&self) -> bool {
        let Data::Floats(values) = &self.data else { return false };
        self.from_weights && !is_mask(values)
    }

    /// Dimension `i` of the result is dimension `axes[i]` of this one.
    pub fn permuted(&self, axes: &[usize]) -> Self {
        if axes.iter().copied().eq(0..self.dims.len()) {
            return self.clone();
        }
        let strides = strides(&self.dims);
        let dims: Vec<_> = axes.iter().map(|&axis| self.dims[axis]).collect();
        let strides: Vec<_> = axes.iter().map(|&axis| strides[axis]).collect();
        let indices = walk(&dims, &strides);
        self.picked(dims, indices)
    }
}

fn is_mask(values: &[f32]) -> bool {
    let Some(&other) = values.iter().find(|&&value| value != 0.0) else { return false };
    values.contains(&0.0) && values.iter().all(|&value| value == 0.0 || value == other)
}

/// The distance in memory of neighbours along each dimension.
pub fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; dims.len()];
    for i in (1..dims.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(dims[i]);
    }
    strides
}

/// The number of elements of a shape, if a value may have so many. Dimensions of 0 do not make others possible, so no
/// product of some of the dimensions overflows.
pub fn elements(dims: &[usize]) -> Result<usize> {
    let remedy = "the file is damaged, or not an image classifier";
    if dims.len() > MOST_DIMENSIONS {
        let problem = format!("a value has {} dimensions, more than {MOST_DIMENSIONS}", dims.len());
        return Err(Refusal::new(problem, remedy));
    }
    let long = dims.iter().filter(|&&dim| dim != 0);
    let product = long.copied().try_fold(1usize, usize::checked_mul);
    match product.filter(|&len| len <= MOST_ELEMENTS) {
        Some(len) => Ok(if dims.contains(&0) { 0 } else { len }),
        None => Err(Refusal::new(
            format!("a value of the shape {dims:?} is larger than {MOST_ELEMENTS} numbers"),
            remedy,
        )),
    }
}

/// The offsets of the elements of an array with these dimensions and strides, in row-major order.
pub fn walk(dims: &[usize], strides: &[usize]) -> impl Iterator<Item = usize> + use<> {
    let (dims, strides) = (dims.to_vec(), strides.to_vec());
    let mut left: usize = dims.iter().product();
    let (mut at, mut offset) = (vec![0; dims.len()], 0);
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let this = offset;
        for axis in (0..dims.len()).rev() {
            at[axis] += 1;
            offset += strides[axis];
            if at[axis] < dims[axis] {
                break;
            }
            offset -= strides[axis] * dims[axis];
            at[axis] = 0;
        }
        Some(this)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permuting() {
        let array = Array::list(0..6).with_dims([1, 2, 3]);
        let turned = array.permuted(&[2, 0, 1]);
        assert_eq!(turned, Array::list([0, 3, 1, 4, 2, 5]).with_dims([3, 1, 2]));
        assert_eq!(Array::list([7]).with_dims([]).permuted(&[]).scalar(), Some(7.0));
        assert_eq!(Array::list([]).with_dims([2, 0]).permuted(&[1, 0]).len(), 0);
    }

    #[test]
    fn what_is_learned() {
        let weights =
            |values: &[f32]| Array::floats([values.len()], values.to_vec()).of_weights(true);
        assert!(weights(&[0.5, -0.25, 0.0]).is_learned());
        assert!(weights(&[0.0, 0.0]).is_learned());
        assert!(weights(&[1.0, 1.0]).is_learned());
        assert!(!weights(&[0.0, -100.0, 0.0]).is_learned());
        assert!(!weights(&[0.0, f32::NEG_INFINITY]).is_learned());
        assert!(!Array::floats([2], vec![0.5, 0.25]).is_learned());
        assert!(!Array::list([3, 4]).of_weights(true).is_learned());
        let picked = weights(&[0.5, 0.25]).with_dims([1, 2]).permuted(&[1, 0]);
        assert!(picked.is_learned());
    }

    #[test]
    fn what_is_too_large() {
        assert_eq!(elements(&[]).unwrap(), 1);
        assert_eq!(elements(&[MOST_ELEMENTS, 0]).unwrap(), 0);
        for dims in [&[MOST_ELEMENTS, 2][..], &[1 << 40, 1 << 40], &[0, 1 << 40, 1 << 40], &[1; 65]]
        {
            assert!(elements(dims).is_err(), "{dims:?}");
        }
    }
}
