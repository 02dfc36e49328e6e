//! The output kind of a network: a softmax or sigmoid at its end is taken out of the network, which then
//! computes logits.

use super::{Model, Node};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::{Activation, Layer, OutputKind};
use std::sync::Arc;

/// What becomes of the node of the main output.
#[derive(Debug)]
pub(super) enum End<T: Kernels> {
    /// It stays the output as it is.
    Kept,
    /// This layer, without the activation, takes its place.
    Replaced(Arc<dyn Layer<T>>),
    /// It stays for the nodes that take its value; what it takes becomes the output.
    Before,
}

/// The layers that only make a map smaller or give it another form: behind them probabilities are still no
/// logits, and the picture ends with them.
const PASS_ON: [&str; 8] = [
    "AdaptiveAveragePool2D",
    "AveragePool2D",
    "Dropout",
    "Flatten",
    "GlobalAveragePool2D",
    "GlobalMaxPool2D",
    "MaxPool2D",
    "StochasticDepth",
];

/// Whether a layer only makes a map smaller, gives it another form, or changes nothing.
pub(super) fn passes_on<T: Kernels>(layer: &dyn Layer<T>) -> bool {
    let changes_nothing =
        || layer.without_activation().is_some_and(|(is, _)| is == Activation::Linear);
    PASS_ON.contains(&layer.kind()) || layer.kind() == "Activation" && changes_nothing()
}

impl<T: Kernels> Model<T> {
    /// The probabilities that the network itself ends in: the output kind is linear, and a softmax or sigmoid
    /// was kept in a layer.
    pub(crate) fn kept_probabilities(&self) -> Option<OutputKind> {
        if self.kind != OutputKind::Linear {
            return None;
        }
        let found = |node: &Node<T>| {
            let (activation, _) = node.layer.without_activation()?;
            OutputKind::of_activation(activation)
        };
        self.nodes_passing_on(self.outputs[0]).find_map(found)
    }
}

/// The output kind, if one is asked for or found, and what becomes of the output's node. `back` has the
/// layers from the output on backwards, along single inputs, to the first that does not [pass
/// on](passes_on) what it takes; `is_taken` says whether others need the output's value as it is.
pub(super) fn end<T: Kernels>(
    asked: Option<OutputKind>,
    back: &[Arc<dyn Layer<T>>],
    is_taken: bool,
) -> Result<(Option<OutputKind>, End<T>)> {
    let found = |layer: &Arc<dyn Layer<T>>| {
        let (activation, without) = layer.without_activation()?;
        Some((OutputKind::of_activation(activation)?, without))
    };
    let at = "the model's output";
    let asks_for_numbers = asked == Some(OutputKind::Linear);
    let Some(last) = back.first().filter(|_| !asks_for_numbers) else {
        return Ok((asked, End::Kept));
    };
    let Some((kind, without)) = found(last) else {
        let inner = back.iter().find(|layer| !passes_on(layer.as_ref()));
        return match inner.and_then(found) {
            None => Ok((asked, End::Kept)),
            Some((inner, _)) => Err(Error::setting(
                at,
                "logits, or a softmax or sigmoid in its last layer",
                format!("{}, which comes after a {}", last.kind(), inner.name()),
                "put the activation at the end, or make the output kind linear",
            )),
        };
    };
    match asked {
        Some(asked) if asked != kind => Err(Error::setting(
            at,
            format!("{}, as its last layer ends in", kind.name()),
            asked.name(),
            "leave one of the two away",
        )),
        _ if !is_taken => Ok((Some(kind), End::Replaced(without))),
        _ if last.kind() == "Activation" => Ok((Some(kind), End::Before)),
        _ => Err(Error::setting(
            at,
            "logits, which become probabilities after the network",
            format!("a {} with a {} whose value others take, too", last.kind(), kind.name()),
            "make the activation a layer of its own, or the output kind linear",
        )),
    }
}
