//! What a network must not be, whatever its layers: too large, or ambiguous.

use crate::error::{Error, Result};
use crate::layers::ParameterSpec;
use crate::tensor::Shape;
use std::collections::HashSet;

/// Maximum number of elements of a model's parameters: 4 GB of `f32`. This limit and the next keep a
/// typing mistake, or a forged file, from exhausting the machine's memory.
const MOST_PARAMETERS: usize = 1 << 30;

/// Maximum number of elements of one sample, at the input and after any layer: 512 MiB of `f32`, twice
/// what the built-in network needs for images of 1024 x 1024 pixels.
const MOST_NUMBERS: usize = 1 << 27;

/// Checks the size of the `what` of a layer.
pub(super) fn check_sample(at: &str, what: &str, shape: &Shape) -> Result<()> {
    if shape.checked_len().is_some_and(|len| len <= MOST_NUMBERS) {
        return Ok(());
    }
    Err(Error::shape(
        at,
        format!("at most {MOST_NUMBERS} numbers in its {what}"),
        shape,
        "use smaller images or fewer filters",
    ))
}

/// Rejects an input that looks like a channels-first image. Such a network would build, with few rows
/// and many channels, and learn nothing.
pub(super) fn check_channels_last(input: &Shape) -> Result<()> {
    // Minimum height and width that make the shape look like an image.
    const MANY: usize = 16;
    match *input.dims() {
        [channels @ (1 | 3 | 4), height, width] if height >= MANY && width >= MANY => {
            Err(Error::shape(
                "model input",
                format!("an image with its channels last, [{height}, {width}, {channels}]"),
                input,
                "put the channels last, or call channels_last() where they are",
            ))
        }
        _ => Ok(()),
    }
}

/// Checks the number of all parameters, and that each can be stored under its name.
pub(super) fn check_parameters(specs: &[(String, ParameterSpec)]) -> Result<()> {
    check_total(specs)?;
    check_names(specs)
}

fn check_names(specs: &[(String, ParameterSpec)]) -> Result<()> {
    let mut seen = HashSet::new();
    match specs.iter().find(|(name, _)| !seen.insert(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::setting(
            "a parameter's name",
            "one of its own, since it is stored under it",
            format!("{name} twice"),
            "give each parameter of the layer another name",
        )),
    }
}

fn check_total(specs: &[(String, ParameterSpec)]) -> Result<()> {
    let mut total = 0usize;
    for (name, spec) in specs {
        let sum = spec.shape.checked_len().and_then(|len| total.checked_add(len));
        match sum {
            Some(sum) if sum <= MOST_PARAMETERS => total = sum,
            _ => {
                return Err(Error::shape(
                    name,
                    format!("at most {MOST_PARAMETERS} parameters in the whole model"),
                    format!("a tensor of shape {}", spec.shape),
                    "use smaller images, more pooling, or fewer filters and units",
                ));
            }
        }
    }
    Ok(())
}
