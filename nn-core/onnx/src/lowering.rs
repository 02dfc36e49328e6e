//! The walk over a graph's nodes: what is constant is folded, the rest becomes layers.

use crate::call::{Call, Lowered};
use crate::fold::{self, Budget};
use crate::graph::Graph;
use crate::net::Net;
use crate::operators;
use crate::refusal::{Refusal, Result};
use crate::value::{Computed, Value};
use std::collections::HashMap;

/// Lowers a graph whose only input is `input`.
pub fn lower(mut graph: Graph, input: (&str, Computed), net: Net) -> Result<Lowered> {
    let values = graph.constants.drain().map(|(name, array)| (name, Value::Constant(array)));
    let mut lowered = Lowered { net, names: HashMap::new(), folded: 0, values: values.collect() };
    lowered.names.insert(input.0.to_owned(), 0);
    lowered.values.insert(input.0.to_owned(), input.1.into());
    let mut budget = Budget::default();
    let nodes = std::mem::take(&mut graph.nodes);
    for node in &nodes {
        let place = |refusal: Refusal| refusal.at(node.place(graph.opset));
        let mut call = Call { node, opset: graph.opset, lowered: &mut lowered };
        let outputs = match fold::evaluate(&call.as_constants(), &mut budget).map_err(place)? {
            Some(arrays) => {
                lowered.folded += 1;
                arrays.into_iter().map(Value::Constant).collect()
            }
            None => operators::lower(&mut call).map_err(place)?,
        };
        lowered.keep(node, outputs).map_err(place)?;
    }
    Ok(lowered)
}

