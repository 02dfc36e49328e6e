//! Convolutions and dense layers. Their weights are ONNX's as they are.

use super::super::call::Call;
use super::super::graph::{Held, Numbers, usual};
use super::super::proto::{Attribute, int, ints, sizes, text};
use super::Family;
use crate::layout::Layout;
use nn_core::Result;
use nn_core::layers::{Conv2D, Conv2DTranspose, Dense, DepthwiseConv2D, Padding};

pub const KINDS: Family = &[
    ("Conv2D", |call| {
        let conv: Conv2D = call.layer()?;
        convolution(call, conv)
    }),
    ("Conv2DTranspose", transposed),
    ("Dense", |call| {
        let layer: Dense = call.layer()?;
        let x = call.plain(0)?;
        let inputs = call.with_parameters(x)?;
        let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
        let value = call.add("Gemm", &inputs, vec![int("transB", 1)]);
        call.activated(Layout::plain(2), value, layer.activation)
    }),
    ("DepthwiseConv2D", |call| {
        let DepthwiseConv2D { kernel_size, stride, padding, dilation, bias, activation, .. } =
            call.layer()?;
        let channels = call.shape(0).last().copied().unwrap_or(1);
        let filters = call.output.dims().last().copied().unwrap_or(1);
        let conv = Conv2D::new(filters, kernel_size).stride(stride).padding(padding);
        let conv = conv.dilation(dilation).groups(channels).bias(bias).activation(activation);
        convolution(call, conv)
    }),
];

/// Rows above and below, columns before and after; `None` where the file says that the size is kept. ONNX Runtime does
/// not find out how many these are for a dilated kernel.
pub fn amounts(
    padding: Padding,
    image: &[usize],
    [kernel, stride, dilation]: [(usize, usize); 3],
) -> Option<[(usize, usize); 2]> {
    match padding {
        Padding::Explicit { top, bottom, left, right } => Some([(top, bottom), (left, right)]),
        Padding::Same | Padding::SameLower if dilation == (1, 1) => None,
        Padding::Same | Padding::SameLower => {
            let [kernel, stride, dilation]: [[usize; 2]; 3] =
                [kernel.into(), stride.into(), dilation.into()];
            Some([0, 1].map(|i| {
                let last = (image[i].div_ceil(stride[i]).max(1) - 1) * stride[i];
                let end = last + (kernel[i] - 1) * dilation[i] + 1;
                halves(end.saturating_sub(image[i]), padding)
            }))
        }
        _ => Some([(0, 0); 2]),
    }
}

/// The padding of a convolution or pooling.
pub fn padding(padding: Padding, amounts: Option<[(usize, usize); 2]>) -> Attribute {
    match (amounts, padding) {
        (Some(amounts), _) => pads(amounts),
        (None, Padding::SameLower) => text("auto_pad", "SAME_LOWER"),
        (None, _) => text("auto_pad", "SAME_UPPER"),
    }
}

/// So many rows, above and below; the odd one below, or above with [`Padding::SameLower`].
fn halves(total: usize, padding: Padding) -> (usize, usize) {
    let (less, more) = (total / 2, total.div_ceil(2));
    if padding == Padding::SameLower { (more, less) } else { (less, more) }
}

/// Rows above and below, columns before and after.
pub fn pads([(top, bottom), (left, right)]: [(usize, usize); 2]) -> Attribute {
    ints("pads", [top, left, bottom, right].map(|pad| pad as i64))
}

/// The attributes that all windows have but for the padding.
pub fn windows(size: (usize, usize), stride: (usize, usize)) -> Vec<Attribute> {
    vec![sizes("kernel_shape", size.into()), sizes("strides", stride.into())]
}

fn convolution(call: &mut Call<'_, '_>, conv: Conv2D) -> Result<Held> {
    if let Some(value) = of_pixels(call, &conv)? {
        return Ok(value);
    }
    let windows_of = [conv.kernel_size, conv.stride, conv.dilation];
    let amounts = amounts(conv.padding, &call.shape(0), windows_of);
    let mut attributes = windows(conv.kernel_size, conv.stride);
    attributes.extend([
        sizes("dilations", conv.dilation.into()),
        int("group", conv.groups as i64),
        padding(conv.padding, amounts),
    ]);
    write(call, "Conv", attributes, conv.activation)
}

/// A product with the weight, where single pixels are convolved that lie channels-last in the file: behind a layer
/// normalisation, or where they are tokens.
fn of_pixels(call: &mut Call<'_, '_>, conv: &Conv2D) -> Result<Option<Held>> {
    let is_single = (conv.kernel_size, conv.stride, conv.groups) == ((1, 1), (1, 1), 1)
        && call.output.dims()[..2] == call.shape(0)[..2];
    let plain = Layout::plain(4);
    let is_there = |layout: &Layout| call.inputs[0].has(layout);
    let ([weight, bias @ ..], true) = (call.parameters, is_single) else { return Ok(None) };
    if is_there(&usual(3)) || !is_there(&plain) {
        return Ok(None);
    }
    let x = call.plain(0)?;
    let &[units, inputs, ..] = weight.value.dims() else { return Ok(None) };
    let values = weight.value.as_slice();
    let turned = (0..values.len()).map(|i| values[i % units * inputs + i / units]).collect();
    let weight = call.graph.parameter(&weight.name, &[inputs, units], Numbers::Floats(turned));
    let mut y = call.add("MatMul", &[&x, &weight], vec![]);
    if !bias.is_empty() {
        let bias = call.parameter(1)?;
        y = call.help("bias", "Add", &[&y, &bias], vec![]);
    }
    call.activated(plain, y, conv.activation).map(Some)
}

fn transposed(call: &mut Call<'_, '_>) -> Result<Held> {
    let conv: Conv2DTranspose = call.layer()?;
    let (kernel, stride, dilation): ([_; 2], [_; 2], [_; 2]) =
        (conv.kernel_size.into(), conv.stride.into(), conv.dilation.into());
    let mut extra: [usize; 2] = conv.output_padding.into();
    let amounts = match conv.padding {
        Padding::Explicit { top, bottom, left, right } => [(top, bottom), (left, right)],
        Padding::Valid => [(0, 0); 2],
        // The output is the input's size times the stride. ONNX's own words for it came to mean different things.
        same => [0, 1].map(|i| {
            let extent = (kernel[i] - 1) * dilation[i] + 1;
            extra[i] += stride[i].saturating_sub(extent);
            let total = extent.saturating_sub(stride[i]);
            halves(total, same)
        }),
    };
    let mut attributes = windows(conv.kernel_size, conv.stride);
    attributes.extend([
        sizes("dilations", dilation),
        int("group", conv.groups as i64),
        pads(amounts),
        sizes("output_padding", extra),
    ]);
    write(call, "ConvTranspose", attributes, conv.activation)
}

fn write(
    call: &mut Call<'_, '_>,
    op: &str,
    attributes: Vec<Attribute>,
    activation: nn_core::layers::Activation,
) -> Result<Held> {
    let x = call.usual(0)?;
    let inputs = call.with_parameters(x)?;
    let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
    let value = call.add(op, &inputs, attributes);
    call.activated(usual(3), value, activation)
}
