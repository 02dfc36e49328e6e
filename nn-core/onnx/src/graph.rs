//! A file's graph, checked: every value has one source, every input is there, and nodes stand in an order in which
//! they can be computed.

use crate::array::{Array, Data};
use crate::attributes::Attributes;
use crate::branches;
use crate::external::ExternalData;
use crate::proto::{FunctionProto, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use crate::refusal::{Refusal, Result};
use crate::tensors::{self, ElementType};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The opsets whose operators are known.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=26;

/// The most nodes of a graph; classifiers have a few thousand.
const MOST_NODES: usize = 1 << 16;

/// A checked graph.
#[derive(Debug)]
pub struct Graph {
    /// The version of ONNX's operators.
    pub opset: i64,
    /// The inputs that have no value in the file and are taken.
    pub inputs: Vec<Input>,
    /// The output that counts.
    pub output: String,
    /// The names of the others.
    pub other_outputs: Vec<String>,
    /// Those that lead to the output, in an order in which each takes values of earlier ones.
    pub nodes: Vec<Node>,
    pub constants: HashMap<String, Array>,
}

#[derive(Debug)]
pub struct Input {
    pub name: String,
    /// `None` for a dimension without a number, or if no shape is given.
    pub dims: Option<Vec<Option<usize>>>,
    /// Which dimension is that of the channels, if the file says so.
    pub channels: Option<usize>,
}

/// An operator with what it takes and gives; an empty name stands for an optional value that is left out.
#[derive(Debug, Clone)]
pub struct Node {
    pub name: String,
    pub op: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: Attributes,
    /// Whether it is of a branch, which may not be taken.
    pub is_conditional: bool,
}

impl Node {
    /// The name of the node, or of its value if it has none.
    pub fn title(&self) -> &str {
        match (self.name.as_str(), self.outputs.first()) {
            ("", Some(output)) => output,
            (name, _) => name,
        }
    }

    /// The node as errors name it.
    pub fn place(&self, opset: i64) -> String {
        format!("node {:?} ({}, opset {opset})", self.title(), self.op)
    }
}

impl Graph {
    /// Checks a graph. The output that counts is the one of the name `asked`, or else the first.
    pub fn new(
        model: ModelProto,
        external: &mut ExternalData<'_>,
        asked: Option<&str>,
    ) -> Result<Self> {
        let opset = opset(&model)?;
        let Some(graph) = model.graph else {
            let problem = "it has no graph, so it is no ONNX model";
            return Err(Refusal::new(problem, "give a file that ends in .onnx"));
        };
        let mut graph = *graph;
        let conditional = branches::hoist(&mut graph);
        if graph.node.len() > MOST_NODES {
            let problem =
                format!("its graph has {} nodes, more than {MOST_NODES}", graph.node.len());
            return Err(Refusal::new(problem, "this is no image classifier that can be read"));
        }
        if !graph.sparse_initializer.is_empty() {
            let problem = "it has sparse initialisers, which cannot be read";
            return Err(Refusal::new(problem, "export the model with dense weights"));
        }
        let constants = constants(&mut graph, external)?;
        let inputs = graph.input.iter().filter(|input| !constants.contains_key(&input.name));
        let inputs: Vec<_> = inputs.map(Input::new).collect::<Result<_>>()?;
        let check = |node: NodeProto| {
            let is_conditional = node.output.iter().any(|output| conditional.contains(output));
            let node = Node::new(node, opset, &model.functions, external)?;
            Ok(Node { is_conditional, ..node })
        };
        let nodes = graph.node.into_iter().map(check).collect::<Result<Vec<_>>>()?;
        let outputs: Vec<_> = graph.output.into_iter().map(|output| output.name).collect();
        let (output, other_outputs) = chosen(outputs, asked)?;
        let known = inputs.iter().map(|input| &input.name).chain(constants.keys());
        let nodes = ordered(nodes, known, &output, opset)?;
        // Old files list inputs that nothing takes any more.
        let taken: HashSet<_> =
            nodes.iter().flat_map(|node| &node.inputs).chain([&output]).collect();
        let inputs = inputs.into_iter().filter(|input| taken.contains(&input.name)).collect();
        Ok(Self { opset, inputs, output, other_outputs, nodes, constants })
    }
}

/// The output that counts, and the others.
fn chosen(mut outputs: Vec<String>, asked: Option<&str>) -> Result<(String, Vec<String>)> {
    let found = match asked {
        None => (!outputs.is_empty()).then_some(0),
        Some(asked) => outputs.iter().position(|name| name == asked),
    };
    match found {
        Some(i) => Ok((outputs.remove(i), outputs)),
        None => {
            let asked = asked.unwrap_or("any");
            let problem = format!("its outputs are {outputs:?}, without {asked}");
            Err(Refusal::new(problem, "name one of them"))
        }
    }
}

/// The version of ONNX's own operators.
fn opset(model: &ModelProto) -> Result<i64> {
    let is_standard = |domain: &str| matches!(domain, "" | "ai.onnx");
    let own = model.opset_import.iter().find(|opset| is_standard(&opset.domain));
    match own.map(|opset| opset.version) {
        Some(version) if OPSETS.contains(&version) => Ok(version),
        Some(version) => Err(Refusal::new(
            format!("it uses opset {version}; {} to {} can be read", OPSETS.start(), OPSETS.end()),
            "export the model with opset_version=17, or convert it with onnx.version_converter",
        )),
        None => Err(Refusal::new(
            "it names no version of ONNX's operators, so it is no ONNX model",
            "give a file that an exporter of ONNX wrote",
        )),
    }
}

/// The initialisers, by name.
fn constants(
    graph: &mut GraphProto,
    external: &mut ExternalData<'_>,
) -> Result<HashMap<String, Array>> {
    let mut constants = HashMap::with_capacity(graph.initializer.len());
    for mut proto in std::mem::take(&mut graph.initializer) {
        let array = tensors::read(&mut proto, external)?;
        // Whole numbers are indices and masks.
        let is_real = matches!(array.data, Data::Floats(_));
        let array = array.of_weights(is_real);
        if constants.contains_key(&proto.name) {
            return Err(twice(&proto.name));
        }
        constants.insert(proto.name, array);
    }
    Ok(constants)
}

fn twice(name: &str) -> Refusal {
    let problem = format!("the value {name:?} is defined twice");
    Refusal::new(problem, "the file is damaged; check it with onnx.checker and export it again")
}

impl Input {
    fn new(proto: &ValueInfoProto) -> Result<Self> {
        let kind = proto.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        if let Some(element) = kind.map(|kind| kind.elem_type).filter(|&element| element != 0) {
            let place = |refusal: Refusal| refusal.at(format!("input {:?}", proto.name));
            ElementType::new(element).map_err(place)?;
        }
        let shape = kind.and_then(|kind| kind.shape.as_ref());
        let dim =
            |value: Option<i64>| value.and_then(|dim| usize::try_from(dim).ok()).filter(|&d| d > 0);
        let dims = shape.map(|shape| shape.dim.iter().map(|d| dim(d.dim_value)).collect());
        let channels = shape.and_then(|shape| {
            shape.dim.iter().position(|dim| dim.denotation == crate::export::CHANNEL)
        });
        Ok(Self { name: proto.name.clone(), dims, channels })
    }
}

impl Node {
    fn new(
        proto: NodeProto,
        opset: i64,
        functions: &[FunctionProto],
        external: &mut ExternalData<'_>,
    ) -> Result<Self> {
        let NodeProto { input, output, name, op_type, attribute, domain } = proto;
        let mut node = Self {
            name,
            op: op_type,
            inputs: input,
            outputs: output,
            attributes: Attributes::default(),
            is_conditional: false,
        };
        let place = node.place(opset);
        let known_domain = matches!(domain.as_str(), "" | "ai.onnx" | "ai.onnx.ml");
        if functions.iter().any(|f| f.name == node.op && f.domain == domain) {
            return Err(Refusal::new(
                "it calls a function of the file, which is not read",
                "inline it: onnx.inliner.inline_local_functions(model)",
            )
            .at(place));
        }
        // What ONNX Runtime writes is refused by name: see `operators`.
        if !known_domain && domain != "com.microsoft" {
            return Err(Refusal::new(
                format!("its operator is of the domain {domain:?}, which is not read"),
                "export the model with ONNX's own operators only",
            )
            .at(place));
        }
        if domain == "com.microsoft" && node.op == "Attention" {
            return Err(Refusal::new(
                "it is the Attention of ONNX Runtime's own domain, which has other inputs than ONNX's",
                "export the model again, without ONNX Runtime's optimizer",
            )
            .at(place));
        }
        // The reader makes names of its own with this character.
        if node.inputs.iter().chain(&node.outputs).any(|name| name.contains('\0')) {
            let problem = "the name of one of its values has the character NUL";
            return Err(Refusal::new(problem, "the file is damaged; export it again").at(place));
        }
        node.attributes = Attributes::new(attribute, external).map_err(|r| r.at(&place))?;
        if node.outputs.iter().all(String::is_empty) {
            let remedy = "the file is damaged; check it with onnx.checker";
            return Err(Refusal::new("it gives no value", remedy).at(place));
        }
        Ok(node)
    }
}

/// The nodes in an order in which they can be computed; those that the output does not need are left out.
fn ordered<'a>(
    nodes: Vec<Node>,
    known: impl Iterator<Item = &'a String>,
    output: &str,
    opset: i64,
) -> Result<Vec<Node>> {
    /// Where a value comes from.
    #[derive(Clone, Copy)]
    enum Source {
        Given,
        Node(usize),
    }
    let mut sources: HashMap<&str, Source> =
        known.map(|name| (name.as_str(), Source::Given)).collect();
    for (i, node) in nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|output| !output.is_empty()) {
            if sources.insert(output, Source::Node(i)).is_some() {
                return Err(twice(output).at(node.place(opset)));
            }
        }
    }
    let source = |name: &str| match name {
        "" => Some(Source::Given),
        name => sources.get(name).copied(),
    };
    // Depth first, without recursion: each entry is a node and how many of its inputs were looked at.
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    let mut stack = match source(output) {
        Some(Source::Given) => vec![],
        Some(Source::Node(i)) => vec![(i, 0)],
        None => {
            let problem = format!("nothing computes the graph's output {output:?}");
            return Err(Refusal::new(problem, "the file is damaged; export the model again"));
        }
    };
    while let Some((i, next)) = stack.last_mut() {
        let (i, node) = (*i, &nodes[*i]);
        if states[i] == State::Done {
            stack.pop();
            continue;
        }
        states[i] = State::Open;
        let Some(input) = node.inputs.get(*next) else {
            states[i] = State::Done;
            order.push(i);
            stack.pop();
            continue;
        };
        *next += 1;
        match source(input) {
            Some(Source::Given) => {}
            Some(Source::Node(before)) if states[before] == State::Open => {
                let problem = format!("its input {input:?} depends on its own value");
                let remedy = "a graph must have no circle; export the model again";
                return Err(Refusal::new(problem, remedy).at(node.place(opset)));
            }
            Some(Source::Node(before)) => stack.push((before, 0)),
            None => {
                let problem = format!("nothing computes its input {input:?}");
                let remedy = "an initialiser or a node is missing; export the model again";
                return Err(Refusal::new(problem, remedy).at(node.place(opset)));
            }
        }
    }
    let mut nodes: BTreeMap<usize, Node> = nodes.into_iter().enumerate().collect();
    Ok(order.into_iter().filter_map(|i| nodes.remove(&i)).collect())
}
