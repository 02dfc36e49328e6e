//! The attributes that convolutions and poolings share.

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
            stride: pair(call, "strides")?.unwrap_or((1, 1)),
            dilation: pair(call, "dilations")?.unwrap_or((1, 1)),
            padding: padding(call)?,
        })
    }
}

/// An attribute of two positive numbers.
pub fn pair(call: &Call<'_>, name: &str) -> Result<Option<(usize, usize)>> {
    let Some(values) = call.node.attributes.ints(name)? else { return Ok(None) };
    let sizes: Option<Vec<_>> = values.iter().map(|&v| usize::try_from(v).ok()).collect();
    match sizes.as_deref() {
        Some(&[vertical, horizontal]) if vertical > 0 && horizontal > 0 => {
            Ok(Some((vertical, horizontal)))
        }
        _ => Err(Refusal::new(
            format!(
                "attribute {name} must be two positive numbers, vertical before horizontal, but is {values:?}"
            ),
            "classifiers of images have 2-D convolutions and poolings; export the model again",
        )),
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
    match sizes.as_deref() {
        Some([0, 0, 0, 0]) => Ok(Padding::Valid),
        Some(&[top, left, bottom, right]) => Ok(Padding::Explicit { top, bottom, left, right }),
        _ => Err(Refusal::new(
            format!("attribute pads must be four numbers, none negative, but is {pads:?}"),
            "classifiers of images have 2-D convolutions and poolings; export the model again",
        )),
    }
}
