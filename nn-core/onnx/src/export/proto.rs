//! The messages of a file, as they are made.

use crate::proto::{
    AttributeProto, Dimension, Entry, NodeProto, ShapeProto, TensorProto, TensorType, TypeProto,
    ValueInfoProto,
};

/// Single precision, and whole numbers of 64 bits.
pub const FLOAT: i32 = 1;
pub const INT64: i32 = 7;

/// The message of an attribute.
pub type Attribute = AttributeProto;

fn attribute(name: &str, kind: i32) -> Attribute {
    AttributeProto { name: name.into(), r#type: kind, ..Default::default() }
}

pub fn float(name: &str, value: f64) -> Attribute {
    AttributeProto { f: value as f32, ..attribute(name, 1) }
}

pub fn int(name: &str, value: i64) -> Attribute {
    AttributeProto { i: value, ..attribute(name, 2) }
}

pub fn text(name: &str, value: &'static str) -> Attribute {
    AttributeProto { s: value.as_bytes().into(), ..attribute(name, 3) }
}

pub fn ints(name: &str, values: impl IntoIterator<Item = i64>) -> Attribute {
    AttributeProto { ints: values.into_iter().collect(), ..attribute(name, 7) }
}

pub fn tensor(name: &str, value: TensorProto) -> Attribute {
    AttributeProto { t: Some(Box::new(value)), ..attribute(name, 4) }
}

/// An attribute of sizes.
pub fn sizes<const N: usize>(name: &str, values: [usize; N]) -> Attribute {
    ints(name, values.map(|value| value as i64))
}

pub fn node(
    name: String,
    op: &str,
    inputs: &[&str],
    output: &str,
    attribute: Vec<Attribute>,
) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        name,
        op_type: op.into(),
        attribute,
        domain: String::new(),
    }
}

pub fn entry(key: &str, value: impl Into<String>) -> Entry {
    Entry { key: key.into(), value: value.into() }
}

/// An input or output with any batch. Dimensions are told what they mean if it is an image.
pub fn value(name: &str, dims: &[usize]) -> ValueInfoProto {
    let meaning = |i: usize| match (dims.len(), i) {
        (3, 0) => super::CHANNEL,
        (3, _) => super::FEATURE,
        _ => "",
    };
    let batch = Dimension {
        dim_param: Some("batch".into()),
        denotation: super::BATCH.into(),
        ..Default::default()
    };
    let fixed = dims.iter().enumerate().map(|(i, &dim)| Dimension {
        dim_value: Some(dim as i64),
        denotation: meaning(i).into(),
        ..Default::default()
    });
    let dim = std::iter::once(batch).chain(fixed).collect();
    let tensor = TensorType { elem_type: FLOAT, shape: Some(ShapeProto { dim }) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}
