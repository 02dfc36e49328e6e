//! Every convolution kernel of the registry against the oracle: plain f64 loops.
//!
//! Rounding may cost `(n + 2) * eps * sum |x * w|` over a sum of n products, no more; with small
//! integers every sum is exact, and so must every kernel be.

use nn_core::kernels::conv::{Conv2dKernel, Output, OutputGradient};
use nn_core::kernels::{
    Conv2dGeometry, Conv2dOptions, Kernels, Padding, Pool2dGeometry, Pool2dOptions, pool, reference,
};
use nn_core::rng::Rng;
use nn_core::tensor::{Element, Pool};

struct Case {
    g: Conv2dGeometry,
    pool: Option<Pool2dGeometry>,
}

fn case(
    input: [usize; 4],
    out_c: usize,
    kernel: (usize, usize),
    options: Conv2dOptions,
    pool: Pool2dOptions,
) -> Option<Case> {
    let weight = [out_c, input[3], kernel.0, kernel.1];
    let g = Conv2dGeometry::new(&input, &weight, options).ok()?;
    Some(Case { g, pool: Pool2dGeometry::new(&g.output_dims(), pool).ok() })
}

/// Odd sizes, tails, strides, paddings; then wide layers small enough for the oracle.
fn cases() -> Vec<Case> {
    let valid = Conv2dOptions::default();
    let mut cases = Vec::new();
    for size in 3..=20 {
        let (h, w) = (size, 3 + (size * 7) % 18);
        let channels = [1, 3, 15, 16, 17][size % 5];
        let out = [16, 1, 17, 5, 33][size % 5];
        let batch = [1, 3, 4, 5][size % 4];
        cases.push(case([batch, h, w, channels], out, (3, 3), valid, Pool2dOptions::default()));
    }
    for (stride, padding) in [
        ((1, 1), Padding::Same),
        ((2, 2), Padding::Valid),
        ((2, 2), Padding::Same),
        ((3, 1), Padding::Valid),
        ((1, 2), Padding::Same),
        ((5, 4), Padding::Valid),
    ] {
        for kernel in [(1, 1), (2, 3), (3, 3), (5, 5), (4, 2)] {
            let options = Conv2dOptions { stride, padding };
            let pool = Pool2dOptions { window: (3, 2), stride: (2, 1) };
            cases.push(case([2, 11, 13, 3], 6, kernel, options, pool));
        }
    }
    for (window, stride) in [((3, 3), (2, 2)), ((2, 2), (3, 3)), ((1, 1), (1, 1)), ((4, 1), (1, 2))]
    {
        let pool = Pool2dOptions { window, stride };
        cases.push(case([2, 12, 15, 4], 7, (3, 3), valid, pool));
    }
    for (size, channels, out) in [(62, 4, 16), (125, 3, 8), (20, 64, 32), (127, 2, 3), (254, 1, 2)]
    {
        cases.push(case([1, size, size, channels], out, (3, 3), valid, Pool2dOptions::default()));
    }
    cases.into_iter().flatten().collect()
}

fn random(rng: &mut Rng, len: usize) -> Vec<f64> {
    // Through f32, so that both precisions start from the same numbers.
    (0..len).map(|_| f64::from(rng.uniform_in(-1.0, 1.0) as f32)).collect()
}

fn integers(rng: &mut Rng, len: usize) -> Vec<f64> {
    (0..len).map(|_| rng.below(9) as f64 - 4.0).collect()
}

fn cast<T: Element>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&v| T::from_f64(v)).collect()
}

/// Checks `got` against `expected` with the bound for sums of `n` products, `magnitude` being the
/// sum of their absolute values; exactly if `exact`.
fn check<T: Element>(
    what: &str,
    got: &[T],
    expected: &[f64],
    magnitude: &[f64],
    n: usize,
    exact: bool,
) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let eps = T::epsilon().as_f64() / 2.0;
    for (i, ((got, &expected), magnitude)) in got.iter().zip(expected).zip(magnitude).enumerate() {
        let bound = if exact { 0.0 } else { (n + 2) as f64 * eps * magnitude };
        let error = (got.as_f64() - expected).abs();
        assert!(
            error <= bound,
            "{what}[{i}]: {got} instead of {expected}, error {error} > {bound}"
        );
    }
}

fn absolute(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.abs()).collect()
}

fn check_kernel<T: Element>(kernel: &dyn Conv2dKernel<T>, case: &Case, exact: bool) {
    let g = &case.g;
    let what = |part: &str| format!("{} {} of {g:?}, {:?}", kernel.name(), part, case.pool);
    let rng = &mut Rng::new(27, g.in_h as u64);
    let numbers = if exact { integers } else { random };
    let x = numbers(rng, g.batch * g.input_len());
    let w = numbers(rng, g.weight_len());
    let b = numbers(rng, g.out_c);
    let scratch = Pool::new();
    let stale = || vec![T::nan(); g.batch * g.output_len()];

    // Forward, plain and rectified.
    let expected = reference::conv2d(g, &x, &w, &b);
    let magnitude = reference::conv2d_magnitude(g, &x, &w, &b);
    let (xt, wt, bt) = (cast::<T>(&x), cast::<T>(&w), cast::<T>(&b));
    let mut y = stale();
    let out = Output::Dense { y: &mut y, relu: false };
    kernel.forward(g, &xt, &wt, Some(&bt), out, &scratch);
    check(&what("forward"), &y, &expected, &magnitude, g.patch_len(), exact);
    let mut rectified = stale();
    let out = Output::Dense { y: &mut rectified, relu: true };
    kernel.forward(g, &xt, &wt, Some(&bt), out, &scratch);
    for (rectified, y) in rectified.iter().zip(&y) {
        assert_eq!(*rectified, y.max(T::zero()), "{}", what("relu"));
    }

    // Backward. `size` is the sum of absolute values behind each `dy`, of at most `terms` numbers.
    let check_backward = |part: &str,
                          (dy, size, terms): (&[f64], &[f64], usize),
                          gradient: OutputGradient<'_, T>| {
        let mut dx = vec![T::nan(); x.len()];
        kernel.backward_input(g, gradient, &wt, &mut dx, &scratch);
        let expected = reference::conv2d_backward_input(g, dy, &w);
        let bound = reference::conv2d_backward_input(g, size, &absolute(&w));
        let n = g.kernel_h * g.kernel_w * g.out_c + terms;
        check(&what(&format!("{part} input gradient")), &dx, &expected, &bound, n, exact);
        let (mut dw, mut db) = (vec![T::nan(); w.len()], vec![T::nan(); b.len()]);
        kernel.backward_weight(g, &xt, gradient, &mut dw, &mut db, &scratch);
        let (expected_w, expected_b) = reference::conv2d_backward_weight(g, &x, dy);
        let (bound_w, bound_b) = reference::conv2d_backward_weight(g, &absolute(&x), size);
        let n = g.batch * g.out_h * g.out_w + terms;
        check(&what(&format!("{part} weight gradient")), &dw, &expected_w, &bound_w, n, exact);
        check(&what(&format!("{part} bias gradient")), &db, &expected_b, &bound_b, n, exact);
    };
    let dy = numbers(rng, y.len());
    check_backward("dense", (&dy, &absolute(&dy), 1), OutputGradient::Dense(&cast::<T>(&dy)));

    // Fused with ReLU and pooling: like pooling this kernel's own feature map.
    let Some(p) = &case.pool else { return };
    let map: Vec<f64> = y.iter().map(|v| v.as_f64()).collect();
    let (expected, places) = reference::relu_max_pool(p, &map);
    let (mut pooled, mut winners) = (vec![T::nan(); expected.len()], vec![7u8; expected.len()]);
    let out = Output::ReluMaxPool { pool: p, y: &mut pooled, winners: &mut winners };
    kernel.forward(g, &xt, &wt, Some(&bt), out, &scratch);
    for (i, (&pooled, &expected)) in pooled.iter().zip(&expected).enumerate() {
        // The fused path may round differently, so its maximum may be another element.
        let bound = if exact { 0.0 } else { 1e-5 };
        let error = (pooled.as_f64() - expected).abs();
        assert!(error <= bound, "{}[{i}]", what("pooled forward"));
        let dead = winners[i] == pool::NO_WINNER;
        assert_eq!(dead, pooled == T::zero(), "{}[{i}]", what("winner"));
        if exact {
            assert_eq!(dead, places[i].is_none());
        }
    }
    for dense in [0, 1, 2] {
        // All gradients zero, most, all.
        let dy: Vec<f64> = numbers(rng, pooled.len())
            .into_iter()
            .enumerate()
            .map(|(i, v)| if dense == 2 || (dense == 1 && i % 3 != 0) { v } else { 0.0 })
            .collect();
        let dyt = cast::<T>(&dy);
        let (mut spread, mut size) = (vec![0.0; y.len()], vec![0.0; y.len()]);
        for (i, &dy) in dy.iter().enumerate() {
            if winners[i] != pool::NO_WINNER {
                let place = place_in_map(p, i, usize::from(winners[i]));
                spread[place] += dy;
                size[place] += dy.abs();
            }
        }
        if exact {
            for (i, place) in places.iter().enumerate() {
                if let Some(place) = place {
                    let got = place_in_map(p, i, usize::from(winners[i]));
                    assert_eq!(got, *place, "{}[{i}]: the first maximum wins", what("winner"));
                }
            }
        }
        let gradient = OutputGradient::ReluMaxPool { pool: p, dy: &dyt, winners: &winners };
        check_backward("pooled", (&spread, &size, p.window_len()), gradient);
    }
}

fn place_in_map(p: &Pool2dGeometry, out: usize, winner: usize) -> usize {
    let (pixel, c) = (out / p.channels, out % p.channels);
    let (n, pixel) = (pixel / (p.out_h * p.out_w), pixel % (p.out_h * p.out_w));
    let y = pixel / p.out_w * p.stride_h + winner / p.window_w;
    let x = pixel % p.out_w * p.stride_w + winner % p.window_w;
    ((n * p.in_h + y) * p.in_w + x) * p.channels + c
}

fn check_registry<T: Element + Kernels>(exact: bool) {
    for kernel in T::conv2d() {
        if !kernel.isa().is_available() {
            println!("{}: this machine lacks {}", kernel.name(), kernel.isa());
            continue;
        }
        let mut tried = 0;
        for case in cases().iter().filter(|case| kernel.supports(&case.g)) {
            check_kernel(*kernel, case, exact);
            tried += 1;
        }
        assert!(tried > 0, "{} supports none of the cases", kernel.name());
    }
}

#[test]
fn f32_kernels_stay_within_the_rounding_bound() {
    check_registry::<f32>(false);
}

#[test]
fn f64_kernels_stay_within_the_rounding_bound() {
    check_registry::<f64>(false);
}

#[test]
fn small_integers_are_exact() {
    check_registry::<f32>(true);
    check_registry::<f64>(true);
}

#[test]
fn nan_reaches_the_output_and_the_gradients() {
    let case = case([1, 8, 8, 3], 4, (3, 3), Conv2dOptions::default(), Pool2dOptions::default())
        .expect("a valid case");
    let (g, p) = (case.g, case.pool.expect("the pool fits"));
    let scratch = Pool::new();
    for kernel in f32::conv2d().iter().filter(|k| k.isa().is_available() && k.supports(&g)) {
        let mut x = vec![0.5f32; g.input_len()];
        x[4 * 8 * 3] = f32::NAN;
        let w = vec![-0.1f32; g.weight_len()];
        let (mut y, mut winners) = (vec![0.0; p.output_len()], vec![0; p.output_len()]);
        let out = Output::ReluMaxPool { pool: &p, y: &mut y, winners: &mut winners };
        kernel.forward(&g, &x, &w, None, out, &scratch);
        assert!(y.iter().any(|v| v.is_nan()), "{}", kernel.name());
        let dy = vec![1.0; y.len()];
        let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; g.out_c]);
        let gradient = OutputGradient::ReluMaxPool { pool: &p, dy: &dy, winners: &winners };
        kernel.backward_weight(&g, &x, gradient, &mut dw, &mut db, &scratch);
        assert!(dw.iter().any(|v| v.is_nan()), "{}", kernel.name());
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let case = case([3, 41, 67, 5], 19, (3, 3), Conv2dOptions::default(), Pool2dOptions::default())
        .expect("a valid case");
    let (g, p) = (case.g, case.pool.expect("the pool fits"));
    let rng = &mut Rng::new(1, 0);
    let x = cast::<f32>(&random(rng, g.batch * g.input_len()));
    let w = cast::<f32>(&random(rng, g.weight_len()));
    let dy = cast::<f32>(&random(rng, g.batch * p.output_len()));
    for kernel in f32::conv2d().iter().filter(|k| k.isa().is_available() && k.supports(&g)) {
        let run = || {
            let scratch = Pool::new();
            let (mut y, mut winners) = (vec![0.0; dy.len()], vec![0; dy.len()]);
            let out = Output::ReluMaxPool { pool: &p, y: &mut y, winners: &mut winners };
            kernel.forward(&g, &x, &w, None, out, &scratch);
            let gradient = OutputGradient::ReluMaxPool { pool: &p, dy: &dy, winners: &winners };
            let mut dx = vec![0.0; x.len()];
            kernel.backward_input(&g, gradient, &w, &mut dx, &scratch);
            let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; g.out_c]);
            kernel.backward_weight(&g, &x, gradient, &mut dw, &mut db, &scratch);
            [y, dx, dw, db].concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        };
        let on = |threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("a thread pool")
                .install(run)
        };
        let one = on(1);
        for threads in [2, 3, 4, 7] {
            assert!(on(threads) == one, "{} on {threads} threads", kernel.name());
        }
    }
}
