//! Tests of the optimisers against Keras, against a scalar implementation, and for edge cases.

use super::*;
use serde::Deserialize;
use std::sync::Arc;

/// The fixture written by `tests/fixtures/optim/make.py`.
#[derive(Deserialize)]
struct Keras {
    adam: Vec<Vec<f64>>,
    adamw: Vec<Vec<f64>>,
    sgd: Vec<Vec<f64>>,
    momentum: Vec<Vec<f64>>,
    nesterov: Vec<Vec<f64>>,
}

/// Settings that are exactly representable in binary, as in the script.
fn config(kind: &str) -> OptimizerConfig {
    let (beta1, beta2, epsilon) = (BETA1, BETA2, 1e-7);
    match kind {
        "adam" => OptimizerConfig::Adam { beta1, beta2, epsilon },
        "adamw" => OptimizerConfig::AdamW {
            beta1,
            beta2,
            epsilon,
            weight_decay: DECAY,
            decayed: Decayed::All,
        },
        "momentum" => OptimizerConfig::momentum(MOMENTUM),
        "nesterov" => OptimizerConfig::Sgd {
            momentum: MOMENTUM,
            nesterov: true,
            weight_decay: 0.0,
            decayed: Decayed::All,
        },
        _ => OptimizerConfig::sgd(),
    }
}

const BETA1: f64 = 0.875;
const BETA2: f64 = 1.0 - 1.0 / 1024.0;
const DECAY: f64 = 0.125;
const MOMENTUM: f64 = 0.875;
const RATE: f64 = 1.0 / 128.0;
const KINDS: [&str; 5] = ["adam", "adamw", "sgd", "momentum", "nesterov"];

fn parameters<T: Kernels>(sizes: &[usize]) -> Vec<Parameter<T>> {
    let parameter = |(k, &n): (usize, &usize)| {
        let value = |i| T::from_f64((1.0 + i as f64 + 10.0 * k as f64).sin());
        Parameter::new(format!("dense{k}.weight"), Tensor::from_fn([n], value))
    };
    sizes.iter().enumerate().map(parameter).collect()
}

fn gradient(i: usize, k: usize, step: usize) -> f64 {
    (0.7 * i as f64 + 1.3 * k as f64 + 0.9 * step as f64).cos() * 10f64.powi(-(i as i32 % 20))
}

fn gradients<T: Kernels>(sizes: &[usize], step: usize) -> Gradients<T> {
    let tensor = |(k, &n): (usize, &usize)| {
        Some(Tensor::from_fn([n], |i| T::from_f64(gradient(i, k, step))))
    };
    Gradients::from(sizes.iter().enumerate().map(tensor).collect::<Vec<_>>())
}

#[test]
fn every_optimiser_does_what_keras_does() {
    let keras: Keras =
        serde_json::from_str(include_str!("../../../tests/fixtures/optim/keras.json")).unwrap();
    let expected = [keras.adam, keras.adamw, keras.sgd, keras.momentum, keras.nesterov];
    for (kind, expected) in KINDS.into_iter().zip(expected) {
        let mut optimizer = config(kind).build::<f64>().unwrap();
        let mut single = config(kind).build::<f32>().unwrap();
        let (mut ours, mut ours32) = (parameters::<f64>(&[6, 3]), parameters::<f32>(&[6, 3]));
        for step in 0..6 {
            optimizer.step(&mut ours, &gradients(&[6, 3], step), RATE).unwrap();
            single.step(&mut ours32, &gradients(&[6, 3], step), RATE).unwrap();
        }
        for ((ours, ours32), keras) in ours.iter().zip(&ours32).zip(&expected) {
            for ((&a, &a32), &b) in
                ours.value.as_slice().iter().zip(ours32.value.as_slice()).zip(keras)
            {
                assert!((a - b).abs() < 1e-14, "{kind}: {a} {b}");
                assert!((f64::from(a32) - b).abs() < 1e-6, "{kind}: {a32} {b}");
            }
        }
    }
}

/// Six steps of one scalar, each rule written as in its paper.
fn scalar(kind: &str, mut w: f64, k: usize, i: usize) -> f64 {
    let (mut m, mut v, mut velocity) = (0.0, 0.0, 0.0);
    for step in 0..6 {
        let g = gradient(i, k, step);
        let t = step as i32 + 1;
        match kind {
            "adam" | "adamw" => {
                if kind == "adamw" {
                    w *= 1.0 - RATE * DECAY;
                }
                m = BETA1 * m + (1.0 - BETA1) * g;
                v = BETA2 * v + (1.0 - BETA2) * g * g;
                let m_hat = m / (1.0 - BETA1.powi(t));
                let v_hat = v / (1.0 - BETA2.powi(t));
                // Epsilon outside the bias correction equals epsilon inside, divided by the square root
                // of the correction.
                w -= RATE * m_hat / (v_hat.sqrt() + 1e-7 / (1.0 - BETA2.powi(t)).sqrt());
            }
            "sgd" => w -= RATE * g,
            _ => {
                // PyTorch's form, which is equivalent for a constant learning rate.
                velocity = MOMENTUM * velocity + g;
                w -= RATE * if kind == "nesterov" { g + MOMENTUM * velocity } else { velocity };
            }
        }
    }
    w
}

#[test]
fn long_parameters_agree_with_scalars_across_chunks() {
    // Three chunks, the last one shorter, and a parameter of one element.
    let sizes = [(1 << 15) + 7, 1];
    for kind in KINDS {
        let mut optimizer = config(kind).build::<f64>().unwrap();
        let before = parameters::<f64>(&sizes);
        let mut after = before.clone();
        for step in 0..6 {
            optimizer.step(&mut after, &gradients(&sizes, step), RATE).unwrap();
        }
        for (k, (before, after)) in before.iter().zip(&after).enumerate() {
            let pairs = before.value.as_slice().iter().zip(after.value.as_slice());
            for (i, (&before, &after)) in pairs.enumerate() {
                let expected = scalar(kind, before, k, i);
                assert!((after - expected).abs() < 1e-12, "{kind}[{k}][{i}]: {after} {expected}");
            }
        }
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let sizes = [100_000];
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut optimizer = config("adam").build::<f32>().unwrap();
            let mut parameters = parameters::<f32>(&sizes);
            for step in 0..3 {
                optimizer.step(&mut parameters, &gradients(&sizes, step), RATE).unwrap();
            }
            parameters[0].value.as_slice().iter().map(|w| w.to_bits()).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_checkpoint_goes_on_as_if_nothing_had_happened() {
    let sizes = [40, 2];
    for kind in KINDS {
        let mut optimizer = config(kind).build::<f32>().unwrap();
        let mut straight = parameters::<f32>(&sizes);
        for step in 0..3 {
            optimizer.step(&mut straight, &gradients(&sizes, step), RATE).unwrap();
        }
        let mut resumed = straight.clone();
        let state = optimizer.state();
        assert_eq!(state.step, 3);
        let tensors = state.tensors.iter().map(|(n, t)| (n.clone(), (*t).clone())).collect();
        let mut other = config(kind).build::<f32>().unwrap();
        other.load_state(3, tensors, &resumed).unwrap();
        for step in 3..6 {
            optimizer.step(&mut straight, &gradients(&sizes, step), RATE).unwrap();
            other.step(&mut resumed, &gradients(&sizes, step), RATE).unwrap();
        }
        for (a, b) in straight.iter().zip(&resumed) {
            assert_eq!(a.value, b.value, "{kind}");
        }
    }
}

#[test]
fn a_checkpoint_of_something_else_is_refused() {
    let model = parameters::<f32>(&[4, 2]);
    let velocity = |k, n| (format!("velocity.dense{k}.weight"), Tensor::zeros([n]));
    let mut sgd = Sgd::new(0.9, false).unwrap();
    for (tensors, culprit) in [
        (vec![velocity(0, 4)], "velocity.dense1.weight"),
        (vec![velocity(0, 4), velocity(1, 3)], "velocity.dense1.weight"),
        (vec![velocity(0, 4), velocity(1, 2), velocity(2, 2)], "velocity.dense2.weight"),
    ] {
        let message = sgd.load_state(5, tensors, &model).unwrap_err().to_string();
        assert!(message.contains(culprit), "{message}");
        assert_eq!(sgd.state().step, 0);
    }
    sgd.load_state(5, vec![velocity(0, 4), velocity(1, 2)], &model).unwrap();
    assert_eq!(sgd.state().step, 5);
    sgd.load_state(0, Vec::new(), &model).unwrap();
    assert_eq!(sgd.state().step, 0);
}

#[test]
fn frozen_parameters_and_those_without_gradient_stay() {
    let mut all = parameters::<f32>(&[2, 2, 2]);
    all[0].trainable = false;
    let before = all.clone();
    let mut moments = gradients::<f32>(&[2, 2, 2], 0).as_slice().to_vec();
    moments[1] = None;
    let mut adam = Adam::new(0.9, 0.999, 1e-7).unwrap();
    adam.step(&mut all, &Gradients::from(moments), 0.1).unwrap();
    assert_eq!(all[0].value, before[0].value);
    assert_eq!(all[1].value, before[1].value);
    assert_ne!(all[2].value, before[2].value);
    // Two moments of two parameters, and that the second was never updated.
    assert_eq!(adam.state().tensors.len(), 5);
}

/// The way of the second parameter under Adam with a constant gradient, in the steps that have one for it.
fn idle_steps(idle: impl Fn(usize) -> bool, freeze: bool) -> Vec<f64> {
    let mut all = parameters::<f64>(&[3, 3]);
    let mut adam = Adam::new(0.9, 0.999, 1e-7).unwrap();
    adam.load_state(0, Vec::new(), &all).unwrap();
    let mut values = Vec::new();
    for step in 0..8 {
        all[1].trainable = !(freeze && idle(step));
        let first = Some(Tensor::full([3], 0.5));
        let second = (!idle(step)).then(|| Tensor::full([3], 0.25));
        let before = all[1].value.as_slice()[0];
        adam.step(&mut all, &Gradients::from(vec![first, second]), 0.01).unwrap();
        values.push(before - all[1].value.as_slice()[0]);
        // The same numbers go on in another optimiser.
        let state = adam.state();
        let tensors: Vec<_> = state.tensors.into_iter().map(|(n, t)| (n, t.clone())).collect();
        let mut other = Adam::new(0.9, 0.999, 1e-7).unwrap();
        other.load_state(state.step, tensors, &all).unwrap();
        adam = other;
    }
    values
}

#[test]
fn adam_counts_the_updates_of_each_parameter() {
    for freeze in [false, true] {
        for idle in [|step| step < 5, |step| step > 0 && step < 5] {
            // With a constant gradient each update is as long as the learning rate.
            for (step, moved) in idle_steps(idle, freeze).into_iter().enumerate() {
                let expected = if idle(step) { 0.0 } else { 0.01 };
                assert!((moved - expected).abs() < 1e-6, "{freeze} {step}: {moved}");
            }
        }
    }
}

#[test]
fn updates_are_counted_beyond_what_single_precision_can() {
    let mut all = parameters::<f32>(&[2]);
    let mut adam = Adam::new(0.9, 0.999, 1e-7).unwrap();
    let many = (1 << 24) + 3;
    let moments = ["momentum.dense0.weight", "velocity.dense0.weight"];
    let mut tensors = moments.map(|name| (name.to_string(), Tensor::zeros([2]))).to_vec();
    let updates = Tensor::from_vec([2], vec![16.0, 2.0]).unwrap();
    tensors.push(("updates.dense0.weight".into(), updates));
    adam.load_state(many, tensors.clone(), &all).unwrap();
    adam.step(&mut all, &gradients(&[2], 0), 0.1).unwrap();
    let state = adam.state();
    let (_, updates) = state.tensors.iter().find(|(name, _)| name.starts_with("upd")).unwrap();
    assert_eq!(updates.as_slice(), [16.0, 3.0]);
    assert!(all[0].value.is_finite());
    tensors[2].1 = Tensor::from_vec([2], vec![17.0, 2.0]).unwrap();
    let message = adam.load_state(many, tensors, &all).unwrap_err().to_string();
    assert!(message.contains("updates.dense0.weight"), "{message}");
}

#[test]
fn state_is_never_trained() {
    let mut all = parameters::<f32>(&[2, 2]);
    all[0].state = true;
    let before = all.clone();
    let mut adam = Adam::new(0.9, 0.999, 1e-7).unwrap();
    adam.step(&mut all, &gradients(&[2, 2], 0), 0.1).unwrap();
    assert_eq!(all[0].value, before[0].value);
    assert_ne!(all[1].value, before[1].value);
}

#[test]
fn a_value_in_use_is_copied_and_an_unused_one_is_not() {
    let mut all = parameters::<f32>(&[2]);
    let mut sgd = Sgd::new(0.0, false).unwrap();
    let held = Arc::clone(&all[0].value);
    sgd.step(&mut all, &gradients(&[2], 0), 0.1).unwrap();
    assert_ne!(held, all[0].value);
    drop(held);
    let address = all[0].value.as_slice().as_ptr();
    sgd.step(&mut all, &gradients(&[2], 1), 0.1).unwrap();
    assert_eq!(all[0].value.as_slice().as_ptr(), address);
}

#[test]
fn bad_settings_are_refused_and_change_nothing() {
    let mut all = parameters::<f32>(&[2]);
    let before = all[0].value.clone();
    for kind in KINDS {
        let mut optimizer = config(kind).build::<f32>().unwrap();
        for rate in [f64::NAN, f64::INFINITY, -0.1] {
            let error = optimizer.step(&mut all, &gradients(&[2], 0), rate).unwrap_err();
            assert!(error.to_string().contains("learning rate must be"), "{error}");
        }
        assert!(optimizer.step(&mut all, &gradients(&[3], 0), 0.1).is_err());
        assert!(optimizer.step(&mut all, &gradients(&[2, 2], 0), 0.1).is_err());
        assert_eq!(optimizer.state().step, 0);
    }
    assert_eq!(all[0].value, before);
    assert!(Adam::<f32>::new(1.0, 0.999, 1e-7).is_err());
    assert!(Adam::<f32>::new(0.9, f64::NAN, 1e-7).is_err());
    assert!(Adam::<f32>::new(0.9, 0.999, 0.0).is_err());
    assert!(Adam::<f32>::new(0.9, 0.999, 1e-60).is_err());
    assert!(Adam::<f32>::new(0.9, 0.999, 1e-7).unwrap().decoupled(-1.0).is_err());
    assert!(Sgd::<f32>::new(-0.1, false).is_err());
    assert!(Sgd::<f32>::new(1.0, true).is_err());
}

#[test]
fn one_optimiser_does_not_serve_two_models() {
    let mut adam = Adam::<f32>::new(0.9, 0.999, 1e-7).unwrap();
    adam.step(&mut parameters(&[2]), &gradients(&[2], 0), 0.1).unwrap();
    let error = adam.step(&mut parameters(&[3]), &gradients(&[3], 0), 0.1).unwrap_err();
    assert!(error.to_string().contains("new optimizer"), "{error}");
}
