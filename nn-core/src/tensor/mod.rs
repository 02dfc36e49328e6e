//! Owned, contiguous, shaped arrays.
//!
//! A [`Tensor`] is a [`Shape`] and a row-major buffer (the last dimension is contiguous). There are no
//! views and no strides: an op that needs another order copies the elements. Buffers may come from a
//! [`BufferPool`] and return to it when the tensor is dropped, so a repeated training step allocates no
//! tensor memory.

mod buffer;
mod display;
mod element;
pub mod half;
mod shape;

pub use buffer::BufferPool;
pub use element::Element;
pub use shape::Shape;

use crate::error::{Error, Result};
pub(crate) use buffer::{Buffer, Scratch};
use std::fmt;

/// An owned, contiguous, row-major array of `f32` (the default) or `f64`.
///
/// ```
/// use nn_core::Tensor;
/// let t = Tensor::<f32>::from_vec([2, 3], vec![1., 2., 3., 4., 5., 6.])?;
/// assert_eq!(t.dims(), [2, 3]);
/// assert_eq!(t.row(1), [4., 5., 6.]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Tensor<T: Element = f32> {
    shape: Shape,
    data: Buffer<T>,
}

impl<T: Element> Tensor<T> {
    /// A tensor of `shape` with the elements `data`.
    ///
    /// # Errors
    /// If the length of `data` is not the shape's number of elements.
    pub fn from_vec(shape: impl Into<Shape>, data: Vec<T>) -> Result<Self> {
        let shape = shape.into();
        if shape.checked_len() != Some(data.len()) {
            return Err(Error::shape(
                "tensor",
                format!("as many values as {shape} has elements"),
                format!("{} values", data.len()),
                "pass a shape that fits the data",
            ));
        }
        Ok(Self { shape, data: Buffer::new(data) })
    }

    /// All elements zero.
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let data = Buffer::zeroed(shape.len());
        Self { shape, data }
    }

    /// All elements `value`.
    pub fn full(shape: impl Into<Shape>, value: T) -> Self {
        let shape = shape.into();
        let data = Buffer::new(vec![value; shape.len()]);
        Self { shape, data }
    }

    /// A tensor without dimensions, of one element.
    pub fn scalar(value: T) -> Self {
        Self::full([], value)
    }

    /// Elements from `f(linear index)`.
    pub fn from_fn(shape: impl Into<Shape>, mut f: impl FnMut(usize) -> T) -> Self {
        let mut tensor = Self::zeros(shape);
        tensor.as_mut_slice().iter_mut().enumerate().for_each(|(i, value)| *value = f(i));
        tensor
    }

    /// A tensor whose buffer is taken from `pool` and returns to it. **The contents are unspecified**
    /// (left over from an earlier use): for ops that write every element.
    pub fn uninit(shape: impl Into<Shape>, pool: &BufferPool<T>) -> Self {
        let shape = shape.into();
        let data = pool.scratch(shape.len());
        Self { shape, data }
    }

    /// Like [`Tensor::uninit`], but zeroed.
    pub fn zeros_in(shape: impl Into<Shape>, pool: &BufferPool<T>) -> Self {
        let mut tensor = Self::uninit(shape, pool);
        tensor.as_mut_slice().fill(T::zero());
        tensor
    }

    /// A copy of `self` whose buffer comes from `pool`.
    pub fn clone_in(&self, pool: &BufferPool<T>) -> Self {
        let mut copy = Self::uninit(self.shape.clone(), pool);
        copy.as_mut_slice().copy_from_slice(self.as_slice());
        copy
    }

    /// The same tensor in a buffer that is not far larger than it is: a copy, if its pool lent it one.
    pub fn fitted(self, pool: &BufferPool<T>) -> Self {
        Self { shape: self.shape, data: self.data.fitted(pool) }
    }

    /// The tensor's shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The shape's dimensions.
    pub fn dims(&self) -> &[usize] {
        self.shape.dims()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether the tensor has no elements.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The elements in row-major order.
    pub fn as_slice(&self) -> &[T] {
        &self.data
    }

    /// The elements in row-major order, mutable.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The elements as a vector, in row-major order.
    pub fn into_vec(self) -> Vec<T> {
        self.data.into_vec()
    }

    /// The slice of index `i` along the first dimension.
    ///
    /// # Panics
    /// If `i` is out of range.
    pub fn row(&self, i: usize) -> &[T] {
        let width = self.dims().iter().skip(1).product::<usize>();
        &self.as_slice()[i * width..(i + 1) * width]
    }

    /// The element of a tensor with exactly one element.
    ///
    /// # Errors
    /// If the tensor has another number of elements.
    pub fn item(&self) -> Result<T> {
        match self.as_slice() {
            [value] => Ok(*value),
            _ => Err(Error::shape(
                "item",
                "one element",
                &self.shape,
                "reduce the tensor first, with sum or mean",
            )),
        }
    }

    /// The same elements with another shape.
    ///
    /// # Errors
    /// If the shape has another number of elements.
    pub fn reshape(mut self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape.checked_len() != Some(self.len()) {
            return Err(Error::shape(
                "reshape",
                format!("a shape of {} elements, as {} has", self.len(), self.shape),
                &shape,
                "choose dimensions whose product is the number of elements",
            ));
        }
        self.shape = shape;
        Ok(self)
    }

    /// A tensor with `f` applied to each element.
    pub fn map(&self, f: impl Fn(T) -> T) -> Self {
        Self {
            shape: self.shape.clone(),
            data: Buffer::new(self.as_slice().iter().map(|&v| f(v)).collect()),
        }
    }

    /// The same numbers in another precision.
    pub fn cast<U: Element>(&self) -> Tensor<U> {
        Tensor {
            shape: self.shape.clone(),
            data: Buffer::new(self.as_slice().iter().map(|&v| U::from_f64(v.as_f64())).collect()),
        }
    }

    /// Whether every element is finite.
    pub fn is_finite(&self) -> bool {
        self.as_slice().iter().all(|v| v.is_finite())
    }
}

impl<T: Element> PartialEq for Tensor<T> {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.as_slice() == other.as_slice()
    }
}

impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        write!(f, "Tensor<{}>{} ", T::NAME, self.shape)?;
        let shown = &self.as_slice()[..self.len().min(SHOWN)];
        f.debug_list().entries(shown).finish()?;
        if self.len() > SHOWN { write!(f, "..") } else { Ok(()) }
    }
}
