//! The attributes of a node, by name and type.

use crate::array::Array;
use crate::external::ExternalData;
use crate::proto::{AttributeProto, TensorProto};
use crate::refusal::{Refusal, Result};
use crate::tensors;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    Float(f32),
    Int(i64),
    Text(String),
    Tensor(Array),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    /// What no operator here needs: graphs, texts, references.
    Other,
}

/// The attributes of a node.
#[derive(Debug, Clone, Default)]
pub struct Attributes(Vec<(String, Attribute)>);

impl Attributes {
    pub fn new(protos: Vec<AttributeProto>, external: &mut ExternalData<'_>) -> Result<Self> {
        let mut attributes = Vec::with_capacity(protos.len());
        for mut proto in protos {
            let value = match proto.r#type {
                1 => Attribute::Float(proto.f),
                2 => Attribute::Int(proto.i),
                3 => Attribute::Text(String::from_utf8_lossy(&proto.s).into_owned()),
                4 => Attribute::Tensor(tensor(proto.t.as_deref_mut(), &proto.name, external)?),
                6 => Attribute::Floats(proto.floats),
                7 => Attribute::Ints(proto.ints),
                _ => Attribute::Other,
            };
            attributes.push((proto.name, value));
        }
        Ok(Self(attributes))
    }

    pub fn get(&self, name: &str) -> Option<&Attribute> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// Gives an attribute another value.
    pub fn set(&mut self, name: &str, value: Attribute) {
        self.0.retain(|(own, _)| own != name);
        self.0.push((name.into(), value));
    }

    pub fn int(&self, name: &str) -> Result<Option<i64>> {
        match self.get(name) {
            None => Ok(None),
            Some(&Attribute::Int(value)) => Ok(Some(value)),
            Some(other) => Err(wrong(name, "a whole number", other)),
        }
    }

    /// A number that is 1 or 0.
    pub fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.int(name)?.unwrap_or(0) != 0)
    }

    pub fn ints(&self, name: &str) -> Result<Option<&[i64]>> {
        match self.get(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values)),
            Some(other) => Err(wrong(name, "a list of whole numbers", other)),
        }
    }

    pub fn float(&self, name: &str) -> Result<Option<f64>> {
        match self.get(name) {
            None => Ok(None),
            Some(&Attribute::Float(value)) => Ok(Some(as_written(value))),
            Some(other) => Err(wrong(name, "a real number", other)),
        }
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.get(name) {
            None => Ok(None),
            Some(Attribute::Text(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(name, "a text", other)),
        }
    }
}

/// The number that was meant by one in single precision: 1e-5, not 9.99999974738e-6.
pub fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(value.into())
}

fn tensor(
    proto: Option<&mut TensorProto>,
    name: &str,
    external: &mut ExternalData<'_>,
) -> Result<Array> {
    let missing = || Refusal::new("it has no tensor", "the file is damaged; export it again");
    let array = proto.ok_or_else(missing).and_then(|proto| tensors::read(proto, external));
    array.map_err(|refusal| refusal.at(format!("attribute {name}")))
}

fn wrong(name: &str, expected: &str, received: &Attribute) -> Refusal {
    let received = match received {
        Attribute::Float(value) => format!("{value}"),
        Attribute::Int(value) => format!("{value}"),
        Attribute::Text(text) => format!("{text:?}"),
        Attribute::Tensor(_) => "a tensor".into(),
        Attribute::Floats(_) => "a list of real numbers".into(),
        Attribute::Ints(_) => "a list of whole numbers".into(),
        Attribute::Other => "a value of another type".into(),
    };
    Refusal::new(
        format!("attribute {name} must be {expected}, but is {received}"),
        "check the file with onnx.checker, and export the model again",
    )
}
