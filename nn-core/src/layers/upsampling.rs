//! Upsampling of images.

use super::written::pair;
use super::{
    Forward, Layer, LayerConfig, LayerSpec, Pair, Window2d, check_extents, image_dims, single,
};
use crate::autograd::{Interpolation, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// Enlarges images by a whole factor: each pixel is repeated, or values between pixels are interpolated.
/// The formulas are at [`Interpolation`]; Keras' `UpSampling2D` with `"bilinear"` is
/// `Interpolation::Bilinear { align_corners: false }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpSampling2D {
    /// By how much height and width grow.
    #[serde(deserialize_with = "pair")]
    pub factor: (usize, usize),
    /// How new values are made.
    #[serde(default)]
    pub interpolation: Interpolation,
}

impl UpSampling2D {
    /// Grows height and width by this factor (one number for both), repeating pixels.
    pub fn new(factor: impl Pair) -> Self {
        Self { factor: factor.pair(), interpolation: Interpolation::Nearest }
    }

    /// Sets how new values are made.
    pub fn interpolation(mut self, interpolation: Interpolation) -> Self {
        self.interpolation = interpolation;
        self
    }
}

impl LayerSpec for UpSampling2D {
    fn kind(&self) -> &'static str {
        "UpSampling2D"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "upsampling".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        let [height, width, channels] = image_dims(self.kind(), input)?;
        check_extents(self.kind(), "factor", [self.factor; 2])?;
        match (height.checked_mul(self.factor.0), width.checked_mul(self.factor.1)) {
            (Some(height), Some(width)) => Ok(Shape::from([height, width, channels])),
            _ => Err(Error::shape(
                self.kind(),
                "an image that memory can hold after it is enlarged",
                input,
                "use smaller images or a smaller factor",
            )),
        }
    }

    fn window(&self, _: &[Shape]) -> Result<Option<Window2d>> {
        // Several pixels see the same one; together they divide the image evenly.
        Ok(None)
    }
}

impl<T: Kernels> Layer<T> for UpSampling2D {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("UpSampling2D", inputs)?;
        let &[_, height, width, _] = x.dims() else {
            let advice = "put it before Flatten and the dense layers";
            let expected = "images [batch, height, width, channels]";
            return Err(Error::shape("UpSampling2D", expected, x.shape(), advice));
        };
        let size = (height * self.factor.0, width * self.factor.1);
        cx.tape.resize2d(&x, size, self.interpolation)
    }
}

/// Resizes images to a size: `[height, width, channels]` to `[size.0, size.1, channels]`. The formulas are at
/// [`Interpolation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize2D {
    /// Height and width of the output.
    #[serde(deserialize_with = "pair")]
    pub size: (usize, usize),
    /// How new values are made.
    #[serde(default)]
    pub interpolation: Interpolation,
}

impl Resize2D {
    /// To this size (one number for a square), taking the nearest pixels.
    pub fn new(size: impl Pair) -> Self {
        Self { size: size.pair(), interpolation: Interpolation::Nearest }
    }

    /// Sets how new values are made.
    pub fn interpolation(mut self, interpolation: Interpolation) -> Self {
        self.interpolation = interpolation;
        self
    }
}

impl LayerSpec for Resize2D {
    fn kind(&self) -> &'static str {
        "Resize2D"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "resize".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let [.., channels] = image_dims(self.kind(), single(self.kind(), inputs)?)?;
        check_extents(self.kind(), "size", [self.size; 2])?;
        let output = Shape::from([self.size.0, self.size.1, channels]);
        output.ensure_possible(self.kind())?;
        Ok(output)
    }

    fn window(&self, _: &[Shape]) -> Result<Option<Window2d>> {
        // The windows have different sizes; together they divide the image evenly.
        Ok(None)
    }
}

impl<T: Kernels> Layer<T> for Resize2D {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        cx.tape.resize2d(&single("Resize2D", inputs)?, self.size, self.interpolation)
    }
}
