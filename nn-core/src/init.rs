//! Initialisation of parameters.
//!
//! The variance-scaling initialisers keep the variance of activations (Glorot: also of gradients) equal
//! from layer to layer. Fans are those of Keras for dense and plain convolution layers; those of grouped,
//! depthwise and transposed convolutions count what an output really sums. Distributions are those of Keras: a
//! uniform draw is in
//! `[-limit, limit)`, and a "normal" draw is from a normal distribution truncated at two standard
//! deviations and rescaled to keep its variance. Numbers are drawn from [`Rng`] in double precision and
//! then rounded to the element type: a model has the same parameters in `f32` and `f64`, up to
//! rounding.

use crate::kernels::Kernels;
use crate::rng::Rng;
use crate::tensor::{Shape, Tensor};
use serde::{Deserialize, Serialize};

/// The standard deviation of a standard normal truncated to `[-2, 2]`.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// The fans of a weight: inputs per output, and outputs per input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fans {
    /// Inputs per output: `in` of a dense layer, `in * height * width` of a convolution.
    pub input: usize,
    /// Outputs per input: `out` of a dense layer, `out * height * width` of a convolution.
    pub output: usize,
}

impl Fans {
    /// The fans of a weight `[out, in, ..]`. The dimensions after the first two are the kernel's size.
    pub fn of_weight(shape: &Shape) -> Self {
        let dims = shape.dims();
        let area = dims.iter().skip(2).fold(1usize, |area, &d| area.saturating_mul(d));
        let fan = |i: usize| dims.get(i).copied().unwrap_or(1).saturating_mul(area);
        Self { input: fan(1), output: fan(0) }
    }
}

/// How a parameter is initialised.
///
/// ```
/// use nn_core::init::{Fans, Initializer};
/// use nn_core::rng::Rng;
/// let fans = Fans { input: 2, output: 4 };
/// let w = Initializer::GlorotUniform.tensor::<f32>([4, 2], fans, &mut Rng::new(27, 0));
/// assert!(w.as_slice().iter().all(|v| v.abs() <= 1.0)); // sqrt(6 / (2 + 4))
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Initializer {
    /// Uniform, variance `2 / (fan_in + fan_out)` (Glorot and Bengio, 2010): the default.
    #[default]
    GlorotUniform,
    /// Truncated normal, variance `2 / (fan_in + fan_out)`.
    GlorotNormal,
    /// Uniform, variance `2 / fan_in` (He et al., 2015): for layers with ReLU.
    HeUniform,
    /// Truncated normal, variance `2 / fan_in`.
    HeNormal,
    /// All zero.
    Zeros,
    /// All this value.
    Constant(f64),
}

impl Initializer {
    /// A new parameter of `shape`. Only the random initialisers use `fans` and draw from `rng`.
    pub fn tensor<T: Kernels>(
        self,
        shape: impl Into<Shape>,
        fans: Fans,
        rng: &mut Rng,
    ) -> Tensor<T> {
        let shape = shape.into();
        // A fan is zero only if the parameter has no elements.
        let mean_fan = ((fans.input as f64 + fans.output as f64) / 2.0).max(1.0);
        let fan_in = (fans.input as f64).max(1.0);
        match self {
            Self::GlorotUniform => uniform(shape, 1.0 / mean_fan, rng),
            Self::GlorotNormal => normal(shape, 1.0 / mean_fan, rng),
            Self::HeUniform => uniform(shape, 2.0 / fan_in, rng),
            Self::HeNormal => normal(shape, 2.0 / fan_in, rng),
            Self::Zeros => Tensor::zeros(shape),
            Self::Constant(value) => Tensor::full(shape, T::from_f64(value)),
        }
    }
}

fn uniform<T: Kernels>(shape: Shape, variance: f64, rng: &mut Rng) -> Tensor<T> {
    let limit = (3.0 * variance).sqrt();
    Tensor::from_fn(shape, |_| T::from_f64(rng.uniform_in(-limit, limit)))
}

fn normal<T: Kernels>(shape: Shape, variance: f64, rng: &mut Rng) -> Tensor<T> {
    let deviation = variance.sqrt() / TRUNCATED_DEVIATION;
    Tensor::from_fn(shape, |_| {
        loop {
            let z = rng.normal();
            if z.abs() <= 2.0 {
                break T::from_f64(z * deviation);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(initializer: Initializer) -> Vec<f64> {
        let fans = Fans { input: 300, output: 100 };
        initializer.tensor::<f64>([100, 300], fans, &mut Rng::new(27, 3)).into_vec()
    }

    fn mean_and_variance(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n)
    }

    #[test]
    fn random_initialisers_have_their_variance_and_bound() {
        let glorot: f64 = 2.0 / 400.0;
        let he: f64 = 2.0 / 300.0;
        for (initializer, variance, bound) in [
            (Initializer::GlorotUniform, glorot, (6.0f64 / 400.0).sqrt()),
            (Initializer::GlorotNormal, glorot, 2.0 * glorot.sqrt() / 0.87962566),
            (Initializer::HeUniform, he, (6.0f64 / 300.0).sqrt()),
            (Initializer::HeNormal, he, 2.0 * he.sqrt() / 0.87962566),
        ] {
            let values = draw(initializer);
            let (mean, measured) = mean_and_variance(&values);
            // 30,000 draws: three standard errors are 2 % of the variance or less.
            assert!((measured / variance - 1.0).abs() < 0.03, "{initializer:?}: {measured}");
            assert!(mean.abs() < 4.0 * (variance / 30_000.0).sqrt(), "{initializer:?}: {mean}");
            let largest = values.iter().fold(0.0f64, |max, v| max.max(v.abs()));
            assert!(largest <= bound && largest > 0.99 * bound, "{initializer:?}: {largest}");
        }
    }

    #[test]
    fn constants_are_constant_and_draw_nothing() {
        let (mut rng, mut fresh) = (Rng::new(1, 0), Rng::new(1, 0));
        let zeros = Initializer::Zeros.tensor::<f32>([2, 2], Fans::default(), &mut rng);
        let halves = Initializer::Constant(0.5).tensor::<f32>([2], Fans::default(), &mut rng);
        assert_eq!(zeros.as_slice(), [0.0; 4]);
        assert_eq!(halves.as_slice(), [0.5; 2]);
        assert_eq!(rng.next_u64(), fresh.next_u64());
    }

    #[test]
    fn a_seed_gives_the_same_numbers_in_both_precisions() {
        let fans = Fans { input: 5, output: 7 };
        let draw32 = Initializer::HeNormal.tensor::<f32>([7, 5], fans, &mut Rng::new(9, 2));
        let draw64 = Initializer::HeNormal.tensor::<f64>([7, 5], fans, &mut Rng::new(9, 2));
        assert_eq!(draw32, draw64.cast());
        let other = Initializer::HeNormal.tensor::<f32>([7, 5], fans, &mut Rng::new(9, 3));
        assert_ne!(draw32, other);
    }

    #[test]
    fn fans_include_the_kernel() {
        let conv = Fans::of_weight(&Shape::from([128, 64, 3, 3]));
        assert_eq!(conv, Fans { input: 576, output: 1152 });
        let dense = Fans::of_weight(&Shape::from([64, 115_200]));
        assert_eq!(dense, Fans { input: 115_200, output: 64 });
    }

    #[test]
    fn an_empty_parameter_is_no_trouble() {
        for initializer in [Initializer::GlorotUniform, Initializer::HeNormal] {
            let fans = Fans { input: 0, output: 0 };
            assert!(initializer.tensor::<f32>([0, 0], fans, &mut Rng::new(0, 0)).is_empty());
        }
    }
}
