//! Convolution kernels on random geometries, each against the plain loops of the reference
//! implementation. On small integers, kernels that sum the products directly must be exact.

use super::input::Input;
use nn_core::Kernels;
use nn_core::autograd::{Conv2dOptions, Pool2dOptions};
use nn_core::internals::conv::{Accuracy, Conv2dKernel, Output, OutputGradient};
use nn_core::internals::{Conv2dGeometry, Pool2dGeometry, pool, reference};
use nn_core::kernels::isa;
use nn_core::layers::Padding;
use nn_core::tensor::{BufferPool, Tensor};

/// The maximum number of products in a case, since the reference implementation is slow.
const MOST_FLOPS: f64 = 3e5;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    if input.below(4) == 0 { case::<f64>(&mut input) } else { case::<f32>(&mut input) }
}

fn case<T: Kernels>(input: &mut Input) {
    let [batch, mut in_h, in_w] = input.sizes([3, 40, 40]);
    let in_c = input.one_of(&[1, 2, 3, 4, 7, 8, 15, 16, 17, 33, 64]);
    let mut out_c = input.one_of(&[1, 2, 5, 8, 15, 16, 17, 31, 32, 33, 64, 65]);
    let usual = input.byte();
    // As many rows, or channels, as are not in work at once.
    if usual & 16 != 0 {
        in_h *= 6;
    }
    if usual & 32 != 0 {
        out_c += 64;
    }
    let [kernel_h, kernel_w] = if usual & 1 == 0 { [3, 3] } else { input.sizes([6, 6]) };
    let [down, right] = if usual & 2 == 0 { [1, 1] } else { input.sizes([4, 4]) };
    let [window_h, window_w, pool_down, pool_right] =
        if usual & 4 == 0 { [2; 4] } else { input.sizes([5, 5, 4, 4]) };
    let padding = if usual & 8 == 0 { Padding::Valid } else { Padding::Same };
    let options = Conv2dOptions::new().stride((down, right)).padding(padding);
    let weight = [out_c, in_c, kernel_h, kernel_w];
    let Ok(g) = Conv2dGeometry::new(&[batch, in_h, in_w, in_c], &weight, options) else { return };
    if g.flops() > MOST_FLOPS {
        return;
    }
    let pooling = Pool2dOptions::new((window_h, window_w)).stride((pool_down, pool_right));
    let pooling = Pool2dGeometry::new(&g.output_dims(), pooling).ok();

    let mut numbers = |len: usize| -> Vec<f64> {
        // A few bytes of the input, over and over: small integers, whose sums are exact.
        let period: Vec<f64> = (0..13).map(|i| ((input.below(9) + i) % 9) as f64 - 4.0).collect();
        (0..len).map(|i| period[(i * i / 7 + i) % period.len()]).collect()
    };
    let x = numbers(batch * g.input_len());
    let w = numbers(g.weight_len());
    let b = numbers(out_c);
    let dy = numbers(batch * g.output_len());
    let Cast { x: xt, w: wt, b: bt, dy: dyt } = Cast::<T>::new(&x, &w, &b, &dy);
    let map = reference::conv2d(&g, &x, &w, &b);
    let scratch = BufferPool::new();
    let kernels = T::conv2d();
    for kernel in runnable(kernels.forward, &g, None) {
        let mut y = vec![T::nan(); map.len()];
        let out = Output::plain(&mut y);
        kernel.forward(&g, &xt, &wt, Some(&bt), out, &scratch);
        compare(kernel.name(), kernel.accuracy(), &y, &map);
        let packed = kernel.pack(&g, &wt, &scratch);
        let packed = packed.as_ref().map_or(&wt[..], Tensor::as_slice);
        let mut again = vec![T::nan(); map.len()];
        let out = Output::plain(&mut again);
        kernel.forward_packed(&g, &xt, packed, Some(&bt), out, &scratch);
        assert_eq!(again, y, "{}, packed", kernel.name());
    }
    let dense = OutputGradient::Dense(&dyt);
    gradients(&g, dense, &dy, (&x, &xt), (&w, &wt), &scratch);

    let Some(p) = pooling.filter(|p| p.window_len() <= 255) else { return };
    let (values, places) = reference::relu_max_pool(&p, &map);
    let mut argmax = vec![0; values.len()];
    for kernel in runnable(kernels.forward, &g, Some(&p)) {
        let mut y = vec![T::nan(); values.len()];
        let out = Output::ReluMaxPool { pool: &p, y: &mut y, argmax: &mut argmax };
        kernel.forward(&g, &xt, &wt, Some(&bt), out, &scratch);
        compare(kernel.name(), kernel.accuracy(), &y, &values);
    }
    // The last kernel is the portable one, whose argmax is exact.
    let pooled_dy = &dy[..values.len().min(dy.len())];
    if pooled_dy.len() < values.len() {
        return;
    }
    let mut spread = vec![0.0; map.len()];
    for (i, &dy) in pooled_dy.iter().enumerate() {
        assert_eq!(argmax[i] == pool::NO_ARGMAX, places[i].is_none());
        if let Some(place) = places[i] {
            spread[place] += dy;
        }
    }
    let pooled =
        OutputGradient::ReluMaxPool { pool: &p, dy: &dyt[..values.len()], argmax: &argmax };
    gradients(&g, pooled, &spread, (&x, &xt), (&w, &wt), &scratch);
}

fn gradients<T: Kernels>(
    g: &Conv2dGeometry,
    dy: OutputGradient<'_, T>,
    spread: &[f64],
    (x, xt): (&[f64], &[T]),
    (w, wt): (&[f64], &[T]),
    scratch: &BufferPool<T>,
) {
    let kernels = T::conv2d();
    let expected = reference::conv2d_backward_input(g, spread, w);
    for kernel in runnable(kernels.input_gradient, g, dy.pool()) {
        let mut dx = vec![T::nan(); expected.len()];
        kernel.backward_input(g, dy, wt, &mut dx, scratch);
        compare(kernel.name(), kernel.accuracy(), &dx, &expected);
    }
    let (expected, expected_bias) = reference::conv2d_backward_weight(g, x, spread);
    for kernel in runnable(kernels.weight_gradient, g, dy.pool()) {
        let (mut dw, mut db) = (vec![T::nan(); expected.len()], vec![T::nan(); g.out_c]);
        kernel.backward_weight(g, xt, dy, &mut dw, &mut db, scratch);
        compare(kernel.name(), kernel.accuracy(), &dw, &expected);
        compare(kernel.name(), kernel.accuracy(), &db, &expected_bias);
    }
}

/// The kernels that this machine has and that support the geometry.
fn runnable<'a, K: Conv2dKernel + ?Sized>(
    kernels: &'static [&'static K],
    g: &'a Conv2dGeometry,
    p: Option<&'a Pool2dGeometry>,
) -> impl Iterator<Item = &'static K> + 'a {
    let fits = move |k: &&K| isa::allowed().contains(k.isa()) && k.supports(g, p);
    kernels.iter().copied().filter(fits)
}

/// Checks a kernel's result against its error bound, with some tolerance for transforming kernels,
/// where all numbers but one may be small.
fn compare<T: Kernels>(name: &str, accuracy: Accuracy, got: &[T], expected: &[f64]) {
    let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let bound = match accuracy {
        Accuracy::Summed => 0.0,
        Accuracy::Transformed => 1e-3 + 1e-4 * largest,
    };
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (got.as_f64() - expected).abs();
        assert!(error <= bound, "{name}[{i}]: {got} instead of {expected}");
    }
}

struct Cast<T> {
    x: Vec<T>,
    w: Vec<T>,
    b: Vec<T>,
    dy: Vec<T>,
}

impl<T: Kernels> Cast<T> {
    fn new(x: &[f64], w: &[f64], b: &[f64], dy: &[f64]) -> Self {
        let [x, w, b, dy] = [x, w, b, dy].map(|v| v.iter().map(|&v| T::from_f64(v)).collect());
        Self { x, w, b, dy }
    }
}
