//! Poolings over windows, and over whole images.

use super::super::call::Call;
use super::super::graph::{Held, fault, usual};
use super::super::proto::{int, ints, sizes};
use super::Family;
use super::convolution::{amounts, padding, windows};
use super::picking::{cut, padded};
use nn_core::Result;
use nn_core::layers::{AdaptiveAveragePool2D, AveragePool2D, MaxPool2D};

pub const KINDS: Family = &[
    ("AdaptiveAveragePool2D", adaptive),
    ("AveragePool2D", average),
    ("GlobalAveragePool2D", |call| global(call, "GlobalAveragePool")),
    ("GlobalMaxPool2D", |call| global(call, "GlobalMaxPool")),
    ("MaxPool2D", max),
];

/// One number for each channel: in the file still an image, of one pixel.
fn global(call: &mut Call<'_, '_>, op: &str) -> Result<Held> {
    let x = call.usual(0)?;
    let y = call.add(op, &[&x], vec![]);
    Ok(Held::raised(call.output.dims(), 2, usual(3), y))
}

/// The windows along one side.
#[derive(Debug, Clone, Copy)]
struct Side {
    input: usize,
    output: usize,
    /// From a window's first pixel to its last.
    extent: usize,
    stride: usize,
    before: usize,
    after: usize,
}

impl Side {
    /// How far the last window reaches over the padding behind the image.
    fn overhang(&self) -> usize {
        let end = (self.output - 1) * self.stride + self.extent;
        end.saturating_sub(self.before + self.input + self.after)
    }

    /// Whether ONNX has as many windows, where the last may hang over or not.
    fn fits(&self, ceil: bool) -> bool {
        let room = (self.before + self.input + self.after).checked_sub(self.extent);
        room.is_some_and(|room| {
            let steps = if ceil { room.div_ceil(self.stride) } else { room / self.stride };
            steps + 1 == self.output
        })
    }

    /// The padding behind the image at which the last window ends.
    fn needed(&self) -> usize {
        self.after + self.overhang()
    }
}

/// The sides of a pooling with this padding.
fn sides(
    call: &Call<'_, '_>,
    [window, stride, dilation]: [(usize, usize); 3],
    amounts: Option<[(usize, usize); 2]>,
) -> Result<[Side; 2]> {
    let (&[height, width, _], &[h, w, _]) = (&call.shape(0)[..], call.output.dims()) else {
        return Err(fault("a pooling of images has none"));
    };
    let amounts = amounts.unwrap_or_default();
    let side = |input, output, window: usize, stride, dilation, (before, after)| Side {
        input,
        output,
        extent: (window - 1) * dilation + 1,
        stride,
        before,
        after,
    };
    Ok([
        side(height, h, window.0, stride.0, dilation.0, amounts[0]),
        side(width, w, window.1, stride.1, dilation.1, amounts[1]),
    ])
}

fn around(sides: &[Side; 2], after: impl Fn(&Side) -> usize) -> [(usize, usize); 2] {
    [0, 1].map(|i| (sides[i].before, after(&sides[i])))
}

fn max(call: &mut Call<'_, '_>) -> Result<Held> {
    let layer: MaxPool2D = call.layer()?;
    let mut x = call.usual(0)?;
    let all = [layer.window, layer.stride, layer.dilation];
    let mut amounts = amounts(layer.padding, &call.shape(0), all);
    let sides = sides(call, all, amounts)?;
    let fits = amounts.is_none() || sides.iter().all(|side| side.fits(layer.ceil_mode));
    if !fits {
        // ONNX keeps a window that lies outside; padding is never the largest, so it may say where the last one ends.
        amounts = Some(around(&sides, Side::needed));
    }
    // ONNX Runtime takes no padding as large as a window, however far dilation stretches that.
    let reaches = |[rows, columns]: [(usize, usize); 2]| {
        rows.0.max(rows.1) >= layer.window.0 || columns.0.max(columns.1) >= layer.window.1
    };
    if let Some([rows, columns]) = amounts.filter(|&amounts| reaches(amounts)) {
        let around = [(0, 0), (0, 0), rows, columns];
        x = padded(call, &call.title("padded"), &x, &around, f32::MIN.into());
        amounts = Some([(0, 0); 2]);
    }
    let mut attributes = windows(layer.window, layer.stride);
    attributes.extend([
        sizes("dilations", layer.dilation.into()),
        padding(layer.padding, amounts),
        int("ceil_mode", (fits && amounts.is_some() && layer.ceil_mode).into()),
    ]);
    let y = call.add("MaxPool", &[&x], attributes);
    Ok(Held::new(call.output.dims(), usual(3), y))
}

fn average(call: &mut Call<'_, '_>) -> Result<Held> {
    let layer: AveragePool2D = call.layer()?;
    let mut x = call.usual(0)?;
    let all = [layer.window, layer.stride, (1, 1)];
    let mut amounts = amounts(layer.padding, &call.shape(0), all);
    let sides = sides(call, all, amounts)?;
    let (mut counts, mut ceil) = (layer.count_include_pad, false);
    if amounts.is_some() {
        if layer.ceil_mode && sides.iter().any(|side| side.overhang() > 0) {
            // What hangs over does not count. Zeros that do are made part of the image.
            let mut behind = around(&sides, Side::needed);
            if counts && sides.iter().any(|side| side.before + side.after > 0) {
                let [rows, columns] = around(&sides, |side| side.after);
                let zeros = [(0, 0), (0, 0), rows, columns];
                x = padded(call, &call.title("zeros"), &x, &zeros, 0.0);
                behind = [0, 1].map(|i| (0, sides[i].overhang()));
            }
            (amounts, counts) = (Some(behind), false);
        } else {
            ceil = layer.ceil_mode && sides.iter().all(|side| side.fits(true));
        }
    }
    let mut attributes = windows(layer.window, layer.stride);
    attributes.extend([
        padding(layer.padding, amounts),
        int("count_include_pad", counts.into()),
        int("ceil_mode", ceil.into()),
    ]);
    let y = call.add("AveragePool", &[&x], attributes);
    Ok(Held::new(call.output.dims(), usual(3), y))
}

/// By windows of one size where they divide a side evenly, else one by one.
fn adaptive(call: &mut Call<'_, '_>) -> Result<Held> {
    let layer: AdaptiveAveragePool2D = call.layer()?;
    let mut y = call.usual(0)?;
    let &[height, width, _] = &call.shape(0)[..] else {
        return Err(fault("a pooling of images has none"));
    };
    let sides = [(height, layer.size.0), (width, layer.size.1)];
    let uneven: Vec<_> = (0..2).filter(|&i| sides[i].0 % sides[i].1 != 0).collect();
    let [rows, columns] = sides.map(|(len, parts)| if len % parts == 0 { len / parts } else { 1 });
    if layer.size == (1, 1) {
        y = call.add("GlobalAveragePool", &[&y], vec![]);
    } else if uneven.is_empty() || (rows, columns) != (1, 1) {
        let title = if uneven.is_empty() { call.name.to_owned() } else { call.title("even") };
        let windows = windows((rows, columns), (rows, columns));
        y = call.graph.node(&title, "AveragePool", &[&y], windows);
    }
    for &i in &uneven {
        let (len, parts) = sides[i];
        let axis = i + 2;
        let mut means = Vec::with_capacity(parts);
        for part in 0..parts {
            let range = [part * len / parts, ((part + 1) * len).div_ceil(parts), 1];
            let title = call.title(&format!("axis{axis}/part{part}"));
            let part = cut(call, &title, &y, axis, range.map(|number| number as i64));
            let axes = vec![ints("axes", [axis as i64])];
            means.push(call.graph.node(&format!("{title}/mean"), "ReduceMean", &[&part], axes));
        }
        let is_last = uneven.last() == Some(&i);
        let title = if is_last { call.name.to_owned() } else { call.title("rows") };
        let means: Vec<_> = means.iter().map(String::as_str).collect();
        y = call.graph.node(&title, "Concat", &means, vec![int("axis", axis as i64)]);
    }
    Ok(Held::new(call.output.dims(), usual(3), y))
}
