//! Every convolution kernel of the registry against the reference implementation: plain f64 loops.
//!
//! The error bound is `(n + 2) * eps * sum |x * w|` for a sum of n products. With small integers
//! every sum is exact, so kernels that sum the products directly must be exact, too. For kernels
//! that transform (Winograd), the bound is relative to the size of the results.

mod kernels {
    pub mod cases;
}

use kernels::cases::{Case, cases, few_many_and_grouped_channels, random_cases};
use nn_core::Kernels;
use nn_core::internals::conv::{
    Accuracy, Conv2dForward, Conv2dInputGradient, Conv2dKernel, Conv2dWeightGradient, Output,
    OutputGradient,
};
use nn_core::internals::{Conv2dGeometry, Pool2dGeometry, Tables, pool, reference};
use nn_core::kernels::isa;
use nn_core::rng::Rng;
use nn_core::tensor::{BufferPool, Tensor};

fn random(rng: &mut Rng, len: usize) -> Vec<f64> {
    // Through f32, so that both precisions start from the same numbers.
    (0..len).map(|_| f64::from(rng.uniform_in(-1.0, 1.0) as f32)).collect()
}

fn integers(rng: &mut Rng, len: usize) -> Vec<f64> {
    (0..len).map(|_| rng.below(9) as f64 - 4.0).collect()
}

fn cast<T: Kernels>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&v| T::from_f64(v)).collect()
}

/// The reference for a kernel: the exact values, and their error bounds.
struct Expected {
    values: Vec<f64>,
    /// The sum of absolute products of each value.
    magnitude: Vec<f64>,
    /// The maximum number of products of a value.
    terms: usize,
}

/// The gradient that a backward pass starts from.
struct Start<'a, T> {
    name: &'a str,
    gradient: OutputGradient<'a, T>,
    /// Its numbers, spread over the feature map.
    spread: &'a [f64],
    /// The sums of absolute values behind these.
    size: &'a [f64],
    /// The most numbers behind one of these.
    terms: usize,
}

/// The indices of the nonzero gradients of a pooled map.
type Keep = fn(usize) -> bool;

/// The check of a kernel: by its error bound, or exactly if the values are small integers.
#[derive(Clone, Copy)]
struct Judge {
    accuracy: Accuracy,
    exact: bool,
}

impl Judge {
    /// The error bound of each value.
    fn bounds<T: Kernels>(self, expected: &Expected) -> Vec<f64> {
        match self.accuracy {
            Accuracy::Summed if self.exact => vec![0.0; expected.values.len()],
            Accuracy::Summed => {
                let share = (expected.terms + 2) as f64 * T::epsilon().as_f64() / 2.0;
                expected.magnitude.iter().map(|size| share * size).collect()
            }
            Accuracy::Transformed => vec![2e-5 * rms(&expected.values); expected.values.len()],
        }
    }

    /// Checks `got` against the bounds.
    fn check<T: Kernels>(self, what: &str, got: &[T], expected: &Expected) {
        let values = &expected.values;
        assert_eq!(got.len(), values.len(), "{what}");
        let errors: Vec<f64> = got.iter().zip(values).map(|(g, e)| g.as_f64() - e).collect();
        for (i, (error, bound)) in errors.iter().zip(self.bounds::<T>(expected)).enumerate() {
            let (got, value) = (got[i], values[i]);
            // Not `error > bound`: a NaN must not pass.
            let within = error.abs() <= bound;
            assert!(within, "{what}[{i}]: {got} instead of {value}, error {error} > {bound}");
        }
        if self.accuracy == Accuracy::Transformed {
            let (error, bound) = (rms(&errors), 2e-6 * rms(values));
            assert!(error <= bound, "{what}: rms error {error} > {bound}");
        }
    }
}

fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

fn absolute(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.abs()).collect()
}

/// A case with its data.
struct Problem<'a, T> {
    case: &'a Case,
    exact: bool,
    x: Vec<f64>,
    w: Vec<f64>,
    b: Vec<f64>,
    /// The pooled feature map of the reference: values, and argmax in the format of the kernels.
    pooled: Option<(Vec<f64>, Vec<u8>)>,
    map: Expected,
    xt: Vec<T>,
    wt: Vec<T>,
    bt: Vec<T>,
}

impl<'a, T: Kernels> Problem<'a, T> {
    fn new(case: &'a Case, exact: bool) -> Self {
        let g = &case.g;
        let rng = &mut Rng::new(27, g.in_h as u64);
        let numbers = if exact { integers } else { random };
        let x = numbers(rng, g.batch * g.input_len());
        let w = numbers(rng, g.weight_len());
        let b = numbers(rng, g.out_c);
        let map = Expected {
            values: reference::conv2d(g, &x, &w, &b),
            magnitude: reference::conv2d_magnitude(g, &x, &w, &b),
            terms: g.patch_len(),
        };
        let pooled = case.pool.as_ref().map(|p| {
            let (values, places) = reference::relu_max_pool(p, &map.values);
            let index = |(i, place): (usize, &Option<usize>)| {
                let index = place.map(|place| {
                    (0..p.window_len()).find(|&index| place_in_map(p, i, index) == place)
                });
                index.map_or(pool::NO_ARGMAX, |w| w.expect("a place in its window") as u8)
            };
            let argmax = places.iter().enumerate().map(index).collect();
            (values, argmax)
        });
        let (xt, wt, bt) = (cast(&x), cast(&w), cast(&b));
        Self { case, exact, x, w, b, pooled, map, xt, wt, bt }
    }

    /// The convolution and the pooling of a case that has one.
    fn geometry(&self) -> (&Conv2dGeometry, &Pool2dGeometry) {
        (&self.case.g, self.case.pool.as_ref().expect("the pool fits"))
    }

    fn judge(&self, kernel: &(impl Conv2dKernel + ?Sized)) -> Judge {
        Judge { accuracy: kernel.accuracy(), exact: self.exact }
    }

    fn label(&self, kernel: &(impl Conv2dKernel + ?Sized), part: &str) -> String {
        format!("{} {part} of {:?}, {:?}", kernel.name(), self.case.g, self.case.pool)
    }

    /// The map, and the map rectified.
    fn check_forward(&self, kernel: &dyn Conv2dForward<T>, scratch: &BufferPool<T>) {
        let g = &self.case.g;
        let run = |relu| {
            let mut y = vec![T::nan(); g.batch * g.output_len()];
            let out = Output::Dense { y: &mut y, relu };
            kernel.forward(g, &self.xt, &self.wt, Some(&self.bt), out, scratch);
            y
        };
        let y = run(false);
        self.judge(kernel).check(&self.label(kernel, "forward"), &y, &self.map);
        let packed = kernel.pack(g, &self.wt, scratch);
        let packed = packed.as_ref().map_or(&self.wt[..], Tensor::as_slice);
        let mut again = vec![T::nan(); y.len()];
        let out = Output::Dense { y: &mut again, relu: false };
        kernel.forward_packed(g, &self.xt, packed, Some(&self.bt), out, scratch);
        assert_eq!(again, y, "{}", self.label(kernel, "packed"));
        for (rectified, y) in run(true).iter().zip(&y) {
            assert_eq!(*rectified, y.max(T::zero()), "{}", self.label(kernel, "relu"));
        }
    }

    /// The map after ReLU and pooling: values, and each argmax that is or could be right.
    fn check_pooled_forward(&self, kernel: &dyn Conv2dForward<T>, scratch: &BufferPool<T>) {
        let (Some(p), Some((expected, places))) = (&self.case.pool, &self.pooled) else { return };
        let (g, what) = (&self.case.g, self.label(kernel, "pooled forward"));
        let (mut y, mut argmax) = (vec![T::nan(); expected.len()], vec![7u8; expected.len()]);
        let out = Output::ReluMaxPool { pool: p, y: &mut y, argmax: &mut argmax };
        kernel.forward(g, &self.xt, &self.wt, Some(&self.bt), out, scratch);
        let bounds = self.judge(kernel).bounds::<T>(&self.map);
        for (i, (&index, &y)) in argmax.iter().zip(&y).enumerate() {
            // Maxima differ by no more than what they are maxima of.
            let window = (0..p.window_len()).map(|index| bounds[place_in_map(p, i, index)]);
            let bound = window.fold(0.0, f64::max);
            let error = (y.as_f64() - expected[i]).abs();
            assert!(
                error <= bound,
                "{what}[{i}]: {y} instead of {}, {error} > {bound}",
                expected[i]
            );
            assert_eq!(index == pool::NO_ARGMAX, y == T::zero(), "{what}[{i}]: index {index}");
            if self.exact && kernel.accuracy() == Accuracy::Summed {
                assert_eq!(index, places[i], "{what}[{i}]: the first maximum wins");
            } else if index != pool::NO_ARGMAX {
                let won = self.map.values[place_in_map(p, i, usize::from(index))];
                assert!(won >= expected[i] - 2.0 * bound, "{what}[{i}]: {index} wins with {won}");
            }
        }
    }

    /// Calls `check` with gradients of the map, or of the pooled map.
    fn for_each_gradient(&self, pooled: bool, check: impl Fn(Start<'_, T>)) {
        let rng = &mut Rng::new(28, self.case.g.in_h as u64);
        let numbers = if self.exact { integers } else { random };
        if !pooled {
            let dy = numbers(rng, self.map.values.len());
            let gradient = OutputGradient::Dense(&cast(&dy));
            let size = &absolute(&dy);
            check(Start { name: "dense", gradient, spread: &dy, size, terms: 1 });
            return;
        }
        let (Some(p), Some((values, argmax))) = (&self.case.pool, &self.pooled) else { return };
        // No gradient at all, most, all; and all of those that a ReLU let through or not.
        let keep: [(&str, Keep); 3] =
            [("no", |_| false), ("most", |i| i % 3 != 0), ("every", |_| true)];
        let everything_won: Vec<u8> =
            (0..argmax.len()).map(|i| (i % p.window_len()) as u8).collect();
        let sparse = keep.map(|(name, keep)| (name, keep, argmax));
        let full: (&str, Keep, _) = ("one a window", |_| true, &everything_won);
        for (name, keep, argmax) in sparse.into_iter().chain([full]) {
            let mut dy = numbers(rng, values.len());
            for (i, dy) in dy.iter_mut().enumerate() {
                *dy = if keep(i) { *dy } else { 0.0 };
            }
            let len = self.map.values.len();
            let (mut spread, mut size) = (vec![0.0; len], vec![0.0; len]);
            for (i, &dy) in dy.iter().enumerate() {
                if argmax[i] != pool::NO_ARGMAX {
                    let place = place_in_map(p, i, usize::from(argmax[i]));
                    spread[place] += dy;
                    size[place] += dy.abs();
                }
            }
            let dy = cast(&dy);
            let gradient = OutputGradient::ReluMaxPool { pool: p, dy: &dy, argmax };
            let (spread, size, terms) = (&spread, &size, p.window_len());
            check(Start { name, gradient, spread, size, terms });
        }
    }

    fn check_input_gradient(
        &self,
        kernel: &dyn Conv2dInputGradient<T>,
        pooled: bool,
        scratch: &BufferPool<T>,
    ) {
        let g = &self.case.g;
        self.for_each_gradient(pooled, |Start { name, gradient, spread, size, terms }| {
            let mut dx = vec![T::nan(); self.x.len()];
            kernel.backward_input(g, gradient, &self.wt, &mut dx, scratch);
            let expected = Expected {
                values: reference::conv2d_backward_input(g, spread, &self.w),
                magnitude: reference::conv2d_backward_input(g, size, &absolute(&self.w)),
                terms: g.taps() * g.group_out() + terms,
            };
            let what = self.label(kernel, &format!("input gradient from {name} gradient"));
            self.judge(kernel).check(&what, &dx, &expected);
        });
    }

    fn check_weight_gradient(
        &self,
        kernel: &dyn Conv2dWeightGradient<T>,
        pooled: bool,
        scratch: &BufferPool<T>,
    ) {
        let g = &self.case.g;
        self.for_each_gradient(pooled, |Start { name, gradient, spread, size, terms }| {
            let (mut dw, mut db) = (vec![T::nan(); self.w.len()], vec![T::nan(); self.b.len()]);
            kernel.backward_weight(g, &self.xt, gradient, &mut dw, &mut db, scratch);
            let (values, bias) = reference::conv2d_backward_weight(g, &self.x, spread);
            let (magnitude, bias_size) =
                reference::conv2d_backward_weight(g, &absolute(&self.x), size);
            let terms = g.batch * g.out_h * g.out_w + terms;
            let what = self.label(kernel, &format!("weight gradient from {name} gradient"));
            let judge = self.judge(kernel);
            judge.check(&what, &dw, &Expected { values, magnitude, terms });
            let bias = Expected { values: bias, magnitude: bias_size, terms };
            judge.check(&format!("{what}: bias"), &db, &bias);
        });
    }
}

fn place_in_map(p: &Pool2dGeometry, out: usize, index: usize) -> usize {
    let (pixel, c) = (out / p.channels, out % p.channels);
    let (n, pixel) = (pixel / (p.out_h * p.out_w), pixel % (p.out_h * p.out_w));
    let y = pixel / p.out_w * p.stride_h + index / p.window_w;
    let x = pixel % p.out_w * p.stride_w + index % p.window_w;
    ((n * p.in_h + y) * p.in_w + x) * p.channels + c
}

/// Runs `check(kernel, problem, pooled)` for every problem that each kernel of a pass supports,
/// with and without pooling, and checks that there is at least one.
fn for_each_kernel<T: Kernels, K: Conv2dKernel + ?Sized>(
    kernels: &[&K],
    problems: &[Problem<'_, T>],
    check: impl Fn(&K, &Problem<'_, T>, bool),
) {
    for kernel in kernels {
        if !kernel.isa().is_available() {
            println!("{}: this machine lacks {}", kernel.name(), kernel.isa());
            continue;
        }
        let mut tried = 0;
        for problem in problems {
            if kernel.supports(&problem.case.g, None) {
                check(kernel, problem, false);
                tried += 1;
            }
            if let Some(pool) = &problem.case.pool
                && kernel.supports(&problem.case.g, Some(pool))
            {
                check(kernel, problem, true);
                tried += 1;
            }
        }
        assert!(tried > 0, "{} supports none of the cases", kernel.name());
    }
}

fn check_registry<T: Kernels>(exact: bool) {
    let cases = cases();
    let problems: Vec<_> = cases.iter().map(|case| Problem::<T>::new(case, exact)).collect();
    let (kernels, scratch) = (T::conv2d(), BufferPool::new());
    for_each_kernel(kernels.forward, &problems, |kernel, problem, pooled| match pooled {
        false => problem.check_forward(kernel, &scratch),
        true => problem.check_pooled_forward(kernel, &scratch),
    });
    for_each_kernel(kernels.input_gradient, &problems, |kernel, problem, pooled| {
        problem.check_input_gradient(kernel, pooled, &scratch);
    });
    for_each_kernel(kernels.weight_gradient, &problems, |kernel, problem, pooled| {
        problem.check_weight_gradient(kernel, pooled, &scratch);
    });
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

/// The kernels that take any geometry, on random ones, and on one to four threads.
#[test]
fn random_geometries_stay_within_the_rounding_bound() {
    const CASES: usize = 200;
    let cases = random_cases(CASES);
    let problems: Vec<_> = cases.iter().map(|case| Problem::<f32>::new(case, false)).collect();
    let (kernels, scratch) = (f32::conv2d(), BufferPool::new());
    let pools = [1, 2, 3, 4].map(|threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool")
    });
    let same_bits = |what: &str, run: &(dyn Fn() -> Vec<f32> + Sync)| {
        let [one, others @ ..] = &pools;
        let expected = one.install(run);
        for pool in others {
            let threads = pool.current_num_threads();
            assert!(pool.install(run) == expected, "{what} on {threads} threads");
        }
    };
    let general = |kernel: &dyn Conv2dKernel| {
        kernel.name().starts_with("implicit-") && kernel.isa().is_available()
    };
    let mut tried = 0;
    for kernel in kernels.forward.iter().filter(|kernel| general(**kernel)) {
        for (i, problem) in problems.iter().enumerate() {
            let g = &problem.case.g;
            if !kernel.supports(g, None) {
                continue;
            }
            tried += 1;
            problem.check_forward(*kernel, &scratch);
            problem.check_pooled_forward(*kernel, &scratch);
            if i % 8 == 0 {
                same_bits(&problem.label(*kernel, "forward"), &|| {
                    let mut y = vec![f32::NAN; g.batch * g.output_len()];
                    let out = Output::Dense { y: &mut y, relu: true };
                    kernel.forward(g, &problem.xt, &problem.wt, None, out, &BufferPool::new());
                    y
                });
            }
        }
    }
    let sets = kernels.forward.iter().filter(|kernel| general(**kernel)).count();
    assert!(tried > sets * CASES / 2, "{tried} of {CASES} for each of {sets} kernels");
    for kernel in kernels.input_gradient.iter().filter(|kernel| general(**kernel)) {
        for (i, problem) in problems.iter().enumerate() {
            let g = &problem.case.g;
            if !kernel.supports(g, None) {
                continue;
            }
            problem.check_input_gradient(*kernel, false, &scratch);
            if i % 8 == 0 {
                problem.for_each_gradient(true, |Start { gradient, .. }| {
                    same_bits(&problem.label(*kernel, "input gradient"), &|| {
                        let mut dx = vec![f32::NAN; problem.x.len()];
                        let scratch = BufferPool::new();
                        kernel.backward_input(g, gradient, &problem.wt, &mut dx, &scratch);
                        dx
                    });
                });
            }
        }
    }
}

#[test]
fn what_is_forced_is_what_runs() {
    isa::force("auto").expect("NN_KERNEL names instructions that this machine has");
    if let Ok(name) = std::env::var("NN_KERNEL")
        && name != "auto"
    {
        assert_eq!(isa::active().name(), name);
    }
}

#[test]
fn nan_reaches_the_output_and_the_gradients() {
    let cases = few_many_and_grouped_channels([1, 8, 8], 17);
    let mut problems = cases.each_ref().map(|case| Problem::<f32>::new(case, false));
    let scratch = BufferPool::new();
    for problem in &mut problems {
        problem.xt[4 * 8 * problem.case.g.in_c] = f32::NAN;
    }
    let kernels = f32::conv2d();
    for_each_kernel(kernels.forward, &problems, |kernel, problem, pooled| {
        let (g, p) = problem.geometry();
        let (mut map, mut y) = (vec![0.0; g.output_len()], vec![0.0; p.output_len()]);
        let mut argmax = vec![0; y.len()];
        let out = match pooled {
            false => Output::Dense { y: &mut map, relu: true },
            true => Output::ReluMaxPool { pool: p, y: &mut y, argmax: &mut argmax },
        };
        kernel.forward(g, &problem.xt, &problem.wt, None, out, &scratch);
        assert!(map.iter().chain(&y).any(|v| v.is_nan()), "{}", kernel.name());
    });
    for_each_kernel(kernels.weight_gradient, &problems, |kernel, problem, pooled| {
        let (g, p) = problem.geometry();
        let (map, y) = (vec![1.0; g.output_len()], vec![1.0; p.output_len()]);
        let argmax = vec![0; y.len()];
        let (mut dw, mut db) = (vec![0.0; g.weight_len()], vec![0.0; g.out_c]);
        let gradient = match pooled {
            false => OutputGradient::Dense(&map),
            true => OutputGradient::ReluMaxPool { pool: p, dy: &y, argmax: &argmax },
        };
        kernel.backward_weight(g, &problem.xt, gradient, &mut dw, &mut db, &scratch);
        assert!(dw.iter().any(|v| v.is_nan()), "{}", kernel.name());
    });
    for_each_kernel(kernels.input_gradient, &problems, |kernel, problem, pooled| {
        let (g, p) = problem.geometry();
        let (mut map, mut y) = (vec![1.0; g.output_len()], vec![1.0; p.output_len()]);
        (map[0], y[0]) = (f32::NAN, f32::NAN);
        let argmax = vec![0; y.len()];
        let mut dx = vec![0.0; g.input_len()];
        let gradient = match pooled {
            false => OutputGradient::Dense(&map),
            true => OutputGradient::ReluMaxPool { pool: p, dy: &y, argmax: &argmax },
        };
        kernel.backward_input(g, gradient, &problem.wt, &mut dx, &scratch);
        assert!(dx.iter().any(|v| v.is_nan()), "{}", kernel.name());
    });
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let cases = few_many_and_grouped_channels([3, 41, 67], 19);
    let problems = cases.each_ref().map(|case| Problem::<f32>::new(case, false));
    let same = |name: &str, run: &(dyn Fn() -> Vec<f32> + Sync)| {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let numbers = pool.expect("a thread pool").install(run);
            numbers.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        };
        let one = on(1);
        for threads in [2, 3, 4, 7] {
            assert!(on(threads) == one, "{name} on {threads} threads");
        }
    };
    let kernels = f32::conv2d();
    for_each_kernel(kernels.forward, &problems, |kernel, problem, pooled| {
        let (g, p) = problem.geometry();
        same(kernel.name(), &|| {
            let (mut map, mut y) = (vec![0.0; g.batch * g.output_len()], Vec::new());
            let mut argmax = vec![0; g.batch * p.output_len()];
            let out = if pooled {
                y.resize(argmax.len(), 0.0);
                Output::ReluMaxPool { pool: p, y: &mut y, argmax: &mut argmax }
            } else {
                Output::Dense { y: &mut map, relu: false }
            };
            kernel.forward(g, &problem.xt, &problem.wt, None, out, &BufferPool::new());
            map.extend(y);
            map.extend(argmax.iter().map(|&w| f32::from(w)));
            map
        });
    });
    for_each_kernel(kernels.input_gradient, &problems, |kernel, problem, pooled| {
        let (g, _) = problem.geometry();
        problem.for_each_gradient(pooled, |Start { gradient, .. }| {
            same(kernel.name(), &|| {
                let mut dx = vec![0.0; problem.x.len()];
                kernel.backward_input(g, gradient, &problem.wt, &mut dx, &BufferPool::new());
                dx
            });
        });
    });
    for_each_kernel(kernels.weight_gradient, &problems, |kernel, problem, pooled| {
        let (g, _) = problem.geometry();
        problem.for_each_gradient(pooled, |Start { gradient, .. }| {
            same(kernel.name(), &|| {
                let (mut dw, mut db) = (vec![0.0; problem.w.len()], vec![0.0; g.out_c]);
                kernel.backward_weight(
                    g,
                    &problem.xt,
                    gradient,
                    &mut dw,
                    &mut db,
                    &BufferPool::new(),
                );
                dw.extend(db);
                dw
            });
        });
    });
}
