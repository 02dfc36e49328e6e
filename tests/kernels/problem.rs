//! A convolution with data, its reference values, and the checks of a kernel against them.

use super::cases::Case;
use nn_core::Kernels;
use nn_core::internals::conv::{
    Accuracy, Bounds, Conv2dForward, Conv2dInputGradient, Conv2dKernel, Conv2dWeightGradient,
    Output, OutputGradient,
};
use nn_core::internals::functions::Function;
use nn_core::internals::{Conv2dGeometry, Pool2dGeometry, pool, reference};
use nn_core::rng::Rng;
use nn_core::tensor::{BufferPool, Tensor};

pub fn random(rng: &mut Rng, len: usize) -> Vec<f64> {
    // Through f32, so that both precisions start from the same numbers.
    (0..len).map(|_| f64::from(rng.uniform_in(-1.0, 1.0) as f32)).collect()
}

pub fn integers(rng: &mut Rng, len: usize) -> Vec<f64> {
    (0..len).map(|_| rng.below(9) as f64 - 4.0).collect()
}

pub fn cast<T: Kernels>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&v| T::from_f64(v)).collect()
}

/// The reference for a kernel: the exact values, and their error bounds.
pub struct Expected {
    pub values: Vec<f64>,
    /// The sum of absolute products of each value.
    pub magnitude: Vec<f64>,
    /// The maximum number of products of a value.
    pub terms: usize,
}

/// The gradient that a backward pass starts from.
pub struct Start<'a, T> {
    pub name: &'a str,
    pub gradient: OutputGradient<'a, T>,
    /// Its numbers, spread over the feature map.
    pub spread: &'a [f64],
    /// The sums of absolute values behind these.
    pub size: &'a [f64],
    /// The most numbers behind one of these.
    pub terms: usize,
}

/// The indices of the nonzero gradients of a pooled map.
pub type Keep = fn(usize) -> bool;

/// The check of a kernel: by its error bound, or exactly if the values are small integers.
#[derive(Clone, Copy)]
pub struct Judge {
    pub accuracy: Accuracy,
    pub exact: bool,
}

impl Judge {
    /// The error bound of each value.
    pub fn bounds<T: Kernels>(self, expected: &Expected) -> Vec<f64> {
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
    pub fn check<T: Kernels>(self, what: &str, got: &[T], expected: &Expected) {
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

pub fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

pub fn absolute(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.abs()).collect()
}

/// A case with its data.
pub struct Problem<'a, T> {
    pub case: &'a Case,
    pub exact: bool,
    pub x: Vec<f64>,
    pub w: Vec<f64>,
    pub b: Vec<f64>,
    /// The pooled feature map of the reference: values, and argmax in the format of the kernels.
    pub pooled: Option<(Vec<f64>, Vec<u8>)>,
    pub map: Expected,
    pub xt: Vec<T>,
    pub wt: Vec<T>,
    pub bt: Vec<T>,
}

impl<'a, T: Kernels> Problem<'a, T> {
    pub fn new(case: &'a Case, exact: bool) -> Self {
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
    pub fn geometry(&self) -> (&Conv2dGeometry, &Pool2dGeometry) {
        (&self.case.g, self.case.pool.as_ref().expect("the pool fits"))
    }

    pub fn judge(&self, kernel: &(impl Conv2dKernel + ?Sized)) -> Judge {
        Judge { accuracy: kernel.accuracy(), exact: self.exact }
    }

    pub fn label(&self, kernel: &(impl Conv2dKernel + ?Sized), part: &str) -> String {
        format!("{} {part} of {:?}, {:?}", kernel.name(), self.case.g, self.case.pool)
    }

    /// The map, and the map within bounds.
    pub fn check_forward(&self, kernel: &dyn Conv2dForward<T>, scratch: &BufferPool<T>) {
        let g = &self.case.g;
        let run = |bounds| {
            let mut y = vec![T::nan(); g.batch * g.output_len()];
            let out = Output::within(bounds, &mut y);
            kernel.forward(g, &self.xt, &self.wt, Some(&self.bt), out, scratch);
            y
        };
        let y = run(Bounds::none());
        self.judge(kernel).check(&self.label(kernel, "forward"), &y, &self.map);
        let packed = kernel.pack(g, &self.wt, scratch);
        let packed = packed.as_ref().map_or(&self.wt[..], Tensor::as_slice);
        let mut again = vec![T::nan(); y.len()];
        let out = Output::plain(&mut again);
        kernel.forward_packed(g, &self.xt, packed, Some(&self.bt), out, scratch);
        assert_eq!(again, y, "{}", self.label(kernel, "packed"));
        for greatest in [None, Some(1.0)] {
            let most = greatest.map_or(T::infinity(), T::from_f64);
            for (within, y) in run(Bounds::relu(greatest)).iter().zip(&y) {
                let expected = y.max(T::zero()).min(most);
                assert_eq!(*within, expected, "{}", self.label(kernel, "bounded"));
            }
        }
        let function = Function::Square;
        let mut applied = vec![T::nan(); y.len()];
        let out =
            Output::Dense { y: &mut applied, bounds: Bounds::none(), function: Some(function) };
        kernel.forward(g, &self.xt, &self.wt, Some(&self.bt), out, scratch);
        let mut expected = y;
        (T::functions().apply)(function, &mut expected);
        assert_eq!(applied, expected, "{}", self.label(kernel, "with a function"));
        self.check_rows(kernel, packed, scratch);
    }

    /// The map two rows at a time, within bounds and with a function, beside the whole map.
    fn check_rows(&self, kernel: &dyn Conv2dForward<T>, packed: &[T], scratch: &BufferPool<T>) {
        let g = &self.case.g;
        let (bounds, function) = (Bounds::relu(Some(1.0)), Some(Function::Square));
        let b = Some(&self.bt[..]);
        let Some(by_rows) = kernel.by_rows(g, packed, b, (bounds, function)) else { return };
        let mut whole = vec![T::nan(); g.batch * g.output_len()];
        let mut found = whole.clone();
        let out = Output::Dense { y: &mut whole, bounds, function };
        kernel.forward_packed(g, &self.xt, packed, b, out, scratch);
        let row = g.out_w * g.out_c;
        for (n, y) in found.chunks_exact_mut(g.output_len()).enumerate() {
            let x = &self.xt[n * g.input_len()..][..g.input_len()];
            for (i, y) in y.chunks_mut(2 * row).enumerate() {
                let rows = 2 * i..2 * i + y.len() / row;
                let seen = g.rows_seen(&rows);
                by_rows(rows, g.input_rows(x, &seen), y, scratch);
            }
        }
        assert_eq!(found, whole, "{}", self.label(kernel, "rows"));
    }

    /// The map after ReLU and pooling: values, and each argmax that is or could be right.
    pub fn check_pooled_forward(&self, kernel: &dyn Conv2dForward<T>, scratch: &BufferPool<T>) {
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
    pub fn for_each_gradient(&self, pooled: bool, check: impl Fn(Start<'_, T>)) {
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

    pub fn check_input_gradient(
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

    pub fn check_weight_gradient(
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

pub fn place_in_map(p: &Pool2dGeometry, out: usize, index: usize) -> usize {
    let (pixel, c) = (out / p.channels, out % p.channels);
    let (n, pixel) = (pixel / (p.out_h * p.out_w), pixel % (p.out_h * p.out_w));
    let y = pixel / p.out_w * p.stride_h + index / p.window_w;
    let x = pixel % p.out_w * p.stride_w + index % p.window_w;
    ((n * p.in_h + y) * p.in_w + x) * p.channels + c
}

/// Runs `check(kernel, problem, pooled)` for every problem that each kernel of a pass supports,
/// with and without pooling, and checks that there is at least one.
pub fn for_each_kernel<T: Kernels, K: Conv2dKernel + ?Sized>(
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
