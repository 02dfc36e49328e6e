//! Batch normalisation folded into the convolution before it.
//!
//! At inference a batch normalisation multiplies each channel by `s = gamma / sqrt(variance + epsilon)` and
//! adds `beta - mean s`. A convolution with `w s` and `b s + beta - mean s` computes both at once
//! (Jacob et al., 2017, section 3.2, <https://arxiv.org/abs/1712.05877>).

use crate::autograd::{Tape, Var, check_variances};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Tensor;
use std::sync::{Arc, Weak};

/// Weight and bias of the convolution that computes a convolution `(weight, bias)` and the normalisation
/// with `statistics` (weight, bias, mean and variance) after it. A tape that does not record keeps them for
/// its next pass.
pub(super) fn folded<T: Kernels>(
    tape: &Tape<T>,
    (weight, bias): (&Var<T>, Option<&Var<T>>),
    statistics: &[Var<T>],
    epsilon: f64,
) -> Result<(Var<T>, Var<T>)> {
    let [gamma, beta, mean, variance] = statistics else {
        return Err(Error::Internal("a batch normalisation has four parameters".into()));
    };
    let sources: Vec<_> =
        [weight, gamma, beta, mean, variance].into_iter().chain(bias).map(Var::share).collect();
    let fold = || {
        check_variances("batch_norm_inference", variance.value(), epsilon)?;
        let channels = gamma.value().len();
        let number = |var: &Var<T>, i: usize| var.value().as_slice()[i].as_f64();
        let scale: Vec<f64> = (0..channels)
            .map(|i| number(gamma, i) / (number(variance, i) + epsilon).sqrt())
            .collect();
        let per_channel = (weight.value().len() / channels.max(1)).max(1);
        let values = weight.value().as_slice();
        let w = Tensor::from_fn(weight.shape(), |i| {
            T::from_f64(values[i].as_f64() * scale[i / per_channel])
        });
        let b = Tensor::from_fn([channels], |i| {
            let own = bias.map_or(0.0, |bias| number(bias, i));
            T::from_f64((own - number(mean, i)) * scale[i] + number(beta, i))
        });
        Ok((Arc::new(w), Arc::new(b)))
    };
    let kept = tape.prepared(|kept: &mut Folded<T>| kept.get(&sources, fold));
    let (w, b) = kept.unwrap_or_else(fold)?;
    Ok((tape.constant(w), tape.constant(b)))
}

/// The folded weights of the convolutions that one tape ran. As with packed weights, weak references tell
/// whether the tensors they were made of are the same.
struct Folded<T: Kernels>(Vec<Entry<T>>);

struct Entry<T: Kernels> {
    sources: Vec<Weak<Tensor<T>>>,
    folded: Pair<T>,
}

/// Weight and bias.
type Pair<T> = (Arc<Tensor<T>>, Arc<Tensor<T>>);

impl<T: Kernels> Default for Folded<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Kernels> Folded<T> {
    fn get(
        &mut self,
        sources: &[Arc<Tensor<T>>],
        fold: impl FnOnce() -> Result<Pair<T>>,
    ) -> Result<Pair<T>> {
        let is_same = |entry: &&Entry<T>| {
            entry.sources.len() == sources.len()
                && entry.sources.iter().zip(sources).all(|(a, b)| a.as_ptr() == Arc::as_ptr(b))
        };
        if let Some(entry) = self.0.iter().find(is_same) {
            return Ok(entry.folded.clone());
        }
        let folded = fold()?;
        self.0.retain(|entry| entry.sources.iter().all(|source| source.strong_count() > 0));
        let sources = sources.iter().map(Arc::downgrade).collect();
        self.0.push(Entry { sources, folded: folded.clone() });
        Ok(folded)
    }
}
