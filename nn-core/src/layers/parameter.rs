//! Parameters: the specification a layer gives, and the tensor the model keeps.

use crate::init::{Fans, Initializer};
use crate::kernels::Kernels;
use crate::tensor::{Shape, Tensor};
use std::sync::Arc;

/// The specification of a layer's parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// The name within the layer: `weight`, `bias`, ...
    pub name: String,
    /// The shape.
    pub shape: Shape,
    /// The initialiser.
    pub initializer: Initializer,
    /// The fans for the initialiser.
    pub fans: Fans,
    /// Whether gradients are computed and optimisers may change it. State is not trainable.
    pub trainable: bool,
    /// Whether it is state: what the layer learns from what passes through it.
    pub state: bool,
}

impl ParameterSpec {
    /// A trainable weight `[out, in, ..]` with the fans of its shape.
    pub fn weight(shape: impl Into<Shape>, initializer: Initializer) -> Self {
        let shape = shape.into();
        let fans = Fans::of_weight(&shape);
        Self { name: "weight".into(), shape, initializer, fans, trainable: true, state: false }
    }

    /// State that starts with this value everywhere: what a layer learns from what passes through it
    /// instead of from gradients, such as the running statistics of a batch normalisation.
    pub fn state(name: impl Into<String>, shape: impl Into<Shape>, value: Initializer) -> Self {
        let (shape, fans) = (shape.into(), Fans::default());
        Self { name: name.into(), shape, initializer: value, fans, trainable: false, state: true }
    }

    /// A trainable bias of `n` zeros.
    pub fn bias(n: usize) -> Self {
        Self {
            name: "bias".into(),
            shape: Shape::from([n]),
            initializer: Initializer::Zeros,
            fans: Fans::default(),
            trainable: true,
            state: false,
        }
    }
}

/// A named tensor of a model.
///
/// The value is shared, so a forward pass holds it without copying. An optimiser that changes it copies
/// it first if a pass still holds it.
#[derive(Debug, Clone)]
pub struct Parameter<T: Kernels = f32> {
    /// The name within the model: `conv1.weight`.
    pub name: String,
    /// The tensor.
    pub value: Arc<Tensor<T>>,
    /// Whether gradients are computed for it and optimisers may change it; no effect on state.
    pub trainable: bool,
    /// Whether it is state, such as running statistics: changed by
    /// [`Model::update_state`](crate::model::Model::update_state), never by gradients.
    pub state: bool,
}

impl<T: Kernels> Parameter<T> {
    /// A trainable parameter.
    pub fn new(name: impl Into<String>, value: impl Into<Arc<Tensor<T>>>) -> Self {
        Self { name: name.into(), value: value.into(), trainable: true, state: false }
    }

    /// Whether optimisers change it: it is trainable, and no state.
    pub fn is_trained(&self) -> bool {
        self.trainable && !self.state
    }
}
