//! A look at the bytes of a file before they become messages: two bytes may stand for a message of hundreds in memory,
//! so these are counted first.

use crate::refusal::{Refusal, Result};
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The most messages of a file; classifiers have some ten thousand.
const MOST_MESSAGES: usize = 1 << 19;

/// A message whose fields are looked at.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    /// One without messages inside.
    Leaf,
}

impl Kind {
    /// The message, or text, that field `tag` is; `None` for numbers and what is skipped.
    fn field(self, tag: u32) -> Option<Self> {
        Some(match (self, tag) {
            (Self::Model, 7) | (Self::Attribute, 6) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5) => Self::Tensor,
            (Self::Graph, 11 | 12) => Self::ValueInfo,
            (Self::Node, 5) => Self::Attribute,
            (Self::ValueInfo, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Model, 8 | 14 | 25)
            | (Self::Graph, 15)
            | (Self::Node, 1 | 2)
            | (Self::Tensor, 13)
            | (Self::Shape, 1) => Self::Leaf,
            _ => return None,
        })
    }
}

/// Refuses a file of more messages than a classifier has. What is damaged is left for the decoder to refuse.
pub fn check(bytes: &[u8]) -> Result<()> {
    match count(bytes) {
        Ok(messages) if messages > MOST_MESSAGES => Err(Refusal::new(
            format!("it has more than {MOST_MESSAGES} nodes, attributes and tensors"),
            "this is no image classifier that can be read",
        )),
        _ => Ok(()),
    }
}

/// The number of messages, or one more than are allowed.
fn count(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut open = vec![(Kind::Model, bytes)];
    let mut messages = 0;
    while let Some((kind, mut rest)) = open.pop() {
        while !rest.is_empty() && messages <= MOST_MESSAGES {
            let (tag, wire) = decode_key(&mut rest)?;
            let inner = kind.field(tag).filter(|_| wire == WireType::LengthDelimited);
            let Some(inner) = inner else {
                skip_field(wire, tag, &mut rest, DecodeContext::default())?;
                continue;
            };
            let len = usize::try_from(decode_varint(&mut rest)?).unwrap_or(usize::MAX);
            let Some((message, after)) = rest.split_at_checked(len) else { return Ok(messages) };
            messages += 1;
            rest = after;
            if !matches!(inner, Kind::Leaf) {
                open.push((inner, message));
            }
        }
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{GraphProto, ModelProto, NodeProto};
    use prost::Message;

    #[test]
    fn messages_are_counted_before_they_are_made() {
        let model = |nodes: usize| {
            let graph =
                GraphProto { node: vec![NodeProto::default(); nodes], ..Default::default() };
            ModelProto { graph: Some(Box::new(graph)), ..Default::default() }.encode_to_vec()
        };
        assert_eq!(count(&model(7)).unwrap(), 8);
        assert!(check(&model(7)).is_ok());
        let many = model(MOST_MESSAGES);
        assert!(many.len() < 3 * MOST_MESSAGES);
        assert!(check(&many).unwrap_err().problem.contains("more than"));
    }
}
