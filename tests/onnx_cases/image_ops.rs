//! Operators on images. ONNX has channels first, the tape channels last; a row of numbers is an image
//! one pixel high.

use super::call::{Call, Outcome, Stop, Value, inexpressible};
use nn_core::autograd::{Conv2dOptions, ConvTranspose2dOptions, Interpolation, Pool2dOptions};
use nn_core::layers::Padding;
use nn_core::{Tape, Var};

/// The outcome, if it is one of these operators.
pub fn run(call: &Call<'_>) -> Option<Outcome> {
    Some(match call.case.op.as_str() {
        "Conv" => convolution(call),
        "ConvTranspose" => transposed_convolution(call),
        "MaxPool" | "AveragePool" => pooling(call),
        "GlobalMaxPool" | "GlobalAveragePool" => global_pooling(call),
        "BatchNormalization" => batch_normalization(call),
        "InstanceNormalization" | "GroupNormalization" => group_normalization(call),
        "Resize" => resize(call),
        _ => return None,
    })
}

/// An image with its channels last.
fn image(tape: &Tape<f32>, x: &Var<f32>) -> Result<Var<f32>, Stop> {
    let x = match *x.dims() {
        [_, _, _, _] => x.clone(),
        [batch, channels, width] => tape.reshape(x.clone(), [batch, channels, 1, width])?,
        _ => return inexpressible("three spatial dimensions"),
    };
    Ok(tape.permute(&x, &[0, 2, 3, 1])?)
}

/// The inverse of [`image`], for an operator whose input had this rank.
fn back(tape: &Tape<f32>, y: &Var<f32>, rank: usize) -> Result<Var<f32>, Stop> {
    let y = tape.permute(y, &[0, 3, 1, 2])?;
    let [batch, channels, height, width] = [y.dims()[0], y.dims()[1], y.dims()[2], y.dims()[3]];
    let dims =
        if rank == 3 { vec![batch, channels, width] } else { vec![batch, channels, height, width] };
    Ok(tape.reshape(y, dims)?)
}

/// Vertical and horizontal settings of an attribute; `fill` is for what it does not say.
fn pair(call: &Call<'_>, name: &str, fill: usize) -> (usize, usize) {
    match call.list(name).as_deref() {
        None => (fill, fill),
        Some(&[horizontal]) => (fill, horizontal as usize),
        Some(list) => (list[0] as usize, list[1] as usize),
    }
}

fn padding(call: &Call<'_>) -> Padding {
    match call.text("auto_pad", "NOTSET") {
        "SAME_UPPER" => Padding::Same,
        "SAME_LOWER" => Padding::SameLower,
        _ => {
            let [top, left, bottom, right] = match call.list("pads").as_deref() {
                None => [0; 4],
                Some(&[left, right]) => [0, left, 0, right],
                Some(list) => [list[0], list[1], list[2], list[3]],
            }
            .map(|n| n as usize);
            Padding::Explicit { top, bottom, left, right }
        }
    }
}

/// Weights of a convolution with two spatial dimensions.
fn weights(tape: &Tape<f32>, w: Var<f32>) -> Result<Var<f32>, Stop> {
    match *w.dims() {
        [outer, inner, width] => Ok(tape.reshape(w, [outer, inner, 1, width])?),
        _ => Ok(w),
    }
}

fn convolution(call: &Call<'_>) -> Outcome {
    let (tape, x) = (call.tape, call.x(0));
    let options = Conv2dOptions::new()
        .stride(pair(call, "strides", 1))
        .padding(padding(call))
        .dilation(pair(call, "dilations", 1))
        .groups(call.int("group", 1) as usize);
    let (w, b) = (weights(tape, call.x(1))?, call.has(2).then(|| call.x(2)));
    let y = tape.conv2d(&image(tape, &x)?, &w, b.as_ref(), options)?;
    Ok(vec![back(tape, &y, x.dims().len())?.into()])
}

fn transposed_convolution(call: &Call<'_>) -> Outcome {
    let (tape, x) = (call.tape, call.x(0));
    let input = image(tape, &x)?;
    let w = weights(tape, call.x(1))?;
    let (stride, dilation) = (pair(call, "strides", 1), pair(call, "dilations", 1));
    let mut output_padding = pair(call, "output_padding", 0);
    let mut sides = padding(call);
    // A size that is asked for is reached by padding, or, where the result is too small, by adding to it.
    let wanted = match (call.list("output_shape"), call.text("auto_pad", "NOTSET")) {
        (Some(shape), _) => Some((shape[0] as usize, shape[1] as usize)),
        (None, "SAME_UPPER" | "SAME_LOWER") => {
            Some((input.dims()[1] * stride.0, input.dims()[2] * stride.1))
        }
        (None, _) => None,
    };
    if let Some(wanted) = wanted {
        let upper = call.text("auto_pad", "NOTSET") == "SAME_UPPER";
        let split = |size: usize,
                     kernel: usize,
                     stride: usize,
                     dilation: usize,
                     out: &mut usize,
                     wanted: usize| {
            let full = stride * (size - 1) + *out + (kernel - 1) * dilation + 1;
            *out += wanted.saturating_sub(full);
            let total = full.saturating_sub(wanted);
            if upper { (total / 2, total - total / 2) } else { (total - total / 2, total / 2) }
        };
        let (top, bottom) = split(
            input.dims()[1],
            w.dims()[2],
            stride.0,
            dilation.0,
            &mut output_padding.0,
            wanted.0,
        );
        let (left, right) = split(
            input.dims()[2],
            w.dims()[3],
            stride.1,
            dilation.1,
            &mut output_padding.1,
            wanted.1,
        );
        sides = Padding::Explicit { top, bottom, left, right };
    }
    let options = ConvTranspose2dOptions::new()
        .stride(stride)
        .padding(sides)
        .output_padding(output_padding)
        .dilation(dilation)
        .groups(call.int("group", 1) as usize);
    let b = call.has(2).then(|| call.x(2));
    let y = tape.conv_transpose2d(&input, &w, b.as_ref(), options)?;
    Ok(vec![back(tape, &y, x.dims().len())?.into()])
}

fn pooling(call: &Call<'_>) -> Outcome {
    if call.case.outputs.len() > 1 {
        return inexpressible("indices of the maxima as an output");
    }
    let (tape, x) = (call.tape, call.x(0));
    let input = image(tape, &x)?;
    let options = Pool2dOptions::new(pair(call, "kernel_shape", 1))
        .stride(pair(call, "strides", 1))
        .padding(padding(call))
        .ceil_mode(call.int("ceil_mode", 0) == 1)
        .dilation(pair(call, "dilations", 1));
    let y = match call.case.op.as_str() {
        "MaxPool" => tape.max_pool2d(&input, options)?,
        _ => {
            let counted = call.int("count_include_pad", 0) == 1;
            tape.average_pool2d(&input, options.count_include_pad(counted))?
        }
    };
    Ok(vec![back(tape, &y, x.dims().len())?.into()])
}

fn global_pooling(call: &Call<'_>) -> Outcome {
    let (tape, x) = (call.tape, image(call.tape, &call.x(0))?);
    let y = match call.case.op.as_str() {
        "GlobalMaxPool" => tape.global_max_pool2d(&x)?,
        _ => tape.global_average_pool2d(&x)?,
    };
    let (batch, channels) = (y.dims()[0], x.dims()[3]);
    Ok(vec![tape.reshape(y, [batch, channels, 1, 1])?.into()])
}

fn batch_normalization(call: &Call<'_>) -> Outcome {
    let (tape, x) = (call.tape, call.x(0));
    let input = image(tape, &x)?;
    let [gamma, beta, mean, variance] = [1, 2, 3, 4].map(|i| call.x(i));
    let epsilon = call.float("epsilon", 1e-5);
    if call.int("training_mode", 0) == 0 {
        let y = tape.batch_norm_inference(&input, &gamma, &beta, &mean, &variance, epsilon)?;
        return Ok(vec![back(tape, &y, x.dims().len())?.into()]);
    }
    let norm = tape.batch_norm(&input, &gamma, &beta, epsilon)?;
    let momentum = call.float("momentum", 0.9) as f32;
    let after = |before: Var<f32>, now| -> Result<Value, Stop> {
        let now = tape.scale(tape.constant(now), 1.0 - momentum);
        Ok(tape.add(&tape.scale(before, momentum), &now)?.into())
    };
    let y = back(tape, &norm.output, x.dims().len())?.into();
    Ok(vec![y, after(mean, norm.mean)?, after(variance, norm.variance)?])
}

fn group_normalization(call: &Call<'_>) -> Outcome {
    let (tape, x) = (call.tape, call.x(0));
    let channels = x.dims()[1];
    let groups = call.int("num_groups", channels as i64) as usize;
    // Before version 21 a group has one factor, since then each channel.
    let each = |v: Var<f32>| match v.dims() {
        [n] if *n < channels => {
            let index: Vec<_> = (0..channels).map(|c| c * n / channels).collect();
            tape.gather(&v, 0, &index)
        }
        _ => Ok(v),
    };
    let (gamma, beta) = (each(call.x(1))?, each(call.x(2))?);
    let y =
        tape.group_norm(&image(tape, &x)?, groups, &gamma, &beta, call.float("epsilon", 1e-5))?;
    Ok(vec![back(tape, &y, x.dims().len())?.into()])
}

fn resize(call: &Call<'_>) -> Outcome {
    let (tape, x) = (call.tape, call.x(0));
    let how = call.text("coordinate_transformation_mode", "half_pixel");
    if call.int("antialias", 0) == 1 {
        return inexpressible("resizing with antialiasing");
    }
    if call.text("mode", "nearest") == "cubic" {
        return inexpressible("cubic resizing");
    }
    if how == "tf_crop_and_resize" || how == "half_pixel_symmetric" {
        return inexpressible(format!("resizing with coordinates {how}"));
    }
    let ([height, width], scales) = sizes(call, [x.dims()[2], x.dims()[3]]);
    let input = image(tape, &x)?;
    let exact = [(height, x.dims()[2]), (width, x.dims()[3])]
        .iter()
        .zip(scales)
        .all(|(&(out, size), scale)| (out as f64 / size as f64 - scale).abs() < 1e-6);
    let y = if call.text("mode", "nearest") == "linear" {
        if !exact {
            return inexpressible("linear resizing whose scale is not out / in");
        }
        if how == "pytorch_half_pixel" && (height == 1 || width == 1) {
            return inexpressible("resizing to one pixel with coordinates pytorch_half_pixel");
        }
        let mode = Interpolation::Bilinear { align_corners: how == "align_corners" };
        tape.resize2d(&input, (height, width), mode)?
    } else if how == "asymmetric" && call.text("nearest_mode", "") == "floor" && exact {
        tape.resize2d(&input, (height, width), Interpolation::Nearest)?
    } else {
        // Nearest neighbours by any other rule are cells gathered along both axes.
        let rows = neighbours(call, how, x.dims()[2], height, scales[0]);
        let columns = neighbours(call, how, x.dims()[3], width, scales[1]);
        tape.gather(&tape.gather(&input, 1, &rows)?, 2, &columns)?
    };
    Ok(vec![back(tape, &y, 4)?.into()])
}

/// Height and width to resize to, and the scales by which coordinates are computed.
fn sizes(call: &Call<'_>, from: [usize; 2]) -> ([usize; 2], [f64; 2]) {
    let axes = call.list("axes").unwrap_or(vec![0, 1, 2, 3]);
    let at = |axis: i64| axes.iter().position(|&a| a == axis).unwrap();
    let places = [at(2), at(3)];
    if call.has(2) {
        let scales = call.x(2);
        let scales = places.map(|i| f64::from(scales.value().as_slice()[i]));
        return ([0, 1].map(|i| (from[i] as f64 * scales[i]).floor() as usize), scales);
    }
    let wanted = places.map(|i| call.integers(3).unwrap()[i] as usize);
    let scales = [0, 1].map(|i| wanted[i] as f64 / from[i] as f64);
    let both = match call.text("keep_aspect_ratio_policy", "stretch") {
        "not_larger" => scales[0].min(scales[1]),
        "not_smaller" => scales[0].max(scales[1]),
        _ => return (wanted, scales),
    };
    ([0, 1].map(|i| (from[i] as f64 * both).round() as usize), [both; 2])
}

/// For each of `out` cells the one of `size` that is nearest.
fn neighbours(call: &Call<'_>, how: &str, size: usize, out: usize, scale: f64) -> Vec<usize> {
    let at = |i: usize| {
        let i = i as f64;
        let place = match how {
            "align_corners" => i * (size - 1) as f64 / (out - 1) as f64,
            "asymmetric" => i / scale,
            _ => (i + 0.5) / scale - 0.5,
        };
        let nearest = match call.text("nearest_mode", "round_prefer_floor") {
            "floor" => place.floor(),
            "ceil" => place.ceil(),
            "round_prefer_ceil" => (place + 0.5).floor(),
            _ => (place - 0.5).ceil(),
        };
        nearest.clamp(0.0, (size - 1) as f64) as usize
    };
    (0..out).map(at).collect()
}
