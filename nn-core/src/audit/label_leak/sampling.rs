//! Sampling of images from very large sets.

use super::LEAST_IN_CLASS;
use crate::rng::Rng;

/// The random stream that images are sampled by.
const STREAM: u64 = 0x6472_6177 << 32;

/// At most `most` of `images`, in random order. Small classes are kept whole; classes that are too
/// small to be tested are left out.
pub fn drawn(
    images: &[usize],
    labels: &[usize],
    classes: usize,
    most: usize,
    seed: u64,
) -> Vec<usize> {
    let mut counts = vec![0; classes];
    images.iter().for_each(|&i| counts[labels[i]] += 1);
    let counts: Vec<usize> =
        counts.into_iter().map(|k| if k < LEAST_IN_CLASS { 0 } else { k }).collect();
    let total = |bound: usize| counts.iter().map(|&k| k.min(bound)).sum::<usize>();
    let (mut low, mut high) = (LEAST_IN_CLASS, images.len().max(LEAST_IN_CLASS));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if total(middle) <= most { low = middle } else { high = middle - 1 }
    }
    let mut left: Vec<usize> = counts.iter().map(|&k| k.min(low)).collect();
    let mut order = images.to_vec();
    Rng::new(seed, STREAM).shuffle(&mut order);
    order.retain(|&i| {
        let take = left[labels[i]] > 0;
        left[labels[i]] -= usize::from(take);
        take
    });
    order
}
