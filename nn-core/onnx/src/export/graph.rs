//! The graph that is written: nodes, their constants, and the values they pass on.
//!
//! Our values are channels-last, those of the file are as ONNX's operators need them. A [`Held`] value has one or
//! several forms in the file: a [`Layout`] says where each of the file's dimensions lies in our memory. An operator asks
//! for the form that it needs; what is there is taken, and only what is not is made by a transpose or reshape.

use super::proto::{self, Attribute};
use crate::layout::Layout;
use crate::proto::{NodeProto, ValueInfoProto};
use nn_core::{Error, Result, Tensor};
use std::collections::{HashMap, HashSet};

/// The name of the model's input in the file.
pub const INPUT: &str = "input";

/// The numbers of a constant.
#[derive(Debug)]
pub enum Numbers<'a> {
    Weights(&'a Tensor),
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

/// A constant of the file.
#[derive(Debug)]
pub struct Constant<'a> {
    pub name: String,
    pub dims: Vec<usize>,
    pub numbers: Numbers<'a>,
    /// Whether it is a node of the graph, whose numbers nobody trains, instead of an initialiser.
    pub is_node: bool,
}

/// A value as the file has it.
#[derive(Debug, Clone)]
pub struct Form {
    pub name: String,
    /// Our shape without the batch; there may be dimensions of 1 before those of the value.
    pub shape: Vec<usize>,
    pub layout: Layout,
}

impl Form {
    /// The file's dimensions without the batch.
    pub fn dims(&self) -> Vec<usize> {
        dims(&self.shape, &self.layout)
    }
}

/// The file's dimensions, without the batch, of a value of ours.
pub fn dims(shape: &[usize], layout: &Layout) -> Vec<usize> {
    (1..=shape.len()).map(|axis| shape[layout.place(axis) - 1]).collect()
}

/// Which of our dimensions, counted from the last, follow each other in the file; those of 1 do not count.
fn memory(shape: &[usize], layout: &Layout) -> Vec<usize> {
    let places = (1..=shape.len()).map(|axis| layout.place(axis));
    places.filter(|place| shape[place - 1] != 1).map(|place| shape.len() - place).collect()
}

/// The usual layout of a value of so many dimensions: images have their channels first in the file.
pub fn usual(rank: usize) -> Layout {
    if rank == 3 { Layout::channels_last(4) } else { Layout::plain(rank + 1) }
}

/// A value of the model.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its shape here, without the batch.
    pub shape: Vec<usize>,
    /// As what it is in the file, the first made first.
    pub forms: Vec<Form>,
    /// Whether its batch is 1, because it depends on no input.
    pub single: bool,
}

impl Held {
    pub fn new(shape: &[usize], layout: Layout, name: String) -> Self {
        let shape = shape.to_vec();
        Self { forms: vec![Form { name, shape: shape.clone(), layout }], shape, single: false }
    }

    /// Whether the file has its numbers in the order of this layout.
    pub fn has(&self, layout: &Layout) -> bool {
        let wanted = memory(&self.shape, layout);
        self.forms.iter().any(|form| memory(&form.shape, &form.layout) == wanted)
    }

    /// A value whose form has so many dimensions of 1 before its own.
    pub fn raised(shape: &[usize], by: usize, layout: Layout, name: String) -> Self {
        let mut held = Self::new(shape, layout, name);
        held.forms[0].shape.splice(0..0, std::iter::repeat_n(1, by));
        held
    }
}

/// The nodes and constants of a file.
#[derive(Debug, Default)]
pub struct Graph<'a> {
    pub nodes: Vec<NodeProto>,
    pub constants: Vec<Constant<'a>>,
    node_names: HashSet<String>,
    value_names: HashSet<String>,
    scalars: HashMap<u32, String>,
}

impl<'a> Graph<'a> {
    /// A graph in which values of these names are known already.
    pub fn new(taken: impl IntoIterator<Item = String>) -> Self {
        Self { value_names: taken.into_iter().collect(), ..Self::default() }
    }

    /// Adds a node; the name of its value.
    pub fn node(
        &mut self,
        name: &str,
        op: &str,
        inputs: &[&str],
        attributes: Vec<Attribute>,
    ) -> String {
        let name = unique(&mut self.node_names, name);
        let output = unique(&mut self.value_names, &name);
        self.nodes.push(proto::node(name, op, inputs, &output, attributes));
        output
    }

    /// Adds a constant; its name.
    pub fn constant(&mut self, name: &str, dims: &[usize], numbers: Numbers<'a>) -> String {
        let name = unique(&mut self.value_names, name);
        self.initializer(name, dims, numbers)
    }

    /// Adds a parameter of the model under its own name, which no other value has.
    pub fn parameter(&mut self, name: &str, dims: &[usize], numbers: Numbers<'a>) -> String {
        self.initializer(name.to_owned(), dims, numbers)
    }

    fn initializer(&mut self, name: String, dims: &[usize], numbers: Numbers<'a>) -> String {
        let constant =
            Constant { name: name.clone(), dims: dims.to_vec(), numbers, is_node: false };
        self.constants.push(constant);
        name
    }

    /// Makes the last constant a node if it is `fixed`: what is trained is an initialiser.
    pub fn fix_last(&mut self, fixed: bool) {
        if let Some(constant) = self.constants.last_mut() {
            constant.is_node = fixed;
        }
    }

    pub fn integers(&mut self, name: &str, values: Vec<i64>) -> String {
        self.constant(name, &[values.len()], Numbers::Integers(values))
    }

    /// One number without a dimension; the same one is written once.
    pub fn scalar(&mut self, value: f64) -> String {
        let value = value as f32;
        if let Some(name) = self.scalars.get(&value.to_bits()) {
            return name.clone();
        }
        let name = self.constant(&format!("number_{value}"), &[], Numbers::Floats(vec![value]));
        self.scalars.insert(value.to_bits(), name.clone());
        name
    }

    /// The value in the file with this shape, which may have dimensions of 1 before its own, and layout.
    pub fn form(&mut self, value: &mut Held, shape: &[usize], layout: &Layout) -> Result<String> {
        let found = value.forms.iter().find(|form| form.shape == shape && form.layout == *layout);
        if let Some(form) = found {
            return Ok(form.name.clone());
        }
        let wanted = memory(shape, layout);
        let near = value.forms.iter().find(|form| memory(&form.shape, &form.layout) == wanted);
        let name = match (near, value.forms.first().cloned()) {
            (Some(form), _) => {
                let form = form.clone();
                self.reshape(&format!("{}/reshape", form.name), &form, &dims(shape, layout))
            }
            (None, Some(form)) if form.shape == shape => {
                let from = |axis: usize| form.layout.axes()[layout.place(axis)] as i64;
                let perm = proto::ints("perm", (0..=shape.len()).map(from));
                self.node(
                    &format!("{}/transpose", form.name),
                    "Transpose",
                    &[&form.name],
                    vec![perm],
                )
            }
            (None, Some(form)) => {
                self.form(value, &form.shape, &Layout::plain(form.shape.len() + 1))?;
                let plain = Layout::plain(shape.len() + 1);
                self.form(value, shape, &plain)?;
                // What has the shape is transposed.
                let mut raised = value.clone();
                raised.forms.retain(|form| form.shape == shape);
                self.form(&mut raised, shape, layout)?
            }
            (None, None) => return Err(fault("a value has no form")),
        };
        value.forms.push(Form { name: name.clone(), shape: shape.into(), layout: layout.clone() });
        Ok(name)
    }

    /// A form whose numbers lie in the file in our order.
    pub fn in_our_order(&mut self, value: &mut Held) -> Result<Form> {
        let plain = Layout::plain(value.shape.len() + 1);
        let wanted = memory(&value.shape, &plain);
        if let Some(form) =
            value.forms.iter().find(|form| memory(&form.shape, &form.layout) == wanted)
        {
            return Ok(form.clone());
        }
        let shape = value.shape.clone();
        let name = self.form(value, &shape, &plain)?;
        Ok(Form { name, shape, layout: plain })
    }

    /// The same numbers with other dimensions, the batch not counted.
    pub fn reshape(&mut self, name: &str, form: &Form, dims: &[usize]) -> String {
        if let ([_], true) = (dims, form.shape.len() > 1) {
            let flat = vec![proto::int("axis", 1)];
            return self.node(name, "Flatten", &[&form.name], flat);
        }
        let shape = std::iter::once(0).chain(dims.iter().map(|&dim| dim as i64)).collect();
        let shape = self.integers(&format!("{name}/shape"), shape);
        self.node(name, "Reshape", &[&form.name, &shape], vec![])
    }

    /// Repeats a value that depends on no input for each sample of the batch.
    pub fn batched(&mut self, value: &mut Held) -> Result<()> {
        if !std::mem::take(&mut value.single) {
            return Ok(());
        }
        let form = value.forms.first().cloned().ok_or_else(|| fault("a value has no form"))?;
        let name = &form.name;
        let first = vec![proto::int("start", 0), proto::int("end", 1)];
        let batch = self.node(&format!("{name}/batch"), "Shape", &[INPUT], first);
        let rest = form.dims().into_iter().map(|dim| dim as i64).collect();
        let rest = self.integers(&format!("{name}/sample"), rest);
        let axis = vec![proto::int("axis", 0)];
        let shape = self.node(&format!("{name}/shape"), "Concat", &[&batch, &rest], axis);
        // Read again, a parameter is a layer of its own.
        let layer = name.strip_suffix(".weight").map(str::to_owned);
        let title = layer.unwrap_or_else(|| format!("{name}/repeated"));
        let name = self.node(&title, "Expand", &[name, &shape], vec![]);
        value.forms = vec![Form { name, ..form }];
        Ok(())
    }

    /// Makes values outputs under these names, which no other value has; each comes with its shape.
    pub fn outputs(&mut self, outputs: Vec<(String, String, Vec<usize>)>) -> Vec<ValueInfoProto> {
        let (mut names, mut given) = (HashMap::new(), HashSet::from([INPUT.to_owned()]));
        let mut protos = Vec::with_capacity(outputs.len());
        for (wanted, mut value, shape) in outputs {
            let is_computed = self.nodes.iter().any(|node| node.output.contains(&value));
            if !is_computed || names.contains_key(&value) {
                value = self.node(&wanted, "Identity", &[&value], vec![]);
            }
            let name = match given.insert(wanted.clone()) {
                true => wanted,
                false => unique(&mut self.value_names, &wanted),
            };
            protos.push(proto::value(&name, &dims(&shape, &usual(shape.len()))));
            names.insert(value, name);
        }
        let taken =
            self.nodes.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        for own in taken {
            if let Some(name) = names.get(own) {
                name.clone_into(own);
            }
        }
        protos
    }
}

/// The name, with a number if it is taken.
fn unique(taken: &mut HashSet<String>, wanted: &str) -> String {
    let numbered = (2..).map(|number| format!("{wanted}_{number}"));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    names.find(|name| taken.insert(name.clone())).unwrap_or_default()
}

/// What cannot be.
pub fn fault(problem: &str) -> Error {
    Error::Internal(format!("export to ONNX: {problem}"))
}
