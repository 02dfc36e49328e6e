//! Explanations: this file tests what holds for every method, the modules test one topic each.

mod cam;
#[cfg(feature = "images")]
mod heat;
mod occlusion;
mod sanity;

use super::*;
use crate::autograd::Tape;
use crate::layers::{
    Activation, AveragePool2D, Conv2D, Dense, Dropout, Flatten, MaxPool2D, Rescaling,
};
use crate::model::{Sequential, SequentialBuilder};
use crate::rng::Rng;

const SIDE: usize = 20;

/// A classifier of 20x18 images with every kind of layer that has a map.
fn network<T: Kernels>(last: Dense) -> Sequential<T> {
    SequentialBuilder::new([SIDE, 18, 3])
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

fn three_classes<T: Kernels>() -> Sequential<T> {
    network(Dense::new(3).activation(Activation::Softmax))
}

fn images<T: Kernels>(count: usize) -> Tensor<T> {
    let mut rng = Rng::new(5, 0);
    Tensor::from_fn([count, SIDE, 18, 3], |_| T::from_f64(rng.uniform_in(0.0, 255.0).floor()))
}

fn one<T: Kernels>(batch: &Tensor<T>, i: usize) -> Tensor<T> {
    let mut dims = batch.dims().to_vec();
    dims[0] = 1;
    Tensor::from_vec(dims, batch.row(i).to_vec()).unwrap()
}

fn all_methods<T: Kernels>() -> [Box<dyn Explainer<T>>; 3] {
    [
        Box::new(Cam::new(GradCam)),
        Box::new(Cam::new(HiResCam)),
        Box::new(Occlusion::new().patch(6).stride(5)),
    ]
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1e-12), "{a} is not {b}");
}

#[test]
fn scores_classes_and_outputs_are_the_models() {
    let model = three_classes::<f32>();
    let images = images(4);
    let logits = model.infer(&Tape::inference(Default::default()), images.clone()).unwrap();
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
fn logits_of_another_shape_are_refused() {
    let single = network::<f32>(Dense::new(1).activation(Activation::Sigmoid));
    for (model, shapes) in [
        (three_classes::<f32>(), vec![vec![], vec![3], vec![1, 1], vec![1, 4], vec![1, 3, 1]]),
        (single, vec![vec![], vec![1], vec![1, 2]]),
    ] {
        let units = model.output_shape().dims()[0];
        assert!(Predictions::new(&model, &Tensor::zeros([1, units]), &[Target::Class(1)]).is_ok());
        for shape in shapes {
            let logits = Tensor::zeros(shape.clone());
            let found = Predictions::new(&model, &logits, &[Target::Class(1)]);
            let message = found.unwrap_err().to_string();
            assert!(message.contains(&format!("logits [images, {units}]")), "{shape:?}: {message}");
        }
    }
}
