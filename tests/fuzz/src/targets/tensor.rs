//! Ops in random order, on tensors of any shape, and their gradients: shapes that do not fit are
//! rejected with an error, never with a panic, and a gradient has the shape of its value.

use super::input::Input;
use nn_core::Kernels;
use nn_core::autograd::{Conv2dOptions, Pool2dOptions};
use nn_core::layers::Padding;
use nn_core::rng::Rng;
use nn_core::{Result, Tape, Tensor, Var};

/// The maximum number of ops on one tape.
const MOST_OPS: usize = 24;

/// The maximum number of elements of a tensor that further ops use.
const MOST_ELEMENTS: usize = 1 << 12;

/// Dimensions around the tile sizes of kernels, and 0.
const DIMS: [usize; 12] = [1, 2, 3, 4, 5, 0, 7, 8, 9, 15, 16, 17];

/// Dimensions that exceed any memory; a tensor without elements may still have them.
const VAST: [usize; 4] = [usize::MAX, usize::MAX / 2 + 1, 1 << 40, 1 << 32];

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    if input.below(2) == 0 { ops::<f64>(&mut input) } else { ops::<f32>(&mut input) }
}

fn ops<T: Kernels>(input: &mut Input) {
    let inference = input.below(8) == 7;
    let mut tape = if inference { Tape::inference(Default::default()) } else { Tape::new() };
    let other = Tape::new();
    let mut leaves = vec![tape.leaf(tensor(input))];
    let mut vars = vec![leaves[0].clone(), tape.constant(tensor(input))];
    vast(&mut tape, input);
    for _ in 0..MOST_OPS {
        if input.is_empty() {
            break;
        }
        let made = match input.below(16) {
            0 => {
                let leaf = tape.leaf(tensor(input));
                leaves.push(leaf.clone());
                Ok(leaf)
            }
            1 => Ok(tape.constant(tensor(input))),
            2 if input.below(32) == 31 => Ok(other.leaf(tensor(input))),
            3 if input.below(32) == 31 => {
                tape.clear();
                continue;
            }
            4 => {
                let var = pick(input, &vars);
                if tape.retain_grad(&var).is_ok() {
                    leaves.push(var);
                }
                continue;
            }
            _ => op(&tape, input, &vars),
        };
        match made {
            Ok(var) if var.value().len() <= MOST_ELEMENTS => vars.push(var),
            Ok(_) => {}
            Err(error) => assert!(error.to_string().len() > 10),
        }
    }
    let last = if input.below(2) == 0 { vars[vars.len() - 1].clone() } else { pick(input, &vars) };
    for round in 0..2 {
        let done = match input.below(4) {
            0 => tape.backward(&last),
            1 => tape.backward_from(&last, tensor(input)),
            2 => tape.backward_from(&last, Tensor::full(last.shape(), T::one())),
            _ => tape.backward_from_keeping(&last, Tensor::full(last.shape(), T::one())),
        };
        for leaf in &leaves {
            if let Some(gradient) = tape.grad(leaf) {
                assert_eq!(gradient.shape(), leaf.shape(), "{done:?} in round {round}");
            }
        }
    }
    for leaf in &leaves {
        let _ = tape.take_grad(leaf);
    }
}

fn op<T: Kernels>(tape: &Tape<T>, input: &mut Input, vars: &[Var<T>]) -> Result<Var<T>> {
    let code = input.below(28);
    let mut x = pick(input, vars);
    match code {
        0 => tape.add(&x, &pick(input, vars)),
        1 => tape.sub(&x, &pick(input, vars)),
        2 => tape.mul(&x, &pick(input, vars)),
        3 => tape.div(&x, &pick(input, vars)),
        4 => Ok(tape.scale(x, number(input))),
        5 => Ok(tape.add_scalar(x, number(input))),
        6 => Ok(tape.relu(x)),
        7 => Ok(tape.sigmoid(x)),
        8 => Ok(tape.tanh(x)),
        9 => tape.softmax(x),
        10 => tape.log_softmax(x),
        11 => Ok(tape.sum(&x)),
        12 => tape.mean(&x),
        13 => tape.sum_axis(&x, input.below(6), input.below(2) == 1),
        14 => tape.mean_axis(&x, input.below(6), input.below(2) == 1),
        15 => tape.transpose(&x),
        16 => tape.flatten(x),
        17 => tape.flatten_channels_first(&x),
        18 => {
            let shape =
                if input.below(2) == 0 { shape(input) } else { another_shape(input, x.dims()) };
            tape.reshape(x, shape)
        }
        19 => {
            let y = pick(input, vars);
            let (a, b) = (matrix(tape, x)?, matrix(tape, y)?);
            tape.matmul(&a, &b)
        }
        20 => {
            let [outputs] = input.sizes([20]);
            x = matrix(tape, x)?;
            let columns = if input.below(8) == 7 { input.below(20) } else { x.dims()[1] };
            let w = tape.leaf(filled(input, &[outputs, columns]));
            let b = tape.leaf(filled(input, &[outputs]));
            tape.linear(&x, &w, Some(&b).filter(|_| input.below(2) == 1))
        }
        21 => {
            let images = images(tape, x)?;
            let (w, options) = weight(tape, input, &images);
            let b = bias(tape, input, &w);
            tape.conv2d(&images, &w, b.as_ref(), options)
        }
        22 => {
            let images = images(tape, x)?;
            let (w, options) = weight(tape, input, &images);
            let b = bias(tape, input, &w);
            let pool = pooling(input);
            tape.conv2d_relu_max_pool(&images, &w, b.as_ref(), options, pool)
        }
        23 => {
            let images = images(tape, x)?;
            tape.max_pool2d(&images, pooling(input))
        }
        24 => {
            let images = images(tape, x)?;
            if input.below(2) == 0 {
                tape.average_pool2d(&images, pooling(input))
            } else {
                tape.global_average_pool2d(&images)
            }
        }
        25 => tape.dropout(x, number::<f64>(input) / 4.0, &mut Rng::new(1, 2)),
        26 => {
            let classes = x.dims().get(1).copied().unwrap_or(1);
            let labels: Vec<_> = (0..x.dims().first().copied().unwrap_or(1))
                .map(|_| input.below(classes.max(1)))
                .collect();
            tape.softmax_cross_entropy(&x, &labels)
        }
        _ => {
            let targets = pick(input, vars);
            match input.below(3) {
                0 => tape.softmax_cross_entropy_soft(&x, &targets),
                1 => tape.binary_cross_entropy_with_logits(&x, &targets),
                _ => tape.mean_squared_error(&x, &targets),
            }
        }
    }
}

/// Ops on a tensor whose dimensions exceed any memory, but which has no element.
fn vast<T: Kernels>(tape: &mut Tape<T>, input: &mut Input) {
    if input.below(16) != 15 {
        return;
    }
    let mut dims = shape(input);
    dims.push(input.one_of(&VAST));
    dims.push(input.one_of(&[0, 0, 2, VAST[0]]));
    if input.below(2) == 1 {
        dims.reverse();
    }
    let Ok(nothing) = Tensor::from_vec(dims.as_slice(), Vec::new()) else { return };
    let x = tape.leaf(nothing);
    let y = match input.below(14) {
        0 => tape.add(&x, &x),
        1 => tape.transpose(&x),
        2 => tape.flatten(x.clone()),
        3 => tape.flatten_channels_first(&x),
        4 => tape.reshape(x.clone(), shape(input)),
        5 => Ok(tape.relu(x.clone())),
        6 => tape.softmax(x.clone()),
        7 => Ok(tape.sum(&x)),
        8 => tape.mean(&x),
        9 => tape.mean_squared_error(&x, &x),
        10 => tape.max_pool2d(&x, pooling(input)).and(tape.average_pool2d(&x, pooling(input))),
        11 => tape.matmul(&x, &x),
        12 => tape.linear(&x, &x, None),
        _ => tape.global_average_pool2d(&x),
    };
    if let Ok(y) = y {
        let _ = tape.backward_from(&y, Tensor::full(y.shape(), T::one()));
    }
}

fn pick<T: Kernels>(input: &mut Input, vars: &[Var<T>]) -> Var<T> {
    // From the end: what was made last matters most.
    let back = input.below(vars.len().min(256));
    vars[vars.len() - 1 - back].clone()
}

fn shape(input: &mut Input) -> Vec<usize> {
    let rank = input.one_of(&[2, 4, 4, 1, 3, 2, 0, 5]);
    let dims: Vec<_> = (0..rank).map(|_| input.one_of(&DIMS)).collect();
    let fits = dims.iter().product::<usize>() <= MOST_ELEMENTS;
    if fits { dims } else { dims.iter().map(|&dim| dim.min(4)).collect() }
}

/// Other dimensions with the same product.
fn another_shape(input: &mut Input, dims: &[usize]) -> Vec<usize> {
    let mut left = dims.iter().product::<usize>();
    let mut shape = Vec::new();
    for _ in 0..input.below(4) {
        let dim = input.one_of(&DIMS).max(1);
        if left % dim == 0 {
            shape.push(dim);
            left /= dim;
        }
    }
    shape.push(left);
    shape
}

fn tensor<T: Kernels>(input: &mut Input) -> Tensor<T> {
    let shape = shape(input);
    filled(input, &shape)
}

fn filled<T: Kernels>(input: &mut Input, dims: &[usize]) -> Tensor<T> {
    let period: [T; 3] = std::array::from_fn(|_| number(input));
    Tensor::from_fn(dims, |i| period[i % 3] + T::from_f64((i % 5) as f64))
}

fn number<T: Kernels>(input: &mut Input) -> T {
    let byte = input.byte();
    match byte {
        255 => T::nan(),
        254 => T::infinity(),
        253 => T::neg_infinity(),
        252 => T::max_value(),
        251 => T::min_positive_value(),
        _ => T::from_f64(f64::from(byte as i8) / 8.0),
    }
}

fn matrix<T: Kernels>(tape: &Tape<T>, x: Var<T>) -> Result<Var<T>> {
    if x.dims().len() == 2 { Ok(x) } else { tape.flatten(x) }
}

fn images<T: Kernels>(tape: &Tape<T>, x: Var<T>) -> Result<Var<T>> {
    match *x.dims() {
        [height, width] => tape.reshape(x, [1, height, width, 1]),
        [n, height, width] => tape.reshape(x, [n, height, width, 1]),
        _ => Ok(x),
    }
}

fn weight<T: Kernels>(tape: &Tape<T>, input: &mut Input, x: &Var<T>) -> (Var<T>, Conv2dOptions) {
    let channels = x.dims().last().copied().unwrap_or(1);
    let channels = if input.below(16) == 15 { input.below(20) } else { channels };
    let out = input.one_of(&[1, 2, 3, 8, 16, 17, 0]);
    let [h, w] = if input.below(2) == 0 { [3, 3] } else { [input.below(6), input.below(6)] };
    let stride = if input.below(2) == 0 { (1, 1) } else { (steps(input), steps(input)) };
    let padding = if input.below(2) == 0 { Padding::Valid } else { Padding::Same };
    (
        tape.leaf(filled(input, &[out, channels, h, w])),
        Conv2dOptions::new().stride(stride).padding(padding),
    )
}

fn bias<T: Kernels>(tape: &Tape<T>, input: &mut Input, w: &Var<T>) -> Option<Var<T>> {
    match input.below(4) {
        0 => None,
        1 => Some(tape.leaf(filled(input, &[input_len(w) + 1]))),
        _ => Some(tape.leaf(filled(input, &[input_len(w)]))),
    }
}

fn input_len<T: Kernels>(w: &Var<T>) -> usize {
    w.dims().first().copied().unwrap_or(0)
}

fn pooling(input: &mut Input) -> Pool2dOptions {
    match input.below(4) {
        0 => Pool2dOptions::new(2),
        1 => Pool2dOptions::new((17, 16)).stride((1, 1)),
        _ => {
            let window = (steps(input), steps(input));
            Pool2dOptions::new(window).stride((steps(input), steps(input)))
        }
    }
}

/// A stride or window side, possibly invalid.
fn steps(input: &mut Input) -> usize {
    match input.byte() {
        255 => input.one_of(&VAST),
        byte => usize::from(byte) % 5,
    }
}
