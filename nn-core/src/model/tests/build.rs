use super::*;
use crate::Shape;

#[test]
fn the_flagship_has_the_reference_sizes() {
    let model: Sequential = ReferenceCnn::new(2, 256).build(27).unwrap();
    let shapes: Vec<_> = model.parameters().iter().map(|p| p.value.dims().to_vec()).collect();
    assert_eq!(shapes[0], [64, 3, 3, 3]);
    assert_eq!(shapes[6], [64, 115_200]);
    assert_eq!(shapes[8], [2, 64]);
    assert_eq!(model.parameter_count(), 7_596_226);
    assert_eq!(model.last_feature_map(), Some("conv3"));
    assert_eq!(model.output_kind(), OutputKind::Softmax);
    assert_eq!(model.classes(), 2);
    assert_eq!(model.layer_output_shape("conv3").unwrap().dims(), [60, 60, 128]);
    // Glorot's bound for the first convolution: sqrt(6 / (27 + 576)).
    let first = model.get("conv1.weight").unwrap().value.as_slice();
    let largest = first.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    assert!(largest <= 0.099751 && largest > 0.0995, "{largest}");
    assert!(model.get("conv1.bias").unwrap().value.as_slice().iter().all(|&b| b == 0.0));
    // As Keras prints it, except for the layers' names.
    let expected = "\
Model: \"sequential\"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ rescaling1 (Rescaling)          │ (None, 256, 256, 3)    │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ conv1 (Conv2D)                  │ (None, 254, 254, 64)   │         1,792 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ pool1 (MaxPool2D)               │ (None, 127, 127, 64)   │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ conv2 (Conv2D)                  │ (None, 125, 125, 128)  │        73,856 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ pool2 (MaxPool2D)               │ (None, 62, 62, 128)    │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ conv3 (Conv2D)                  │ (None, 60, 60, 128)    │       147,584 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ pool3 (MaxPool2D)               │ (None, 30, 30, 128)    │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ flatten1 (Flatten)              │ (None, 115200)         │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense1 (Dense)                  │ (None, 64)             │     7,372,864 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense2 (Dense)                  │ (None, 2)              │           130 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 7,596,226 (28.98 MB)
 Trainable params: 7,596,226 (28.98 MB)
 Non-trainable params: 0 (0.00 B)
 Output: softmax (of the last layer, which computes logits)
";
    assert_eq!(model.summary().to_string(), expected);
}

#[test]
fn long_names_widen_the_table() {
    let name = "a_layer_with_a_name_that_goes_on_and_on";
    let model: Sequential = Sequential::builder([4]).named(name, Dense::new(2)).build(0).unwrap();
    let text = model.summary().to_string();
    let widths: Vec<_> = text.lines().skip(1).take(5).map(|l| l.chars().count()).collect();
    assert!(text.contains(&format!("│ {name} (Dense) │")), "{text}");
    assert!(widths.iter().all(|w| *w == widths[0]), "{text}");
    assert_eq!(model.summary().rows()[0].parameters, 10);
}

#[test]
fn names_count_per_kind_and_can_be_given() {
    let model: Sequential = Sequential::builder([8, 8, 1])
        .layer(Conv2D::new(1, 1))
        .named("conv2", Conv2D::new(1, 1))
        .layer(Conv2D::new(1, 1))
        .layer(MaxPool2D::new(2))
        .layer(AveragePool2D::new(2))
        .named("head", GlobalAveragePool2D::new())
        .build(0)
        .unwrap();
    let names: Vec<_> = model.layers().map(|(name, _)| name).collect();
    assert_eq!(names, ["conv1", "conv2", "conv3", "pool1", "pool2", "head"]);
    assert!(model.get("conv3.bias").is_some());
    for name in ["a", ""] {
        let twice =
            Sequential::builder([4]).named("a", Dense::new(2)).named(name, Dense::new(2)).build(0);
        assert!(twice.unwrap_err().to_string().contains("layer's name"));
    }
}

#[test]
fn a_shape_error_names_the_layer_and_the_smallest_image() {
    let builder = ReferenceCnn::new(2, 21).builder::<f32>();
    assert_eq!(builder.smallest_square_input(), Some(22));
    let message = builder.build(0).unwrap_err().to_string();
    assert!(message.starts_with("conv3 (Conv2D): ") || message.starts_with("pool3"), "{message}");
    assert!(message.contains("21x21 is too small"), "{message}");
    assert!(message.contains("at least 22x22"), "{message}");
    assert!(ReferenceCnn::new(2, 22).build::<f32>(0).is_ok());
    // If the size is not the cause, the message must not recommend another size.
    let flat = Sequential::builder([64, 64, 3]).layer(Dense::new(2)).build(0);
    let message = flat.unwrap_err().to_string();
    assert!(message.starts_with("dense1 (Dense): "), "{message}");
    assert!(message.contains("put Flatten"), "{message}");
    let setting = Sequential::builder([64]).layer(Dropout::new(2.0)).build(0);
    assert!(setting.unwrap_err().to_string().starts_with("dropout1 (Dropout): Dropout's rate"));
}

#[test]
fn absurd_sizes_are_errors_not_allocations() {
    for (result, word) in [
        (ReferenceCnn::new(2, 1_000_000).build::<f32>(0), "smaller images"),
        (ReferenceCnn::new(usize::MAX, 256).build::<f32>(0), "smaller images"),
        (ReferenceCnn::new(1, 256).build::<f32>(0), "classes must be 2"),
        (ReferenceCnn::new(2, 0).build::<f32>(0), "model input"),
        (ReferenceCnn::new(2, 5).build::<f32>(0), "22x22"),
        (Sequential::builder([0usize; 0]).build(0), "at least one dimension"),
        (Sequential::builder([usize::MAX, 2, 2]).layer(Flatten::new()).build(0), "in its input"),
        (Sequential::builder([9000, 9000, 1]).layer(Conv2D::new(9, 1)).build(0), "in its output"),
        (Sequential::builder([1 << 20]).layer(Dense::new(1 << 20)).build(0), "dense1.weight"),
    ] {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn a_seed_decides_the_parameters_and_later_layers_change_nothing() {
    let build = |seed, deeper: bool| {
        let mut builder = Sequential::builder([4]).layer(Dense::new(8));
        if deeper {
            builder = builder.layer(Dense::new(8));
        }
        builder.build(seed).unwrap().get("dense1.weight").unwrap().value.clone()
    };
    assert_eq!(build(1, false), build(1, false));
    assert_eq!(build(1, false), build(1, true));
    assert_ne!(build(1, false), build(2, false));
    // Two layers of one shape have different initial weights.
    let twins: Sequential =
        Sequential::builder([8]).layer(Dense::new(8)).layer(Dense::new(8)).build(1).unwrap();
    assert_ne!(twins.parameters()[0].value, twins.parameters()[2].value);
}

#[test]
fn the_final_activation_becomes_the_output_kind() {
    let end = |layer: Dense| Sequential::builder([4]).layer(layer);
    let built = |builder: SequentialBuilder| {
        let model = builder.build(0).unwrap();
        (model.output_kind(), model.layers().count(), model.architecture().unwrap())
    };
    for (activation, kind) in [
        (Activation::Softmax, OutputKind::Softmax),
        (Activation::Sigmoid, OutputKind::Sigmoid),
        (Activation::Linear, OutputKind::Linear),
        (Activation::Tanh, OutputKind::Linear),
    ] {
        let (found, layers, architecture) = built(end(Dense::new(2).activation(activation)));
        assert_eq!((found, layers), (kind, 1));
        let stays = if activation == Activation::Tanh { activation } else { Activation::Linear };
        let dense = Dense::new(2).activation(stays);
        assert_eq!(Some(&architecture.layers[0].layer), dense.config().as_ref());
        // As a separate layer.
        let (found, layers, _) = built(end(Dense::new(2)).layer(activation));
        assert_eq!(found, kind);
        assert_eq!(layers, if kind == OutputKind::Linear { 2 } else { 1 });
    }
    let plain = end(Dense::new(2).activation(Activation::Sigmoid)).output(OutputKind::Linear);
    let (found, _, architecture) = built(plain);
    assert_eq!(found, OutputKind::Linear);
    let sigmoid = Dense::new(2).activation(Activation::Sigmoid).config();
    assert_eq!(Some(&architecture.layers[0].layer), sigmoid.as_ref());
    let conflict = end(Dense::new(2).activation(Activation::Sigmoid)).output(OutputKind::Softmax);
    assert!(conflict.build(0).unwrap_err().to_string().contains("sigmoid, as its last layer"));
}

#[test]
fn an_architecture_builds_the_same_model() {
    let twice_softmax = Sequential::builder([4])
        .layer(Dense::new(2).activation(Activation::Softmax))
        .layer(Activation::Softmax)
        .build(3)
        .unwrap();
    for model in [small(), twice_softmax] {
        let text = serde_json::to_string(&model.architecture().unwrap()).unwrap();
        let read: Architecture = serde_json::from_str(&text).unwrap();
        let seed = if model.name() == "sequential" && model.layers().count() == 1 { 3 } else { 27 };
        let (graph, output) = read.graph::<f32>(&LayerKinds::built_in()).unwrap();
        let again = graph.build(output, seed).unwrap();
        assert_eq!(again.architecture().unwrap(), model.architecture().unwrap());
        for (a, b) in again.parameters().iter().zip(model.parameters()) {
            assert_eq!((&a.name, &a.value), (&b.name, &b.value));
        }
    }
}

#[test]
fn parameters_can_be_read_and_replaced_by_name() {
    let mut model = small();
    let shape = model.get("dense1.bias").unwrap().value.shape().clone();
    model.set("dense1.bias", Tensor::full(&shape, 0.5)).unwrap();
    assert_eq!(model.get("dense1.bias").unwrap().value.as_slice(), [0.5; 5]);
    let unknown = model.set("dense9.bias", Tensor::scalar(0.0)).unwrap_err().to_string();
    assert!(unknown.contains("conv1.weight") && unknown.contains("dense9.bias"), "{unknown}");
    let wrong = model.set("dense1.bias", Tensor::zeros([6])).unwrap_err().to_string();
    assert!(wrong.contains("[5]") && wrong.contains("[6]"), "{wrong}");
    assert!(model.get("nothing").is_none());
}

#[test]
fn casting_keeps_the_numbers_and_clones_share_them() {
    let model = small();
    let double = model.cast::<f64>().unwrap();
    assert_eq!(double.architecture().unwrap(), model.architecture().unwrap());
    for (a, b) in model.parameters().iter().zip(double.parameters()) {
        assert_eq!(*a.value, b.value.cast::<f32>());
        assert_eq!(a.name, b.name);
    }
    let clone = model.clone();
    assert!(Arc::ptr_eq(&clone.parameters()[0].value, &model.parameters()[0].value));
}

/// A layer that is not built in, with a parameter that is not trained.
#[derive(Debug)]
pub(super) struct Offset;

impl LayerSpec for Offset {
    fn kind(&self) -> &'static str {
        "Offset"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(single("Offset", inputs)?.clone())
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let factor = crate::init::Initializer::Constant(2.0);
        Ok(vec![ParameterSpec::state("factor", single("Offset", inputs)?, factor)])
    }
}

impl<T: Kernels> Layer<T> for Offset {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<crate::Var<T>>,
        p: &[crate::Var<T>],
    ) -> Result<crate::Var<T>> {
        cx.tape.mul(&single("Offset", inputs)?, &p[0])
    }
}

#[test]
fn layers_from_elsewhere_work_but_cannot_be_stored() {
    let model: Sequential = Sequential::builder([3]).layer(Offset).build(0).unwrap();
    assert_eq!(model.layers().collect::<Vec<_>>(), [("offset1", "Offset")]);
    let summary = model.summary();
    assert_eq!((summary.parameters, summary.trainable), (3, 0));
    for error in [model.architecture().map(drop), model.cast::<f64>().map(drop)] {
        let message = error.unwrap_err().to_string();
        assert!(message.contains("offset1 (Offset)"), "{message}");
    }
}

#[test]
fn the_smallest_image_of_the_built_in_network_is_the_smallest() {
    let smallest = ReferenceCnn::SMALLEST_IMAGE;
    assert!(ReferenceCnn::new(2, smallest).build::<f32>(1).is_ok());
    let message = ReferenceCnn::new(2, smallest - 1).build::<f32>(1).unwrap_err().to_string();
    assert!(message.contains("at least 22x22"), "{message}");
}

#[test]
fn randomised_layers_have_new_parameters_and_others_theirs() {
    let model: Sequential = ReferenceCnn::new(2, 32).build(5).unwrap();
    let mut random = model.clone();
    random.reinitialize("conv2", 5).unwrap();
    for (before, after) in model.parameters().iter().zip(random.parameters()) {
        assert_eq!(before.value.shape(), after.value.shape());
        let differs = before.value != after.value;
        assert_eq!(differs, before.name == "conv2.weight", "{}", before.name);
    }
    // From the same distribution as the initial weights, but different and uncorrelated.
    let weights = |model: &Sequential| model.get("conv2.weight").unwrap().value.clone();
    let (old, new) = (weights(&model), weights(&random));
    let dot = |a: &Tensor, b: &Tensor| -> f32 {
        a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a * b).sum()
    };
    let cosine = dot(&old, &new) / (dot(&old, &old) * dot(&new, &new)).sqrt();
    assert!(cosine.abs() < 0.02, "{cosine}");
    assert!((dot(&new, &new) / dot(&old, &old) - 1.0).abs() < 0.05);
    let mut again = model.clone();
    again.reinitialize("conv2", 5).unwrap();
    assert_eq!(weights(&again), new);
    again.reinitialize("conv2", 6).unwrap();
    assert_ne!(weights(&again), new);
    random.reinitialize("flatten1", 5).unwrap();
    assert!(random.reinitialize("conv9", 5).unwrap_err().to_string().contains("conv3"));
    assert_eq!(model.layer_parameters("conv2").unwrap().len(), 2);
    assert!(model.layer_parameters("flatten1").unwrap().is_empty());
}
