//! A layer that is being written, and what it may ask for and add.

use super::activation;
use super::graph::{Form, Graph, Held, Numbers, fault, usual};
use super::proto::Attribute;
use crate::layout::Layout;
use nn_core::layers::{Activation, Layer, Parameter};
use nn_core::{Error, Result, Shape};
use std::any::Any;

/// A layer with its inputs and parameters.
#[derive(Debug)]
pub struct Call<'a, 'g> {
    pub graph: &'g mut Graph<'a>,
    pub name: &'g str,
    pub layer: &'g dyn Layer<f32>,
    /// The values it takes, as they are held until now.
    pub inputs: Vec<Held>,
    pub parameters: &'a [Parameter],
    pub output: &'g Shape,
}

impl<'a> Call<'a, '_> {
    /// The layer as what its kind says it is.
    pub fn layer<L: Clone + 'static>(&self) -> Result<L> {
        let layer: &dyn Any = self.layer;
        layer.downcast_ref::<L>().cloned().ok_or_else(|| {
            Error::setting(
                format!("{} ({})", self.name, self.layer.kind()),
                "the layer of nn-core of this kind",
                "another layer of the same name",
                "give the layer a kind of its own",
            )
        })
    }

    fn input(&mut self, i: usize) -> Result<&mut Held> {
        self.inputs.get_mut(i).ok_or_else(|| fault("a layer lacks an input"))
    }

    /// The shape of an input.
    pub fn shape(&self, i: usize) -> Vec<usize> {
        self.inputs.get(i).map_or_else(Vec::new, |input| input.shape.clone())
    }

    /// An input with the layout of its own, and by how many dimensions of 1 it is raised.
    pub fn any(&mut self, i: usize) -> Result<(Form, usize)> {
        let input = self.input(i)?;
        let form = input.forms.first().cloned().ok_or_else(|| fault("a value has no form"))?;
        let raised = form.shape.len() - input.shape.len();
        Ok((form, raised))
    }

    /// An input in a layout; its name.
    pub fn arranged(&mut self, i: usize, layout: &Layout) -> Result<String> {
        let shape = self.shape(i);
        self.raised(i, &shape, layout)
    }

    /// An input in a layout, with dimensions of 1 before its own.
    pub fn raised(&mut self, i: usize, shape: &[usize], layout: &Layout) -> Result<String> {
        let input = self.inputs.get_mut(i).ok_or_else(|| fault("a layer lacks an input"))?;
        self.graph.form(input, shape, layout)
    }

    /// An input in the usual layout of its rank.
    pub fn usual(&mut self, i: usize) -> Result<String> {
        let layout = usual(self.shape(i).len());
        self.arranged(i, &layout)
    }

    /// An input with its dimensions in our order.
    pub fn plain(&mut self, i: usize) -> Result<String> {
        let layout = Layout::plain(self.shape(i).len() + 1);
        self.arranged(i, &layout)
    }

    /// Adds the node that has the layer's name; the name of its value.
    pub fn add(&mut self, op: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        self.graph.node(self.name, op, inputs, attributes)
    }

    /// The layer's name with what a node or constant beside it is called.
    pub fn title(&self, what: &str) -> String {
        format!("{}/{what}", self.name)
    }

    /// Adds a node that helps the layer.
    pub fn help(
        &mut self,
        what: &str,
        op: &str,
        inputs: &[&str],
        attributes: Vec<Attribute>,
    ) -> String {
        self.graph.node(&self.title(what), op, inputs, attributes)
    }

    pub fn integers(&mut self, what: &str, values: Vec<i64>) -> String {
        self.graph.integers(&self.title(what), values)
    }

    pub fn sizes(&mut self, what: &str, values: &[usize]) -> String {
        self.integers(what, values.iter().map(|&value| value as i64).collect())
    }

    pub fn floats(&mut self, what: &str, dims: &[usize], values: Vec<f32>) -> String {
        self.graph.constant(&self.title(what), dims, Numbers::Floats(values))
    }

    /// The `i`-th parameter as it is; its name.
    pub fn parameter(&mut self, i: usize) -> Result<String> {
        let parameter = self.parameters.get(i).ok_or_else(|| fault("a layer lacks a parameter"))?;
        Ok(self.graph.parameter(
            &parameter.name,
            parameter.value.dims(),
            Numbers::Weights(&parameter.value),
        ))
    }

    /// All parameters, for a node that takes them behind `first`, in their order.
    pub fn with_parameters(&mut self, first: String) -> Result<Vec<String>> {
        let parameters = (0..self.parameters.len()).map(|i| self.parameter(i));
        std::iter::once(Ok(first)).chain(parameters).collect()
    }

    /// The `i`-th parameter, one number for each channel, with the dimensions in which it combines with a value of
    /// this layout.
    pub fn for_channels(&mut self, i: usize, layout: &Layout) -> Result<String> {
        let parameter = self.parameters.get(i).ok_or_else(|| fault("a layer lacks a parameter"))?;
        let dims = channel_dims(parameter.value.len(), layout);
        Ok(self.graph.parameter(&parameter.name, &dims, Numbers::Weights(&parameter.value)))
    }

    /// The output: an activation of what a node with the layer's name computes.
    pub fn activated(
        &mut self,
        layout: Layout,
        value: String,
        function: Activation,
    ) -> Result<Held> {
        let what = activation::name(function);
        let name = self.title(what);
        let value = activation::write(self.graph, &name, value, function, &layout)?;
        Ok(Held::new(self.output.dims(), layout, value))
    }

    /// The output in the layout of `form`, which is raised by so many dimensions.
    pub fn like(&self, form: &Form, raised: usize, name: String) -> Held {
        Held::raised(self.output.dims(), raised, form.layout.clone(), name)
    }
}

/// The dimensions of one number for each channel where they combine with a value of this layout.
pub fn channel_dims(channels: usize, layout: &Layout) -> Vec<usize> {
    let behind = layout.axes().len() - 1 - layout.last().unwrap_or(0);
    std::iter::once(channels).chain(std::iter::repeat_n(1, behind)).collect()
}
