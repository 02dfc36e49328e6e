//! Property-based tests on random cases; failing cases are shrunk.

#[path = "fuzz/src/targets/input.rs"]
mod input;
#[path = "fuzz/src/targets/tensor.rs"]
mod ops;

use nn_core::autograd::gradcheck::gradcheck;
use nn_core::data::{Sample, stratified_split, validation_split};
use nn_core::layers::Padding;
use nn_core::layers::*;
use nn_core::model::{Sequential, load, safetensors, save};
use nn_core::rng::Rng;
use nn_core::{Shape, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// A fixed seed: all runs test the same cases, so that no test fails intermittently.
fn cases(cases: u32) -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(27);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

fn config(layer: impl LayerSpec) -> LayerConfig {
    layer.config().unwrap()
}

fn smooth() -> impl Strategy<Value = Activation> {
    prop_oneof![Just(Activation::Linear), Just(Activation::Tanh), Just(Activation::Sigmoid)]
}

fn convolution() -> impl Strategy<Value = LayerConfig> {
    let padding = prop_oneof![Just(Padding::Valid), Just(Padding::Same)];
    let sizes = (1..=5usize, (1..=4usize, 1..=4usize), (1..=3usize, 1..=3usize));
    (sizes, padding, smooth()).prop_map(|((filters, kernel, stride), padding, activation)| {
        let conv = Conv2D::new(filters, kernel).stride(stride);
        config(conv.padding(padding).activation(activation))
    })
}

fn dense() -> impl Strategy<Value = LayerConfig> {
    (1..=5usize, smooth())
        .prop_map(|(units, function)| config(Dense::new(units).activation(function)))
}

/// Any of the layers that images go through.
fn image_layer() -> impl Strategy<Value = LayerConfig> {
    let pair = || (1..=3usize, 1..=3usize);
    prop_oneof![
        4 => convolution(),
        1 => (pair(), pair()).prop_map(|(window, stride)| {
            config(AveragePool2D::new(window).stride(stride))
        }),
        1 => (0.0..0.9).prop_map(|rate| config(Dropout::new(rate))),
        1 => (-2.0..2.0).prop_map(|scale| config(Rescaling::new(scale).offset(0.3))),
        1 => smooth().prop_map(config),
    ]
}

/// An input's shape and layers, which need not fit each other.
fn network() -> impl Strategy<Value = ([usize; 3], Vec<LayerConfig>)> {
    let first = proptest::option::of((1..=3usize, 1..=3usize));
    let flat = prop_oneof![Just(config(Flatten::new())), Just(config(GlobalAveragePool2D::new())),];
    let layers = (first, vec(image_layer(), 0..4), flat, vec(dense(), 0..3));
    ([1..=9usize, 1..=9usize, 1..=4usize], layers).prop_map(
        |(input, (first, images, flat, dense))| {
            let first = first.map(|window| config(MaxPool2D::new(window)));
            let layers = first.into_iter().chain(images).chain([flat]).chain(dense);
            (input, layers.collect())
        },
    )
}

fn build(input: [usize; 3], layers: &[LayerConfig]) -> nn_core::Result<Sequential<f32>> {
    let mut builder = Sequential::builder(input);
    for layer in layers {
        builder = builder.shared(LayerKinds::built_in().layer(layer.clone())?);
    }
    builder.build(27)
}

/// Numbers in random order that differ by at least a hundredth, so that a maximum does not change
/// within finite differences.
fn distinct(shape: impl Into<Shape>) -> Tensor<f64> {
    let shape = shape.into();
    let mut numbers: Vec<f64> = (0..shape.len()).map(|i| i as f64 * 0.01 - 0.7).collect();
    Rng::new(4, 0).shuffle(&mut numbers);
    Tensor::from_vec(shape, numbers).unwrap()
}

fn uniform(shape: &Shape, seed: u64) -> Tensor<f64> {
    let mut rng = Rng::new(seed, 0);
    Tensor::from_fn(shape, |_| rng.uniform_in(-1.0, 1.0))
}

fn samples(counts: &[usize]) -> (Vec<Sample>, Vec<String>) {
    let of_class = |(label, &count): (usize, &usize)| {
        (0..count).map(move |i| Sample { path: format!("{label}/{i}.png").into(), label })
    };
    let samples = counts.iter().enumerate().flat_map(of_class).collect();
    (samples, (0..counts.len()).map(|class| class.to_string()).collect())
}

/// Checks that `parts` contain every element of `all` exactly once.
fn each_once(all: &[Sample], parts: &[&[Sample]]) -> Result<(), TestCaseError> {
    let seen: HashSet<_> = parts.iter().copied().flatten().map(|s| (&s.path, s.label)).collect();
    prop_assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), all.len());
    prop_assert!(all.iter().all(|sample| seen.contains(&(&sample.path, sample.label))));
    Ok(())
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn shapes_never_panic(choices in vec(any::<u8>(), 0..200)) {
        ops::run(&choices);
    }

    #[test]
    fn a_split_keeps_every_file_once(
        counts in vec(3..40usize, 2..5),
        fraction in 0.0..0.9f64,
        seed: u64,
    ) {
        let (all, classes) = samples(&counts);
        let split = stratified_split(&all, &classes, fraction, seed).unwrap();
        each_once(&all, &[&split.train, &split.validation, &split.test])?;
        let (train, validation) = validation_split(all.clone(), fraction, seed).unwrap();
        each_once(&all, &[&train, &validation])?;
    }

    #[test]
    fn tensors_come_back_from_a_file_as_they_were(
        dims in vec(vec(0..5usize, 0..4), 1..4),
        bits in vec(any::<u32>(), 1..9),
        key: String,
        value: String,
    ) {
        let tensor = |dims: &Vec<usize>| {
            Tensor::<f32>::from_fn(dims.as_slice(), |i| f32::from_bits(bits[i % bits.len()]))
        };
        let tensors: Vec<_> = dims.iter().map(tensor).collect();
        let names: Vec<_> = (0..tensors.len()).map(|i| format!("{key}{i}")).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        let metadata = BTreeMap::from([(key.clone(), value.clone())]);
        safetensors::write(&path, names.iter().map(String::as_str).zip(&tensors), &metadata).unwrap();
        let mut file = safetensors::TensorFile::open(&path).unwrap();
        prop_assert_eq!(file.metadata(&key), Some(value.as_str()));
        for (name, tensor) in names.iter().zip(&tensors) {
            let back = file.read::<f32>(name).unwrap();
            prop_assert_eq!(back.dims(), tensor.dims());
            for (a, b) in back.as_slice().iter().zip(tensor.as_slice()) {
                // The payload of a NaN may be lost in double precision.
                prop_assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn backward_is_what_differences_say((input, layers) in network()) {
        let layers: Vec<Arc<dyn Layer<f64>>> =
            layers.into_iter().map(|layer| LayerKinds::built_in().layer(layer).unwrap()).collect();
        let mut shape = [Shape::from(input)];
        let mut inputs = vec![distinct(shape[0].batched(2))];
        let mut counts = Vec::new();
        for layer in &layers {
            let Ok(output) = layer.output_shape(&shape) else { return Ok(()) };
            let wanted = layer.parameters(&shape).unwrap();
            counts.push(wanted.len());
            for spec in wanted {
                inputs.push(uniform(&spec.shape, inputs.len() as u64));
            }
            shape = [output];
        }
        let report = gradcheck(&inputs, |tape, vars| {
            // Dropout drops the same units each time.
            let mut rng = Rng::new(3, 0);
            let mut cx = Forward::new(tape, true, &mut rng);
            let (mut x, mut left) = (vars[0].clone(), &vars[1..]);
            for (layer, &count) in layers.iter().zip(&counts) {
                let (own, rest) = left.split_at(count);
                x = layer.forward(&mut cx, vec![x], own)?;
                left = rest;
            }
            Ok(x)
        });
        prop_assert_eq!(report.unwrap().ensure(1e-6).map_err(|e| e.to_string()), Ok(()));
    }

    #[test]
    fn a_saved_model_is_the_same_when_loaded((input, layers) in network(), softmax: bool) {
        let mut layers = layers;
        if softmax {
            layers.push(config(Dense::new(3).activation(Activation::Softmax)));
        }
        let Ok(model) = build(input, &layers) else { return Ok(()) };
        let folder = tempfile::tempdir().unwrap();
        let (path, again) = (folder.path().join("1"), folder.path().join("2"));
        let classes = softmax.then(|| ["a", "b", "ü"].map(String::from).to_vec());
        save(&path, &model, classes.as_deref()).unwrap();
        let back = load(&path, None).unwrap();
        prop_assert_eq!(&back.classes, &classes);
        prop_assert_eq!(back.model.architecture().unwrap(), model.architecture().unwrap());
        let x = distinct(Shape::from(input).batched(2)).cast::<f32>();
        prop_assert_eq!(back.model.predict(x.clone()).unwrap(), model.predict(x).unwrap());
        save(&again, &back.model, classes.as_deref()).unwrap();
        prop_assert_eq!(std::fs::read(path).unwrap(), std::fs::read(again).unwrap());
    }
}
