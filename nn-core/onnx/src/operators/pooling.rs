//! Poolings over windows, and over whole images.

use super::Family;
use super::reduction::reduced;
use super::windows::{Windows, pair};
use crate::call::Call;
use crate::layout::Layout;
use crate::refusal::{Refusal, Result};
use crate::value::{Computed, Value};
use nn_core::layers::{AveragePool2D, Layer, MaxPool2D, Padding, Reduction, Reshape};

pub const OPERATORS: Family = &[
    ("AveragePool", average_pool),
    ("GlobalAveragePool", |call| global(call, Reduction::Mean)),
    ("GlobalMaxPool", |call| global(call, Reduction::Max)),
    ("MaxPool", max_pool),
];

fn window(call: &Call<'_>) -> Result<(usize, usize)> {
    pair(call, "kernel_shape", 1)?.ok_or_else(|| {
        Refusal::new("attribute kernel_shape is missing", "the file is damaged; export it again")
    })
}

/// A pooling whose windows are longer than 1 along one axis only, of a value of any rank.
struct OneAxis {
    axis: usize,
    window: usize,
    stride: usize,
    padding: (usize, usize),
}

impl OneAxis {
    /// `None` for images, and for what is no such pooling.
    fn new(call: &Call<'_>, rank: usize) -> Result<Option<Self>> {
        let sizes = |name: &str, usual: usize, count: usize| {
            let Some(values) = call.node.attributes.ints(name)? else {
                return Ok(vec![usual; count]);
            };
            let sizes: Option<Vec<_>> = values.iter().map(|&v| usize::try_from(v).ok()).collect();
            sizes.filter(|sizes| sizes.len() == count).ok_or_else(|| {
                let problem = format!(
                    "attribute {name} must be {count} numbers, none negative, but is {values:?}"
                );
                Refusal::new(problem, "the file is damaged; export it again")
            })
        };
        let Some(count) = rank.checked_sub(2).filter(|&count| count != 2) else { return Ok(None) };
        let (windows, strides) = (sizes("kernel_shape", 1, count)?, sizes("strides", 1, count)?);
        let (pads, dilations) = (sizes("pads", 0, 2 * count)?, sizes("dilations", 1, count)?);
        let is_long =
            |i: &usize| (windows[*i], strides[*i], pads[*i], pads[*i + count]) != (1, 1, 0, 0);
        let mut long = (0..count).filter(is_long);
        let (Some(i), None) = (long.next(), long.next()) else { return Ok(None) };
        let auto = call.node.attributes.text("auto_pad")?.unwrap_or("NOTSET");
        if dilations.iter().any(|&dilation| dilation != 1) || !matches!(auto, "NOTSET" | "VALID") {
            return Ok(None);
        }
        let padding = (pads[i], pads[i + count]);
        Ok(Some(Self { axis: i + 2, window: windows[i], stride: strides[i], padding }))
    }

    /// The value as rows of an image whose columns are the axis, and back again after `layer`.
    fn lower<L: Layer<f32> + 'static>(
        &self,
        call: &mut Call<'_>,
        value: &Computed,
        layer: L,
    ) -> Result<Vec<Value>> {
        let shape = value.layout.sample(&value.dims);
        let place = value.layout.place(self.axis) - 1;
        let (before, after) = (&shape[..place], &shape[place + 1..]);
        let image = [before.iter().product(), shape[place], after.iter().product()];
        let id = call.help("rows", Reshape::new(image), &[value.id], vec![])?;
        let id = call.add(layer, &[id], vec![])?;
        let pooled = call.net().shape(id).dims()[1];
        let shape = [before, &[pooled], after].concat();
        let id = call.help("shape", Reshape::new(shape), &[id], vec![])?;
        let mut dims = value.dims.clone();
        dims[self.axis] = pooled;
        Ok(vec![Computed::new(dims, value.layout.clone(), id).into()])
    }

    fn padding(&self) -> Padding {
        Padding::Explicit { top: 0, bottom: 0, left: self.padding.0, right: self.padding.1 }
    }
}

fn max_pool(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let value = call.computed(0)?;
    if let Some(one) = OneAxis::new(call, value.rank())? {
        let layer = MaxPool2D::new((1, one.window))
            .stride((1, one.stride))
            .padding(one.padding())
            .ceil_mode(call.node.attributes.flag("ceil_mode")?);
        return one.lower(call, &value, layer);
    }
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
    let value = call.computed(0)?;
    if let Some(one) = OneAxis::new(call, value.rank())? {
        let layer = AveragePool2D::new((1, one.window))
            .stride((1, one.stride))
            .padding(one.padding())
            .ceil_mode(call.node.attributes.flag("ceil_mode")?)
            .count_include_pad(call.node.attributes.flag("count_include_pad")?);
        return one.lower(call, &value, layer);
    }
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

/// One number for each channel; the other dimensions stay with length 1.
fn global(call: &mut Call<'_>, reduction: Reduction) -> Result<Vec<Value>> {
    let value = call.computed(0)?;
    let value = match value.rank() {
        4 => Computed::new(value.dims.clone(), Layout::channels_last(4), call.image(0)?.0),
        _ => value,
    };
    let axes: Vec<_> = (2..value.rank()).collect();
    if axes.is_empty() {
        let problem = format!("its input has the shape {:?}, which is none of images", value.dims);
        return Err(Refusal::new(problem, "the file is damaged; export it again"));
    }
    let id = reduced(call, reduction, &value, &axes)?;
    let mut dims = value.dims;
    axes.iter().for_each(|&axis| dims[axis] = 1);
    Ok(vec![Computed::new(dims, value.layout, id).into()])
}
