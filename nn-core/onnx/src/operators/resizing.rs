//! Resizing of images.

use super::Family;
use crate::call::Call;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use nn_core::layers::{Interpolation, Resize2D};

pub const OPERATORS: Family = &[("Resize", resize), ("Upsample", resize)];

fn resize(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let (x, [batch, channels, height, width]) = call.image(0)?;
    let (scales_at, sizes_at) = match (call.node.op.as_str(), call.opset) {
        ("Upsample", _) | (_, ..=10) => (1, usize::MAX),
        _ => (2, 3),
    };
    if call.node.attributes.ints("axes")?.is_some() {
        let problem = "attribute axes names some dimensions only";
        return Err(Refusal::new(problem, "give sizes or scales for all four dimensions"));
    }
    for name in ["antialias", "exclude_outside"] {
        if call.node.attributes.flag(name)? {
            return Err(Refusal::new(
                format!("attribute {name} is 1"),
                "only resizing without it is read",
            ));
        }
    }
    match call.node.attributes.text("keep_aspect_ratio_policy")? {
        None | Some("stretch") => {}
        Some(other) => {
            let problem = format!("attribute keep_aspect_ratio_policy is {other:?}");
            return Err(Refusal::new(
                problem,
                "only stretch is read: give the sizes that come out",
            ));
        }
    }
    let sizes = call.constant(sizes_at)?.filter(|sizes| sizes.len() > 0);
    let scales = call.constant(scales_at)?.filter(|scales| scales.len() > 0);
    let size = match (sizes, scales) {
        (Some(sizes), _) => {
            let sizes = sizes.to_integers()?;
            match sizes[..] {
                [_, same, h, w] if same == channels as i64 && h > 0 && w > 0 => {
                    (h as usize, w as usize)
                }
                _ => return Err(not_an_image(&format!("sizes {sizes:?}"))),
            }
        }
        (None, Some(scales)) => {
            let factors: Vec<_> = (0..scales.len()).map(|i| scales.number(i)).collect();
            match factors[..] {
                [1.0, 1.0, h, w] => {
                    let whole =
                        |size: f64| (size >= 1.0 && size.fract() == 0.0).then_some(size as usize);
                    let size = whole(height as f64 * h).zip(whole(width as f64 * w));
                    size.ok_or_else(|| {
                        not_an_image(&format!("scales {factors:?}, which give no whole size,"))
                    })?
                }
                _ => return Err(not_an_image(&format!("scales {factors:?}"))),
            }
        }
        (None, None) => return Err(not_an_image("neither sizes nor scales")),
    };
    let interpolation = interpolation(call, (height, width), size)?;
    let id = call.add(Resize2D::new(size).interpolation(interpolation), &[x], vec![])?;
    call.as_image(batch, id)
}

fn not_an_image(what: &str) -> Refusal {
    Refusal::new(format!("it has {what}"), "only height and width can be resized, to a fixed size")
}

/// The one of our formulas that is meant.
fn interpolation(
    call: &Call<'_>,
    from: (usize, usize),
    to: (usize, usize),
) -> Result<Interpolation> {
    let attributes = &call.node.attributes;
    let text =
        |name: &str, usual: &'static str| Ok::<_, Refusal>(attributes.text(name)?.unwrap_or(usual));
    let old = call.node.op == "Upsample" || call.opset <= 10;
    let mode = text("mode", "nearest")?;
    let usual = if old { "asymmetric" } else { "half_pixel" };
    let position = text("coordinate_transformation_mode", usual)?;
    let rounding = text("nearest_mode", if old { "floor" } else { "round_prefer_floor" })?;
    let whole = to.0.is_multiple_of(from.0.max(1)) && to.1.is_multiple_of(from.1.max(1));
    let larger = to.0 > 1 && to.1 > 1;
    match (mode, position) {
        ("nearest", "asymmetric") if rounding == "floor" => Ok(Interpolation::Nearest),
        // For whole factors, all ways to round the centre of a pixel lead to the one that it lies in.
        ("nearest", "half_pixel" | "pytorch_half_pixel")
            if whole && rounding.starts_with("round") =>
        {
            Ok(Interpolation::Nearest)
        }
        ("linear" | "bilinear", "half_pixel") => {
            Ok(Interpolation::Bilinear { align_corners: false })
        }
        ("linear" | "bilinear", "pytorch_half_pixel") if larger => {
            Ok(Interpolation::Bilinear { align_corners: false })
        }
        ("linear" | "bilinear", "align_corners") => {
            Ok(Interpolation::Bilinear { align_corners: true })
        }
        _ => Err(Refusal::new(
            format!(
                "its attributes are mode {mode:?}, coordinate_transformation_mode {position:?}, nearest_mode {rounding:?}"
            ),
            "nearest with asymmetric and floor, and linear with half_pixel or align_corners are read",
        )),
    }
}
