//! The built-in layers as data.

use super::{
    Activation, AveragePool2D, Conv2D, Dense, Dropout, Flatten, GlobalAveragePool2D, Layer,
    MaxPool2D, Rescaling,
};
use crate::kernels::Kernels;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::sync::Arc;

/// Any built-in layer, as saved in JSON: `{"kind": "Conv2D", "filters": 64, ..}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
#[allow(missing_docs)] // see the layers' documentation
#[non_exhaustive]
pub enum LayerConfig {
    Rescaling(Rescaling),
    Conv2D(Conv2D),
    MaxPool2D(MaxPool2D),
    AveragePool2D(AveragePool2D),
    GlobalAveragePool2D(GlobalAveragePool2D),
    Flatten(Flatten),
    Dense(Dense),
    Dropout(Dropout),
    Activation { function: Activation },
}

impl LayerConfig {
    /// The configuration of a built-in layer; `None` for a layer of another crate, which cannot be
    /// saved.
    pub fn of<T: Kernels>(layer: &dyn Layer<T>) -> Option<Self> {
        let layer: &dyn Any = layer;
        macro_rules! find {
            ($($kind:ident),*) => {
                $(if let Some(layer) = layer.downcast_ref::<$kind>() {
                    return Some(Self::$kind(layer.clone()));
                })*
            };
        }
        find!(
            Rescaling,
            Conv2D,
            MaxPool2D,
            AveragePool2D,
            GlobalAveragePool2D,
            Flatten,
            Dense,
            Dropout
        );
        let function = *layer.downcast_ref::<Activation>()?;
        Some(Self::Activation { function })
    }

    /// The layer of this configuration.
    pub fn into_layer<T: Kernels>(self) -> Arc<dyn Layer<T>> {
        match self {
            Self::Rescaling(layer) => Arc::new(layer),
            Self::Conv2D(layer) => Arc::new(layer),
            Self::MaxPool2D(layer) => Arc::new(layer),
            Self::AveragePool2D(layer) => Arc::new(layer),
            Self::GlobalAveragePool2D(layer) => Arc::new(layer),
            Self::Flatten(layer) => Arc::new(layer),
            Self::Dense(layer) => Arc::new(layer),
            Self::Dropout(layer) => Arc::new(layer),
            Self::Activation { function } => Arc::new(function),
        }
    }
}
