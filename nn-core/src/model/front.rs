//! The layers in front of a network that bring pixels into its range.

use super::{Model, Node};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::{Gather, Layer, Normalization, Rescaling};
use std::sync::Arc;

impl<T: Kernels> Model<T> {
    /// This network behind `layers`, which take its input one after the other: those of a
    /// [`Preprocessing`](super::Preprocessing), for example. A name that the network has already gets a number.
    ///
    /// # Errors
    /// If a layer has parameters, or gives another shape than it takes.
    ///
    /// ```
    /// use nn_core::layers::{Dense, Layer, Rescaling};
    /// use nn_core::model::{Model, Sequential};
    /// use nn_core::Tensor;
    /// use std::sync::Arc;
    /// let bare: Model = Sequential::builder([4]).layer(Dense::new(2)).build(27)?;
    /// let half: Arc<dyn Layer<f32>> = Arc::new(Rescaling::new(0.5));
    /// let model = bare.clone().behind([("rescaling".into(), half)])?;
    /// let x = Tensor::full([1, 4], 6.0);
    /// assert_eq!(model.predict(x)?, bare.predict(Tensor::full([1, 4], 3.0))?);
    /// assert_eq!(model.layers().next(), Some(("rescaling", "Rescaling")));
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn behind(
        mut self,
        layers: impl IntoIterator<Item = (String, Arc<dyn Layer<T>>)>,
    ) -> Result<Self> {
        let mut front: Vec<Node<T>> = Vec::new();
        for (wanted, layer) in layers {
            let inputs = [self.input.clone()];
            let output = layer.output_shape(&inputs)?;
            if output != self.input || !layer.parameters(&inputs)?.is_empty() {
                return Err(Error::setting(
                    "a layer in front of a network",
                    format!("one without parameters whose output is {}, as its input", self.input),
                    format!("{wanted} ({}) with output {output}", layer.kind()),
                    "choose a Normalization or Rescaling",
                ));
            }
            let is_taken = |name: &str| {
                front.iter().chain(&self.nodes).any(|node: &Node<T>| node.name == name)
            };
            let numbered = (2..).map(|number| format!("{wanted}_{number}"));
            let name = std::iter::once(wanted.clone()).chain(numbered).find(|name| !is_taken(name));
            front.push(Node {
                name: name.unwrap_or(wanted),
                layer,
                inputs: vec![front.len()],
                output,
                parameters: 0..0,
            });
        }
        let moved = front.len();
        self.renumber(|value| value + moved);
        self.nodes.splice(0..0, front);
        Ok(self)
    }

    /// The names of the layers in front that do nothing but bring pixels into the network's range: each a
    /// [`Normalization`], a [`Rescaling`] or a [`Gather`] of channels.
    pub fn front(&self) -> impl Iterator<Item = &str> {
        self.nodes[..self.front_len()].iter().map(|node| node.name.as_str())
    }

    /// This network without its [`front`](Model::front): it takes what these layers gave.
    pub fn without_front(mut self) -> Self {
        let gone = self.front_len();
        self.renumber(|value| value.saturating_sub(gone));
        self.nodes.drain(..gone);
        self
    }

    fn front_len(&self) -> usize {
        let uses = self.uses();
        let only_prepares = |(i, node): &(usize, &Node<T>)| {
            // Whoever takes what is in front of it would still take it.
            let in_line = node.inputs == [*i] && uses[*i] == 1 && node.output == self.input;
            in_line
                && (node.is::<Normalization>().is_some()
                    || node.is::<Rescaling>().is_some()
                    || node.is::<Gather>().is_some_and(|gather| gather.axis == 2))
        };
        let len = self.nodes.iter().enumerate().take_while(only_prepares).count();
        // A network has at least one layer, and its outputs stay.
        let first_output = self.outputs.iter().min().map_or(0, |&output| output);
        len.min(first_output.saturating_sub(1))
    }

    fn renumber(&mut self, number: impl Fn(usize) -> usize) {
        let taken = self.nodes.iter_mut().flat_map(|node| &mut node.inputs);
        taken.chain(&mut self.outputs).for_each(|value| *value = number(*value));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GraphBuilder, Sequential};
    use super::*;
    use crate::layers::{Add, Dense, Flatten, GlobalAveragePool2D};
    use crate::tensor::Tensor;

    type Named = (String, Arc<dyn Layer<f32>>);

    fn front() -> [Named; 2] {
        [
            (
                "normalization".into(),
                Arc::new(Normalization::new([1.0, 2.0, 3.0], [2.0, 4.0, 8.0])),
            ),
            ("channel_order".into(), Arc::new(Gather::new(2, [2, 1, 0]))),
        ]
    }

    #[test]
    fn a_front_is_put_on_and_taken_off() {
        let mut graph = GraphBuilder::<f32>::new([2, 2, 3]);
        let x = graph.input();
        let twice = graph.layer(Add::new(), [x, x]);
        let mean = graph.named("normalization", GlobalAveragePool2D::new(), twice);
        let end = graph.layer(Dense::new(2), mean);
        graph.also_output(twice);
        let bare = graph.build(end, 27).unwrap();
        let model = bare.clone().behind(front()).unwrap();
        let names: Vec<_> = model.layers().map(|(name, _)| name).collect();
        assert_eq!(names[..3], ["normalization_2", "channel_order", "add1"]);
        assert_eq!(model.front().collect::<Vec<_>>(), ["normalization_2", "channel_order"]);
        let x = Tensor::from_fn([1, 2, 2, 3], |i| i as f32);
        let by_hand = Tensor::from_fn([1, 2, 2, 3], |i| {
            let (place, channel) = (i / 3, 2 - i % 3);
            let (mean, std) = ([1.0, 2.0, 3.0], [2.0, 4.0, 8.0]);
            ((place * 3 + channel) as f32 - mean[channel]) / std[channel]
        });
        assert_eq!(model.predict(x).unwrap(), bare.predict(by_hand.clone()).unwrap());
        let back = model.without_front();
        assert_eq!(back.predict(by_hand.clone()).unwrap(), bare.predict(by_hand).unwrap());
        assert_eq!(back.layers().count(), 3);
        // What is stored is what was built.
        let architecture = bare.clone().behind(front()).unwrap().architecture().unwrap();
        assert_eq!(architecture.layers[1].name, "channel_order");
    }

    #[test]
    fn a_value_that_others_take_stays() {
        let mut graph = GraphBuilder::<f32>::new([2, 2, 3]);
        let x = graph.layer(Rescaling::new(0.5), graph.input());
        let y = graph.layer(Add::new(), [x, graph.input()]);
        let flat = graph.layer(Flatten::new(), y);
        let model = graph.build(flat, 27).unwrap();
        assert_eq!(model.front().count(), 0);
        let only: Sequential =
            Sequential::builder([3]).layer(Rescaling::new(0.5)).build(27).unwrap();
        assert_eq!(only.front().count(), 0);
    }

    #[test]
    fn only_what_keeps_the_shape_goes_in_front() {
        let model: Sequential = Sequential::builder([4]).layer(Dense::new(2)).build(27).unwrap();
        let dense: Named = ("d".into(), Arc::new(Dense::new(4)));
        let message = model.behind([dense]).unwrap_err().to_string();
        assert!(message.contains("without parameters"), "{message}");
    }
}
