//! `If` nodes without graphs inside: the nodes of both branches stand in the graph, and the `If` picks among their
//! values. Exporters write one where they did not know a shape, which is known once the image size is fixed.
//!
//! Nodes of the branch that is not taken may not fit; that is no fault as long as nobody takes their values.

use crate::proto::{GraphProto, NodeProto};
use std::collections::{HashMap, HashSet};

/// Takes the branches of all `If` nodes into the graph. An `If` then has as inputs its condition, the outputs of the
/// first branch and those of the second. Gives the values that only a branch computes.
pub fn hoist(graph: &mut GraphProto) -> HashSet<String> {
    let mut conditional = HashSet::new();
    let mut open: Vec<_> = std::mem::take(&mut graph.node).into_iter().rev().collect();
    while let Some(mut node) = open.pop() {
        if node.op_type == "If" {
            for name in ["then_branch", "else_branch"] {
                let Some(nodes) = take(&mut node, name) else { continue };
                let prefix = format!("{}/{name}/", node.output.first().map_or("", String::as_str));
                let branch = renamed(nodes, &prefix);
                node.input.extend(branch.output.into_iter().map(|output| output.name));
                conditional.extend(branch.node.iter().flat_map(|node| node.output.iter().cloned()));
                graph.initializer.extend(branch.initializer);
                open.extend(branch.node.into_iter().rev());
            }
        }
        graph.node.push(node);
    }
    conditional
}

/// The graph of an attribute.
fn take(node: &mut NodeProto, name: &str) -> Option<GraphProto> {
    let attribute = node.attribute.iter_mut().find(|attribute| attribute.name == name)?;
    attribute.g.take().map(|graph| *graph)
}

/// A branch with a prefix before the names of the values that it defines; others are those of the graph around.
fn renamed(mut branch: GraphProto, prefix: &str) -> GraphProto {
    let outputs = branch.node.iter().flat_map(|node| &node.output);
    let own = outputs.chain(branch.initializer.iter().map(|tensor| &tensor.name));
    let own: HashMap<_, _> = own
        .filter(|name| !name.is_empty())
        .map(|name| (name.clone(), format!("{prefix}{name}")))
        .collect();
    let rename = |name: &mut String| {
        if let Some(new) = own.get(name) {
            name.clone_from(new);
        }
    };
    branch.node.iter_mut().for_each(|node| {
        node.input.iter_mut().chain(&mut node.output).for_each(&rename);
    });
    branch.initializer.iter_mut().for_each(|tensor| rename(&mut tensor.name));
    branch.output.iter_mut().for_each(|output| rename(&mut output.name));
    branch
}
