//! The walk over a graph's nodes: what is constant is folded, the rest becomes layers.

use crate::call::{Call, Lowered};
use crate::fold::{self, Budget};
use crate::graph::Graph;
use crate::input::Chosen;
use crate::net::Net;
use crate::operators;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use std::collections::HashMap;

/// Lowers a graph.
pub fn lower(mut graph: Graph, input: Chosen) -> Result<Lowered> {
    let values = graph.constants.drain().map(|(name, array)| (name, Value::Constant(array)));
    let mut lowered = Lowered {
        net: Net::new(input.shape()),
        names: HashMap::from([(input.name.clone(), 0)]),
        any_batch: input.any_batch,
        folded: 0,
        budget: Budget::default(),
        postponed: HashMap::new(),
        values: values.collect(),
    };
    lowered.values.insert(input.name, input.value.into());
    let nodes = std::mem::take(&mut graph.nodes);
    for node in &nodes {
        let place = |refusal: Refusal| refusal.at(node.place(graph.opset));
        let mut call = Call { node, opset: graph.opset, lowered: &mut lowered };
        let folded = call.for_folding().map(|folding| fold::evaluate(&folding, call.budget()));
        let outputs = folded.transpose().and_then(|folded| match folded.flatten() {
            Some(arrays) => {
                call.lowered.folded += 1;
                Ok(arrays.into_iter().map(Value::Constant).collect())
            }
            None => operators::lower(&mut call),
        });
        match outputs.map_err(place) {
            Ok(outputs) => lowered.keep(node, outputs, &node.place(graph.opset)),
            Err(refusal) if node.is_conditional => lowered.postpone(node, &refusal),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(lowered)
}
