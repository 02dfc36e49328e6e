//! What a layer asks for, and what the model keeps for it.

use crate::init::{Fans, Initializer};
use crate::kernels::Kernels;
use crate::tensor::{Shape, Tensor};
use std::sync::Arc;

/// A parameter as a layer asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// The name within the layer: `weight`, `bias`, ...
    pub name: String,
    /// The shape.
    pub shape: Shape,
    /// How it begins.
    pub initializer: Initializer,
    /// The fans the initialiser scales by.
    pub fans: Fans,
    /// Whether gradients are taken and optimisers may change it. Running statistics, say of a
    /// batch normalisation, are parameters that are not trainable.
    pub trainable: bool,
}

impl ParameterSpec {
    /// A trainable weight `[out, in, ..]` with the fans of its shape.
    pub fn weight(shape: impl Into<Shape>, initializer: Initializer) -> Self {
        let shape = shape.into();
        let fans = Fans::of_weight(&shape);
        Self { name: "weight".into(), shape, initializer, fans, trainable: true }
    }

    /// A trainable bias of `n` zeros.
    pub fn bias(n: usize) -> Self {
        Self {
            name: "bias".into(),
            shape: Shape::from([n]),
            initializer: Initializer::Zeros,
            fans: Fans::default(),
            trainable: true,
        }
    }
}

/// A named tensor that belongs to a model.
///
/// The value is shared, so that a forward pass can hold it without copying; whoever changes it
/// (an optimiser) copies it first if a pass still does.
#[derive(Debug, Clone)]
pub struct Parameter<T: Kernels = f32> {
    /// The name within the model: `conv1.weight`.
    pub name: String,
    /// The numbers.
    pub value: Arc<Tensor<T>>,
    /// Whether it is trained.
    pub trainable: bool,
}
