//! The kinds of layers: those of this crate, and those that a program adds.

use super::config::field_names;
use super::function::FunctionLayer;
use super::{
    Activation, AdaptiveAveragePool2D, Add, AveragePool2D, BatchNormalization, Bias,
    ChannelShuffle, ChannelSlice, Concatenate, Constant, Conv2D, Conv2DTranspose, Dense,
    DepthwiseConv2D, Divide, Dropout, Flatten, Gather, GlobalAveragePool2D, GlobalMaxPool2D,
    GroupNormalization, Layer, LayerConfig, LayerNormalization, MatMul, MaxPool2D, Maximum,
    Minimum, Multiply, Normalization, Pad, Permute, Reduce, Rescaling, Reshape, Resize2D, Scale,
    Slice, StochasticDepth, Subtract, UpSampling2D, ZeroPadding2D,
};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The kinds of layers that a stored network may have: the built-in ones, and those of other crates
/// that are added here.
///
/// ```
/// use nn_core::layers::{Forward, Layer, LayerConfig, LayerKinds, LayerSpec, single};
/// use nn_core::{Kernels, Result, Shape, Var};
/// use serde::{Deserialize, Serialize};
///
/// /// `x * factor`
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Times {
///     factor: f64,
/// }
///
/// impl LayerSpec for Times {
///     fn kind(&self) -> &'static str {
///         "Times"
///     }
///     fn config(&self) -> Option<LayerConfig> {
///         LayerConfig::new(self.kind(), self)
///     }
///     fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
///         Ok(single("Times", inputs)?.clone())
///     }
/// }
///
/// impl<T: Kernels> Layer<T> for Times {
///     fn forward(&self, cx: &mut Forward<'_, T>, x: Vec<Var<T>>, _: &[Var<T>]) -> Result<Var<T>> {
///         Ok(cx.tape.scale(single("Times", x)?, T::from_f64(self.factor)))
///     }
/// }
///
/// let stored = serde_json::to_string(&Times { factor: 2.5 }.config()).unwrap();
/// let read: LayerConfig = serde_json::from_str(&stored).unwrap();
/// let kinds = LayerKinds::<f32>::built_in().with::<Times>("Times");
/// assert_eq!(kinds.layer(read.clone())?.kind(), "Times");
/// assert!(LayerKinds::<f32>::built_in().layer(read).is_err());
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Clone)]
pub struct LayerKinds<T: Kernels = f32> {
    kinds: BTreeMap<&'static str, Kind<T>>,
}

/// How a kind of layer is read, and the names of its settings.
#[derive(Clone, Copy)]
struct Kind<T: Kernels> {
    read: Read<T>,
    settings: &'static [&'static str],
}

type Read<T> = fn(LayerConfig) -> serde_json::Result<Arc<dyn Layer<T>>>;

/// An activation that stands alone, as data.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActivationLayer {
    function: Activation,
}

impl<T: Kernels> LayerKinds<T> {
    /// The built-in layers.
    pub fn built_in() -> Self {
        let mut kinds = Self { kinds: BTreeMap::new() };
        macro_rules! add {
            ($($kind:ident),* $(,)?) => {
                $(kinds = kinds.with::<$kind>(stringify!($kind));)*
            };
        }
        add!(
            AdaptiveAveragePool2D,
            Add,
            AveragePool2D,
            BatchNormalization,
            Bias,
            ChannelShuffle,
            ChannelSlice,
            Concatenate,
            Constant,
            Conv2D,
            Conv2DTranspose,
            Dense,
            DepthwiseConv2D,
            Divide,
            Dropout,
            Flatten,
            Gather,
            GlobalAveragePool2D,
            GlobalMaxPool2D,
            GroupNormalization,
            LayerNormalization,
            MatMul,
            MaxPool2D,
            Maximum,
            Minimum,
            Multiply,
            Normalization,
            Pad,
            Permute,
            Reduce,
            Rescaling,
            Reshape,
            Resize2D,
            Scale,
            Slice,
            StochasticDepth,
            Subtract,
            UpSampling2D,
            ZeroPadding2D,
        );
        let read: Read<T> = |config| {
            let ActivationLayer { function } = config.read()?;
            Ok(Arc::new(function))
        };
        let settings = field_names::<ActivationLayer>();
        kinds.kinds.insert("Activation", Kind { read, settings });
        let read: Read<T> = |config| {
            let FunctionLayer { function } = config.read()?;
            Ok(Arc::new(function))
        };
        let settings = field_names::<FunctionLayer>();
        kinds.kinds.insert("Function", Kind { read, settings });
        kinds
    }

    /// Adds a layer of another crate: `kind` is what its [`kind`](super::LayerSpec::kind) returns.
    pub fn with<L: Layer<T> + DeserializeOwned + 'static>(mut self, kind: &'static str) -> Self {
        let read: Read<T> = |config| Ok(Arc::new(config.read::<L>()?));
        self.kinds.insert(kind, Kind { read, settings: field_names::<L>() });
        self
    }

    /// The names of the kinds.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.keys().copied()
    }

    /// The names of the settings that layers of this kind have; `None` if there is no such kind.
    ///
    /// ```
    /// use nn_core::layers::LayerKinds;
    /// let kinds = LayerKinds::<f32>::built_in();
    /// let names = ["units", "bias", "activation", "initializer"];
    /// assert_eq!(kinds.settings("Dense"), Some(&names[..]));
    /// assert_eq!(kinds.settings("Dens"), None);
    /// ```
    pub fn settings(&self, kind: &str) -> Option<&'static [&'static str]> {
        Some(self.kinds.get(kind)?.settings)
    }

    /// The layer of a configuration.
    ///
    /// # Errors
    /// If its kind is not among these, or does not have these settings.
    pub fn layer(&self, config: LayerConfig) -> Result<Arc<dyn Layer<T>>> {
        let kind = config.kind().to_owned();
        let Some(Kind { read, .. }) = self.kinds.get(kind.as_str()) else {
            return Err(Error::setting(
                "the kind of a layer",
                format!("one of {}", self.names().collect::<Vec<_>>().join(", ")),
                kind,
                "check its spelling; for a layer of your own, add its kind to LayerKinds",
            ));
        };
        read(config).map_err(|problem| {
            Error::setting(
                format!("the settings of {kind}"),
                "those of the layer's fields, with values that they can have",
                problem,
                "see the layer's documentation",
            )
        })
    }
}

impl<T: Kernels> Default for LayerKinds<T> {
    fn default() -> Self {
        Self::built_in()
    }
}

impl<T: Kernels> fmt::Debug for LayerKinds<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}
