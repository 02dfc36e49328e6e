//! Sanity check: does an explanation depend on the model's weights?
//!
//! A map may look plausible without depending on the model: an edge detector outlines the animal,
//! too. The check of Adebayo et al. (2018, <https://arxiv.org/abs/1810.03292>) randomises the
//! network's weights, computes the same maps again and compares them: a map that hardly changes
//! cannot explain what the weights have learned. Maps are compared by Spearman's rank correlation
//! of their values, which depends on the pattern and not on the scale.

use super::{Explainer, Explanation, Target};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::model::Model;
use crate::tensor::Tensor;

/// The mean rank correlation from which maps count as independent of the weights. Maps that ignore
/// the model reach 1, up to rounding.
pub const INDEPENDENT: f64 = 0.9;

/// Which weights are randomised before maps are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Randomization {
    /// Those of all layers at once: one comparison.
    #[default]
    Full,
    /// One layer after the other, from the output to the input, without restoring the earlier ones:
    /// one comparison for each layer with weights. In the last, all weights are random.
    Cascade,
}

/// The maps of one partly or wholly randomised model, compared with those of the model itself.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomizationStep {
    /// The layer randomised last; in a cascade the layers after it are random, too.
    pub layer: String,
    /// For each image, the rank correlation of its two maps: 1 for the same pattern, about 0 for
    /// unrelated ones, 0 if the randomised model's map is flat. `None` if the model's own map is
    /// flat, so that it cannot be compared.
    pub correlations: Vec<Option<f64>>,
}

impl RandomizationStep {
    /// The mean over the images; `None` if no image could be compared.
    pub fn mean(&self) -> Option<f64> {
        let known: Vec<f64> = self.correlations.iter().copied().flatten().collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    }
}

/// The result of [`randomization_check`].
#[derive(Debug, Clone, PartialEq)]
pub struct RandomizationCheck {
    /// The comparisons, starting at the model's output; the last is with a wholly random model.
    pub steps: Vec<RandomizationStep>,
}

impl RandomizationCheck {
    /// The mean rank correlation with the maps of a wholly random model; `None` if all maps were
    /// flat or the model has no weights.
    pub fn correlation(&self) -> Option<f64> {
        self.steps.last().and_then(RandomizationStep::mean)
    }

    /// Whether the maps depend on the model: `Some(false)` if the correlation reaches [`INDEPENDENT`],
    /// `None` if there is no correlation. Dependence is necessary for an explanation, but not sufficient.
    pub fn depends_on_model(&self) -> Option<bool> {
        self.correlation().map(|correlation| correlation < INDEPENDENT)
    }
}

/// Compares `explanations`, which `explainer` computed for `images`, with those of the same classes
/// after the model's weights are randomised with `seed`.
///
/// A single random model may resemble the trained one by chance where images are few or maps are
/// small; use several images, or several seeds.
///
/// # Errors
/// Those of [`Explainer::explain`].
///
/// ```
/// use nn_core::Tensor;
/// use nn_core::explain::{Cam, Explainer, GradCam, Randomization, Target, randomization_check};
/// use nn_core::model::{ReferenceCnn, Sequential};
///
/// let model: Sequential = ReferenceCnn::new(2, 64).build(27)?;
/// let images = Tensor::from_fn([2, 64, 64, 3], |i| (i * i % 251) as f32);
/// let method = Cam::new(GradCam);
/// let why = method.explain(&model, &images, &[Target::Predicted; 2])?;
/// let how = Randomization::Cascade;
/// let check = randomization_check(&method, &model, &images, &why, how, 1)?;
/// let layers: Vec<_> = check.steps.iter().map(|step| &step.layer[..]).collect();
/// assert_eq!(layers, ["dense2", "dense1", "conv3", "conv2", "conv1"]);
/// # Ok::<(), nn_core::Error>(())
/// ```
pub fn randomization_check<T: Kernels>(
    explainer: &dyn Explainer<T>,
    model: &Model<T>,
    images: &Tensor<T>,
    explanations: &[Explanation<T>],
    randomization: Randomization,
    seed: u64,
) -> Result<RandomizationCheck> {
    let classes: Vec<Target> = explanations.iter().map(|one| Target::Class(one.class)).collect();
    let mut random = model.clone();
    let weighty: Vec<String> = model
        .layers_of_main_output()
        .into_iter()
        .rev()
        .filter(|name| model.layer_parameters(name).is_ok_and(|own| !own.is_empty()))
        .map(String::from)
        .collect();
    let mut steps = Vec::new();
    for (i, layer) in weighty.iter().enumerate() {
        random.reinitialize(layer, seed)?;
        if randomization == Randomization::Full && i + 1 < weighty.len() {
            continue;
        }
        let after = explainer.explain(&random, images, &classes)?;
        let correlation = |(before, after): (&Tensor<T>, &Tensor<T>)| {
            let known = !is_flat(before.as_slice());
            known.then(|| rank_correlation(before.as_slice(), after.as_slice()).unwrap_or(0.0))
        };
        let maps = explanations.iter().map(|one| &one.map).zip(after.iter().map(|one| &one.map));
        let correlations = maps.map(correlation).collect();
        steps.push(RandomizationStep { layer: layer.clone(), correlations });
    }
    Ok(RandomizationCheck { steps })
}

fn is_flat<T: Kernels>(values: &[T]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

/// Spearman's rank correlation, -1 to 1; equal values share the mean of their ranks. `None` if the
/// lengths differ, or if all values of either side are equal.
///
/// ```
/// use nn_core::explain::rank_correlation;
/// assert_eq!(rank_correlation(&[1., 2., 3., 4.], &[10., 20., 30., 1000.]), Some(1.0));
/// assert_eq!(rank_correlation(&[1., 2., 3.], &[0.3, 0.2, 0.1]), Some(-1.0));
/// assert_eq!(rank_correlation(&[1., 2., 3.], &[5., 5., 5.]), None);
/// ```
pub fn rank_correlation<T: Kernels>(a: &[T], b: &[T]) -> Option<f64> {
    if a.len() != b.len() || is_flat(a) || is_flat(b) {
        return None;
    }
    // Ranks of n values have the mean (n - 1) / 2, ties or not.
    let middle = (a.len() - 1) as f64 / 2.0;
    let (a, b) = (ranks(a), ranks(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(&b) {
        let (a, b) = (a - middle, b - middle);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    Some(ab / (aa * bb).sqrt())
}

/// Each value's rank, from 0; equal ones share their mean.
fn ranks<T: Kernels>(values: &[T]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].as_f64().total_cmp(&values[j].as_f64()));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for run in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let mean = start as f64 + (run.len() - 1) as f64 / 2.0;
        run.iter().for_each(|&i| ranks[i] = mean);
        start += run.len();
    }
    ranks
}
