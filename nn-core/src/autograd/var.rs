//! Variables: values, with their nodes on a tape.

use crate::kernels::Kernels;
use crate::tensor::{BufferPool, Shape, Tensor};
use std::fmt;
use std::sync::Arc;

/// A value, and its node on the tape if gradients flow through it. Clones are cheap and share the
/// value.
#[derive(Clone)]
pub struct Var<T: Kernels = f32> {
    pub(super) value: Arc<Tensor<T>>,
    pub(super) node: Option<NodeRef>,
}

/// A node of the tape: its recording, and its index there.
#[derive(Clone)]
pub(super) struct NodeRef {
    pub(super) recording: Arc<()>,
    pub(super) index: usize,
    pub(super) is_leaf: bool,
}

impl<T: Kernels> Var<T> {
    /// The value.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// The value, shared: for an op that saves it for its backward pass.
    pub fn share(&self) -> Arc<Tensor<T>> {
        Arc::clone(&self.value)
    }

    /// The value's shape.
    pub fn shape(&self) -> &Shape {
        self.value.shape()
    }

    /// The value's dimensions.
    pub fn dims(&self) -> &[usize] {
        self.value.dims()
    }

    /// Whether gradients flow through this variable.
    pub fn requires_grad(&self) -> bool {
        self.node.is_some()
    }

    /// The index of its node on the tape; `None` if no gradient flows through it.
    pub(crate) fn node_index(&self) -> Option<usize> {
        self.node.as_ref().map(|node| node.index)
    }

    /// The identifier of this leaf on its tape; `None` if it is no leaf. See
    /// [`Tape::backward_on_leaf`](super::Tape::backward_on_leaf).
    pub fn leaf_id(&self) -> Option<LeafId> {
        self.node.as_ref().filter(|node| node.is_leaf).map(|node| LeafId(node.index))
    }

    /// The value, without a copy if it is not shared; otherwise a copy.
    pub fn into_owned(self, pool: &BufferPool<T>) -> Tensor<T> {
        self.take(pool).0
    }

    /// [`Var::into_owned`], together with the variable without its value, to be recorded as the input.
    /// Element-wise ops use it to reuse their input's memory.
    pub fn take(self, pool: &BufferPool<T>) -> (Tensor<T>, Var<T>) {
        let value = Arc::try_unwrap(self.value).unwrap_or_else(|shared| shared.clone_in(pool));
        let empty = Arc::new(Tensor::zeros([0]));
        (value, Var { value: empty, node: self.node })
    }
}

impl<T: Kernels> fmt::Debug for Var<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var({:?})", self.value)
    }
}

/// Identifies a leaf of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeafId(pub(super) usize);
