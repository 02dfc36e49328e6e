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
    let mut branches = 0;
    let mut open: Vec<_> = std::mem::take(&mut graph.node).into_iter().rev().collect();
    while let Some(mut node) = open.pop() {
        if node.op_type == "If" {
            for name in ["then_branch", "else_branch"] {
                let Some(mut branch) = take(&mut node, name) else { continue };
                branches += 1;
                let own = own_names(&branch, &format!("branch{branches}/"));
                rename(&mut branch, &own);
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

/// The names that a branch defines, each with `prefix` before it, so that both branches may have the same. It is short:
/// a file may have many names, and branches within branches.
fn own_names(branch: &GraphProto, prefix: &str) -> HashMap<String, String> {
    let outputs = branch.node.iter().flat_map(|node| &node.output);
    let own = outputs.chain(branch.initializer.iter().map(|tensor| &tensor.name));
    own.filter(|name| !name.is_empty())
        .map(|name| (name.clone(), format!("{prefix}{name}")))
        .collect()
}

/// Renames values, in graphs within the graph as well: they may take those of the graph around. That goes no deeper
/// than messages of protobuf do.
fn rename(graph: &mut GraphProto, names: &HashMap<String, String>) {
    let rename_one = |name: &mut String| {
        if let Some(new) = names.get(name) {
            name.clone_from(new);
        }
    };
    for node in &mut graph.node {
        node.input.iter_mut().chain(&mut node.output).for_each(rename_one);
        let inner = node.attribute.iter_mut().filter_map(|attribute| attribute.g.as_deref_mut());
        inner.for_each(|graph| rename(graph, names));
    }
    graph.initializer.iter_mut().for_each(|tensor| rename_one(&mut tensor.name));
    graph.output.iter_mut().for_each(|output| rename_one(&mut output.name));
}
