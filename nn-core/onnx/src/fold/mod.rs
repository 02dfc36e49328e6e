//! Computing of what does not depend on the image: shapes, indices, the arithmetic of exporters.

mod arithmetic;
mod normalization;
mod reduce;
mod scatter;
mod shapes;

pub use arithmetic::{broadcast, not_one, product};

use crate::array::{Array, Data, elements};
use crate::graph::Node;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use std::cell::Cell;

/// A node whose inputs may be constants.
#[derive(Debug)]
pub struct Call<'a> {
    pub node: &'a Node,
    /// `None` for an optional input that is left out.
    pub inputs: Vec<Option<&'a Value>>,
}

impl<'a> Call<'a> {
    /// The `i`-th input, if it is there and constant.
    pub fn constant(&self, i: usize) -> Option<&'a Array> {
        match self.inputs.get(i)? {
            Some(Value::Constant(array)) => Some(array),
            _ => None,
        }
    }

    pub fn array(&self, i: usize) -> Result<&'a Array> {
        self.constant(i).ok_or_else(|| {
            Refusal::new(
                format!("its input {i} is missing"),
                "the file is damaged; export it again",
            )
        })
    }

    /// Whole numbers from attribute `name`, or as later opsets have them from input `i`.
    pub fn ints(&self, name: &str, i: usize) -> Result<Option<Vec<i64>>> {
        match (self.node.attributes.ints(name)?, self.constant(i)) {
            (Some(ints), _) => Ok(Some(ints.to_vec())),
            (None, Some(array)) => Ok(Some(array.to_integers()?.to_vec())),
            (None, None) => Ok(None),
        }
    }

    fn all_constant(&self) -> bool {
        let mut inputs = self.inputs.iter().flatten();
        inputs.all(|input| matches!(input, Value::Constant(_)))
    }
}

/// How many numbers may still be computed while reading: a small file may ask for many.
#[derive(Debug)]
pub struct Budget {
    /// Weights that are written as operators.
    real: Cell<usize>,
    /// Shapes and indices, which are short.
    whole: Cell<usize>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { real: Cell::new(1 << 28), whole: Cell::new(1 << 22) }
    }
}

impl Budget {
    /// The number of elements of an array of these dimensions and of the type of `like`, taken from the budget.
    pub fn take(&self, dims: &[usize], like: &Array) -> Result<usize> {
        match like.data {
            Data::Floats(_) => self.take_real(dims),
            Data::Integers(_) => self.take_whole(dims),
        }
    }

    /// The number of real numbers of an array of these dimensions, taken from the budget.
    pub fn take_real(&self, dims: &[usize]) -> Result<usize> {
        taken(&self.real, dims)
    }

    /// The number of whole numbers of an array of these dimensions, taken from the budget.
    pub fn take_whole(&self, dims: &[usize]) -> Result<usize> {
        taken(&self.whole, dims)
    }
}

fn taken(budget: &Cell<usize>, dims: &[usize]) -> Result<usize> {
    let len = elements(dims)?;
    let left = budget.get().checked_sub(len).ok_or_else(|| {
        Refusal::new(
            format!("numbers of the shape {dims:?} are more than may be computed while reading"),
            "fold them at export: onnxsim, or torch.onnx.export with do_constant_folding=True",
        )
    })?;
    budget.set(left);
    Ok(len)
}

/// Computes what a node gives; `None` for another operator.
type Evaluate = fn(&Call<'_>, &Budget) -> Result<Option<Array>>;

/// What a node gives, if it does not depend on the image; `None` if it does, or is not folded.
pub fn evaluate(call: &Call<'_>, budget: &Budget) -> Result<Option<Vec<Array>>> {
    // What a shape says is known even of a value that is not.
    if let Some(array) = shapes::of_any(call)? {
        return Ok(Some(vec![array]));
    }
    if !call.all_constant() {
        return Ok(None);
    }
    let with_numbers = call.inputs.iter().take(inputs_with_numbers(&call.node.op));
    let from_weights = with_numbers
        .flatten()
        .any(|input| matches!(input, Value::Constant(array) if array.from_weights));
    let of_weights = |array: Array| array.of_weights(from_weights);
    const ONE_ARRAY: [Evaluate; 4] =
        [arithmetic::evaluate, reduce::evaluate, normalization::evaluate, scatter::evaluate];
    for evaluate in ONE_ARRAY {
        if let Some(array) = evaluate(call, budget)? {
            return Ok(Some(vec![of_weights(array)]));
        }
    }
    let arrays = shapes::evaluate(call, budget)?;
    Ok(arrays.map(|arrays| arrays.into_iter().map(of_weights).collect()))
}

/// Of how many inputs the numbers go into the result; others are shapes, indices, or what is asked of them.
fn inputs_with_numbers(op: &str) -> usize {
    match op {
        "Constant" | "ConstantOfShape" | "Range" | "Equal" | "Greater" | "GreaterOrEqual"
        | "Less" | "LessOrEqual" | "And" | "Or" | "Not" => 0,
        "Clip" | "CumSum" | "Gather" | "Slice" | "Split" | "Expand" | "Tile" | "Reshape"
        | "Squeeze" | "Unsqueeze" | "CastLike" | "ReduceSum" | "ReduceMean" | "ReduceProd"
        | "ReduceMax" | "ReduceMin" | "ScatterND" => 1,
        _ => usize::MAX,
    }
}
