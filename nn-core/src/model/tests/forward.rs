use super::*;
use crate::loss::Loss;
use crate::optim::{Gradients, OptimizerConfig};
use crate::{Shape, Tape, Var};

/// Loss and gradients of one pass over four images.
fn gradients(model: &Sequential<f64>, pass: Pass<'_>) -> (f64, Gradients<f64>) {
    let mut tape = Tape::new();
    let x = tape.constant(images(4, 26));
    let output = model.forward(&tape, x, pass).unwrap();
    let loss = Loss::CategoricalCrossentropy;
    let loss = loss.apply(&tape, &output.output, &[0, 2, 1, 0][..]).unwrap();
    tape.backward(&loss).unwrap();
    (loss.value().item().unwrap(), Gradients::take(&mut tape, &output.parameters))
}

fn assert_close(a: &Tensor<f64>, b: &Tensor<f64>) {
    assert_eq!(a.shape(), b.shape());
    for (a, b) in a.as_slice().iter().zip(b.as_slice()) {
        assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{a} {b}");
    }
}

#[test]
fn fused_and_plain_passes_agree() {
    let model = small().cast::<f64>().unwrap();
    let (fused_loss, fused) = gradients(&model, Pass::inference());
    // Watching every convolution prevents fusion.
    let (plain_loss, plain) =
        gradients(&model, Pass::inference().watch(&["conv1", "conv2", "conv3"]));
    assert!((fused_loss - plain_loss).abs() < 1e-12);
    for (fused, plain) in fused.as_slice().iter().zip(plain.as_slice()) {
        assert_close(fused.as_ref().unwrap().tensor(), plain.as_ref().unwrap().tensor());
    }
}

#[test]
fn a_watched_layer_that_hands_on_its_input_has_its_own_gradient() {
    let mut graph = GraphBuilder::<f64>::new([4]);
    let x = graph.layer(Dense::new(3), graph.input());
    let dropped = graph.layer(Dropout::new(0.5), x);
    let same = graph.layer(Activation::Linear, dropped);
    let sum = graph.layer(crate::layers::Add::new(), [x, same]);
    let model = graph.build(sum, 1).unwrap();
    let mut tape = Tape::new();
    let x = tape.constant(Tensor::full([2, 4], 0.5));
    let watch = ["dense1", "dropout1", "activation1"];
    let output = model.forward(&tape, x, Pass::inference().watch(&watch)).unwrap();
    let total = tape.sum(&output.output);
    tape.backward(&total).unwrap();
    for ((name, var), gradient) in output.watched.iter().zip([2.0, 1.0, 1.0]) {
        assert_eq!(tape.grad(var).unwrap().as_slice(), [gradient; 6], "{name}");
    }
}

#[test]
fn large_windows_are_not_fused_but_work() {
    let model: Sequential = Sequential::builder([40, 40, 1])
        .layer(Conv2D::new(2, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(17))
        .build(1)
        .unwrap();
    let y = model.predict(Tensor::full([1, 40, 40, 1], 1.0)).unwrap();
    assert_eq!(y.dims(), [1, 2, 2, 2]);
}

#[test]
fn watched_layers_are_kept_with_their_gradients() {
    let model = small().cast::<f64>().unwrap();
    let mut tape = Tape::new();
    let x = tape.constant(images(2, 26));
    let pass = Pass::inference().watch(&["dense1", "conv3", "pool1"]);
    let output = model.forward(&tape, x, pass).unwrap();
    let names: Vec<_> = output.watched.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["pool1", "conv3", "dense1"]);
    let total = tape.sum(&output.output);
    tape.backward(&total).unwrap();
    for (name, var) in &output.watched {
        assert_eq!(&var.dims()[1..], model.layer_output_shape(name).unwrap().dims());
        let gradient = tape.grad(var).unwrap();
        assert_eq!(gradient.shape(), var.shape());
        assert!(gradient.as_slice().iter().any(|&g| g != 0.0), "{name}");
    }
    // After ReLU, as Grad-CAM needs it.
    assert!(output.watched[1].1.value().as_slice().iter().all(|&v| v >= 0.0));
}

#[test]
fn with_frozen_parameters_differentiation_begins_at_the_watched_layer() {
    let model = small().cast::<f64>().unwrap();
    let run = |frozen: bool| {
        let mut tape = Tape::new();
        let x = tape.constant(images(2, 26));
        let pass = Pass::inference().watch(&["conv3"]);
        let pass = if frozen { pass.frozen() } else { pass };
        let output = model.forward(&tape, x, pass).unwrap();
        let total = tape.sum(&output.output);
        tape.backward(&total).unwrap();
        let conv3 = tape.grad(&output.watched[0].1).unwrap().clone();
        (conv3, Gradients::take(&mut tape, &output.parameters))
    };
    let (open, with) = run(false);
    let (frozen, without) = run(true);
    assert_close(&open, &frozen);
    assert!(with.as_slice().iter().all(Option::is_some));
    assert!(without.as_slice().iter().all(Option::is_none));
}

#[test]
fn wrong_inputs_and_unknown_layers_are_refused() {
    let model = small();
    let tape = Tape::new();
    for shape in [&[4, 26, 26, 1][..], &[4, 26, 27, 3], &[26, 26, 3], &[], &[4, 2028]] {
        let x = tape.constant(Tensor::zeros(shape));
        let message = model.forward(&tape, x, Pass::inference()).unwrap_err().to_string();
        assert!(message.contains("[26, 26, 3]"), "{message}");
    }
    let x = tape.constant(images(1, 26));
    let pass = Pass::inference().watch(&["conv3", "conv4"]);
    let message = model.forward(&tape, x, pass).unwrap_err().to_string();
    assert!(message.contains("conv4") && message.contains("conv3, pool3"), "{message}");
    assert!(model.layer_output_shape("conv4").is_err());
}

#[test]
fn predictions_are_probabilities_of_the_logits() {
    let model = small();
    let probabilities = model.predict(images(3, 26)).unwrap();
    assert_eq!(probabilities.dims(), [3, 3]);
    let tape = Tape::inference(Default::default());
    let logits = model.infer(&tape, images::<f32>(3, 26)).unwrap();
    for i in 0..3 {
        let exp: Vec<f32> = logits.value().row(i).iter().map(|v| v.exp()).collect();
        let sum: f32 = exp.iter().sum();
        for (p, e) in probabilities.row(i).iter().zip(exp) {
            assert!((p - e / sum).abs() < 1e-6);
        }
    }
    // Each image's prediction is independent of the batch.
    let alone = model
        .predict(Tensor::from_vec([1, 26, 26, 3], images::<f32>(3, 26).row(1).to_vec()).unwrap());
    for (a, b) in alone.unwrap().as_slice().iter().zip(probabilities.row(1)) {
        assert!((a - b).abs() < 1e-6);
    }
}

#[test]
fn predictions_one_after_the_other_are_those_of_single_ones() {
    let model = small();
    let mut predictor = model.predictor();
    for batch in [3, 1, 3] {
        let x = images::<f32>(batch, 26);
        assert_eq!(predictor.predict(x.clone()).unwrap(), model.predict(x).unwrap());
    }
}

#[test]
fn a_tape_that_is_used_again_notices_new_weights() {
    let mut model = small();
    let tape = Tape::inference(Default::default());
    for round in 0..3 {
        for parameter in model.parameters_mut() {
            Arc::make_mut(&mut parameter.value).as_mut_slice().iter_mut().for_each(|w| *w *= 1.5);
        }
        let known = model.infer(&tape, images::<f32>(2, 26)).unwrap();
        let fresh = model.infer(&Tape::inference(Default::default()), images::<f32>(2, 26));
        assert_eq!(known.value(), fresh.unwrap().value(), "round {round}");
    }
}

#[test]
fn dropout_drops_in_training_only() {
    let model: Sequential = Sequential::builder([1000]).layer(Dropout::new(0.25)).build(0).unwrap();
    let ones = || Tensor::full([2, 1000], 1.0f32);
    assert_eq!(model.predict(ones()).unwrap(), ones());
    let run = |seed| {
        let tape = Tape::new();
        let mut rng = Rng::new(seed, 0);
        let x = tape.constant(ones());
        model.forward(&tape, x, Pass::training(&mut rng)).unwrap().output.share()
    };
    let (first, again, other) = (run(1), run(1), run(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
    let dropped = first.as_slice().iter().filter(|&&v| v == 0.0).count();
    assert!((420..580).contains(&dropped), "{dropped}");
    assert!(first.as_slice().iter().all(|&v| v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6));
}

#[test]
fn parameters_that_are_not_trainable_are_constants() {
    let model: Sequential = Sequential::builder([3]).layer(super::build::Offset).build(0).unwrap();
    let tape = Tape::new();
    let x = tape.leaf(Tensor::full([2, 3], 3.0));
    // The parameter [3] and a batch of one: `mul` is element-wise here.
    let output = model.forward(&tape, x, Pass::inference()).unwrap();
    assert!(!output.parameters[0].requires_grad());
    assert!(output.output.requires_grad());
}

#[test]
fn errors_inside_a_layer_name_it() {
    #[derive(Debug)]
    struct Liar;
    impl LayerSpec for Liar {
        fn kind(&self) -> &'static str {
            "Liar"
        }
        fn output_shape(&self, _: &[Shape]) -> Result<Shape> {
            Ok(Shape::from([9]))
        }
    }

    impl Layer<f32> for Liar {
        fn forward(&self, _: &mut Forward<'_, f32>, x: Vec<Var>, _: &[Var]) -> Result<Var> {
            single("Liar", x)
        }
    }
    let model: Sequential =
        Sequential::builder([3]).layer(Liar).layer(Dense::new(2)).build(0).unwrap();
    let message = model.predict(Tensor::zeros([1, 3])).unwrap_err().to_string();
    assert!(message.starts_with("liar1 (Liar): ") && message.contains("declares"), "{message}");
}

#[test]
fn a_few_steps_learn_a_few_images() {
    let mut model = small();
    let mut optimizer = OptimizerConfig::adam().build::<f32>().unwrap();
    let labels = [0, 2, 1, 0];
    let mut losses = Vec::new();
    for step in 0..60 {
        let mut tape = Tape::new();
        let mut rng = Rng::new(1, step);
        let x = tape.constant(images(4, 26));
        let output = model.forward(&tape, x, Pass::training(&mut rng)).unwrap();
        let loss = Loss::default().apply(&tape, &output.output, &labels[..]).unwrap();
        losses.push(loss.value().item().unwrap());
        tape.backward(&loss).unwrap();
        let gradients = Gradients::take(&mut tape, &output.parameters);
        drop(output);
        let before = model.parameters()[6].value.as_slice().as_ptr();
        tape.clear();
        optimizer.step(model.parameters_mut(), &gradients, 0.01).unwrap();
        assert_eq!(model.parameters()[6].value.as_slice().as_ptr(), before, "copied");
    }
    assert!(losses[59] < 0.5 * losses[0], "{losses:?}");
}

#[test]
fn an_image_is_answered_to_the_bit_whoever_goes_along() {
    let mut rng = Rng::new(1, 0);
    let images = Tensor::from_fn([8, 40, 40, 16], |_| rng.uniform_in(0.0, 255.0) as f32);
    for pool in [
        MaxPool2D::new(2),
        MaxPool2D::new(3),
        MaxPool2D::new(3).stride(2),
        MaxPool2D::new(2).stride(1),
        MaxPool2D::new(5),
    ] {
        let model: Sequential = Sequential::builder([40, 40, 16])
            .layer(Conv2D::new(16, 3).activation(Activation::Relu))
            .layer(pool)
            .build(1)
            .unwrap();
        let together = model.predict(images.clone()).unwrap();
        for i in 0..8 {
            let image = Tensor::from_vec([1, 40, 40, 16], images.row(i).to_vec()).unwrap();
            let alone = model.predict(image).unwrap();
            assert!(alone.row(0) == together.row(i), "{pool:?}, image {i}");
        }
    }
}
