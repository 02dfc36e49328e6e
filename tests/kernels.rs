//! Every convolution kernel of the registry against the reference implementation: plain f64 loops.
//!
//! The error bound is `(n + 2) * eps * sum |x * w|` for a sum of n products. With small integers
//! every sum is exact, so kernels that sum the products directly must be exact, too. For kernels
//! that transform (Winograd), the bound is relative to the size of the results.

mod kernels {
    pub mod cases;
    pub mod problem;
}

use kernels::cases::{cases, few_many_and_grouped_channels, random_cases};
use kernels::problem::{Problem, Start, for_each_kernel};
use nn_core::Kernels;
use nn_core::autograd::{Conv2dOptions, Pool2dOptions};
use nn_core::internals::conv::{Bounds, Conv2dKernel, Output, OutputGradient};
use nn_core::internals::{Conv2dGeometry, Pool2dGeometry, Tables};
use nn_core::kernels::isa;
use nn_core::layers::Padding;
use nn_core::tensor::BufferPool;

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
                    let out = Output::within(Bounds::relu(None), &mut y);
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
    for kernel in kernels.weight_gradient.iter().filter(|kernel| general(**kernel)) {
        for (i, problem) in problems.iter().enumerate() {
            let g = &problem.case.g;
            if !kernel.supports(g, None) {
                continue;
            }
            problem.check_weight_gradient(*kernel, false, &scratch);
            if i % 8 == 0 {
                problem.for_each_gradient(true, |Start { gradient, .. }| {
                    same_bits(&problem.label(*kernel, "weight gradient"), &|| {
                        let mut dw = vec![f32::NAN; problem.w.len()];
                        let mut db = vec![f32::NAN; g.out_c];
                        let scratch = BufferPool::new();
                        kernel.backward_weight(
                            g,
                            &problem.xt,
                            gradient,
                            &mut dw,
                            &mut db,
                            &scratch,
                        );
                        dw.extend(db);
                        dw
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

/// The table in the documentation of `kernels/conv/mod.rs`, for machines with AVX2 or AVX-512.
#[test]
fn the_chosen_kernels_are_those_of_the_table() {
    if !matches!(isa::active(), isa::Isa::Avx2 | isa::Isa::Avx512) {
        println!("{} has another choice", isa::active());
        return;
    }
    let (valid, same) = (Conv2dOptions::new(), Conv2dOptions::new().padding(Padding::Same));
    for (size, channels, out, kernel, options, pooled, expected) in [
        (64, 64, 128, 3, same.stride(2), false, ["implicit"; 3]),
        (56, 64, 256, 1, valid, false, ["implicit"; 3]),
        (56, 64, 64, 3, same.dilation(2), false, ["implicit"; 3]),
        (56, 128, 128, 3, same.groups(32), false, ["implicit"; 3]),
        (28, 1, 32, 5, valid, true, ["direct", "sparse", "sparse"]),
        (28, 1, 32, 5, valid, false, ["direct", "implicit", "implicit"]),
        (14, 32, 64, 5, same, true, ["implicit", "sparse", "sparse"]),
        (32, 64, 64, 3, same, true, ["winograd", "sparse", "sparse"]),
        (16, 64, 64, 3, same, false, ["winograd"; 3]),
        (32, 24, 24, 3, same, false, ["winograd", "winograd", "implicit"]),
        (7, 512, 512, 3, same, false, ["implicit", "implicit", "winograd"]),
        (2, 512, 512, 3, same, false, ["implicit"; 3]),
        (127, 32, 64, 3, valid, true, ["winograd", "sparse", "sparse"]),
        (32, 64, 64, 3, same.groups(64), false, ["depthwise"; 3]),
        (64, 64, 1, 1, valid, false, ["implicit", "implicit", "im2col"]),
    ] {
        let weight = [out, channels / options.groups, kernel, kernel];
        let g = Conv2dGeometry::new(&[4, size, size, channels], &weight, options).expect("it fits");
        let pool = Pool2dGeometry::new(&g.output_dims(), Pool2dOptions::default());
        let pool = pooled.then(|| pool.expect("it fits"));
        let (kernels, pool) = (f32::conv2d(), pool.as_ref());
        let chosen = [
            kernels.forward(&g, pool).name(),
            kernels.input_gradient(&g, pool).name(),
            kernels.weight_gradient(&g, pool).name(),
        ];
        let as_expected = |(name, expected): (&&str, &str)| name.starts_with(expected);
        assert!(chosen.iter().zip(expected).all(as_expected), "{g:?}: {chosen:?}, {expected:?}");
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
            false => Output::within(Bounds::relu(None), &mut map),
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
                Output::plain(&mut map)
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
