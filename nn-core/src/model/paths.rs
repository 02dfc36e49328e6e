//! The ways through a graph: what lies between its input and its outputs.

use super::output::passes_on;
use super::{Model, Node};
use crate::kernels::Kernels;

impl<T: Kernels> Model<T> {
    /// The names of the layers that every way from the input to an output passes, in order.
    pub(crate) fn layers_on_all_ways(&self) -> Vec<&str> {
        let last_taker = self.last_takers();
        // A way past a node has a step from a value before it to a taker behind it, as nodes take values
        // of earlier ones only.
        let mut depends_on_input = vec![true];
        let (mut farthest, mut found) = (last_taker[0], Vec::new());
        for (i, node) in self.nodes.iter().enumerate() {
            let depends = node.inputs.iter().any(|&value| depends_on_input[value]);
            depends_on_input.push(depends);
            if depends {
                if farthest <= i + 1 {
                    found.push(node.name.as_str());
                }
                farthest = farthest.max(last_taker[i + 1]);
            }
        }
        found
    }

    /// The last node that takes each value, counted from 1; outputs are taken behind all nodes.
    pub(super) fn last_takers(&self) -> Vec<usize> {
        let mut last = vec![0; self.nodes.len() + 1];
        for (i, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&value| last[value] = i + 1);
        }
        self.outputs.iter().for_each(|&value| last[value] = self.nodes.len() + 2);
        last
    }

    /// For each node, whether the value depends on it.
    pub(super) fn nodes_before(&self, value: usize) -> Vec<bool> {
        let mut before = vec![false; self.nodes.len()];
        let mark = |before: &mut [bool], value: usize| {
            if let Some(node) = value.checked_sub(1) {
                before[node] = true;
            }
        };
        mark(&mut before, value);
        // A node takes values of earlier nodes only.
        for node in (0..self.nodes.len()).rev() {
            if before[node] {
                self.nodes[node].inputs.iter().for_each(|&value| mark(&mut before, value));
            }
        }
        before
    }

    /// The nodes from a value on backwards, along single inputs, to the first that does not [pass
    /// on](passes_on) what it takes.
    pub(super) fn nodes_passing_on(&self, value: usize) -> impl Iterator<Item = &Node<T>> {
        let node = |value: usize| value.checked_sub(1).map(|i| &self.nodes[i]);
        std::iter::successors(node(value), move |last| match last.inputs[..] {
            [before] if passes_on(last.layer.as_ref()) => node(before),
            _ => None,
        })
    }

    /// The layers on the way to the main output, in order.
    pub(crate) fn layers_of_main_output(&self) -> Vec<&str> {
        self.before_main_output().map(|node| node.name.as_str()).collect()
    }

    /// Those of them whose outputs are `[height, width, channels]`.
    pub(crate) fn layers_with_maps(&self) -> Vec<&str> {
        let maps = self.before_main_output().filter(|node| node.output.rank() == 3);
        maps.map(|node| node.name.as_str()).collect()
    }

    fn before_main_output(&self) -> impl Iterator<Item = &Node<T>> {
        let nodes = self.nodes.iter().zip(self.nodes_before(self.outputs[0]));
        nodes.filter(|(_, before)| *before).map(|(node, _)| node)
    }
}

#[cfg(test)]
mod tests {
    use crate::layers::{Add, Dense};
    use crate::model::{GraphBuilder, Model};

    #[test]
    fn what_no_way_leaves_out() {
        let mut graph = GraphBuilder::<f32>::new([4]);
        let dense = || Dense::new(4);
        let a = graph.named("a", dense(), graph.input());
        let b = graph.named("b", dense(), a);
        let c = graph.named("c", dense(), b);
        let sum = graph.named("sum", Add::new(), [a, c]);
        let last = graph.named("last", dense(), sum);
        let model: Model = graph.clone().build(last, 1).unwrap();
        assert_eq!(model.layers_on_all_ways(), ["a", "sum", "last"]);
        // A way ends at a side output, too.
        graph.also_output(b);
        let model: Model = graph.build(last, 1).unwrap();
        assert_eq!(model.layers_on_all_ways(), ["a"]);
    }
}
