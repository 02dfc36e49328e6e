//! Poolings over windows, and over whole images.

use super::Family;
use super::windows::{Windows, pair};
use crate::call::Call;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use nn_core::layers::{
    AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, Layer, MaxPool2D, Reshape,
};

pub const OPERATORS: Family = &[
    ("AveragePool", average_pool),
    ("GlobalAveragePool", |call| global(call, GlobalAveragePool2D::new())),
    ("GlobalMaxPool", |call| global(call, GlobalMaxPool2D::new())),
    ("MaxPool", max_pool),
];

fn window(call: &Call<'_>) -> Result<(usize, usize)> {
    pair(call, "kernel_shape")?.ok_or_else(|| {
        Refusal::new("attribute kernel_shape is missing", "the file is damaged; export it again")
    })
}

fn max_pool(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let (window, windows) = (window(call)?, Windows::new(call)?);
    let layer = MaxPool2D::new(window)
        .stride(windows.stride)
        .dilation(windows.dilation)
        .padding(windows.padding)
        .ceil_mode(call.node.attributes.flag("ceil_mode")?);
    let (x, [batch, ..]) = call.image(0)?;
    let id = call.add(layer, &[x], vec![])?;
    call.as_image(batch, id)
}

fn average_pool(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let (window, windows) = (window(call)?, Windows::new(call)?);
    if windows.dilation != (1, 1) {
        let problem = format!("attribute dilations is {:?}", windows.dilation);
        return Err(Refusal::new(problem, "only average poolings without dilation are read"));
    }
    let layer = AveragePool2D::new(window)
        .stride(windows.stride)
        .padding(windows.padding)
        .ceil_mode(call.node.attributes.flag("ceil_mode")?)
        .count_include_pad(call.node.attributes.flag("count_include_pad")?);
    let (x, [batch, ..]) = call.image(0)?;
    let id = call.add(layer, &[x], vec![])?;
    call.as_image(batch, id)
}

/// One number for each channel, as an image of one pixel.
fn global<L: Layer<f32> + 'static>(call: &mut Call<'_>, layer: L) -> Result<Vec<Value>> {
    let (x, [batch, channels, ..]) = call.image(0)?;
    let id = call.add(layer, &[x], vec![])?;
    let id = call.help("pixel", Reshape::new([1, 1, channels]), &[id], vec![])?;
    call.as_image(batch, id)
}
