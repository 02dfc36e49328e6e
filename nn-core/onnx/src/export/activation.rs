//! Functions of each number, and softmax. What opset 17 has no operator for is written in several, as PyTorch's exporter
//! does.

use super::graph::{Graph, fault};
use super::proto::{Attribute, float, int};
use crate::layout::Layout;
use nn_core::Result;
use nn_core::layers::{Activation, Function};

/// What a step takes beside the value before it.
#[derive(Debug, Clone, Copy)]
enum Other {
    None,
    /// What the whole function is of.
    Argument,
    Number(f64),
    /// Two bounds, of which each may be missing.
    Bounds([Option<f64>; 2]),
}

use Other::{Argument, Bounds, Number};

/// An operator on the value before it.
type Step = (&'static str, Other, Vec<Attribute>);

fn step(op: &'static str, other: Other) -> Step {
    (op, other, vec![])
}

fn only(op: &'static str) -> Vec<Step> {
    vec![step(op, Other::None)]
}

fn with(op: &'static str, attributes: Vec<Attribute>) -> Vec<Step> {
    vec![(op, Other::None, attributes)]
}

/// `sqrt(2)`, and `sqrt(2 / pi)`.
const ROOT_2: f64 = std::f64::consts::SQRT_2;
const ROOT_2_BY_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI / ROOT_2;

/// What a node that computes an activation is called beside its layer.
pub fn name(function: Activation) -> &'static str {
    match function {
        Activation::Relu => "relu",
        Activation::Relu6 => "relu6",
        Activation::Sigmoid => "sigmoid",
        Activation::Tanh => "tanh",
        Activation::Softmax => "softmax",
        _ => "activation",
    }
}

/// Writes an activation of a value whose softmax runs along the last dimension of ours; the node that ends it is named
/// `name`.
pub fn write(
    graph: &mut Graph<'_>,
    name: &str,
    x: String,
    function: Activation,
    layout: &Layout,
) -> Result<String> {
    let steps = match function {
        Activation::Linear => vec![],
        Activation::Relu => only("Relu"),
        Activation::Sigmoid => only("Sigmoid"),
        Activation::Tanh => only("Tanh"),
        Activation::Softmax => {
            let axis = layout.last().unwrap_or(1) as i64;
            with("Softmax", vec![int("axis", axis)])
        }
        Activation::LeakyRelu { slope } => with("LeakyRelu", vec![float("alpha", slope)]),
        Activation::Elu { alpha } => with("Elu", vec![float("alpha", alpha)]),
        Activation::Gelu => vec![
            step("Div", Number(ROOT_2)),
            step("Erf", Other::None),
            step("Add", Number(1.0)),
            step("Mul", Argument),
            step("Mul", Number(0.5)),
        ],
        Activation::GeluTanh => vec![
            step("Mul", Argument),
            step("Mul", Argument),
            step("Mul", Number(0.044715)),
            step("Add", Argument),
            step("Mul", Number(ROOT_2_BY_PI)),
            step("Tanh", Other::None),
            step("Add", Number(1.0)),
            step("Mul", Argument),
            step("Mul", Number(0.5)),
        ],
        Activation::Silu => vec![step("Sigmoid", Other::None), step("Mul", Argument)],
        Activation::HardSwish => only("HardSwish"),
        Activation::HardSigmoid { alpha, beta } => {
            with("HardSigmoid", vec![float("alpha", alpha), float("beta", beta)])
        }
        Activation::Relu6 => vec![step("Clip", Bounds([Some(0.0), Some(6.0)]))],
        Activation::Softplus => only("Softplus"),
        Activation::Mish => {
            vec![step("Softplus", Other::None), step("Tanh", Other::None), step("Mul", Argument)]
        }
        other => return Err(fault(&format!("the activation {other:?} is not known"))),
    };
    Ok(run(graph, name, x, steps))
}

/// Writes another function of each number.
pub fn function(
    graph: &mut Graph<'_>,
    name: &str,
    x: String,
    function: Function,
) -> Result<String> {
    let steps = match function {
        Function::Abs => only("Abs"),
        Function::Clamp { low: None, high: None } => vec![],
        Function::Clamp { low, high } => vec![step("Clip", Bounds([low, high]))],
        Function::Erf => only("Erf"),
        Function::Exp => only("Exp"),
        Function::Log => only("Log"),
        Function::Power { exponent } => vec![step("Pow", Number(exponent))],
        Function::Sqrt => only("Sqrt"),
        other => return Err(fault(&format!("the function {other:?} is not known"))),
    };
    Ok(run(graph, name, x, steps))
}

fn run(graph: &mut Graph<'_>, name: &str, x: String, steps: Vec<Step>) -> String {
    let last = steps.len().saturating_sub(1);
    let mut y = x.clone();
    for (i, (op, other, attributes)) in steps.into_iter().enumerate() {
        let others = match other {
            Other::None => vec![],
            Argument => vec![x.clone()],
            Number(number) => vec![graph.scalar(number)],
            Bounds([low, high]) => {
                let low = low.map_or_else(String::new, |low| graph.scalar(low));
                let high = high.map(|high| graph.scalar(high));
                std::iter::once(low).chain(high).collect()
            }
        };
        let inputs: Vec<_> =
            std::iter::once(y.as_str()).chain(others.iter().map(String::as_str)).collect();
        let title =
            if i == last { name.to_owned() } else { format!("{name}/{}", op.to_lowercase()) };
        y = graph.node(&title, op, &inputs, attributes);
    }
    y
}
