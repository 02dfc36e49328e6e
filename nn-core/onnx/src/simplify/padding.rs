//! Zeros around an image that a convolution can add itself.

use crate::net::Net;
use crate::refusal::Result;
use nn_core::layers::{Conv2D, Padding, ZeroPadding2D};
use std::sync::Arc;

pub fn taken_along(net: &mut Net, i: usize, _: &[usize]) -> Result<()> {
    let step = &net.steps[i];
    let Some(conv) = step.is::<Conv2D>() else { return Ok(()) };
    let Some((before, zeros)) = net.find::<ZeroPadding2D>(step.inputs[0]) else { return Ok(()) };
    let padding = match conv.padding {
        Padding::Valid => Padding::Explicit {
            top: zeros.top,
            bottom: zeros.bottom,
            left: zeros.left,
            right: zeros.right,
        },
        Padding::Explicit { top, bottom, left, right } => Padding::Explicit {
            top: top + zeros.top,
            bottom: bottom + zeros.bottom,
            left: left + zeros.left,
            right: right + zeros.right,
        },
        // How much these are depends on the size of the padded image.
        _ => return Ok(()),
    };
    let (input, parameters) = (before.inputs[0], step.parameters.clone());
    net.put(i, Arc::new(conv.clone().padding(padding)), vec![input], parameters)
}
