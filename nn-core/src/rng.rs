//! Reproducible randomness.
//!
//! Everything random in a run comes from one seed through [`Rng`]: ChaCha8, whose stream is fixed
//! by its specification, with the steps from bits to floats, ranges and permutations written here,
//! so that a newer `rand` cannot change anybody's results.

use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Which stream of a seed serves what. Those that count on have room for 2^32 streams.
pub mod stream {
    /// Initial weights: plus the parameter's number.
    pub const INITIALIZE: u64 = 0;
    /// The order of training samples: plus the epoch.
    pub const SHUFFLE: u64 = 0x6f72_6472 << 32;
    /// Dropped units: plus the step.
    pub const DROPOUT: u64 = 2 << 32;
    /// Weights that take the place of trained ones: plus the parameter's number.
    pub const RANDOMIZE: u64 = 3 << 32;
    /// The division of samples into sets.
    pub const SPLIT: u64 = 0x73_706c_6974;
}

/// A seeded generator with independent streams.
///
/// ```
/// use nn_core::rng::Rng;
/// let (mut a, mut b) = (Rng::new(27, 0), Rng::new(27, 0));
/// assert_eq!(a.next_u32(), b.next_u32());
/// ```
#[derive(Debug, Clone)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The generator for `seed`; different `stream`s of one seed do not overlap, so that, say,
    /// shuffling more often does not change the initial weights.
    pub fn new(seed: u64, stream: u64) -> Self {
        // The key is the seed, padded with zeros: no expansion that a crate could change.
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

    /// Where the generator stands, for a checkpoint: `(seed bytes, stream, word position)`.
    pub fn state(&self) -> ([u8; 32], u64, u128) {
        (self.0.get_seed(), self.0.get_stream(), self.0.get_word_pos())
    }

    /// The generator standing where [`Rng::state`] was taken.
    pub fn from_state(seed: [u8; 32], stream: u64, position: u128) -> Self {
        let mut inner = ChaCha8Rng::from_seed(seed);
        inner.set_stream(stream);
        inner.set_word_pos(position);
        Self(inner)
    }
}
