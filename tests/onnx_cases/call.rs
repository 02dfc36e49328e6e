//! One call of an operator: its inputs and attributes, and what can come of it.

use nn_core::model::safetensors::TensorFile;
use nn_core::{Error, Tape, Tensor, Var};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub op: String,
    pub rtol: f64,
    pub atol: f64,
    pub attributes: BTreeMap<String, serde_json::Value>,
    pub inputs: Vec<Option<Array>>,
    pub outputs: Vec<Option<Array>>,
}

/// An array of floats, by its name in the safetensors file, or of integers.
#[derive(Deserialize)]
pub struct Array {
    pub shape: Vec<usize>,
    pub tensor: Option<String>,
    pub integers: Option<Vec<i64>>,
}

#[derive(Clone)]
pub enum Value {
    Floats(Var<f32>),
    Integers(Vec<i64>, Vec<usize>),
}

impl From<Var<f32>> for Value {
    fn from(var: Var<f32>) -> Self {
        Self::Floats(var)
    }
}

/// Why there is no result.
#[derive(Debug)]
pub enum Stop {
    /// The tape has no ops for it.
    Inexpressible(String),
    /// An op does not take these inputs or settings.
    Refused(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

pub type Outcome = Result<Vec<Value>, Stop>;

pub fn inexpressible<R>(reason: impl Into<String>) -> Result<R, Stop> {
    Err(Stop::Inexpressible(reason.into()))
}

pub struct Call<'a> {
    pub case: &'a Case,
    pub tape: &'a Tape<f32>,
    inputs: Vec<Option<Value>>,
}

impl<'a> Call<'a> {
    pub fn new(case: &'a Case, tape: &'a Tape<f32>, file: &mut TensorFile) -> Self {
        let mut value = |array: &Array| match (&array.tensor, &array.integers) {
            (Some(name), _) => {
                let tensor: Tensor<f32> = file.read(name).unwrap();
                Value::Floats(tape.constant(tensor))
            }
            (None, Some(integers)) => Value::Integers(integers.clone(), array.shape.clone()),
            (None, None) => panic!("{}: an input without numbers", case.name),
        };
        let inputs = case.inputs.iter().map(|input| input.as_ref().map(&mut value)).collect();
        Self { case, tape, inputs }
    }

    pub fn has(&self, i: usize) -> bool {
        self.inputs.get(i).is_some_and(Option::is_some)
    }

    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Input `i` as floats; integers are turned into them.
    pub fn x(&self, i: usize) -> Var<f32> {
        match self.inputs[i].clone() {
            Some(Value::Floats(var)) => var,
            Some(Value::Integers(values, shape)) => {
                let values = values.into_iter().map(|v| v as f32).collect();
                self.tape.constant(Tensor::from_vec(shape, values).unwrap())
            }
            None => panic!("{}: input {i} is absent", self.case.name),
        }
    }

    /// Input `i` as a number.
    pub fn number(&self, i: usize) -> Option<f64> {
        match self.inputs.get(i)?.as_ref()? {
            Value::Floats(var) => Some(f64::from(*var.value().as_slice().first()?)),
            Value::Integers(values, _) => Some(*values.first()? as f64),
        }
    }

    /// Input `i` as integers.
    pub fn integers(&self, i: usize) -> Option<&[i64]> {
        match self.inputs.get(i)?.as_ref()? {
            Value::Integers(values, _) => Some(values),
            Value::Floats(_) => None,
        }
    }

    /// The shape of integers in input `i`.
    pub fn integer_shape(&self, i: usize) -> &[usize] {
        match self.inputs[i].as_ref() {
            Some(Value::Integers(_, shape)) => shape,
            _ => &[],
        }
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.case.attributes.get(name).map_or(default, |v| v.as_i64().unwrap())
    }

    pub fn float(&self, name: &str, default: f64) -> f64 {
        self.case.attributes.get(name).map_or(default, |v| v.as_f64().unwrap())
    }

    pub fn text(&self, name: &str, default: &'a str) -> &'a str {
        self.case.attributes.get(name).map_or(default, |v| v.as_str().unwrap())
    }

    pub fn list(&self, name: &str) -> Option<Vec<i64>> {
        let list = self.case.attributes.get(name)?.as_array().unwrap();
        Some(list.iter().map(|v| v.as_i64().unwrap()).collect())
    }
}

/// An axis that may be counted from the end.
pub fn axis(axis: i64, rank: usize) -> usize {
    usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).unwrap()
}
