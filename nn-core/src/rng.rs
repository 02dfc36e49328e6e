//! Reproducible random numbers.
//!
//! All random numbers of a run come from one seed through [`Rng`]: ChaCha8, whose output is fixed by
//! its specification. The conversions from bits to floats, ranges and permutations are written here, so
//! that a new version of a dependency cannot change results.

use rand::rngs::ChaCha8Rng;
use rand::{Rng as _, SeedableRng};

/// The streams of a seed, by purpose. A stream that takes an offset has room for 2^32 of them.
pub mod stream {
    /// Initial weights: plus the parameter's index.
    pub const INITIALIZE: u64 = 0;
    /// The order of training samples: plus the epoch.
    pub const SHUFFLE: u64 = 0x6f72_6472 << 32;
    /// Dropout masks: plus the step.
    pub const DROPOUT: u64 = 2 << 32;
    /// Random weights that replace trained ones: plus the parameter's index.
    pub const RANDOMIZE: u64 = 3 << 32;
    /// Augmented images: plus the image's index, with another key for each epoch.
    pub const AUGMENT: u64 = 4 << 32;
    /// Samples drawn again, for the uncertainty of a score: plus the number of the resample.
    pub const BOOTSTRAP: u64 = 0x626f_6f74 << 32;
    /// The backgrounds of augmented images, likewise.
    pub const BACKGROUND: u64 = 5 << 32;
    /// How batches of augmented images are mixed: plus the index of the first image.
    pub const MIX: u64 = 6 << 32;
    /// The division of samples into folds.
    pub const FOLDS: u64 = 7 << 32;
    /// The split of samples into sets.
    pub const SPLIT: u64 = 0x73_706c_6974;
}

/// A seeded generator with independent streams.
///
/// ```
/// use nn_core::rng::Rng;
/// let (mut a, mut b) = (Rng::new(27, 0), Rng::new(27, 0));
/// assert_eq!(a.next_u32(), b.next_u32());
/// ```
#[derive(Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The generator for `seed` and `stream`. Streams of one seed are independent: for example, more
    /// shuffling does not change the initial weights.
    pub fn new(seed: u64, stream: u64) -> Self {
        // The key is the seed, padded with zeros: no seed expansion that a dependency could change.
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut inner = ChaCha8Rng::from_seed(key);
        inner.set_stream(stream);
        Self(inner)
    }

    /// 32 uniform bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform number in `[0, 1)`, with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A uniform number in `[low, high)`.
    pub fn uniform_in(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A normal number of mean 0 and standard deviation 1 (Box-Muller, one of the pair).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A uniform integer in `0..bound`, without bias (rejection); 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound <= 1 {
            return 0;
        }
        let mask = u64::MAX >> (bound as u64 - 1).leading_zeros();
        loop {
            let candidate = self.next_u64() & mask;
            if candidate < bound as u64 {
                return candidate as usize;
            }
        }
    }

    /// Shuffles in place (Fisher-Yates from the end).
    pub fn shuffle<U>(&mut self, items: &mut [U]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

impl Clone for Rng {
    fn clone(&self) -> Self {
        let mut inner = ChaCha8Rng::from_seed(self.0.get_seed());
        inner.set_stream(self.0.get_stream());
        inner.set_word_pos(self.0.get_word_pos());
        Self(inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_the_specification() {
        // D. J. Bernstein, "ChaCha, a variant of Salsa20", 2008: eight rounds, key and nonce zero.
        let mut rng = Rng::new(0, 0);
        let words: Vec<u32> = (0..4).map(|_| rng.next_u32()).collect();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let expected = [
            0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09,
            0xa5, 0xa1,
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_copy_goes_on_where_the_original_stands() {
        for drawn in [0, 1, 63, 64, 65, 1000] {
            let mut rng = Rng::new(27, 5);
            (0..drawn).for_each(|_| {
                rng.next_u32();
            });
            let mut copy = rng.clone();
            let pair = |rng: &mut Rng| (rng.next_u64(), rng.next_u32(), rng.below(1000));
            assert_eq!(pair(&mut copy), pair(&mut rng), "after {drawn}");
        }
    }
}
