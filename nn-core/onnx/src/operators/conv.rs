//! Convolutions. ONNX has their weights as we do, so they are taken as they are. One along a row, `[batch, channels,
//! length]`, is one of an image of height 1.

use super::Family;
use super::windows::{Windows, pair};
use crate::array::Array;
use crate::call::Call;
use crate::layout::Layout;
use crate::net::ValueId;
use crate::refusal::{Refusal, Result};
use crate::value::{Computed, Value};
use nn_core::layers::{Conv2D, Conv2DTranspose, Reshape};

pub const OPERATORS: Family = &[("Conv", conv), ("ConvTranspose", conv_transpose)];

/// The weight, its four dimensions, the bias and the number of groups.
struct Weights {
    weight: Array,
    dims: [usize; 4],
    bias: Option<Array>,
    groups: usize,
}

impl Weights {
    fn new(call: &Call<'_>) -> Result<Self> {
        let weight = call.required_constant(1)?;
        let dims = match (weight.dims.as_slice(), call.value(0)?.dims().len()) {
            (&[a, b, height, width], 4) => [a, b, height, width],
            (&[a, b, length], 3) => [a, b, 1, length],
            (_, rank) => {
                return Err(Refusal::new(
                    format!(
                        "its weight has the shape {:?}, not that of a 2-D convolution of an input of {rank} dimensions",
                        weight.dims
                    ),
                    "classifiers of images have 2-D convolutions",
                ));
            }
        };
        let groups = call.node.attributes.int("group")?.unwrap_or(1);
        let groups =
            usize::try_from(groups).ok().filter(|&groups| groups > 0).ok_or_else(|| {
                Refusal::new(format!("attribute group is {groups}"), "export the model again")
            })?;
        if let Some(kernel) = call.node.attributes.ints("kernel_shape")?
            && !kernel.iter().copied().eq(weight.dims[2..].iter().map(|&dim| dim as i64))
        {
            let problem = format!(
                "attribute kernel_shape is {kernel:?}, but its weight is {:?}",
                weight.dims
            );
            return Err(Refusal::new(problem, "the file is damaged; export the model again"));
        }
        Ok(Self { weight, dims, bias: call.constant(2)?, groups })
    }

    /// Checks that there is a bias for each channel of the output.
    fn check(&self, channels_in: (usize, usize), filters: usize) -> Result<()> {
        let (expected, received) = channels_in;
        if expected != received {
            return Err(Refusal::new(
                format!(
                    "its weight {:?} with {} groups takes {expected} channels, but its input has {received}",
                    self.dims, self.groups
                ),
                "the file is damaged, or its channels are last; export the model again",
            ));
        }
        match &self.bias {
            Some(bias) if bias.len() != filters => Err(Refusal::new(
                format!("its bias has {} numbers for {filters} channels", bias.len()),
                "export again, with another version of the exporter: some write wrong biases (PyTorch issue 166797)",
            )),
            _ => Ok(()),
        }
    }

    fn into_parameters(self) -> Vec<crate::net::Weight> {
        [Some(self.weight), self.bias].iter().flatten().map(Array::to_floats).collect()
    }
}

/// The input as an image, and its dimensions `[batch, channels, height, width]`.
fn input(call: &mut Call<'_>) -> Result<(ValueId, [usize; 4])> {
    let value = call.computed(0)?;
    let [batch, channels, length] = value.dims[..] else { return call.image(0) };
    let id = call.arranged(&value, &Layout::channels_last(3))?;
    let id = call.help("row", Reshape::new([1, length, channels]), &[id], vec![])?;
    Ok((id, [batch, channels, 1, length]))
}

/// The image that a layer computes, or the row if the input was one.
fn output(call: &mut Call<'_>, batch: usize, id: ValueId) -> Result<Vec<Value>> {
    match *call.net().shape(id).dims() {
        [1, length, channels] if call.value(0)?.dims().len() == 3 => {
            let id = call.help("shape", Reshape::new([length, channels]), &[id], vec![])?;
            let dims = vec![batch, channels, length];
            Ok(vec![Computed::new(dims, Layout::channels_last(3), id).into()])
        }
        _ => call.as_image(batch, id),
    }
}

fn conv(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let weights = Weights::new(call)?;
    let windows = Windows::new(call)?;
    let (x, [batch, channels, ..]) = input(call)?;
    let [filters, group_in, height, width] = weights.dims;
    weights.check((group_in.saturating_mul(weights.groups), channels), filters)?;
    let layer = Conv2D::new(filters, (height, width))
        .stride(windows.stride)
        .dilation(windows.dilation)
        .padding(windows.padding)
        .groups(weights.groups)
        .bias(weights.bias.is_some());
    let id = call.add(layer, &[x], weights.into_parameters())?;
    output(call, batch, id)
}

fn conv_transpose(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let weights = Weights::new(call)?;
    let windows = Windows::new(call)?;
    if call.node.attributes.ints("output_shape")?.is_some() {
        let problem = "attribute output_shape is not read";
        return Err(Refusal::new(problem, "export with pads and output_padding instead"));
    }
    let output_padding = pair(call, "output_padding", 0)?.unwrap_or((0, 0));
    let (x, [batch, channels, ..]) = input(call)?;
    let [channels_in, group_out, height, width] = weights.dims;
    let filters = group_out.saturating_mul(weights.groups);
    weights.check((channels_in, channels), filters)?;
    let layer = Conv2DTranspose::new(filters, (height, width))
        .stride(windows.stride)
        .dilation(windows.dilation)
        .padding(windows.padding)
        .output_padding(output_padding)
        .groups(weights.groups)
        .bias(weights.bias.is_some());
    let id = call.add(layer, &[x], weights.into_parameters())?;
    output(call, batch, id)
}
