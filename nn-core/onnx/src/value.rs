//! What the nodes of a graph pass on: constants, or values of the network with ONNX's view of them.

use crate::array::Array;
use crate::layout::Layout;
use crate::net::ValueId;
use std::rc::Rc;

#[derive(Debug, Clone)]
pub enum Value {
    Constant(Array),
    Computed(Computed),
    /// All numbers of the one sample of a file for a batch of one, without a batch dimension. The value has it still:
    /// `[1, numbers]`. PyTorch writes `as_strided` this way: a flat value, of which entries are picked.
    Flat(Computed),
}

impl Value {
    pub fn dims(&self) -> &[usize] {
        match self {
            Self::Constant(array) => &array.dims,
            Self::Computed(value) => &value.dims,
            Self::Flat(value) => &value.dims[1..],
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

    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The number of elements of a sample.
    pub fn len(&self) -> usize {
        self.dims.iter().skip(1).product()
    }
}

impl From<Computed> for Value {
    fn from(value: Computed) -> Self {
        Self::Computed(value)
    }
}
