//! Pooling over images, without padding: rows and columns left over at the bottom and right are
//! dropped, as is the default in Keras.

use super::written::{pair, some_pair};
use super::{
    Forward, Layer, LayerConfig, LayerSpec, Pair, Window2d, check_extents, image_dims, single,
};
use crate::autograd::Var;
use crate::error::Result;
use crate::kernels::Kernels;
use crate::kernels::{Pool2dGeometry, Pool2dOptions};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// The maximum of each window. If several numbers are equal, the gradient goes to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct MaxPool2D {
    /// Height and width of the window.
    pub window: (usize, usize),
    /// Stride, vertical before horizontal.
    pub stride: (usize, usize),
}

/// The mean of each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct AveragePool2D {
    /// Height and width of the window.
    pub window: (usize, usize),
    /// Stride, vertical before horizontal.
    pub stride: (usize, usize),
}

/// A pooling as it may be written: the stride is that of the window if it is left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(deserialize_with = "pair")]
    window: (usize, usize),
    #[serde(default, deserialize_with = "some_pair")]
    stride: Option<(usize, usize)>,
}

/// The mean of each channel over all pixels: `[height, width, channels]` to `[channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalAveragePool2D {}

impl GlobalAveragePool2D {
    /// The layer.
    pub fn new() -> Self {
        Self {}
    }
}

/// The code shared by the two windowed layers: all but the op.
macro_rules! windowed_pool {
    ($layer:ident, $op:ident) => {
        impl $layer {
            /// Windows of this size (one number for a square), with a stride of the same size.
            pub fn new(window: impl Pair) -> Self {
                let window = window.pair();
                Self { window, stride: window }
            }

            /// Sets the stride.
            pub fn stride(mut self, stride: impl Pair) -> Self {
                self.stride = stride.pair();
                self
            }

            /// Window and stride as options of the op.
            pub(crate) fn options(&self) -> Pool2dOptions {
                Pool2dOptions::new(self.window).stride(self.stride)
            }
        }

        impl From<Written> for $layer {
            fn from(written: Written) -> Self {
                let Written { window, stride } = written;
                Self { window, stride: stride.unwrap_or(window) }
            }
        }

        impl LayerSpec for $layer {
            fn kind(&self) -> &'static str {
                stringify!($layer)
            }

            fn config(&self) -> Option<LayerConfig> {
                LayerConfig::new(self.kind(), self)
            }

            fn name_prefix(&self) -> String {
                "pool".into()
            }

            fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
                let [height, width, channels] =
                    image_dims(stringify!($layer), single(stringify!($layer), inputs)?)?;
                check_extents(stringify!($layer), "window and stride", [self.window, self.stride])?;
                let geometry = Pool2dGeometry::new(&[1, height, width, channels], self.options())?;
                Ok(Shape::from([geometry.out_h, geometry.out_w, channels]))
            }

            fn window(&self, _: &[Shape]) -> Result<Option<Window2d>> {
                let (size, stride) = (self.window, self.stride);
                Ok(Some(Window2d { size, stride, padding: (0, 0) }))
            }
        }

        impl<T: Kernels> Layer<T> for $layer {
            fn forward(
                &self,
                cx: &mut Forward<'_, T>,
                inputs: Vec<Var<T>>,
                _: &[Var<T>],
            ) -> Result<Var<T>> {
                cx.tape.$op(&single(stringify!($layer), inputs)?, self.options())
            }
        }
    };
}

windowed_pool!(MaxPool2D, max_pool2d);
windowed_pool!(AveragePool2D, average_pool2d);

impl LayerSpec for GlobalAveragePool2D {
    fn kind(&self) -> &'static str {
        "GlobalAveragePool2D"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "pool".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let [.., channels] =
            image_dims("GlobalAveragePool2D", single("GlobalAveragePool2D", inputs)?)?;
        Ok(Shape::from([channels]))
    }
}

impl<T: Kernels> Layer<T> for GlobalAveragePool2D {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        cx.tape.global_average_pool2d(&single("GlobalAveragePool2D", inputs)?)
    }
}
