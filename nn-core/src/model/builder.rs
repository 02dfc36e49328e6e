//! Building of chains: each layer takes the output of the one before it.

use super::Model;
use super::graph::{GraphBuilder, NodeId};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::layers::{Layer, OutputKind};
use crate::tensor::Shape;
use std::sync::Arc;

/// Collects the layers of a chain: the short way to write a [`GraphBuilder`] whose nodes take one value
/// each, that of the node before.
#[derive(Debug, Clone)]
pub struct SequentialBuilder<T: Kernels = f32> {
    graph: GraphBuilder<T>,
    last: NodeId,
}

impl<T: Kernels> SequentialBuilder<T> {
    /// Starts a network for inputs of this shape, without the batch dimension:
    /// `[height, width, channels]` for images. `SequentialBuilder::<f64>::new(..)` starts one in double
    /// precision, for gradient checks for example; [`Sequential::builder`](super::Sequential::builder)
    /// starts one in `f32`.
    pub fn new(input: impl Into<Shape>) -> Self {
        let graph = GraphBuilder::new(input).name("sequential");
        Self { last: graph.input(), graph }
    }

    /// Names the model.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.graph = self.graph.name(name);
        self
    }

    /// Adds a layer, named by its prefix and a counter: `conv1`, `conv2`, `dense1`, ...
    pub fn layer(mut self, layer: impl Layer<T> + 'static) -> Self {
        self.last = self.graph.layer(layer, self.last);
        self
    }

    /// Adds a layer with a given name.
    pub fn named(mut self, name: impl Into<String>, layer: impl Layer<T> + 'static) -> Self {
        self.last = self.graph.shared_layer(Some(name.into()), Arc::new(layer), &[self.last]);
        self
    }

    /// Adds a layer whose description is shared, or was read from a file. Its parameters are its own: a
    /// layer is a description without numbers.
    pub fn shared(mut self, layer: Arc<dyn Layer<T>>) -> Self {
        self.last = self.graph.shared_layer(None, layer, &[self.last]);
        self
    }

    /// Adds a block of layers: `block` gets the graph and the last node, and returns the new last one.
    /// So a chain can contain branches:
    ///
    /// ```
    /// use nn_core::layers::{Add, Conv2D, Padding};
    /// use nn_core::model::Sequential;
    ///
    /// let model = Sequential::builder([8, 8, 4])
    ///     .block(|graph, x| {
    ///         let y = graph.layer(Conv2D::new(4, 3).padding(Padding::Same), x);
    ///         graph.layer(Add::new(), [x, y])
    ///     })
    ///     .build(27)?;
    /// assert_eq!(model.output_shape().dims(), [8, 8, 4]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn block(mut self, block: impl FnOnce(&mut GraphBuilder<T>, NodeId) -> NodeId) -> Self {
        self.last = block(&mut self.graph, self.last);
        self
    }

    /// Sets the output kind, as [`GraphBuilder::output_kind`] does.
    pub fn output(mut self, output: OutputKind) -> Self {
        self.graph = self.graph.output_kind(output);
        self
    }

    /// Confirms that the input is `[height, width, channels]` although it looks like
    /// `[channels, height, width]`: three rows and 224 channels, for example.
    pub fn channels_last(mut self) -> Self {
        self.graph = self.graph.channels_last();
        self
    }

    /// Builds the model and draws its parameters from `seed`, as [`GraphBuilder::build`] does.
    ///
    /// # Errors
    /// Those of [`GraphBuilder::build`].
    pub fn build(self, seed: u64) -> Result<Model<T>> {
        self.graph.build(self.last, seed)
    }

    /// The graph, and its last node.
    pub fn into_graph(self) -> (GraphBuilder<T>, NodeId) {
        (self.graph, self.last)
    }

    /// The side of the smallest square image that these layers accept, with the input's channels;
    /// `None` if the input is not an image, or no image of up to 4096 pixels a side is accepted.
    pub fn smallest_square_input(&self) -> Option<usize> {
        self.graph.smallest_square_input()
    }
}
