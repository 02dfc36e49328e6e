//! Grad-CAM and HiResCAM against the formulas of their papers, for any layer and any output.

use super::*;
use crate::layers::GlobalAveragePool2D;
use crate::model::Pass;

/// Features and gradients of one image, the gradient by central differences of a network that is
/// cut at the layer.
fn features_and_gradient(
    model: &Sequential<f64>,
    image: &Tensor<f64>,
    class: usize,
) -> [Vec<f64>; 2] {
    let tape = Tape::new();
    let x = tape.leaf(image.clone());
    let pass = model.forward(&tape, x, Pass::inference().watch(&["conv2"])).unwrap();
    let features = pass.watched[0].1.value().clone();
    let mut behind = SequentialBuilder::<f64>::new(&features.dims()[1..])
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
fn layers_beside_the_way_to_the_main_output_are_not_offered() {
    let mut graph = crate::model::GraphBuilder::<f32>::new([6, 6, 2]);
    let trunk = graph.layer(Conv2D::new(3, 3), graph.input());
    let side = graph.layer(Conv2D::new(1, 1), trunk);
    graph.also_output(side);
    let pooled = graph.layer(GlobalAveragePool2D::new(), trunk);
    let logits = graph.layer(Dense::new(2), pooled);
    let model = graph.build(logits, 1).unwrap();
    assert_eq!(layers_with_maps(&model), ["conv1"]);
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
    let mut model: Sequential<f64> = SequentialBuilder::new([8, 8, 1])
        .layer(Conv2D::new(4, 3).activation(Activation::Relu))
        .layer(Flatten::new())
        .layer(Dense::new(2).activation(Activation::Softmax))
        .build(4)
        .unwrap();
    // No contribution is negative, so the ReLU changes nothing.
    let positive = model.get("dense1.weight").unwrap().value.map(f64::abs);
    model.set("dense1.weight", positive).unwrap();
    let image = Tensor::from_fn([1, 8, 8, 1], |i| (i * 7 % 11) as f64);
    let found = &Cam::new(HiResCam).explain(&model, &image, &[Target::Class(1)]).unwrap()[0];
    close(found.map.as_slice().iter().sum(), found.score, 1e-12);
}

#[test]
fn one_pass_explains_one_class_after_the_other() {
    let (model, images) = (three_classes::<f32>(), images(2));
    let cam = Cam::new(GradCam);
    let mut pass = cam.pass(&model, &images).unwrap();
    for class in [2, 0, 1, 2] {
        let targets = [Target::Class(class), Target::Predicted];
        let (found, alone) = (pass.explain(&targets), cam.explain(&model, &images, &targets));
        for (found, alone) in found.unwrap().iter().zip(alone.unwrap()) {
            assert_eq!((found.class, &found.map), (alone.class, &alone.map));
        }
    }
}
