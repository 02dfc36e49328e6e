use super::super::testing::{assert_close, check, refused, run, sample};
use super::*;

const EPSILON: f64 = 1e-3;

/// The normalisation of the elements that `cell` maps to the same number, by its definition.
fn defined(
    x: &Tensor<f64>,
    gamma: &Tensor<f64>,
    beta: &Tensor<f64>,
    cell: impl Fn(usize) -> usize,
) -> Vec<f64> {
    let channels = gamma.len();
    let values = x.as_slice();
    (0..values.len())
        .map(|i| {
            let same: Vec<f64> =
                (0..values.len()).filter(|&j| cell(j) == cell(i)).map(|j| values[j]).collect();
            let mean = same.iter().sum::<f64>() / same.len() as f64;
            let variance = same.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / same.len() as f64;
            let c = i % channels;
            (values[i] - mean) / (variance + EPSILON).sqrt() * gamma.as_slice()[c]
                + beta.as_slice()[c]
        })
        .collect()
}

/// `x`, `gamma` and `beta` for an input of these dimensions.
fn inputs(dims: &[usize], seed: u64) -> [Tensor<f64>; 3] {
    let channels = dims[dims.len() - 1];
    [sample(dims, seed), sample([channels], seed + 1), sample([channels], seed + 2)]
}

type BoxedNorm<T> = dyn Fn(&Tape<T>, &[Var<T>]) -> Result<Var<T>>;

type Norm3<T> = fn(&Tape<T>, &[Var<T>]) -> Result<Var<T>>;

/// Batch, layer, group (two groups) and instance normalisation.
fn norms<T: Kernels>() -> [Norm3<T>; 4] {
    [
        |tape, v| Ok(tape.batch_norm(&v[0], &v[1], &v[2], EPSILON)?.output),
        |tape, v| tape.layer_norm(&v[0], &v[1], &v[2], EPSILON),
        |tape, v| tape.group_norm(&v[0], 2, &v[1], &v[2], EPSILON),
        |tape, v| {
            let channels = v[1].dims()[0];
            tape.group_norm(&v[0], channels, &v[1], &v[2], EPSILON)
        },
    ]
}

/// Shapes with an even number of channels.
const SHAPES: [&[usize]; 5] = [&[5, 2], &[2, 3, 5, 4], &[3, 2, 2, 18], &[1, 7, 10], &[1, 1, 1, 6]];

#[test]
fn values_agree_with_their_definition() {
    for (seed, dims) in SHAPES.into_iter().enumerate() {
        let [x, gamma, beta] = inputs(dims, seed as u64);
        let channels = gamma.len();
        let sample_len = x.len() / dims[0];
        let half = channels / 2;
        let cells: [&dyn Fn(usize) -> usize; 4] = [
            &|i| i % channels,
            &|i| i / channels,
            &|i| i / sample_len * 2 + i % channels / half,
            &|i| i / sample_len * channels + i % channels,
        ];
        for (norm, cell) in norms().into_iter().zip(cells) {
            let tape = Tape::new();
            let v = [&x, &gamma, &beta].map(|t| tape.leaf(t.clone()));
            let found = norm(&tape, &v).unwrap();
            assert_eq!(found.dims(), dims);
            let expected = defined(&x, &gamma, &beta, cell);
            assert_close(&[found.value().as_slice().to_vec()], &[expected], 1e-13);
        }
    }
}

#[test]
fn gradients() {
    for (seed, dims) in SHAPES.into_iter().enumerate() {
        let inputs = inputs(dims, 20 + seed as u64);
        for norm in norms() {
            check(&inputs, norm);
            check(&inputs, |tape, v| {
                // The input is used once more.
                let y = norm(tape, v)?;
                tape.mul(&y, &v[0])
            });
        }
    }
}

/// Gradients of `x`, `gamma` and `beta` by their formulas, in one pass over the elements of each cell.
fn defined_gradients(
    [x, gamma, dy]: [&Tensor<f64>; 3],
    cells: usize,
    cell: impl Fn(usize) -> usize,
) -> Vec<Vec<f64>> {
    let (channels, values) = (gamma.len(), x.as_slice());
    let count = (values.len() / cells) as f64;
    let per_cell = |f: &dyn Fn(usize) -> f64| {
        let mut means = vec![0.0; cells];
        (0..values.len()).for_each(|i| means[cell(i)] += f(i) / count);
        means
    };
    let mean = per_cell(&|i| values[i]);
    let variance = per_cell(&|i| (values[i] - mean[cell(i)]).powi(2));
    let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt()).collect();
    let normal = |i: usize| (values[i] - mean[cell(i)]) * inverse[cell(i)];
    let scaled = |i: usize| dy.as_slice()[i] * gamma.as_slice()[i % channels];
    let (plain, weighted) = (per_cell(&scaled), per_cell(&|i| scaled(i) * normal(i)));
    let dx =
        |i: usize| inverse[cell(i)] * (scaled(i) - plain[cell(i)] - normal(i) * weighted[cell(i)]);
    let mut per_channel = [vec![0.0; channels], vec![0.0; channels]];
    for (i, &dy) in dy.as_slice().iter().enumerate() {
        per_channel[0][i % channels] += dy * normal(i);
        per_channel[1][i % channels] += dy;
    }
    let [d_gamma, d_beta] = per_channel;
    vec![(0..values.len()).map(dx).collect(), d_gamma, d_beta]
}

#[test]
fn gradients_across_blocks_and_tasks() {
    // 6 channels: blocks of 2730 rows; tasks of as many rows where rows are the samples.
    for dims in [&[3, 61, 53, 6][..], &[20_000, 6]] {
        let [x, gamma, beta] = inputs(dims, 40);
        let dy = sample(dims, 43);
        let (channels, samples) = (gamma.len(), dims[0]);
        let sample_len = x.len() / samples;
        let cells: [(usize, &dyn Fn(usize) -> usize); 4] = [
            (channels, &|i| i % channels),
            (x.len() / channels, &|i| i / channels),
            (samples * 2, &|i| i / sample_len * 2 + i % channels / (channels / 2)),
            (samples * channels, &|i| i / sample_len * channels + i % channels),
        ];
        for (norm, (count, cell)) in norms().into_iter().zip(cells) {
            if count == x.len() {
                continue; // one number in each: the gradient is 0 but for rounding
            }
            let mut tape = Tape::new();
            let v = [&x, &gamma, &beta].map(|t| tape.leaf(t.clone()));
            let y = norm(&tape, &v).unwrap();
            tape.backward_from(&y, dy.clone()).unwrap();
            let found = v.map(|v| tape.grad(&v).unwrap().as_slice().to_vec());
            assert_close(&found, &defined_gradients([&x, &gamma, &dy], count, cell), 1e-12);
        }
    }
}

#[test]
fn several_blocks_and_tasks_agree_with_the_definition() {
    // 2 channels: blocks of 8192 rows.
    for dims in [&[3, 100, 90, 2][..], &[20_000, 4], &[40, 1000, 2]] {
        let [x, gamma, beta] = inputs(dims, 5);
        let tape = Tape::new();
        let v = [&x, &gamma, &beta].map(|t| tape.leaf(t.clone()));
        let norm = tape.batch_norm(&v[0], &v[1], &v[2], EPSILON).unwrap();
        let channels = gamma.len();
        for c in 0..channels {
            let values: Vec<f64> = x.as_slice().iter().skip(c).step_by(channels).copied().collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            assert_eq!(norm.count as f64, n);
            assert!((norm.mean.as_slice()[c] - mean).abs() < 1e-14);
            assert!((norm.variance.as_slice()[c] / variance - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn inference_with_given_statistics() {
    let [x, gamma, beta] = inputs(&[2, 3, 4, 5], 7);
    let (mean, variance) = (sample([5], 8), sample([5], 9).map(|v| v.abs() + 0.1));
    let all = [x.clone(), gamma.clone(), beta.clone(), mean.clone(), variance.clone()];
    let infer = |tape: &Tape<f64>, v: &[Var<f64>]| {
        tape.batch_norm_inference(&v[0], &v[1], &v[2], &v[3], &v[4], EPSILON)
    };
    let expected = x.as_slice().iter().enumerate().map(|(i, v)| {
        let [gamma, beta, mean, variance] =
            [&gamma, &beta, &mean, &variance].map(|t| t.as_slice()[i % 5]);
        (v - mean) / (variance + EPSILON).sqrt() * gamma + beta
    });
    let found = run::<f64>(&all, infer);
    assert_close(&found[..1], &[expected.collect()], 1e-14);
    check(&all, infer);
    // With the statistics of the batch itself it gives what training gives.
    let tape = Tape::new();
    let v = [x, gamma, beta].map(|t| tape.leaf(t));
    let norm = tape.batch_norm(&v[0], &v[1], &v[2], EPSILON).unwrap();
    let (mean, variance) = (tape.constant(norm.mean), tape.constant(norm.variance));
    let y = tape.batch_norm_inference(&v[0], &v[1], &v[2], &mean, &variance, EPSILON).unwrap();
    assert_close(
        &[y.value().as_slice().to_vec()],
        &[norm.output.value().as_slice().to_vec()],
        1e-14,
    );
}

/// Batch normalisation and ReLU with such a greatest value, in one op and in two.
fn with_relu<T: Kernels>(greatest: Option<f64>) -> [Box<BoxedNorm<T>>; 2] {
    [
        Box::new(move |tape, v| {
            Ok(tape.batch_norm_relu(&v[0], &v[1], &v[2], EPSILON, greatest)?.output)
        }),
        Box::new(move |tape, v| {
            let y = tape.batch_norm(&v[0], &v[1], &v[2], EPSILON)?.output;
            Ok(match greatest {
                None => tape.relu(y),
                Some(greatest) => {
                    let y = tape.scale(y, T::from_f64(6.0 / greatest));
                    tape.scale(tape.relu6(y), T::from_f64(greatest / 6.0))
                }
            })
        }),
    ]
}

#[test]
fn a_relu_behind_batch_normalisation_is_the_same_in_one_op() {
    for (seed, dims) in
        [&[5, 2][..], &[2, 3, 5, 4], &[3, 2, 2, 18], &[4, 31, 33, 24], &[1, 1, 1, 6]]
            .into_iter()
            .enumerate()
    {
        let inputs = inputs(dims, 60 + seed as u64);
        for greatest in [None, Some(0.75), Some(6.0)] {
            let [one, two] = with_relu::<f64>(greatest);
            // Times the input, so that the gradient of the output is not constant.
            let one = run::<f64>(&inputs, |tape, v| tape.mul(&one(tape, v)?, &v[0]));
            let two = run::<f64>(&inputs, |tape, v| tape.mul(&two(tape, v)?, &v[0]));
            assert_close(&one, &two, 1e-12);
            // ReLU cuts off as many values in single precision, but where one is at a bound.
            let [narrow, _] = with_relu::<f32>(greatest);
            let narrow = run::<f32>(&inputs, |tape, v| tape.mul(&narrow(tape, v)?, &v[0]));
            assert_close(&narrow, &one, 2e-6);
        }
        // The bits of single precision are those of two ops.
        let [one, two] = with_relu::<f32>(None).map(|f| run::<f32>(&inputs, f));
        assert_eq!(one, two);
    }
    let inputs = inputs(&[2, 3, 3, 4], 70);
    for greatest in [None, Some(0.5)] {
        let [one, _] = with_relu::<f64>(greatest);
        check(&inputs, one);
    }
}

#[test]
fn nan_passes_a_relu_behind_batch_normalisation() {
    let [mut x, gamma, beta] = inputs(&[2, 3, 4], 15);
    x.as_mut_slice()[5] = f64::NAN;
    for greatest in [None, Some(6.0)] {
        let tape = Tape::new();
        let v = [&x, &gamma, &beta].map(|t| tape.leaf(t.clone()));
        let y = tape.batch_norm_relu(&v[0], &v[1], &v[2], EPSILON, greatest).unwrap();
        let stays = |(i, v): (usize, &f64)| v.is_nan() == (i % 4 == 1);
        assert!(y.output.value().as_slice().iter().enumerate().all(stays));
    }
}

#[test]
fn large_means_do_not_swallow_small_spreads() {
    // Numbers that f32 holds exactly: 1e4 plus multiples of 2^-10.
    let steps = |i: usize| ((i * 7919) % 21) as f64 - 10.0;
    let x = Tensor::from_fn([4, 50, 50, 3], |i| (1e4 + steps(i / 3) / 1024.0) as f32);
    for (i, value) in x.as_slice().iter().enumerate() {
        assert_eq!(f64::from(*value), 1e4 + steps(i / 3) / 1024.0);
    }
    let variance = (0..10_000).map(|i| steps(i).powi(2)).sum::<f64>() / 10_000.0;
    let centre = (0..10_000).map(steps).sum::<f64>() / 10_000.0;
    let variance = (variance - centre * centre) / (1024.0 * 1024.0);
    assert!((0.9e-5..1.1e-4).contains(&variance), "{variance}");
    let tape = Tape::<f32>::new();
    let x = tape.leaf(x);
    let (gamma, beta) = (tape.leaf(Tensor::full([3], 1.0)), tape.leaf(Tensor::zeros([3])));
    let norm = tape.batch_norm(&x, &gamma, &beta, 0.0).unwrap();
    for c in 0..3 {
        let found = f64::from(norm.variance.as_slice()[c]);
        assert!((found / variance - 1.0).abs() < 1e-6, "{found}, not {variance}");
    }
    let deviation = variance.sqrt() * 1024.0;
    for (i, &y) in norm.output.value().as_slice().iter().enumerate() {
        let expected = (steps(i / 3) - centre) / deviation;
        assert!((f64::from(y) - expected).abs() < 1e-5, "{y}, not {expected}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for dims in [&[4, 61, 53, 18][..], &[20_000, 6], &[3, 5000, 2]] {
        let inputs = inputs(dims, 11).map(|t| t.cast::<f32>());
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                norms::<f32>().map(|norm| {
                    let mut tape = Tape::new();
                    let v = inputs.each_ref().map(|t| tape.leaf(t.clone()));
                    let y = norm(&tape, &v).unwrap();
                    tape.backward_from(&y, sample(dims, 12).cast()).unwrap();
                    let gradients = v.map(|v| tape.grad(&v).unwrap().clone());
                    (y.value().clone(), gradients)
                })
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(4));
    }
}

#[test]
fn single_precision_agrees_with_double() {
    let inputs = inputs(&[3, 4, 5, 6], 13);
    for (narrow, wide) in norms::<f32>().into_iter().zip(norms::<f64>()) {
        // Times the input: the sum of normalised values does not depend on it.
        let narrow = run::<f32>(&inputs, |tape, v| tape.mul(&narrow(tape, v)?, &v[0]));
        let wide = run::<f64>(&inputs, |tape, v| tape.mul(&wide(tape, v)?, &v[0]));
        assert_close(&narrow, &wide, 1e-6);
    }
}

#[test]
fn one_number_per_channel_becomes_beta() {
    let [x, gamma, beta] = inputs(&[1, 1, 1, 3], 14);
    let results = run::<f64>(&[x, gamma, beta.clone()], |tape, v| {
        let norm = tape.batch_norm(&v[0], &v[1], &v[2], EPSILON)?;
        assert_eq!((norm.count, norm.variance.as_slice()), (1, &[0.0; 3][..]));
        Ok(norm.output)
    });
    assert_eq!(results[0], beta.as_slice());
    assert_eq!(results[1], [0.0; 3]);
}

#[test]
fn nothing_stays_nothing() {
    let mut tape = Tape::<f32>::new();
    for dims in [[0, 3, 4], [2, 0, 4], [2, 3, 0]] {
        let x = tape.leaf(Tensor::zeros(dims));
        let per_channel = || tape.leaf(Tensor::full([dims[2]], 1.0));
        let (gamma, beta) = (per_channel(), per_channel());
        let (mean, variance) = (per_channel(), per_channel());
        let outputs = [
            tape.layer_norm(&x, &gamma, &beta, EPSILON).unwrap(),
            tape.group_norm(&x, 2, &gamma, &beta, EPSILON).unwrap(),
            tape.batch_norm_inference(&x, &gamma, &beta, &mean, &variance, EPSILON).unwrap(),
        ];
        for y in outputs {
            assert_eq!(y.dims(), dims);
            tape.backward_from(&y, Tensor::zeros(dims)).unwrap();
            assert_eq!(tape.grad(&gamma).unwrap(), &Tensor::zeros([dims[2]]));
        }
        refused(tape.batch_norm(&x, &gamma, &beta, EPSILON), &["batch_norm", "at least one"]);
    }
}

#[test]
fn nan_is_noticed() {
    let [mut x, gamma, beta] = inputs(&[2, 3, 4], 15);
    x.as_mut_slice()[5] = f64::NAN;
    for norm in norms() {
        let tape = Tape::new();
        let v = [&x, &gamma, &beta].map(|t| tape.leaf(t.clone()));
        let y = norm(&tape, &v).unwrap();
        assert!(y.value().as_slice()[5].is_nan());
        assert!(y.value().as_slice().iter().filter(|v| v.is_nan()).count() > 1);
    }
}

#[test]
fn misfits_are_named() {
    let tape = Tape::<f32>::new();
    let x = tape.leaf(Tensor::zeros([2, 3, 4]));
    let (four, three) = (tape.leaf(Tensor::zeros([4])), tape.leaf(Tensor::zeros([3])));
    let number = tape.leaf(Tensor::scalar(1.0));
    refused(tape.batch_norm(&x, &three, &four, 0.1), &["gamma [4]", "[2, 3, 4]", "[3]"]);
    refused(tape.layer_norm(&x, &four, &three, 0.1), &["layer_norm", "beta [4]", "[3]"]);
    refused(tape.layer_norm(&number, &four, &four, 0.1), &["layer_norm", "[]"]);
    for epsilon in [-1e-3, f64::NAN, f64::INFINITY] {
        refused(tape.layer_norm(&x, &four, &four, epsilon), &["epsilon", "not negative"]);
    }
    for greatest in [0.0, -1.0, f64::NAN] {
        let outcome = tape.batch_norm_relu(&x, &four, &four, 0.1, Some(greatest));
        refused(outcome, &["greatest", "above 0"]);
    }
    for groups in [0, 3, 5] {
        refused(tape.group_norm(&x, groups, &four, &four, 0.1), &["groups", "divisor of 4"]);
    }
    let row = tape.leaf(Tensor::zeros([4]));
    refused(tape.group_norm(&row, 2, &four, &four, 0.1), &["group_norm", "[batch, .., channels]"]);
    let negative = tape.leaf(Tensor::full([4], -0.5));
    let outcome = tape.batch_norm_inference(&x, &four, &four, &four, &negative, 0.1);
    refused(outcome, &["variance 0", "above 0", "-0.5"]);
    let outcome = tape.batch_norm_inference(&x, &four, &four, &three, &four, 0.1);
    refused(outcome, &["mean [4]", "[3]"]);
}
