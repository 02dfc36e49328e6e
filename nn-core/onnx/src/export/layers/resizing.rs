//! Resizing of images.

use super::super::call::Call;
use super::super::graph::{Held, Numbers, fault, usual};
use super::super::proto::{Attribute, int, text};
use super::Family;
use super::picking::gather;
use nn_core::Result;
use nn_core::layers::{Interpolation, Resize2D, UpSampling2D};

pub const KINDS: Family = &[
    ("Resize2D", |call| {
        let layer: Resize2D = call.layer()?;
        resize(call, layer.interpolation)
    }),
    ("UpSampling2D", |call| {
        let layer: UpSampling2D = call.layer()?;
        resize(call, layer.interpolation)
    }),
];

fn resize(call: &mut Call<'_, '_>, interpolation: Interpolation) -> Result<Held> {
    let x = call.usual(0)?;
    let (&[height, width, channels], &[h, w, _]) = (&call.shape(0)[..], call.output.dims()) else {
        return Err(fault("a layer of images has none"));
    };
    let sides = [(height, h), (width, w)];
    if interpolation == Interpolation::Nearest && !sides.iter().all(|&side| is_exact(side)) {
        let y = nearest(call, &x, sides);
        return Ok(Held::new(call.output.dims(), usual(3), y));
    }
    let attributes = attributes(interpolation)?;
    let is_whole = |&(from, to): &(usize, usize)| to % from == 0;
    let y = if sides.iter().all(is_whole) {
        let scales = vec![1.0, 1.0, (h / height) as f32, (w / width) as f32];
        let scales = call.graph.constant(&call.title("scales"), &[4], Numbers::Floats(scales));
        call.add("Resize", &[&x, "", &scales], attributes)
    } else {
        let first = vec![int("start", 0), int("end", 1)];
        let batch = call.help("batch", "Shape", &[&x], first);
        let image = call.sizes("image", &[channels, h, w]);
        let sizes = call.help("sizes", "Concat", &[&batch, &image], vec![int("axis", 0)]);
        call.add("Resize", &[&x, "", "", &sizes], attributes)
    };
    Ok(Held::new(call.output.dims(), usual(3), y))
}

fn attributes(interpolation: Interpolation) -> Result<Vec<Attribute>> {
    let [mode, position] = match interpolation {
        Interpolation::Nearest => ["nearest", "asymmetric"],
        Interpolation::Bilinear { align_corners: true } => ["linear", "align_corners"],
        Interpolation::Bilinear { align_corners: false } => ["linear", "half_pixel"],
        other => return Err(fault(&format!("the interpolation {other:?} is not known"))),
    };
    let mut attributes = vec![text("mode", mode), text("coordinate_transformation_mode", position)];
    if mode == "nearest" {
        attributes.push(text("nearest_mode", "floor"));
    }
    Ok(attributes)
}

/// Whether positions in single precision lead to the same pixels as whole numbers do.
fn is_exact((from, to): (usize, usize)) -> bool {
    let scale = to as f32 / from as f32;
    (0..to).all(|i| (i as f32 / scale) as usize == i * from / to)
}

/// The nearest pixels by their numbers.
fn nearest(call: &mut Call<'_, '_>, x: &str, sides: [(usize, usize); 2]) -> String {
    let pixels = |(from, to): (usize, usize)| (0..to).map(|i| i * from / to).collect::<Vec<_>>();
    let rows = gather(call, &call.title("rows"), x, 2, &pixels(sides[0]));
    gather(call, call.name, &rows, 3, &pixels(sides[1]))
}
