//! An index of 128-bit descriptors: finds those within a small Hamming distance, without comparing
//! all pairs.
//!
//! Each hash table indexes the descriptors by a few of their bits. The bits are drawn with a fixed seed
//! from those that are balanced and little correlated; descriptors that agree in all of them share a
//! bucket. The number of bits grows with that of descriptors, so that buckets hold a few of them and the
//! time of a look-up is about constant. Buckets with very many descriptors (a logo, a frame, a sky) carry
//! no information and are skipped. Look-ups keep no state, so the memory is that of the tables.
//!
//! P. Indyk and R. Motwani, "Approximate nearest neighbors", 1998 (locality-sensitive hashing by
//! bit sampling).

use super::patch::Descriptor;
use crate::kernels::multiversion::{Multiversion, multiversion};
use crate::rng::Rng;
use rayon::prelude::*;

/// The number of hash tables: each is another chance for two descriptors to share a bucket.
const TABLES: usize = 5;
/// The number of descriptors from which a bucket is skipped.
const CROWD: usize = 160;
/// The number of descriptors that the statistics of bits are computed from.
const SAMPLE: usize = 1 << 12;
/// The minimum share of descriptors in which a bit must be set, and unset, to be used in a table.
const DIVIDING: f64 = 0.2;
/// The correlation from which two bits are redundant.
const CORRELATED: f64 = 0.25;
/// The maximum number of differing bits among the 32 middle bits, which are kept in the table itself.
const GLANCE: u32 = 10;

/// An index of descriptors.
pub struct DescriptorIndex<'a> {
    descriptors: &'a [Descriptor],
    tables: Vec<Table>,
}

struct Table {
    bits: Vec<u8>,
    /// The start of each bucket in `entries`, and the end of the last one.
    starts: Vec<u32>,
    /// Descriptor indices, sorted by bucket and index, each with its middle bits, so that most
    /// distant descriptors need not be fetched.
    entries: Vec<(u32, u32)>,
}

impl<'a> DescriptorIndex<'a> {
    /// Indexes `descriptors`, of which there may be up to `u32::MAX`.
    pub fn new(descriptors: &'a [Descriptor]) -> Self {
        let bits = (usize::BITS - descriptors.len().leading_zeros()).clamp(8, 24) as usize;
        let sayings = sayings(descriptors);
        let table = |number: usize| Table::new(descriptors, chosen(&sayings, number as u64, bits));
        Self { descriptors, tables: (0..TABLES).into_par_iter().map(table).collect() }
    }

    /// The descriptors with an index of at least `from` that share a bucket with `descriptor` and
    /// differ in at most `distance` bits; a descriptor may occur several times.
    pub fn near(&self, descriptor: Descriptor, distance: u32, from: usize) -> Vec<Near> {
        multiversion(LookUp { index: self, descriptor, distance, from })
    }
}

/// A nearby descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near {
    /// Its index.
    pub descriptor: u32,
    /// The Hamming distance.
    pub distance: u32,
}

struct LookUp<'a> {
    index: &'a DescriptorIndex<'a>,
    descriptor: Descriptor,
    distance: u32,
    from: usize,
}

impl Multiversion for LookUp<'_> {
    type Output = Vec<Near>;

    #[inline(always)]
    fn run(self) -> Vec<Near> {
        let mut found = Vec::new();
        for table in &self.index.tables {
            let bucket = table.bucket(self.descriptor);
            if bucket.len() > CROWD {
                continue;
            }
            for &(i, middle) in bucket.iter().rev() {
                if (i as usize) < self.from {
                    break;
                }
                if (middle ^ middle_bits(self.descriptor)).count_ones() > GLANCE {
                    continue;
                }
                let distance = (self.index.descriptors[i as usize] ^ self.descriptor).count_ones();
                if distance <= self.distance {
                    found.push(Near { descriptor: i, distance });
                }
            }
        }
        found
    }
}

#[inline(always)]
fn middle_bits(descriptor: Descriptor) -> u32 {
    (descriptor >> 48) as u32
}

impl Table {
    fn new(descriptors: &[Descriptor], bits: Vec<u8>) -> Self {
        let keys = multiversion(Keys { descriptors, bits: &bits });
        let mut starts = vec![0_u32; (1 << bits.len()) + 1];
        for &key in &keys {
            starts[key as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0); descriptors.len()];
        for (i, &key) in keys.iter().enumerate() {
            let place = &mut next[key as usize];
            entries[*place as usize] = (i as u32, middle_bits(descriptors[i]));
            *place += 1;
        }
        Self { bits, starts, entries }
    }

    #[inline(always)]
    fn bucket(&self, descriptor: Descriptor) -> &[(u32, u32)] {
        let key = key(descriptor, &self.bits) as usize;
        &self.entries[self.starts[key] as usize..self.starts[key + 1] as usize]
    }
}

/// For each bit, a bit set of the descriptors of a sample in which it is set.
fn sayings(descriptors: &[Descriptor]) -> Vec<Vec<u64>> {
    let step = (descriptors.len() / SAMPLE).max(1);
    let sample: Vec<Descriptor> = descriptors.iter().copied().step_by(step).take(SAMPLE).collect();
    let words = |bit: usize| {
        let gather = |descriptors: &[Descriptor]| {
            let is_set = |descriptor: Descriptor| (descriptor >> bit) as u64 & 1;
            descriptors
                .iter()
                .enumerate()
                .fold(0, |word, (i, &descriptor)| word | (is_set(descriptor) << i))
        };
        sample.chunks(64).map(gather).collect()
    };
    (0..128).map(words).collect()
}

/// The bits that a table uses: drawn ones that are balanced in the sample and little correlated,
/// then, if these are too few, any.
fn chosen(sayings: &[Vec<u64>], table: u64, bits: usize) -> Vec<u8> {
    let ones = |words: &[u64]| words.iter().map(|word| word.count_ones()).sum::<u32>();
    let n = (sayings[0].len() * 64).max(1) as f64;
    let share: Vec<f64> = sayings.iter().map(|words| f64::from(ones(words)) / n).collect();
    let correlation = |i: usize, j: usize| {
        let both: u32 = sayings[i].iter().zip(&sayings[j]).map(|(x, y)| (x & y).count_ones()).sum();
        let variance = share[i] * (1.0 - share[i]) * share[j] * (1.0 - share[j]);
        (f64::from(both) / n - share[i] * share[j]).abs() / variance.sqrt().max(1e-9)
    };
    let mut all: Vec<usize> = (0..128).collect();
    Rng::new(table, 0).shuffle(&mut all);
    let mut kept: Vec<usize> = Vec::new();
    let (mut spare, mut constant) = (Vec::new(), Vec::new());
    for bit in all {
        if !(DIVIDING..1.0 - DIVIDING).contains(&share[bit]) {
            constant.push(bit);
        } else if kept.iter().any(|&other| correlation(bit, other) > CORRELATED) {
            spare.push(bit);
        } else {
            kept.push(bit);
        }
    }
    kept.into_iter().chain(spare).chain(constant).take(bits).map(|bit| bit as u8).collect()
}

/// Computes the bucket of each descriptor.
struct Keys<'a> {
    descriptors: &'a [Descriptor],
    bits: &'a [u8],
}

impl Multiversion for Keys<'_> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn run(self) -> Vec<u32> {
        let mut keys = vec![0; self.descriptors.len()];
        for (to, &descriptor) in keys.iter_mut().zip(self.descriptors) {
            *to = key(descriptor, self.bits);
        }
        keys
    }
}

#[inline(always)]
fn key(descriptor: Descriptor, bits: &[u8]) -> u32 {
    let halves = [descriptor as u64, (descriptor >> 64) as u64];
    bits.iter().fold(0, |key, &bit| {
        key << 1 | (halves[usize::from(bit >> 6) & 1] >> (bit & 63)) as u32 & 1
    })
}
