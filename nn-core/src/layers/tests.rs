//! Tests of each layer's shapes, parameters and errors; values and gradients are checked in
//! `tests/gradients.rs`.

use super::*;
use crate::autograd::PadMode;
use crate::kernels::Padding;
use std::sync::Arc;

fn shape_of(layer: impl Layer<f32>, input: &[usize]) -> Result<Vec<usize>> {
    layer.output_shape(&[Shape::from(input)]).map(|shape| shape.dims().to_vec())
}

#[test]
fn output_shapes() -> Result<()> {
    let image = [11, 8, 3];
    assert_eq!(shape_of(Rescaling::new(0.5), &image)?, image);
    assert_eq!(shape_of(Normalization::new([1.0; 3], [2.0; 3]), &image)?, image);
    assert_eq!(shape_of(Activation::Tanh, &image)?, image);
    assert_eq!(shape_of(Dropout::new(0.5), &image)?, image);
    assert_eq!(shape_of(Conv2D::new(5, 3), &image)?, [9, 6, 5]);
    assert_eq!(shape_of(Conv2D::new(5, (2, 4)).stride((3, 2)), &image)?, [4, 3, 5]);
    assert_eq!(shape_of(Conv2D::new(5, 4).stride(2).padding(Padding::Same), &image)?, [6, 4, 5]);
    let uneven = Padding::Explicit { top: 0, bottom: 2, left: 1, right: 0 };
    assert_eq!(shape_of(Conv2D::new(6, 3).padding(uneven).groups(3), &image)?, [11, 7, 6]);
    assert_eq!(shape_of(Conv2D::new(5, 3).dilation((2, 3)), &image)?, [7, 2, 5]);
    assert_eq!(shape_of(DepthwiseConv2D::new(3).stride(2), &image)?, [5, 3, 3]);
    assert_eq!(shape_of(DepthwiseConv2D::new((2, 1)).multiplier(4), &image)?, [10, 8, 12]);
    assert_eq!(shape_of(Conv2DTranspose::new(5, 3), &image)?, [13, 10, 5]);
    let up = Conv2DTranspose::new(6, (4, 3)).stride(2).groups(3);
    assert_eq!(shape_of(up.clone().padding(Padding::Same), &image)?, [22, 16, 6]);
    let cut = up.padding(Padding::symmetric(1)).output_padding((0, 1));
    assert_eq!(shape_of(cut, &image)?, [22, 16, 6]);
    assert_eq!(shape_of(ZeroPadding2D::new(2), &image)?, [15, 12, 3]);
    assert_eq!(shape_of(ZeroPadding2D::sides((0, 1), (2, 3)), &image)?, [12, 13, 3]);
    assert_eq!(shape_of(MaxPool2D::new(2), &image)?, [5, 4, 3]);
    assert_eq!(shape_of(MaxPool2D::new(3).stride((2, 1)), &image)?, [5, 6, 3]);
    assert_eq!(shape_of(AveragePool2D::new((4, 1)), &image)?, [2, 8, 3]);
    assert_eq!(shape_of(GlobalAveragePool2D::new(), &image)?, [3]);
    assert_eq!(shape_of(GlobalMaxPool2D::new(), &image)?, [3]);
    let padded = MaxPool2D::new(3).stride(2).padding(Padding::symmetric(1));
    assert_eq!(shape_of(padded, &image)?, [6, 4, 3]);
    assert_eq!(shape_of(padded.ceil_mode(true), &image)?, [6, 5, 3]);
    assert_eq!(shape_of(AveragePool2D::new(2).padding(Padding::Same), &image)?, [6, 4, 3]);
    assert_eq!(shape_of(MaxPool2D::new(3).stride(1).dilation((2, 3)), &image)?, [7, 2, 3]);
    assert_eq!(shape_of(AdaptiveAveragePool2D::new((7, 2)), &image)?, [7, 2, 3]);
    assert_eq!(shape_of(UpSampling2D::new((2, 3)), &image)?, [22, 24, 3]);
    assert_eq!(shape_of(BatchNormalization::new(), &image)?, image);
    assert_eq!(shape_of(LayerNormalization::new(), &[7])?, [7]);
    assert_eq!(shape_of(GroupNormalization::new(3), &image)?, image);
    assert_eq!(shape_of(Scale::new(0.1), &image)?, image);
    assert_eq!(shape_of(StochasticDepth::new(0.1), &image)?, image);
    assert_eq!(shape_of(ChannelShuffle::new(3), &image)?, image);
    assert_eq!(shape_of(ChannelSlice::new(1..3), &image)?, [11, 8, 2]);
    let branches = [[11, 8, 3], [11, 8, 4], [11, 8, 1]].map(Shape::from);
    assert_eq!(Concatenate::new().output_shape(&branches)?.dims(), [11, 8, 8]);
    assert_eq!(
        Maximum::new().output_shape(&[[11, 8, 3], [1, 8, 1]].map(Shape::from))?.dims(),
        image
    );
    let rows = [[4, 8, 3], [7, 8, 3]].map(Shape::from);
    assert_eq!(Concatenate::new().axis(0).output_shape(&rows)?.dims(), image);
    assert_eq!(shape_of(Bias::new(), &image)?, image);
    assert_eq!(shape_of(Constant::new([2, 3]), &image)?, [2, 3]);
    assert_eq!(shape_of(Function::Erf, &image)?, image);
    assert_eq!(shape_of(Gather::new(1, [7, 0, 7]), &image)?, [11, 3, 3]);
    let products = [[2, 5, 4], [1, 4, 6]].map(Shape::from);
    assert_eq!(MatMul::new().output_shape(&products)?.dims(), [2, 5, 6]);
    let pad = Pad::new([(1, 0), (0, 2), (0, 0)], PadMode::Edge);
    assert_eq!(shape_of(pad, &image)?, [12, 10, 3]);
    assert_eq!(shape_of(Permute::new([2, 0, 1]), &image)?, [3, 11, 8]);
    assert_eq!(shape_of(Reduce::new(Reduction::Mean, [2, 0]), &image)?, [1, 8, 1]);
    assert_eq!(shape_of(Reshape::new([88, 3]), &image)?, [88, 3]);
    assert_eq!(shape_of(Resize2D::new((3, 20)), &image)?, [3, 20, 3]);
    assert_eq!(shape_of(Slice::new(0, 1..11).step(-3), &image)?, [4, 8, 3]);
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
    let dims = |layer: &dyn Layer<f32>| -> Result<Vec<Vec<usize>>> {
        let specs = layer.parameters(&[Shape::from([9, 9, 6])])?;
        Ok(specs.iter().map(|spec| spec.shape.dims().to_vec()).collect())
    };
    assert_eq!(dims(&Conv2D::new(4, 3).groups(2).bias(false))?, [vec![4, 3, 3, 3]]);
    assert_eq!(dims(&DepthwiseConv2D::new(3).multiplier(2))?, [vec![12, 1, 3, 3], vec![12]]);
    assert_eq!(dims(&DepthwiseConv2D::new((1, 2)).bias(false))?, [vec![6, 1, 1, 2]]);
    assert_eq!(dims(&Conv2DTranspose::new(4, (3, 2)).groups(2))?, [vec![6, 2, 3, 2], vec![4]]);
    assert_eq!(dims(&Conv2DTranspose::new(4, 2).bias(false))?, [vec![6, 4, 2, 2]]);
    let six = &[Shape::from([9, 9, 6])];
    // Within a group: what an output sees, and what sees an input.
    let fans = Conv2D::new(4, 3).groups(2).parameters(six)?[0].fans;
    assert_eq!((fans.input, fans.output), (27, 18));
    let fans = Conv2DTranspose::new(4, 3).groups(2).parameters(six)?[0].fans;
    assert_eq!((fans.input, fans.output), (27, 18));
    let specs = Dense::new(5).parameters(&[Shape::from([12])])?;
    assert_eq!(specs[0].shape.dims(), [5, 12]);
    assert!(specs.iter().all(|spec| spec.trainable));
    let specs = BatchNormalization::new().parameters(&[Shape::from([9, 9, 3])])?;
    let specs: Vec<_> =
        specs.iter().map(|s| (s.name.as_str(), s.shape.dims(), s.trainable)).collect();
    let expected =
        [("weight", true), ("bias", true), ("running_mean", false), ("running_var", false)];
    assert_eq!(specs, expected.map(|(name, trainable)| (name, &[3][..], trainable)));
    Ok(())
}

#[test]
fn numbers_that_are_fixed_are_not_trained() -> Result<()> {
    let fixed: [Arc<dyn Layer<f32>>; 3] = [
        Arc::new(Bias::new().fixed(true)),
        Arc::new(Constant::new([5]).fixed(true)),
        Arc::new(Scale::new(2.0).fixed(true)),
    ];
    for layer in fixed {
        let spec = &layer.parameters(&[Shape::from([5])])?[0];
        assert!(!spec.trainable && !spec.state, "{}", layer.kind());
    }
    let trained: [Arc<dyn Layer<f32>>; 3] =
        [Arc::new(Bias::new()), Arc::new(Constant::new([5])), Arc::new(Scale::new(2.0))];
    for layer in trained {
        assert!(layer.parameters(&[Shape::from([5])])?[0].trainable, "{}", layer.kind());
    }
    Ok(())
}

/// A batch normalisation of one channel, in training, whose running mean is 1 and variance 2: its output
/// for these numbers, and its state afterwards.
fn train_on(layer: BatchNormalization, numbers: &[f64]) -> Result<(Vec<f64>, Option<[f64; 2]>)> {
    let tape = crate::autograd::Tape::<f64>::new();
    let mut rng = Rng::new(0, 0);
    let mut cx = Forward::new(&tape, true, &mut rng);
    let x = tape.leaf(Tensor::from_vec([numbers.len(), 1], numbers.to_vec())?);
    let parameters = [3.0, 4.0, 1.0, 2.0].map(|v| tape.constant(Tensor::full([1], v)));
    let y = layer.forward(&mut cx, vec![x], &parameters)?;
    let updates = cx.take_updates();
    let state = match updates.as_slice() {
        [] => None,
        [(old_mean, mean), (old_variance, variance)] => {
            assert_eq!((old_mean.item()?, old_variance.item()?), (1.0, 2.0));
            Some([mean.item()?, variance.item()?])
        }
        other => panic!("{} updates", other.len()),
    };
    Ok((y.value().as_slice().to_vec(), state))
}

#[test]
fn running_statistics_follow_both_conventions() -> Result<()> {
    // Mean 5, squared distances 9 + 1 + 1 + 9 = 20: variance 5, unbiased 20 / 3.
    let numbers = [2.0, 4.0, 6.0, 8.0];
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-14, "{a} and {b}");
    let (y, state) = train_on(BatchNormalization::new(), &numbers)?;
    close(y[3], 3.0 * 3.0 / (5.0f64 + 1e-5).sqrt() + 4.0);
    let [mean, variance] = state.unwrap();
    close(mean, 0.9 * 1.0 + 0.1 * 5.0);
    close(variance, 0.9 * 2.0 + 0.1 * 20.0 / 3.0);
    let (y, state) = train_on(BatchNormalization::keras(), &numbers)?;
    close(y[3], 3.0 * 3.0 / (5.0f64 + 1e-3).sqrt() + 4.0);
    let [mean, variance] = state.unwrap();
    close(mean, 0.99 * 1.0 + 0.01 * 5.0);
    close(variance, 0.99 * 2.0 + 0.01 * 5.0);
    // One number tells nothing about the spread.
    assert_eq!(train_on(BatchNormalization::new(), &[7.0])?, (vec![4.0], None));
    Ok(())
}

#[test]
fn a_batch_normalization_infers_by_its_state_and_changes_nothing() -> Result<()> {
    let tape = crate::autograd::Tape::<f64>::new();
    let mut rng = Rng::new(0, 0);
    let mut cx = Forward::new(&tape, false, &mut rng);
    let x = tape.constant(Tensor::from_vec([2, 1], vec![2.0, 8.0])?);
    let parameters = [3.0, 4.0, 1.0, 2.0].map(|v| tape.constant(Tensor::full([1], v)));
    let layer = BatchNormalization::new().epsilon(0.25);
    let y = layer.forward(&mut cx, vec![x], &parameters)?;
    assert_eq!(y.value().as_slice(), [1.0 / 1.5 * 3.0 + 4.0, 7.0 / 1.5 * 3.0 + 4.0]);
    assert!(cx.take_updates().is_empty());
    Ok(())
}

#[test]
fn settings_that_do_not_fit_the_input_are_refused() {
    let refused = |layer: &dyn LayerSpec, part: &str| {
        let error = layer.output_shape(&[Shape::from([4, 5, 3])]).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(&Constant::new([usize::MAX, 2]), "Constant");
    refused(&Function::Power { exponent: f64::NAN }, "finite");
    refused(&Function::Clamp { low: Some(f64::INFINITY), high: None }, "finite");
    refused(&Gather::new(0, [4]), "each below 4");
    refused(&Gather::new(0, []), "at least one");
    refused(&Gather::new(3, [0]), "below 3, the number of dimensions");
    refused(&MatMul::new(), "two inputs");
    refused(&Pad::new([(0, 0)], PadMode::Edge), "a pair for each dimension");
    refused(
        &Pad::new([(usize::MAX, 1), (0, 0), (0, 0)], PadMode::Edge),
        "as large as memory allows",
    );
    refused(&Permute::new([0, 1]), "each of the 3 dimensions");
    refused(&Permute::new([0, 1, 1]), "each of the 3 dimensions");
    refused(&Reduce::new(Reduction::Max, [3]), "Reduce's axes");
    refused(&Reduce::new(Reduction::Max, [0, 0]), "and once");
    refused(&Reshape::new([4, 5]), "as many numbers");
    refused(&Reshape::new([usize::MAX, usize::MAX]), "as many numbers");
    refused(&Resize2D::new((0, 2)), "size");
    refused(&Slice::new(0, 2..5), "within 0..4");
    refused(&Slice::new(0, 2..2), "at least one entry");
    refused(&Slice::new(0, 0..2).step(0), "a step that is not 0");
    let unequal = [[4, 5, 3], [4, 6, 3]].map(Shape::from);
    assert!(Concatenate::new().axis(0).output_shape(&unequal).is_err());
    assert!(Concatenate::new().axis(3).output_shape(&unequal).is_err());
    assert!(MatMul::new().output_shape(&unequal).is_err());
}

/// What the new setting of an old layer leaves out.
#[test]
fn a_plain_concatenation_is_stored_as_ever() {
    let text = |layer: Concatenate| serde_json::to_string(&layer.config().unwrap()).unwrap();
    assert_eq!(text(Concatenate::new()), r#"{"kind":"Concatenate"}"#);
    assert_eq!(text(Concatenate::new().axis(1)), r#"{"kind":"Concatenate","axis":1}"#);
}

/// The text that released versions wrote: what they do not know is left out at its default.
#[test]
fn a_plain_convolution_is_stored_as_ever() {
    let conv = Conv2D::new(4, (3, 5)).stride(2).padding(Padding::Same);
    let text = serde_json::to_string(&conv.config().unwrap()).unwrap();
    let old = r#"{"kind":"Conv2D","filters":4,"kernel_size":[3,5],"stride":[2,2],"#.to_owned()
        + r#""padding":"same","activation":"linear","initializer":"glorot_uniform"}"#;
    assert_eq!(text, old);
}

#[test]
fn windows_count_dilation_and_padding() -> Result<()> {
    let window = |layer: &dyn Layer<f32>| layer.window(&[Shape::from([9, 11, 4])]);
    let of = |size, stride, padding| Some(Window2d { size, stride, padding });
    let conv = Conv2D::new(4, (3, 2)).dilation((2, 3)).stride((1, 2)).groups(2);
    assert_eq!(window(&conv)?, of((5, 4), (1, 2), (0, 0)));
    let uneven = Padding::Explicit { top: 3, bottom: 0, left: 1, right: 2 };
    assert_eq!(window(&conv.padding(uneven))?, of((5, 4), (1, 2), (3, 1)));
    let depthwise = DepthwiseConv2D::new(3).padding(Padding::Same);
    assert_eq!(window(&depthwise)?, of((3, 3), (1, 1), (1, 1)));
    let transposed = Conv2DTranspose::new(4, 3).dilation((2, 1)).padding(uneven);
    assert_eq!(window(&transposed)?, of((5, 3), (1, 1), (1, 1)));
    assert_eq!(window(&Conv2DTranspose::new(4, 3).stride(2))?, None);
    assert_eq!(window(&ZeroPadding2D::sides((1, 0), (2, 0)))?, of((1, 1), (1, 1), (1, 2)));
    Ok(())
}

#[test]
fn windows_of_poolings() -> Result<()> {
    let input = [Shape::from([11, 12, 3])];
    let window = |layer: &dyn LayerSpec| layer.window(&input);
    let padded = MaxPool2D::new(3).stride(2).padding(Padding::symmetric((1, 0)));
    let expected = Window2d { size: (3, 3), stride: (2, 2), padding: (1, 0) };
    assert_eq!(window(&padded)?, Some(expected));
    let dilated = MaxPool2D::new((2, 3)).stride(1).dilation((3, 2));
    let expected = Window2d { size: (4, 5), stride: (1, 1), padding: (0, 0) };
    assert_eq!(window(&dilated)?, Some(expected));
    let same = AveragePool2D::new(3).stride(2).padding(Padding::SameLower);
    let expected = Window2d { size: (3, 3), stride: (2, 2), padding: (1, 1) };
    assert_eq!(window(&same)?, Some(expected));
    assert_eq!(window(&AdaptiveAveragePool2D::new(5))?, None);
    assert_eq!(window(&UpSampling2D::new(2))?, None);
    for layer in [&BatchNormalization::new() as &dyn LayerSpec, &ChannelShuffle::new(3)] {
        assert_eq!(window(layer)?, Some(Window2d::PIXEL));
    }
    Ok(())
}

#[test]
fn branches_that_do_not_fit_are_refused() {
    let image = Shape::from([4, 5, 3]);
    for (others, part) in [
        (vec![], "two inputs"),
        (vec![Shape::from([4, 4, 3])], "[4, 5, 3] and [4, 4, 3]"),
        (vec![Shape::from([3])], "[4, 5, 3] and [3]"),
        (vec![Shape::from([4, 5, usize::MAX])], "equal shapes"),
    ] {
        let inputs: Vec<_> = [image.clone()].into_iter().chain(others).collect();
        let message = Concatenate::new().output_shape(&inputs).unwrap_err().to_string();
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

#[test]
fn multiply_adds_count_groups_once() -> Result<()> {
    let count = |layer: &dyn Layer<f32>| layer.multiply_adds(&[Shape::from([9, 9, 4])]);
    assert_eq!(count(&Conv2D::new(6, 3).groups(2))?, 49 * 6 * 2 * 9);
    assert_eq!(count(&DepthwiseConv2D::new(3).multiplier(2))?, 49 * 8 * 9);
    assert_eq!(count(&Conv2DTranspose::new(6, 3).groups(2).stride(2))?, 81 * 4 * 3 * 9);
    Ok(())
}

#[test]
fn inputs_of_the_wrong_kind_are_refused() {
    for (result, advice) in [
        (shape_of(Conv2D::new(5, 3), &[100]), "before Flatten"),
        (shape_of(DepthwiseConv2D::new(3), &[100]), "before Flatten"),
        (shape_of(Conv2DTranspose::new(5, 3), &[100]), "before Flatten"),
        (shape_of(ZeroPadding2D::new(1), &[100]), "before Flatten"),
        (shape_of(Conv2D::new(6, 3).groups(4), &[9, 9, 9]), "these would do: 1, 3"),
        (shape_of(Conv2D::new(5, 3).dilation(4), &[8, 9, 1]), "larger images"),
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
        (shape_of(Conv2D::new(4, 3).dilation(0), &image), "dilation"),
        (shape_of(Conv2D::new(4, 3).groups(0), &image), "groups"),
        (shape_of(DepthwiseConv2D::new(3).multiplier(0), &image), "multiplier"),
        (shape_of(DepthwiseConv2D::new(0), &image), "DepthwiseConv2D's kernel size"),
        (shape_of(DepthwiseConv2D::new(3).dilation(usize::MAX), &image), "dilation"),
        (shape_of(Conv2DTranspose::new(0, 3), &image), "filters"),
        (shape_of(Conv2DTranspose::new(4, 3).groups(3), &image), "filters"),
        (shape_of(Conv2DTranspose::new(4, 3).groups(0), &image), "groups"),
        (shape_of(Conv2DTranspose::new(4, 3).stride(usize::MAX), &image), "stride"),
        (shape_of(Conv2DTranspose::new(4, 3).output_padding(1), &image), "output padding"),
        (shape_of(Conv2DTranspose::new(4, 3).padding(Padding::symmetric(9)), &image), "padding"),
        (shape_of(ZeroPadding2D::new(usize::MAX), &image), "rows and columns"),
        (shape_of(MaxPool2D::new(0), &image), "window"),
        (shape_of(AveragePool2D::new(2).stride((1, 0)), &image), "stride"),
        (shape_of(Dense::new(0), &[9]), "units"),
        (shape_of(MaxPool2D::new(2).dilation(0), &image), "dilation"),
        (shape_of(MaxPool2D::new(2).padding(Padding::symmetric(2)), &image), "padding"),
        (shape_of(AdaptiveAveragePool2D::new((0, 1)), &image), "size"),
        (shape_of(UpSampling2D::new((2, 0)), &image), "factor"),
        (shape_of(BatchNormalization::new().momentum(0.0), &image), "momentum"),
        (shape_of(BatchNormalization::new().momentum(1.5), &image), "Keras"),
        (shape_of(BatchNormalization::new().epsilon(0.0), &image), "epsilon"),
        (shape_of(LayerNormalization::new().epsilon(f64::NAN), &image), "epsilon"),
        (shape_of(GroupNormalization::new(2), &image), "groups"),
        (shape_of(ChannelShuffle::new(0), &image), "groups"),
        (shape_of(ChannelSlice::new(1..4), &image), "range"),
        (shape_of(ChannelSlice::new(1..1), &image), "range"),
        (shape_of(Scale::new(f64::NAN), &image), "initial"),
        (shape_of(StochasticDepth::new(1.0), &image), "rate"),
        (shape_of(Activation::LeakyRelu { slope: f64::NAN }, &image), "slope"),
        (shape_of(Activation::HardSigmoid { alpha: 0.2, beta: f64::NAN }, &image), "beta"),
        (shape_of(Dropout::new(1.0), &image), "rate"),
        (shape_of(Dropout::new(-0.1), &image), "rate"),
        (shape_of(Dropout::new(f64::NAN), &image), "rate"),
        (shape_of(Rescaling::new(f64::INFINITY), &image), "scale"),
        (shape_of(Rescaling::new(1.0).offset(f64::NAN), &image), "offset"),
        (shape_of(Normalization::new([1.0; 2], [2.0; 3]), &image), "each of the 3 channels"),
        (shape_of(Normalization::new([1.0; 3], [2.0, 0.0, 1.0]), &image), "no std 0"),
        (shape_of(Normalization::new([f64::NAN; 3], [1.0; 3]), &image), "finite"),
    ] {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(setting) && message.contains("must be"), "{message}");
    }
}

#[test]
fn every_layer_is_stored_and_read() {
    let layers: Vec<Arc<dyn Layer<f32>>> = vec![
        Arc::new(Rescaling::new(1.0 / 255.0).offset(-0.5)),
        Arc::new(Normalization::new([0.5, 1.0, -2.0], [1.0, 0.25, 3.0])),
        Arc::new(Conv2D::new(4, (3, 5)).stride(2).padding(Padding::Same)),
        Arc::new(Conv2D::new(4, 3).dilation(2).groups(2).bias(false)),
        Arc::new(DepthwiseConv2D::new(3).padding(Padding::SameLower)),
        Arc::new(DepthwiseConv2D::new(3).dilation(2).multiplier(3).bias(false)),
        Arc::new(Conv2DTranspose::new(4, 3).stride(2).padding(Padding::symmetric((1, 0)))),
        Arc::new(Conv2DTranspose::new(4, 3).stride(3).output_padding(2).dilation(2).groups(2)),
        Arc::new(ZeroPadding2D::sides((0, 1), (2, 3))),
        Arc::new(MaxPool2D::new(2)),
        Arc::new(AveragePool2D::new(3).stride(2)),
        Arc::new(GlobalAveragePool2D::new()),
        Arc::new(Flatten::new()),
        Arc::new(Dense::new(7).activation(Activation::Sigmoid)),
        Arc::new(Dropout::new(0.3)),
        Arc::new(Activation::Softmax),
        Arc::new(Activation::LeakyRelu { slope: 0.1 }),
        Arc::new(Activation::HARD_SIGMOID),
        Arc::new(Activation::GeluTanh),
        Arc::new(MaxPool2D::new(3).padding(Padding::symmetric(1)).ceil_mode(true).dilation(2)),
        Arc::new(AveragePool2D::new(3).padding(Padding::Same).count_include_pad(false)),
        Arc::new(GlobalMaxPool2D::new()),
        Arc::new(AdaptiveAveragePool2D::new((3, 2))),
        Arc::new(
            UpSampling2D::new(2).interpolation(Interpolation::Bilinear { align_corners: true }),
        ),
        Arc::new(BatchNormalization::new()),
        Arc::new(BatchNormalization::keras()),
        Arc::new(LayerNormalization::new()),
        Arc::new(GroupNormalization::new(4)),
        Arc::new(Add::new()),
        Arc::new(Multiply::new()),
        Arc::new(Concatenate::new()),
        Arc::new(ChannelSlice::new(2..5)),
        Arc::new(ChannelShuffle::new(2)),
        Arc::new(Scale::new(1e-6)),
        Arc::new(Scale::new(1.0).fixed(true)),
        Arc::new(StochasticDepth::new(0.2)),
        Arc::new(Subtract::new()),
        Arc::new(Divide::new()),
        Arc::new(Minimum::new()),
        Arc::new(Maximum::new()),
        Arc::new(MatMul::new()),
        Arc::new(Concatenate::new().axis(1)),
        Arc::new(Bias::new()),
        Arc::new(Bias::new().fixed(true)),
        Arc::new(Constant::new([2, 3]).fixed(true)),
        Arc::new(Constant::new([2, 3])),
        Arc::new(Function::Erf),
        Arc::new(Function::Power { exponent: -0.5 }),
        Arc::new(Function::Clamp { low: None, high: Some(3.5) }),
        Arc::new(Gather::new(1, [2, 0])),
        Arc::new(Pad::new([(1, 2), (0, 1)], PadMode::Reflect)),
        Arc::new(Pad::new([(1, 2)], PadMode::Constant(-0.5))),
        Arc::new(Permute::new([1, 0])),
        Arc::new(Reduce::new(Reduction::Max, [0, 2])),
        Arc::new(Reshape::new([6, 2])),
        Arc::new(Resize2D::new((4, 5))),
        Arc::new(Slice::new(1, 2..5).step(-1)),
    ];
    let kinds: std::collections::BTreeSet<_> = layers.iter().map(|layer| layer.kind()).collect();
    assert!(LayerKinds::<f32>::built_in().names().eq(kinds), "a kind is missing here");
    for layer in layers {
        let config = layer.config().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert!(text.starts_with(&format!("{{\"kind\":\"{}\"", layer.kind())), "{text}");
        let read: LayerConfig = serde_json::from_str(&text).unwrap();
        assert_eq!(read, config);
        let layer = LayerKinds::<f64>::built_in().layer(read.clone()).unwrap();
        assert_eq!(layer.config(), Some(read));
    }
    // What was stored before there were more settings is read, and stored in the same way.
    for text in [
        r#"{"kind":"MaxPool2D","window":[2,2],"stride":[2,2]}"#,
        r#"{"kind":"AveragePool2D","window":[3,2],"stride":[1,2]}"#,
        r#"{"kind":"Activation","function":"relu"}"#,
        r#"{"kind":"BatchNormalization","momentum":0.1,"epsilon":0.00001}"#,
    ] {
        let read: LayerConfig = serde_json::from_str(text).unwrap();
        let layer = LayerKinds::<f32>::built_in().layer(read).unwrap();
        assert_eq!(serde_json::to_string(&layer.config()).unwrap(), text);
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
    let many: Vec<String> = (0..100_000).map(|i| format!("\"s{i}\": 0")).collect();
    let many = format!("{{\"kind\": \"Dense\", {}}}", many.join(", "));
    let error = serde_json::from_str::<LayerConfig>(&many).unwrap_err().to_string();
    assert!(error.contains("more than 64 settings"), "{error}");
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
        (
            r#"{"kind": "MaxPool2D", "window": 3, "stride": 2, "padding": 1, "dilation": 2}"#,
            MaxPool2D::new(3).stride(2).padding(around(1, 1)).dilation(2).config(),
        ),
        (r#"{"kind": "AdaptiveAveragePool2D", "size": 7}"#, AdaptiveAveragePool2D::new(7).config()),
        (r#"{"kind": "UpSampling2D", "factor": 2}"#, UpSampling2D::new(2).config()),
        (r#"{"kind": "BatchNormalization"}"#, BatchNormalization::new().config()),
        (
            r#"{"kind": "BatchNormalization", "momentum": 0.01}"#,
            BatchNormalization::new().momentum(0.01).config(),
        ),
        (r#"{"kind": "LayerNormalization"}"#, LayerNormalization::new().config()),
        (r#"{"kind": "GroupNormalization", "groups": 2}"#, GroupNormalization::new(2).config()),
        (
            r#"{"kind": "Activation", "function": "hard_sigmoid"}"#,
            Activation::HARD_SIGMOID.config(),
        ),
        (
            r#"{"kind": "Dense", "units": 3, "activation": {"elu": {"alpha": 2}}}"#,
            Dense::new(3).activation(Activation::Elu { alpha: 2.0 }).config(),
        ),
        (
            r#"{"kind": "DepthwiseConv2D", "kernel_size": 3, "padding": 1}"#,
            DepthwiseConv2D::new(3).padding(around(1, 1)).config(),
        ),
        (
            r#"{"kind": "Conv2DTranspose", "filters": 4, "kernel_size": 2, "stride": 2}"#,
            Conv2DTranspose::new(4, 2).stride(2).config(),
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
        (r#"{"kind": "BatchNormalization", "eps": 2}"#, "eps"),
        (r#"{"kind": "Activation", "function": "rellu"}"#, "unknown variant `rellu`"),
        (r#"{"kind": "Activation", "function": {"elu": {"beta": 1}}}"#, "alpha"),
        (r#"{"kind": "Activation", "function": 3}"#, "name of an activation"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(says), "{says:?} is missing: {error}");
    }
}

#[test]
fn every_kind_tells_the_names_of_its_settings() {
    let kinds = LayerKinds::<f32>::built_in();
    let of_pool = ["window", "stride", "padding", "ceil_mode", "dilation"];
    assert_eq!(kinds.settings("MaxPool2D"), Some(&of_pool[..]));
    let of_norm = ["momentum", "epsilon", "running_variance"];
    assert_eq!(kinds.settings("BatchNormalization"), Some(&of_norm[..]));
    assert_eq!(kinds.settings("Activation"), Some(&["function"][..]));
    assert_eq!(kinds.settings("Flatten"), Some(&[][..]));
    assert!(kinds.settings("Conv2D").is_some_and(|names| names.contains(&"groups")));
    // These store all their settings.
    for layer in [Dense::new(1).bias(false).config(), Dropout::new(0.5).config()] {
        let layer = layer.unwrap();
        let written: Vec<_> = layer.settings().map(|(name, _)| name).collect();
        assert_eq!(kinds.settings(layer.kind()), Some(&written[..]));
    }
}
