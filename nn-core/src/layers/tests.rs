//! Tests of each layer's shapes, parameters and errors; values and gradients are checked in
//! `tests/gradients.rs`.

use super::*;
use crate::kernels::Padding;
use std::sync::Arc;

fn shape_of(layer: impl Layer<f32>, input: &[usize]) -> Result<Vec<usize>> {
    layer.output_shape(&[Shape::from(input)]).map(|shape| shape.dims().to_vec())
}

#[test]
fn output_shapes() -> Result<()> {
    let image = [11, 8, 3];
    assert_eq!(shape_of(Rescaling::new(0.5), &image)?, image);
    assert_eq!(shape_of(Activation::Tanh, &image)?, image);
    assert_eq!(shape_of(Dropout::new(0.5), &image)?, image);
    assert_eq!(shape_of(Conv2D::new(5, 3), &image)?, [9, 6, 5]);
    assert_eq!(shape_of(Conv2D::new(5, (2, 4)).stride((3, 2)), &image)?, [4, 3, 5]);
    assert_eq!(shape_of(Conv2D::new(5, 4).stride(2).padding(Padding::Same), &image)?, [6, 4, 5]);
    assert_eq!(shape_of(MaxPool2D::new(2), &image)?, [5, 4, 3]);
    assert_eq!(shape_of(MaxPool2D::new(3).stride((2, 1)), &image)?, [5, 6, 3]);
    assert_eq!(shape_of(AveragePool2D::new((4, 1)), &image)?, [2, 8, 3]);
    assert_eq!(shape_of(GlobalAveragePool2D::new(), &image)?, [3]);
    assert_eq!(shape_of(Flatten::new(), &image)?, [264]);
    assert_eq!(shape_of(Flatten::new(), &[7])?, [7]);
    assert_eq!(shape_of(Dense::new(4), &[264])?, [4]);
    Ok(())
}

#[test]
fn parameters_are_in_pytorch_layout() -> Result<()> {
    let specs = Conv2D::new(5, (2, 4)).parameters(&[Shape::from([9, 9, 3])])?;
    let shapes: Vec<_> = specs.iter().map(|s| (s.name.as_str(), s.shape.dims())).collect();
    assert_eq!(shapes, [("weight", &[5, 3, 2, 4][..]), ("bias", &[5])]);
    assert_eq!((specs[0].fans.input, specs[0].fans.output), (24, 40));
    let specs = Dense::new(5).parameters(&[Shape::from([12])])?;
    assert_eq!(specs[0].shape.dims(), [5, 12]);
    assert!(specs.iter().all(|spec| spec.trainable));
    Ok(())
}

#[test]
fn inputs_of_the_wrong_kind_are_refused() {
    for (result, advice) in [
        (shape_of(Conv2D::new(5, 3), &[100]), "before Flatten"),
        (shape_of(MaxPool2D::new(2), &[4, 4]), "before Flatten"),
        (shape_of(GlobalAveragePool2D::new(), &[4]), "before Flatten"),
        (shape_of(Dense::new(5), &[4, 4, 3]), "Flatten or GlobalAveragePool2D before"),
        (shape_of(Conv2D::new(5, 3), &[2, 9, 1]), "larger images"),
        (shape_of(MaxPool2D::new(3), &[2, 9, 1]), "larger images"),
        (shape_of(Flatten::new(), &[usize::MAX, 2, 2]), "smaller images"),
    ] {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(advice), "{message}");
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let image = [9, 9, 3];
    for (result, setting) in [
        (shape_of(Conv2D::new(0, 3), &image), "filters"),
        (shape_of(Conv2D::new(4, (3, 0)), &image), "kernel size"),
        (shape_of(Conv2D::new(4, usize::MAX).padding(Padding::Same), &image), "kernel size"),
        (shape_of(Conv2D::new(4, 3).stride(0), &image), "stride"),
        (shape_of(MaxPool2D::new(0), &image), "window"),
        (shape_of(AveragePool2D::new(2).stride((1, 0)), &image), "stride"),
        (shape_of(Dense::new(0), &[9]), "units"),
        (shape_of(Dropout::new(1.0), &image), "rate"),
        (shape_of(Dropout::new(-0.1), &image), "rate"),
        (shape_of(Dropout::new(f64::NAN), &image), "rate"),
        (shape_of(Rescaling::new(f64::INFINITY), &image), "scale"),
        (shape_of(Rescaling::new(1.0).offset(f64::NAN), &image), "offset"),
    ] {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(setting) && message.contains("must be"), "{message}");
    }
}

#[test]
fn every_layer_is_stored_and_read() {
    let layers: [Arc<dyn Layer<f32>>; 9] = [
        Arc::new(Rescaling::new(1.0 / 255.0).offset(-0.5)),
        Arc::new(Conv2D::new(4, (3, 5)).stride(2).padding(Padding::Same)),
        Arc::new(MaxPool2D::new(2)),
        Arc::new(AveragePool2D::new(3).stride(2)),
        Arc::new(GlobalAveragePool2D::new()),
        Arc::new(Flatten::new()),
        Arc::new(Dense::new(7).activation(Activation::Sigmoid)),
        Arc::new(Dropout::new(0.3)),
        Arc::new(Activation::Softmax),
    ];
    for layer in layers {
        let config = layer.config().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert!(text.starts_with(&format!("{{\"kind\":\"{}\"", layer.kind())), "{text}");
        let read: LayerConfig = serde_json::from_str(&text).unwrap();
        assert_eq!(read, config);
        let layer = LayerKinds::<f64>::built_in().layer(read.clone()).unwrap();
        assert_eq!(layer.config(), Some(read));
    }
    let unknown = r#"{"kind": "Dense", "units": 3, "activation": "linear",
                      "initializer": "zeros", "dilation": 2}"#;
    let unknown = serde_json::from_str::<LayerConfig>(unknown).unwrap();
    let error = LayerKinds::<f32>::built_in().layer(unknown).unwrap_err().to_string();
    assert!(error.contains("Dense") && error.contains("dilation"), "{error}");
    for (text, word) in [
        (r#"{"units": 3}"#, "kind"),
        (r#"{"kind": 3}"#, "kind must be a text"),
        (r#"{"kind": "Dense", "units": 3, "units": 4}"#, "stands twice"),
        ("[1]", "names and values"),
    ] {
        let error = serde_json::from_str::<LayerConfig>(text).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn settings_may_be_left_out_and_pairs_written_as_one_number() {
    let kinds = LayerKinds::<f32>::built_in();
    let read = |text: &str| kinds.layer(serde_json::from_str(text).unwrap());
    let around = |vertical, horizontal| Padding::symmetric((vertical, horizontal));
    for (text, layer) in [
        (r#"{"kind": "Conv2D", "filters": 4, "kernel_size": 3}"#, Conv2D::new(4, 3).config()),
        (
            r#"{"kind": "Conv2D", "filters": 4, "kernel_size": [3, 5], "stride": 2, "padding": 1}"#,
            Conv2D::new(4, (3, 5)).stride(2).padding(around(1, 1)).config(),
        ),
        (
            r#"{"kind": "Conv2D", "filters": 4, "kernel_size": 3, "padding": [1, 2]}"#,
            Conv2D::new(4, 3).padding(around(1, 2)).config(),
        ),
        (
            r#"{"kind": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same_lower"}"#,
            Conv2D::new(4, 3).padding(Padding::SameLower).config(),
        ),
        (r#"{"kind": "MaxPool2D", "window": [2, 3]}"#, MaxPool2D::new((2, 3)).config()),
        (
            r#"{"kind": "AveragePool2D", "window": 3, "stride": 2}"#,
            AveragePool2D::new(3).stride(2).config(),
        ),
        (r#"{"kind": "Dense", "units": 3}"#, Dense::new(3).config()),
        (r#"{"kind": "Rescaling", "scale": 0.5}"#, Rescaling::new(0.5).config()),
    ] {
        assert_eq!(read(text).unwrap().config(), layer, "{text}");
    }
    for (text, says) in [
        (r#"{"kind": "Conv2D", "kernel_size": 3}"#, "missing field `filters`"),
        (r#"{"kind": "Conv2D", "filters": 4, "kernel_size": -3}"#, "-3"),
        (r#"{"kind": "Conv2D", "filters": 4, "kernel_size": "3"}"#, "[vertical, horizontal]"),
        (r#"{"kind": "Conv2D", "filters": 4, "kernel_size": [3]}"#, "length"),
        (r#"{"kind": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "al"}"#, "same_lower"),
        (r#"{"kind": "MaxPool2D", "window": 2, "strides": 2}"#, "strides"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(says), "{says:?} is missing: {error}");
    }
}

#[test]
fn every_kind_tells_the_names_of_its_settings() {
    let kinds = LayerKinds::<f32>::built_in();
    assert_eq!(kinds.settings("MaxPool2D"), Some(&["window", "stride"][..]));
    assert_eq!(kinds.settings("Activation"), Some(&["function"][..]));
    assert_eq!(kinds.settings("Flatten"), Some(&[][..]));
    for layer in [Conv2D::new(1, 1).config(), Dense::new(1).config(), Dropout::new(0.5).config()] {
        let layer = layer.unwrap();
        let written: Vec<_> = layer.settings().map(|(name, _)| name).collect();
        assert_eq!(kinds.settings(layer.kind()), Some(&written[..]));
    }
}
