//! What the nodes of a graph pass on: constants, or values of the network with ONNX's view of them.

use crate::array::Array;
use crate::layout::Layout;
use crate::net::ValueId;
use std::rc::Rc;

#[derive(Debug, Clone)]
pub enum Value {
    Constant(Array),
    Computed(Computed),
    /// A value whose first dimension is not the batch; few operators take it.
    Unaligned(Batch, Computed),
}

/// Where the batch is, if not first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// Merged with other dimensions. The value has it still, in front of what the file has: `[1, windows, ..]` for
    /// `[batch * windows, ..]`. Attention in windows is written so, attention in heads, and PyTorch's `as_strided`: a flat
    /// value, of which entries are picked.
    Merged,
    /// At another place of ONNX's; in memory it is first, as always. PyTorch cuts queries, keys and values along a
    /// dimension before it.
    Moved,
}

impl Value {
    pub fn dims(&self) -> &[usize] {
        match self {
            Self::Constant(array) => &array.dims,
            Self::Computed(value) => &value.dims,
            Self::Unaligned(Batch::Moved, value) => &value.dims,
            Self::Unaligned(Batch::Merged, value) => &value.dims[1..],
        }
    }
}

/// A value of the network as ONNX sees it.
#[derive(Debug, Clone)]
pub struct Computed {
    /// ONNX's dimensions, the batch first.
    pub dims: Vec<usize>,
    /// Where they lie in memory.
    pub layout: Layout,
    /// The value in the network, whose shape is `layout` of `dims` without the batch.
    pub id: ValueId,
    /// The value of which this is a reshape. To reshape it again is to reshape that one, so numbers that were
    /// moved and moved back are not moved at all.
    pub origin: Option<Rc<Computed>>,
}

impl Computed {
    pub fn new(dims: Vec<usize>, layout: Layout, id: ValueId) -> Self {
        Self { dims, layout, id, origin: None }
    }

    /// Another value of the network with the same dimensions, in the same layout.
    pub fn with_id(self, id: ValueId) -> Self {
        Self { id, origin: None, ..self }
    }

    /// With ONNX's dimensions in another order, which moves nothing; `None` if `perm` does not name each once.
    pub fn transposed(&self, perm: &[usize]) -> Option<Self> {
        let layout = self.layout.transposed(perm)?;
        let dims = perm.iter().map(|&axis| self.dims[axis]).collect();
        Some(Self::new(dims, layout, self.id))
    }

    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The number of elements of a sample.
    pub fn len(&self) -> usize {
        self.dims.iter().skip(1).product()
    }

    /// Which of ONNX's dimensions the batch is.
    pub fn batch_axis(&self) -> usize {
        self.layout.axes().first().copied().unwrap_or(0)
    }
}

impl From<Computed> for Value {
    fn from(value: Computed) -> Self {
        match value.batch_axis() {
            0 => Self::Computed(value),
            _ => Self::Unaligned(Batch::Moved, value),
        }
    }
}
