//! The attributes that convolutions and poolings share: of images, or of rows, which are images of height 1.

use crate::call::Call;
use crate::refusal::{Refusal, Result};
use nn_core::layers::Padding;

/// Strides, dilations and padding, vertical before horizontal.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    pub stride: (usize, usize),
    pub dilation: (usize, usize),
    pub padding: Padding,
}

impl Windows {
    pub fn new(call: &Call<'_>) -> Result<Self> {
        Ok(Self {
            stride: pair(call, "strides", 1)?.unwrap_or((1, 1)),
            dilation: pair(call, "dilations", 1)?.unwrap_or((1, 1)),
            padding: padding(call)?,
        })
    }
}

/// Whether the node's input is a row, `[batch, channels, length]`.
fn is_row(call: &Call<'_>) -> Result<bool> {
    Ok(call.value(0)?.dims().len() == 3)
}

/// An attribute of two numbers, vertical before horizontal, that are `least` or more. For rows it has one; the vertical
/// one is then `least`.
pub fn pair(call: &Call<'_>, name: &str, least: usize) -> Result<Option<(usize, usize)>> {
    let Some(values) = call.node.attributes.ints(name)? else { return Ok(None) };
    let size = |&v: &i64| usize::try_from(v).ok().filter(|&size| size >= least);
    let sizes: Option<Vec<_>> = values.iter().map(size).collect();
    match (sizes.as_deref(), is_row(call)?) {
        (Some(&[vertical, horizontal]), false) => Ok(Some((vertical, horizontal))),
        (Some(&[horizontal]), true) => Ok(Some((least, horizontal))),
        (_, is_row) => {
            let expected =
                if is_row { "one number" } else { "two numbers, vertical before horizontal" };
            Err(Refusal::new(
                format!("attribute {name} must be {expected}, {least} or more, but is {values:?}"),
                "classifiers of images have 2-D convolutions and poolings; export the model again",
            ))
        }
    }
}

fn padding(call: &Call<'_>) -> Result<Padding> {
    match call.node.attributes.text("auto_pad")? {
        None | Some("NOTSET" | "") => {}
        Some("VALID") => return Ok(Padding::Valid),
        Some("SAME_UPPER") => return Ok(Padding::Same),
        Some("SAME_LOWER") => return Ok(Padding::SameLower),
        Some(other) => {
            let problem = format!("attribute auto_pad is {other:?}");
            return Err(Refusal::new(
                problem,
                "NOTSET, VALID, SAME_UPPER and SAME_LOWER are known",
            ));
        }
    }
    let Some(pads) = call.node.attributes.ints("pads")? else { return Ok(Padding::Valid) };
    let sizes: Option<Vec<_>> = pads.iter().map(|&pad| usize::try_from(pad).ok()).collect();
    let is_row = is_row(call)?;
    match (sizes.as_deref(), is_row) {
        (Some([0, 0, 0, 0]), false) | (Some([0, 0]), true) => Ok(Padding::Valid),
        (Some(&[top, left, bottom, right]), false) => {
            Ok(Padding::Explicit { top, bottom, left, right })
        }
        (Some(&[left, right]), true) => Ok(Padding::Explicit { top: 0, bottom: 0, left, right }),
        _ => Err(Refusal::new(
            format!(
                "attribute pads must be {} numbers, none negative, but is {pads:?}",
                if is_row { "two" } else { "four" }
            ),
            "classifiers of images have 2-D convolutions and poolings; export the model again",
        )),
    }
}
