use super::*;
use crate::autograd::Tape;
use crate::data::{Foreground, ForegroundRule, Mask};
use crate::layers::{
    Activation, AveragePool2D, Conv2D, Dense, Dropout, Flatten, GlobalAveragePool2D, MaxPool2D,
    Rescaling,
};
use crate::loss::Loss;
use crate::model::Pass;
use crate::optim::OptimizerConfig;
use crate::rng::Rng;
use crate::train::{FitOptions, Trainer};
use std::ops::ControlFlow;

const SIDE: usize = 20;

/// A classifier of 20x18 images with every kind of layer that has a map.
fn network<T: Element>(last: Dense) -> Sequential<T> {
    Sequential::builder([SIDE, 18, 3])
        .layer(Rescaling::new(1.0 / 255.0))
        .layer(Conv2D::new(5, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(Dropout::new(0.5))
        .layer(Conv2D::new(6, 3).activation(Activation::Relu))
        .layer(AveragePool2D::new(2))
        .layer(Flatten::new())
        .layer(Dense::new(7).activation(Activation::Tanh))
        .layer(last)
        .build(3)
        .unwrap()
}

fn three_classes<T: Element>() -> Sequential<T> {
    network(Dense::new(3).activation(Activation::Softmax))
}

fn images<T: Element>(count: usize) -> Tensor<T> {
    let mut rng = Rng::new(5, 0);
    Tensor::from_fn([count, SIDE, 18, 3], |_| T::from_f64(rng.uniform_in(0.0, 255.0).floor()))
}

fn one<T: Element>(batch: &Tensor<T>, i: usize) -> Tensor<T> {
    let mut dims = batch.dims().to_vec();
    dims[0] = 1;
    Tensor::from_vec(dims, batch.row(i).to_vec()).unwrap()
}

fn all_methods<T: Element>() -> [Box<dyn Explainer<T>>; 3] {
    [
        Box::new(Cam::new(GradCam)),
        Box::new(Cam::new(HiResCam)),
        Box::new(Occlusion::new().patch(6).stride(5)),
    ]
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1e-12), "{a} is not {b}");
}

/// Features and gradients of one image, the gradient by central differences of a network that is
/// cut at the layer.
fn features_and_gradient(
    model: &Sequential<f64>,
    image: &Tensor<f64>,
    class: usize,
) -> [Vec<f64>; 2] {
    let mut tape = Tape::new();
    let x = tape.leaf(image.clone());
    let pass = model.forward(&mut tape, x, Pass::inference().watch(&["conv2"])).unwrap();
    let features = pass.watched[0].1.value().clone();
    let mut behind = Sequential::<f64>::builder(&features.dims()[1..])
        .layer(AveragePool2D::new(2))
        .layer(Flatten::new())
        .layer(Dense::new(7).activation(Activation::Tanh))
        .layer(Dense::new(3))
        .build(0)
        .unwrap();
    for name in ["dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias"] {
        behind.set(name, model.get(name).unwrap().value.clone()).unwrap();
    }
    let score = |x: Tensor<f64>| behind.predict(x).unwrap().as_slice()[class];
    let step = 1e-6;
    let moved = |i: usize, by: f64| {
        let mut x = features.clone();
        x.as_mut_slice()[i] += by;
        score(x)
    };
    let gradient =
        (0..features.len()).map(|i| (moved(i, step) - moved(i, -step)) / (2.0 * step)).collect();
    [features.into_vec(), gradient]
}

#[test]
fn maps_are_what_the_papers_say() {
    let model = three_classes::<f64>();
    let images = images(2);
    for class in 0..3 {
        let targets = [Target::Class(class); 2];
        let grad_cam = Cam::new(GradCam).explain(&model, &images, &targets).unwrap();
        let hi_res = Cam::new(HiResCam).explain(&model, &images, &targets).unwrap();
        for i in 0..2 {
            let [a, g] = features_and_gradient(&model, &one(&images, i), class);
            let (channels, places) = (6, a.len() / 6);
            let mean =
                |c: usize| (0..places).map(|p| g[p * channels + c]).sum::<f64>() / places as f64;
            for p in 0..places {
                let at = |c: usize| p * channels + c;
                let cam: f64 = (0..channels).map(|c| mean(c) * a[at(c)]).sum();
                let hi: f64 = (0..channels).map(|c| g[at(c)] * a[at(c)]).sum();
                for (found, expected) in [(&grad_cam[i], cam), (&hi_res[i], hi)] {
                    let found = found.map.as_slice()[p];
                    assert!((found - expected.max(0.0)).abs() < 1e-8, "{found} {expected}");
                }
            }
        }
    }
}

#[test]
fn scores_classes_and_outputs_are_the_models() {
    let model = three_classes::<f32>();
    let images = images(4);
    let logits = model.infer(&mut Tape::inference(Default::default()), images.clone()).unwrap();
    let probabilities = model.predict(images.clone()).unwrap();
    let targets = [Target::Predicted, Target::Class(0), Target::Class(2), Target::Predicted];
    for method in all_methods() {
        let found = method.explain(&model, &images, &targets).unwrap();
        for (i, one) in found.iter().enumerate() {
            let predicted = crate::train::most_probable(probabilities.row(i));
            let asked = [predicted, 0, 2, predicted][i];
            assert_eq!((one.class, one.predicted), (asked, predicted));
            close(one.score, logits.value().row(i)[asked].into(), 1e-6);
            for (a, &b) in one.outputs.iter().zip(probabilities.row(i)) {
                close(*a, b.into(), 1e-6);
            }
        }
    }
}

#[test]
fn images_of_a_batch_do_not_mix() {
    let model = three_classes::<f32>();
    let images = images(3);
    let targets = [Target::Class(1), Target::Class(0), Target::Class(2)];
    for method in all_methods() {
        let together = method.explain(&model, &images, &targets).unwrap();
        for i in 0..3 {
            let alone = &method.explain(&model, &one(&images, i), &targets[i..=i]).unwrap()[0];
            let largest = alone.map.as_slice().iter().fold(0.0f32, |m, v| m.max(*v));
            for (a, b) in together[i].map.as_slice().iter().zip(alone.map.as_slice()) {
                assert!((a - b).abs() <= 1e-5 * largest, "{}: {a} {b}", method.name());
            }
        }
        assert!(method.explain(&model, &images, &targets[..2]).is_err());
    }
}

#[test]
fn any_layer_with_a_map_will_do() {
    let model = three_classes::<f32>();
    let names = layers_with_maps(&model);
    assert_eq!(names, ["rescaling1", "conv1", "pool1", "dropout1", "conv2", "pool2"]);
    for layer in names {
        let found = Cam::new(GradCam).layer(layer).explain(&model, &images(1), &[Target::Class(1)]);
        let map = &found.unwrap()[0].map;
        let shape = model.layer_output_shape(layer).unwrap();
        assert_eq!(map.dims(), &shape.dims()[..2]);
        assert!(map.as_slice().iter().all(|&v| v >= 0.0));
    }
    let by_default = Cam::new(HiResCam).explain(&model, &images(1), &[Target::Class(1)]).unwrap();
    let named = Cam::new(HiResCam).layer("conv2");
    let named = named.explain(&model, &images(1), &[Target::Class(1)]).unwrap();
    assert_eq!(by_default[0].map, named[0].map);

    for layer in ["conv3", "dense1", "flatten1", ""] {
        let refused = Cam::new(GradCam).layer(layer);
        let refused = refused.explain(&model, &images(1), &[Target::Predicted]);
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("conv1") && message.contains("conv2"), "{message}");
        assert!(!message.contains("flatten1,") && !message.contains("dense2"), "{message}");
    }
}

#[test]
fn a_single_sigmoid_has_two_classes() {
    let single = network::<f64>(Dense::new(1).activation(Activation::Sigmoid));
    let mut pair = network::<f64>(Dense::new(2).activation(Activation::Softmax));
    for name in ["conv1.weight", "conv2.weight", "dense1.weight"] {
        pair.set(name, single.get(name).unwrap().value.clone()).unwrap();
    }
    let weight = single.get("dense2.weight").unwrap().value.clone();
    let mirrored = weight.as_slice().iter().map(|w| -w).chain(weight.as_slice().iter().copied());
    pair.set("dense2.weight", Tensor::from_vec([2, 7], mirrored.collect()).unwrap()).unwrap();
    let images = images(2);
    for method in all_methods() {
        let mut heat = 0.0;
        for class in [0, 1] {
            let targets = [Target::Class(class); 2];
            let of_single = method.explain(&single, &images, &targets).unwrap();
            let of_pair = method.explain(&pair, &images, &targets).unwrap();
            for (a, b) in of_single.iter().zip(&of_pair) {
                close(a.score, b.score, 1e-12);
                close(a.outputs.iter().sum(), 1.0, 1e-12);
                assert_eq!(a.predicted, usize::from(a.outputs[1] > 0.5));
                for (a, b) in a.map.as_slice().iter().zip(b.map.as_slice()) {
                    close(*a, *b, 1e-9);
                    heat += a;
                }
            }
        }
        assert!(heat > 0.0);
        let refused = method.explain(&single, &images, &[Target::Class(2); 2]).unwrap_err();
        assert!(refused.to_string().contains("from 0 to 1"), "{refused}");
    }
}

#[test]
fn plain_outputs_can_be_explained() {
    let model: Sequential = Sequential::builder([6, 6, 2])
        .layer(Conv2D::new(3, 3).activation(Activation::Relu))
        .layer(GlobalAveragePool2D::new())
        .layer(Dense::new(1))
        .build(2)
        .unwrap();
    let image = Tensor::from_fn([1, 6, 6, 2], |i| (i % 7) as f32);
    let found = &Cam::new(GradCam).explain(&model, &image, &[Target::Predicted]).unwrap()[0];
    assert_eq!((found.class, found.outputs.len()), (0, 1));
    close(found.score, found.outputs[0], 1e-6);
}

#[test]
fn before_a_dense_layer_hirescam_sums_to_the_score() {
    let mut model: Sequential<f64> = Sequential::builder([8, 8, 1])
        .layer(Conv2D::new(4, 3).activation(Activation::Relu))
        .layer(Flatten::new())
        .layer(Dense::new(2).activation(Activation::Softmax))
        .build(4)
        .unwrap();
    // Nothing speaks against the class, so nothing is cut off.
    let positive = model.get("dense1.weight").unwrap().value.map(f64::abs);
    model.set("dense1.weight", positive).unwrap();
    let image = Tensor::from_fn([1, 8, 8, 1], |i| (i * 7 % 11) as f64);
    let found = &Cam::new(HiResCam).explain(&model, &image, &[Target::Class(1)]).unwrap()[0];
    close(found.map.as_slice().iter().sum(), found.score, 1e-12);
}

#[test]
fn maps_without_heat_stay_zero() {
    let mut model = three_classes::<f32>();
    model.set("dense2.weight", Tensor::zeros([3, 7])).unwrap();
    for method in all_methods() {
        for one in method.explain(&model, &images(2), &[Target::Predicted; 2]).unwrap() {
            for map in [&one.map, &one.stretched(), &one.normalized()] {
                assert!(map.as_slice().iter().all(|&v| v == 0.0), "{}", method.name());
            }
            let everywhere = vec![true; SIDE * 18];
            assert_eq!(share_where(&one.stretched(), &everywhere).unwrap(), None);
        }
    }
}

#[test]
fn weights_and_images_that_are_no_numbers_are_an_error() {
    let mut model = three_classes::<f32>();
    let mut bad = images(2);
    bad.as_mut_slice()[SIDE * 18 * 3 + 5] = f32::NAN;
    for method in all_methods() {
        let error = method.explain(&model, &bad, &[Target::Class(0); 2]).unwrap_err().to_string();
        assert!(error.contains("image 1") && error.contains("finite"), "{error}");
    }
    model.set("dense2.bias", Tensor::full([3], f32::INFINITY)).unwrap();
    for method in all_methods() {
        assert!(method.explain(&model, &images(1), &[Target::Class(0)]).is_err());
    }
}

#[test]
fn networks_that_are_no_image_classifiers_are_refused() {
    let flat: Sequential = Sequential::builder([12]).layer(Dense::new(2)).build(0).unwrap();
    let map: Sequential = Sequential::builder([8, 8, 3]).layer(Conv2D::new(2, 3)).build(0).unwrap();
    for method in all_methods() {
        for (model, shape) in [(&flat, &[1, 12][..]), (&map, &[1, 8, 8, 3])] {
            let x = Tensor::zeros(shape);
            assert!(method.explain(model, &x, &[Target::Class(0)]).is_err(), "{}", method.name());
        }
        let model = three_classes();
        let error = method.explain(&model, &Tensor::zeros([1, 9, 9, 3]), &[Target::Predicted]);
        assert!(error.unwrap_err().to_string().contains("[20, 18, 3]"));
    }
    let no_convolution: Sequential =
        Sequential::builder([4, 4, 1]).layer(Flatten::new()).layer(Dense::new(2)).build(0).unwrap();
    let image = Tensor::full([1, 4, 4, 1], 1.0);
    let refused = Cam::new(GradCam).explain(&no_convolution, &image, &[Target::Predicted]);
    assert!(refused.unwrap_err().to_string().contains("occlusion"));
    assert!(Occlusion::new().explain(&no_convolution, &image, &[Target::Predicted]).is_ok());
}

#[test]
fn stretching_aligns_the_corners() {
    let map = Tensor::<f64>::from_fn([3, 5], |i| ((i * i * 7 + 3) % 11) as f64);
    for (height, width) in [(3, 5), (9, 17), (4, 4), (1, 1), (2, 3), (1, 7), (64, 31)] {
        let out = stretch(&map, height, width);
        assert_eq!(out.dims(), [height, width]);
        let place = |i: usize, from: usize, to: usize| {
            if to == 1 { 0.0 } else { (i * (from - 1)) as f64 / (to - 1) as f64 }
        };
        for i in 0..height {
            for j in 0..width {
                let (y, x) = (place(i, 3, height), place(j, 5, width));
                // The hat function of every number of the map.
                let hat = |d: f64| (1.0 - d.abs()).max(0.0);
                let terms = (0..3).flat_map(|a| (0..5).map(move |b| (a, b))).map(|(a, b)| {
                    map.as_slice()[a * 5 + b] * hat(y - a as f64) * hat(x - b as f64)
                });
                let expected: f64 = terms.sum();
                assert!((out.as_slice()[i * width + j] - expected).abs() < 1e-12);
            }
        }
    }
    assert_eq!(stretch(&map, 3, 5), map);
    let single = stretch(&Tensor::full([1, 1], 2.5f32), 4, 3);
    assert_eq!(single.as_slice(), [2.5; 12]);
}

#[test]
fn normalised_maps_go_from_zero_to_nearly_one() {
    let model = three_classes::<f64>();
    let found = &Cam::new(GradCam).explain(&model, &images(1), &[Target::Class(0)]).unwrap()[0];
    let (raw, shown) = (found.stretched(), found.normalized());
    let high = raw.as_slice().iter().copied().fold(0.0, f64::max);
    let low = raw.as_slice().iter().copied().fold(f64::INFINITY, f64::min);
    assert!(high > 0.0);
    for (raw, shown) in raw.as_slice().iter().zip(shown.as_slice()) {
        close(*shown, (raw - low) / (high - low + 1e-7), 1e-12);
        assert!((0.0..1.0).contains(shown));
    }
}

#[test]
fn occlusion_is_the_mean_drop_over_the_patches_that_cover_a_place() {
    let model = three_classes::<f64>();
    let images = images(1);
    let (side, stride, class) = (7, 4, 2);
    let occlusion = Occlusion::new().patch(side).stride(stride);
    let found = &occlusion.explain(&model, &images, &[Target::Class(class)]).unwrap()[0];
    let score = |x: Tensor<f64>| {
        let mut tape = Tape::inference(Default::default());
        model.infer(&mut tape, x).unwrap().value().as_slice()[class]
    };
    let whole = score(images.clone());
    let mean: Vec<f64> = (0..3)
        .map(|c| images.as_slice().iter().skip(c).step_by(3).sum::<f64>() / (SIDE * 18) as f64)
        .collect();
    let (mut drops, mut covers) = ([[0.0; 18]; SIDE], [[0; 18]; SIDE]);
    for top in [0, 4, 8, 12, 13] {
        for left in [0, 4, 8, 11] {
            let mut x = images.clone();
            for (i, value) in x.as_mut_slice().iter_mut().enumerate() {
                let (y, x) = (i / 3 / 18, i / 3 % 18);
                if (top..top + side).contains(&y) && (left..left + side).contains(&x) {
                    *value = mean[i % 3];
                }
            }
            let drop = whole - score(x);
            for y in top..top + side {
                for x in left..left + side {
                    drops[y][x] += drop;
                    covers[y][x] += 1;
                }
            }
        }
    }
    for (i, found) in found.map.as_slice().iter().enumerate() {
        let (y, x) = (i / 18, i % 18);
        let expected: f64 = drops[y][x] / f64::from(covers[y][x]);
        assert!((found - expected.max(0.0)).abs() < 1e-9, "{found} {expected}");
    }
    let many = occlusion.clone().batch_size(100);
    let few = occlusion.batch_size(1);
    let maps = [many, few].map(|method| {
        method.explain(&model, &images, &[Target::Class(class)]).unwrap().remove(0).map
    });
    for (a, b) in maps[0].as_slice().iter().zip(maps[1].as_slice()) {
        assert!((a - b).abs() < 1e-12);
    }
}

#[test]
fn occlusion_can_be_stopped_and_refuses_senseless_patches() {
    let (model, images) = (three_classes::<f32>(), images(1));
    let explain = |method: Occlusion| method.explain(&model, &images, &[Target::Predicted]);
    let stopped = explain(Occlusion::new().go_on(|| ControlFlow::Break(())));
    assert!(matches!(stopped, Err(crate::Error::Interrupted)));
    for method in [
        Occlusion::new().patch(0),
        Occlusion::new().patch(19),
        Occlusion::new().patch(4).stride(5),
        Occlusion::new().stride(0),
    ] {
        let message = explain(method).unwrap_err().to_string();
        assert!(message.contains("patch"), "{message}");
    }
    assert!(explain(Occlusion::new().patch(18).batch_size(0)).is_ok());
}

#[test]
fn ranks_of_equal_values_are_shared() {
    // scipy.stats.spearmanr
    let found = rank_correlation(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
    close(found, 0.948_683_298_050_513_8, 1e-12);
    let found = rank_correlation(&[0.0, 0.0, 0.0, 5.0, 1.0], &[2.0, -0.0, 0.0, 1.0, 1.0]).unwrap();
    close(found, 0.294_627_825_494_394_8, 1e-12);
    assert_eq!(rank_correlation(&[1.0f32, 2.0], &[1.0, 2.0, 3.0]), None);
    assert_eq!(rank_correlation::<f32>(&[], &[]), None);
}

/// Draws the edges of the image, whatever the network: the length of the brightness's gradient.
struct EdgeDetector;

impl Explainer<f32> for EdgeDetector {
    fn name(&self) -> &'static str {
        "edges"
    }

    fn explain(
        &self,
        model: &Sequential<f32>,
        images: &Tensor<f32>,
        targets: &[Target],
    ) -> Result<Vec<Explanation<f32>>> {
        let mut tape = Tape::inference(Default::default());
        let logits = model.infer(&mut tape, images.clone())?;
        let answers = Answers::new(model, logits.value(), targets)?;
        let [h, w, c] = [images.dims()[1], images.dims()[2], images.dims()[3]];
        let edges = |i: usize| {
            let image = images.row(i);
            let at = |y: usize, x: usize| image[(y * w + x) * c..][..c].iter().sum::<f32>();
            let map = Tensor::from_fn([h - 1, w - 1], |p| {
                let (y, x) = (p / (w - 1), p % (w - 1));
                (at(y + 1, x) - at(y, x)).hypot(at(y, x + 1) - at(y, x))
            });
            answers.explain(i, map)
        };
        (0..answers.len()).map(edges).collect()
    }
}

/// A bright spot on noise, at the top (class 0) or at the bottom (class 1).
fn spots(count: usize) -> (Tensor<f32>, Vec<usize>) {
    let mut rng = Rng::new(11, 0);
    let mut images = Tensor::from_fn([count, 24, 24, 1], |_| rng.uniform_in(0.0, 0.4) as f32);
    let labels: Vec<usize> = (0..count).map(|i| i % 2).collect();
    for (image, &label) in images.as_mut_slice().chunks_mut(24 * 24).zip(&labels) {
        let (top, left) = (2 + 12 * label + rng.below(5), 2 + rng.below(15));
        for y in top..top + 5 {
            image[y * 24 + left..y * 24 + left + 5].fill(1.0);
        }
    }
    (images, labels)
}

/// A network that has learned to tell them apart.
fn spot_finder(images: &Tensor<f32>, labels: &[usize]) -> Sequential<f32> {
    let model = Sequential::builder([24, 24, 1])
        .layer(Conv2D::new(6, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(Conv2D::new(8, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(Flatten::new())
        .layer(Dense::new(2).activation(Activation::Softmax))
        .build(7)
        .unwrap();
    let options = FitOptions { loss: Loss::CategoricalCrossentropy, ..FitOptions::default() };
    let mut trainer =
        Trainer::new(model, OptimizerConfig::adam().build().unwrap(), options).unwrap();
    let mut last = f64::INFINITY;
    for _ in 0..60 {
        last = trainer.step(images.clone(), labels, 0.01).unwrap().loss;
    }
    assert!(last < 0.05, "{last}");
    trainer.into_model()
}

#[test]
fn the_randomisation_check_tells_explanations_from_pictures() {
    let (images, labels) = spots(16);
    let model = spot_finder(&images, &labels);
    let targets = [Target::Predicted; 16];
    let check = |method: &dyn Explainer<f32>, how, seed| {
        let why = method.explain(&model, &images, &targets).unwrap();
        randomization_check(method, &model, &images, &why, how, seed).unwrap()
    };
    for seed in 0..4 {
        let edges = check(&EdgeDetector, Randomization::Full, seed);
        assert_eq!((edges.correlation(), edges.depends_on_model()), (Some(1.0), Some(false)));
        for method in all_methods() {
            let found = check(method.as_ref(), Randomization::Full, seed);
            let correlation = found.correlation().unwrap();
            println!("{} {seed}: {correlation:.3}", method.name());
            assert_eq!(found.depends_on_model(), Some(true), "{}", method.name());
            let cascade = check(method.as_ref(), Randomization::Cascade, seed);
            let layers: Vec<_> = cascade.steps.iter().map(|step| step.layer.as_str()).collect();
            assert_eq!(layers, ["dense1", "conv2", "conv1"]);
            assert_eq!(cascade.steps.last(), found.steps.last());
        }
    }
}

#[test]
fn flat_maps_tell_the_randomisation_check_nothing() {
    let mut model = three_classes::<f32>();
    model.set("dense2.weight", Tensor::zeros([3, 7])).unwrap();
    let how = Randomization::Full;
    let targets = [Target::Class(0); 2];
    let (method, images) = (Cam::new(GradCam), images(2));
    let why = method.explain(&model, &images, &targets).unwrap();
    let check = randomization_check(&method, &model, &images, &why, how, 1).unwrap();
    assert_eq!(check.steps[0].correlations, [None, None]);
    assert_eq!((check.correlation(), check.depends_on_model()), (None, None));
}

#[test]
fn the_heat_of_a_trained_network_lies_on_what_it_learned() {
    let (images, labels) = spots(16);
    let model = spot_finder(&images, &labels);
    let targets: Vec<_> = labels.iter().map(|&label| Target::Class(label)).collect();
    let methods: [Box<dyn Explainer<f32>>; 2] =
        [Box::new(Cam::new(HiResCam)), Box::new(Occlusion::new().patch(5).stride(2))];
    for method in methods {
        for (i, found) in method.explain(&model, &images, &targets).unwrap().iter().enumerate() {
            // The spot and two pixels about it, of 576.
            let bright = |p: usize| images.row(i)[p] == 1.0;
            let near = |p: usize| {
                let (y, x) = (p / 24, p % 24);
                (y.saturating_sub(2)..(y + 3).min(24))
                    .any(|y| (x.saturating_sub(2)..(x + 3).min(24)).any(|x| bright(y * 24 + x)))
            };
            let mask: Vec<bool> = (0..576).map(near).collect();
            let area = mask.iter().filter(|&&m| m).count() as f64 / 576.0;
            let share = share_where(&found.stretched(), &mask).unwrap().unwrap();
            println!("{} image {i}: {share:.2} of the heat on {area:.2}", method.name());
            assert!(share > 2.5 * area, "{}: {share} on {area}", method.name());
        }
    }
}

#[test]
fn heat_on_the_background_is_measured_at_the_images_size() {
    let model = three_classes::<f64>();
    let found = &Cam::new(GradCam).explain(&model, &images(1), &[Target::Class(0)]).unwrap()[0];
    let rule = ForegroundRule::BorderColours;
    let subject = |mask: Vec<bool>| Foreground { mask: Mask::new(2, 2, mask).unwrap(), rule };
    let left = found.on_background(&subject(vec![false, true, false, true])).unwrap().unwrap();
    let right = found.on_background(&subject(vec![true, false, true, false])).unwrap().unwrap();
    assert_eq!((left.area, right.area, left.rule), (0.5, 0.5, rule));
    close(left.heat + right.heat, 1.0, 1e-12);
    let map = found.stretched();
    let is_left: Vec<bool> = (0..SIDE * 18).map(|p| p % 18 < 9).collect();
    close(left.heat, share_where(&map, &is_left).unwrap().unwrap(), 1e-12);
    for all in [true, false] {
        assert_eq!(found.on_background(&subject(vec![all; 4])).unwrap(), None);
    }
}

#[test]
fn heat_and_mask_must_be_of_one_size() {
    let map = Tensor::<f32>::full([2, 2], 1.0);
    assert_eq!(share_where(&map, &[true, false, false, false]).unwrap(), Some(0.25));
    assert!(share_where(&map, &[true; 3]).is_err());
}
