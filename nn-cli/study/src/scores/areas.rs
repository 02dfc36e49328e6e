//! Areas under curves, of one network or of several, whose probabilities are not compared.

use nn_core::Result;
use nn_core::metrics::{self, Ranking};
use nn_core::train::Classification;
use std::borrow::Cow;

/// The images that one network answered.
pub(super) struct Part<'a> {
    labels: Cow<'a, [usize]>,
    probabilities: Cow<'a, [Vec<f64>]>,
    /// Where they are among all; `None` if they are all.
    at: Option<Vec<usize>>,
}

/// The images by network.
pub(super) fn parts<'a>(of: &'a Classification, networks: Option<&[usize]>) -> Vec<Part<'a>> {
    let Some(networks) = networks else {
        let (labels, probabilities) = (Cow::from(&of.labels), Cow::from(&of.probabilities));
        return vec![Part { labels, probabilities, at: None }];
    };
    let count = networks.iter().max().map_or(0, |most| most + 1);
    let part = |network: usize| {
        let at: Vec<usize> = (0..networks.len()).filter(|i| networks[*i] == network).collect();
        Part {
            labels: at.iter().map(|&i| of.labels[i]).collect(),
            probabilities: at.iter().map(|&i| of.probabilities[i].clone()).collect(),
            at: Some(at),
        }
    };
    (0..count).map(part).collect()
}

/// The curves of one class against the rest, of each network.
pub(super) struct Curves<'a>(Vec<(&'a Part<'a>, Ranking)>);

impl<'a> Curves<'a> {
    pub fn new(parts: &'a [Part<'a>], class: usize) -> Result<Self> {
        let ranking = |part: &'a Part<'a>| {
            Ok((part, Ranking::one_vs_rest(&part.labels, &part.probabilities, class)?))
        };
        Ok(Self(parts.iter().map(ranking).collect::<Result<_>>()?))
    }

    /// The areas under the ROC curve and that of precision and recall: means over the networks that have one. `times`
    /// says how often each of all images counts.
    pub fn areas(&self, times: Option<&[u32]>) -> (Option<f64>, Option<f64>) {
        let of = |(part, ranking): &(&Part<'_>, Ranking)| {
            let own = match (times, &part.at) {
                (Some(times), Some(at)) => Some(at.iter().map(|&i| times[i]).collect()),
                (Some(times), None) => Some(Cow::from(times)),
                (None, _) => None,
            };
            let area = ranking.roc_auc(own.as_deref());
            // Without images of other classes, as in a fold of one image, any order is a perfect one.
            let is_defined = part.at.is_none() || area.is_some();
            let precision = is_defined.then(|| ranking.average_precision(own.as_deref()));
            (area, precision.flatten())
        };
        means(&self.0.iter().map(of).collect::<Vec<_>>())
    }
}

/// The means of the areas that are defined.
pub(super) fn means(areas: &[(Option<f64>, Option<f64>)]) -> (Option<f64>, Option<f64>) {
    let mean = |values: Vec<f64>| metrics::mean(&values, None);
    let (first, second): (Vec<_>, Vec<_>) = areas.iter().copied().unzip();
    (mean(first.into_iter().flatten().collect()), mean(second.into_iter().flatten().collect()))
}
