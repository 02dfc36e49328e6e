//! Three small networks and their training beside PyTorch: a ResNet with batch normalisation, a
//! MobileNetV3-like network and a ConvNeXt-like one.
//!
//! The networks are built layer by layer with PyTorch's names and weights; `fixtures/torch/README.md` says
//! how the numbers were made. Logits, loss, every gradient, running statistics, and parameters and
//! statistics after five steps of SGD and of Adam agree within 1e-9 (f64) and 1e-5 (f32) of each
//! tensor's largest magnitude.

#[path = "fixtures/torch/fixture.rs"]
mod fixture;
#[path = "fixtures/torch/graph.rs"]
mod graph;
#[path = "torch_networks/models.rs"]
mod models;
#[path = "torch_networks/state_dicts.rs"]
mod state_dicts;

use fixture::{Tensors, compare, describe, here, tolerance};
use graph::{Node, build};
use nn_core::model::{Model, Pass};
use nn_core::optim::{Gradients, OptimizerConfig};
use nn_core::rng::Rng;
use nn_core::{Element, Kernels, Tape, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Fixture {
    steps: usize,
    sgd: Sgd,
    adam: Adam,
    networks: BTreeMap<String, Network>,
}

#[derive(Deserialize)]
struct Sgd {
    learning_rate: f64,
    momentum: f64,
}

#[derive(Deserialize)]
struct Adam {
    learning_rate: f64,
    betas: (f64, f64),
    epsilon: f64,
}

#[derive(Deserialize)]
struct Network {
    labels: Vec<usize>,
    classes: usize,
    nodes: Vec<Node>,
}

/// A network and its numbers from PyTorch.
struct Case<'a> {
    name: &'a str,
    network: &'a Network,
    tensors: Tensors,
    /// The largest error so far, of what is allowed.
    worst: f64,
}

impl Case<'_> {
    fn input<T: Element>(&mut self, name: &str) -> Tensor<T> {
        self.tensors.input(&format!("{}/{name}", self.name)).cast()
    }

    fn model<T: Kernels>(&mut self) -> Model<T> {
        let size = self.input::<T>("input").dims()[1..].to_vec();
        let network = self.network;
        let model = build(&size, &network.nodes, |name| self.input(&format!("state/{name}")));
        assert_eq!(model.classes(), network.classes);
        let known = self.tensors.names(&format!("{}/state/", self.name)).len();
        assert_eq!(model.parameters().len(), known, "{}", self.name);
        model
    }

    fn check<T: Element>(&mut self, name: &str, ours: &Tensor<T>) {
        let what = format!("{}/{name}", self.name);
        match compare(ours, &self.tensors.expected(&what), tolerance::<T>()) {
            Ok(error) => self.worst = self.worst.max(error / tolerance::<T>()),
            Err(problem) => panic!("{what} in {} {problem}", T::NAME),
        }
    }

    /// Everything that has a value now: parameters and statistics.
    fn check_state<T: Kernels>(&mut self, model: &Model<T>, folder: &str) {
        for parameter in model.parameters() {
            self.check(&format!("{folder}/{}", parameter.name), &parameter.value);
        }
    }

    /// One pass in training and its gradients, then inference with the new statistics.
    fn check_pass<T: Kernels>(&mut self) {
        let mut model = self.model::<T>();
        let (mut tape, mut rng) = (Tape::new(), Rng::new(0, 0));
        let x = tape.leaf(self.input::<T>("input"));
        let pass = model.forward(&tape, x.clone(), Pass::training(&mut rng)).unwrap();
        let loss = tape.softmax_cross_entropy(&pass.output, &self.network.labels).unwrap();
        tape.backward(&loss).unwrap();
        self.check("logits", pass.output.value());
        self.check("loss", loss.value());
        self.check("gradient/input", tape.grad(&x).unwrap());
        for (parameter, var) in model.parameters().iter().zip(&pass.parameters) {
            if !parameter.state {
                let gradient = tape.grad(var).unwrap();
                self.check(&format!("gradient/{}", parameter.name), gradient);
            }
        }
        model.update_state(pass.state).unwrap();
        let state: Vec<_> = model.parameters().iter().filter(|p| p.state).cloned().collect();
        for own in &state {
            self.check(&format!("statistics/{}", own.name), &own.value);
        }
        let known = self.tensors.names(&format!("{}/statistics/", self.name)).len();
        assert_eq!(state.len(), known);
        let tape = Tape::inference(Default::default());
        let logits = model.infer(&tape, self.input::<T>("input")).unwrap();
        self.check("inference", logits.value());
    }

    /// Steps on the same batch.
    fn check_training<T: Kernels>(
        &mut self,
        steps: usize,
        optimizer: OptimizerConfig,
        learning_rate: f64,
        folder: &str,
    ) {
        let mut model = self.model::<T>();
        let mut optimizer = optimizer.build().unwrap();
        let (mut tape, mut rng) = (Tape::new(), Rng::new(0, 0));
        let mut losses = Vec::new();
        for _ in 0..steps {
            tape.clear();
            let x = tape.constant(self.input::<T>("input"));
            let pass = model.forward(&tape, x, Pass::training(&mut rng)).unwrap();
            let loss = tape.softmax_cross_entropy(&pass.output, &self.network.labels).unwrap();
            tape.backward(&loss).unwrap();
            losses.push(loss.value().item().unwrap());
            let gradients = Gradients::take(&mut tape, &pass.parameters);
            let state = pass.state;
            drop((pass.output, pass.parameters));
            optimizer.step(model.parameters_mut(), &gradients, learning_rate).unwrap();
            model.update_state(state).unwrap();
        }
        self.check(&format!("{folder}/losses"), &Tensor::from_vec([steps], losses).unwrap());
        self.check_state(&model, folder);
    }
}

fn check_network<T: Kernels>(name: &str) {
    let fixture: Fixture = describe(&here(), "networks");
    let network = &fixture.networks[name];
    let tensors = Tensors::open(&here(), "networks");
    let mut case = Case { name, network, tensors, worst: 0.0 };
    case.check_pass::<T>();
    let sgd = OptimizerConfig::momentum(fixture.sgd.momentum);
    case.check_training::<T>(fixture.steps, sgd, fixture.sgd.learning_rate, "sgd");
    let Adam { learning_rate, betas: (beta1, beta2), epsilon } = fixture.adam;
    let adam = OptimizerConfig::Adam { beta1, beta2, epsilon };
    case.check_training::<T>(fixture.steps, adam, learning_rate, "adam");
    println!("{name} in {}: {:.1e} of the error allowed", T::NAME, case.worst);
}

#[test]
fn resnet() {
    check_network::<f64>("resnet");
    check_network::<f32>("resnet");
}

#[test]
fn mobilenetv3() {
    check_network::<f64>("mobilenetv3");
    check_network::<f32>("mobilenetv3");
}

#[test]
fn convnext() {
    check_network::<f64>("convnext");
    check_network::<f32>("convnext");
}
