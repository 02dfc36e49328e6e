//! Finds codes that differ in few of their 128 bits, without comparing all with all.
//!
//! Each table files the codes by a few of their bits, drawn by a fixed seed from those that divide
//! the codes best; codes that agree in all of them meet. The number of bits grows with the number of
//! codes, so that a bucket holds a few of them, and a look-up takes about the same time however many
//! there are. Buckets of very many codes (a logo, a frame, a sky) tell nothing and are passed over.
//! Nothing is kept of a look-up, so memory is that of the tables.
//!
//! P. Indyk and R. Motwani, "Approximate nearest neighbors", 1998 (hashing by sampled bits).

use super::patch::Code;
use crate::rng::Rng;
use rayon::prelude::*;

/// Hash tables: each is another chance for two codes to meet.
const TABLES: usize = 10;
/// Codes of a bucket beyond which it tells nothing.
const CROWD: usize = 160;
/// Bits of a code, those that divide the codes best, among which tables choose.
const TELLING: usize = 96;
/// Codes that are looked at to see which bits those are.
const SAMPLE: usize = 1 << 16;

/// Codes, filed.
pub struct CodeIndex<'a> {
    codes: &'a [Code],
    tables: Vec<Table>,
}

struct Table {
    bits: Vec<u8>,
    /// Where each bucket starts in `entries`, and where the last one ends.
    starts: Vec<u32>,
    /// Numbers of codes, bucket by bucket.
    entries: Vec<u32>,
}

impl<'a> CodeIndex<'a> {
    /// Files `codes`, of which there may be up to `u32::MAX`.
    pub fn new(codes: &'a [Code]) -> Self {
        let bits = (usize::BITS - codes.len().leading_zeros()).clamp(8, 24) as usize;
        let telling = telling_bits(codes);
        let table = |number: usize| Table::new(codes, chosen(&telling, number as u64, bits));
        Self { codes, tables: (0..TABLES).into_par_iter().map(table).collect() }
    }

    /// Calls `found(i, distance)` for each filed code `i` that meets `code` and differs in at most
    /// `distance` bits; for some of them several times.
    pub fn near(&self, code: Code, distance: u32, mut found: impl FnMut(u32, u32)) {
        for table in &self.tables {
            let bucket = table.bucket(code);
            if bucket.len() > CROWD {
                continue;
            }
            for &i in bucket {
                let differing = (self.codes[i as usize] ^ code).count_ones();
                if differing <= distance {
                    found(i, differing);
                }
            }
        }
    }
}

impl Table {
    fn new(codes: &[Code], bits: Vec<u8>) -> Self {
        let keys: Vec<u32> = codes.iter().map(|&code| key(code, &bits)).collect();
        let mut starts = vec![0_u32; (1 << bits.len()) + 1];
        for &key in &keys {
            starts[key as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut entries = vec![0; codes.len()];
        for (i, &key) in keys.iter().enumerate() {
            let place = &mut next[key as usize];
            entries[*place as usize] = i as u32;
            *place += 1;
        }
        Self { bits, starts, entries }
    }

    fn bucket(&self, code: Code) -> &[u32] {
        let key = key(code, &self.bits) as usize;
        &self.entries[self.starts[key] as usize..self.starts[key + 1] as usize]
    }
}

/// The bits that are set in about half of the codes, the best first.
fn telling_bits(codes: &[Code]) -> Vec<u8> {
    let step = (codes.len() / SAMPLE).max(1);
    let mut set = [0_usize; 128];
    for &code in codes.iter().step_by(step) {
        for (bit, set) in set.iter_mut().enumerate() {
            *set += (code >> bit) as usize & 1;
        }
    }
    let half = codes.len().div_ceil(step) / 2;
    let mut bits: Vec<u8> = (0..128).collect();
    bits.sort_by_key(|&bit| (set[bit as usize].abs_diff(half), bit));
    bits.truncate(TELLING);
    bits
}

/// The bits that a table looks at.
fn chosen(telling: &[u8], table: u64, bits: usize) -> Vec<u8> {
    let mut all = telling.to_vec();
    Rng::new(table, 0).shuffle(&mut all);
    all.truncate(bits);
    all
}

fn key(code: Code, bits: &[u8]) -> u32 {
    bits.iter().fold(0, |key, &bit| key << 1 | (code >> bit) as u32 & 1)
}
