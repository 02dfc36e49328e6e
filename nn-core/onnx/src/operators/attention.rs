//! Scaled dot-product attention as one node, which ONNX has since opset 23: `softmax(q k' scale + mask) v` for each
//! head.

use super::Family;
use super::arithmetic::added;
use super::linear::of_two;
use super::reshaping::reshape;
use crate::array::Data;
use crate::call::{Call, unaligned};
use crate::layout::Layout;
use crate::refusal::{Refusal, Result};
use crate::value::{Computed, Value};
use nn_core::layers::{Activation, Rescaling};

pub const OPERATORS: Family = &[("Attention", attention)];

fn attention(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let attributes = &call.node.attributes;
    if attributes.flag("is_causal")? || attributes.float("softcap")?.unwrap_or(0.0) != 0.0 {
        let problem = "its attributes is_causal or softcap are set";
        return Err(Refusal::new(problem, "classifiers of images attend to all of an image"));
    }
    if (4..=6).any(|i| call.has(i)) {
        let problem = "it takes keys and values of an earlier call, or lengths";
        return Err(Refusal::new(problem, "export the model for single images"));
    }
    let from_heads = call.computed(0)?.rank() == 3;
    let q = heads(call, 0, "q_num_heads")?;
    let k = heads(call, 1, "kv_num_heads")?;
    let v = heads(call, 2, "kv_num_heads")?;
    if q.dims[1] != k.dims[1] || k.dims[1] != v.dims[1] {
        let [q, k, v] = [&q, &k, &v].map(|value| value.dims[1]);
        let problem = format!("its queries have {q} heads, its keys {k}, its values {v}");
        return Err(Refusal::new(problem, "export with as many of each"));
    }
    let usual = 1.0 / (q.dims[3] as f64).sqrt();
    let scale = call.node.attributes.float("scale")?.unwrap_or(usual);
    let id = call.help("scaled", Rescaling::new(scale), &[q.id], vec![])?;
    let scores = of_two(
        call,
        &q.with_id(id),
        &k.transposed(&[0, 1, 3, 2]).ok_or_else(unaligned)?,
        Some("scores"),
    )?;
    let scores = match call.optional(3)?.cloned() {
        None => scores,
        Some(Value::Constant(mask)) if matches!(mask.data, Data::Integers(_)) => {
            let problem = "its mask says true and false, which is not read";
            return Err(Refusal::new(problem, "export with numbers that are added: 0 and -inf"));
        }
        Some(mask) => added(call, &scores, &mask)?,
    };
    let layout = Layout::plain(4);
    let id = call.arranged(&scores, &layout)?;
    let id = call.help("softmax", Activation::Softmax, &[id], vec![])?;
    let shares = Computed::new(scores.dims, layout, id);
    let y = of_two(call, &shares, &v, None)?;
    if !from_heads {
        return Ok(vec![y.into()]);
    }
    let y = y.transposed(&[0, 2, 1, 3]).ok_or_else(unaligned)?;
    let dims = vec![y.dims[0], y.dims[1], y.dims[2] * y.dims[3]];
    Ok(vec![reshape(call, &y, dims)?])
}

/// Input `i` as `[batch, heads, tokens, features]`: as it is, or `[batch, tokens, heads * features]`.
fn heads(call: &mut Call<'_>, i: usize, attribute: &str) -> Result<Computed> {
    let value = call.computed(i)?;
    let heads = call.node.attributes.int(attribute)?.unwrap_or(0);
    let heads = usize::try_from(heads).unwrap_or(0);
    match value.dims[..] {
        [_, _, _, _] => Ok(value),
        [batch, tokens, features] if heads > 0 && features.is_multiple_of(heads) => {
            let dims = vec![batch, tokens, heads, features / heads];
            match reshape(call, &value, dims)? {
                Value::Computed(value) => value.transposed(&[0, 2, 1, 3]).ok_or_else(unaligned),
                _ => Err(unaligned()),
            }
        }
        _ => Err(Refusal::new(
            format!(
                "its input {i} has the shape {:?}, and attribute {attribute} is {heads}",
                value.dims
            ),
            "[batch, heads, tokens, features] is read, or [batch, tokens, features] with as many heads as divide it",
        )),
    }
}
