//! The products of a block of positions: register tiles of a run of input elements by a block of output
//! channels.

use super::plan::{Panel, Plan};
use super::positions::{Place, Places, Run};
use crate::kernels::simd::{Simd, SimdFn, prefetch_to_l2};

/// The input of a block of positions.
pub enum Inputs<'a> {
    /// Panels.
    Packed(&'a [f32]),
    /// Where it is: the first pixel of the only strip, which may lie in the padding.
    Image(*const f32),
}

/// A block of output channels with some panels of input channels.
pub struct Products<'a> {
    pub plan: &'a Plan,
    pub panels: &'a [Panel],
    /// The runs of the panels with the fewest channels, and of those with one more.
    pub runs: &'a [Vec<Run>; 2],
    /// The fewest channels.
    pub narrow: usize,
    pub places: &'a Places,
    /// Vectors of the block of output channels.
    pub vectors: usize,
    /// Positions of the block of positions.
    pub positions: usize,
    pub inputs: Inputs<'a>,
    pub gradients: &'a [f32],
    /// Elements between the gradients of adjacent positions.
    pub pitch: usize,
    /// Whether to sum the bias's gradient.
    pub bias: bool,
    /// Whether the sums begin here.
    pub first: bool,
    /// What the next block will read.
    pub ahead: &'a mut Ahead,
    pub sums: &'a mut [f32],
}

/// Memory to be prefetched while products are computed. It often comes from beyond the caches, and packing
/// would wait for it.
#[derive(Default)]
pub struct Ahead {
    /// Beginnings and numbers of cache lines.
    areas: Vec<(*const f32, usize)>,
}

/// Elements of a cache line.
const LINE: usize = 16;

impl Ahead {
    pub fn add(&mut self, area: &[f32]) {
        self.areas.push((area.as_ptr(), area.len().div_ceil(LINE)));
    }

    /// The next `lines` lines, and the distance between them; `idle` again and again when there are no more.
    fn take(&mut self, lines: usize, idle: &[f32]) -> (*const f32, usize) {
        let Some((start, left)) = self.areas.last_mut() else { return (idle.as_ptr(), 0) };
        let taken = *start;
        *start = start.wrapping_add(lines * LINE);
        *left = left.saturating_sub(lines);
        if *left == 0 {
            self.areas.pop();
        }
        (taken, LINE)
    }
}

impl SimdFn for Products<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { plan, panels, runs, narrow, places, vectors, positions, .. } = self;
        let Self { inputs, gradients, pitch, first, ahead, sums, .. } = self;
        let width = vectors * V::LANES;
        let (bias, mut sums) = sums.split_at_mut(width);
        assert!(positions > 0 && gradients.len() >= (positions - 1) * pitch + width);
        if self.bias {
            for (j, bias) in bias.chunks_exact_mut(V::LANES).enumerate() {
                // SAFETY: the caller promised the instructions; there are as many gradients, as asserted.
                unsafe {
                    let mut sum = V::zero();
                    for position in 0..positions {
                        let gradient = gradients.as_ptr().add(position * pitch + j * V::LANES);
                        sum = sum.add(V::load(gradient));
                    }
                    if !first {
                        sum = sum.add(V::read(bias));
                    }
                    sum.write(bias);
                }
            }
        }
        for panel in panels {
            let channels = panel.channels;
            let (input, apart) = match &inputs {
                Inputs::Packed(inputs) => (inputs[panel.start..].as_ptr(), channels),
                Inputs::Image(first) => (first.wrapping_add(panel.first), plan.g.in_c),
            };
            let (rows, after) = sums.split_at_mut(plan.g.taps() * channels * width);
            sums = after;
            for run in &runs[channels - narrow] {
                let places = places.list(run.list);
                let sums = &mut rows[run.row * width..][..run.len * width];
                let ahead = ahead.take(places.len(), sums);
                let tile = Tile {
                    places,
                    input,
                    apart,
                    run,
                    gradients,
                    pitch,
                    vectors,
                    first,
                    ahead,
                    sums,
                };
                // SAFETY: the caller promised the instructions. A place's pixel lies in the panel with
                // its run, and its position among the gradients, as `Places` lists them.
                unsafe { V::outlined(tile) };
            }
        }
    }
}

/// A register tile: a run of input elements, times a block of output channels, summed over some places.
struct Tile<'a> {
    places: &'a [Place],
    /// The first element of a panel, and the distance between its pixels.
    input: *const f32,
    apart: usize,
    run: &'a Run,
    gradients: &'a [f32],
    pitch: usize,
    vectors: usize,
    first: bool,
    /// Where to prefetch from, and the distance to the next line.
    ahead: (*const f32, usize),
    /// `[element][channel of the block]`
    sums: &'a mut [f32],
}

impl SimdFn for Tile<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        // Evaluated at compile time, so that sets with fewer registers get no code for longer runs.
        macro_rules! match_len {
            ($($r:literal)*) => {
                match (self.run.len, self.vectors) {
                    $(
                        // SAFETY: the caller's promise.
                        ($r, 1) if $r <= V::MR => unsafe { self.sum::<V, $r, 1>() },
                        // SAFETY: the caller's promise.
                        ($r, 2) if $r <= V::MR => unsafe { self.sum::<V, $r, 2>() },
                    )*
                    (rows, columns) => unreachable!("a register tile of {rows} by {columns}"),
                }
            };
        }
        match_len!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }
}

impl Tile<'_> {
    /// Computes the tile. Its sums stay in registers.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set; `R` elements of input lie at every place, and
    /// `N` vectors of gradients.
    #[inline(always)]
    unsafe fn sum<V: Simd, const R: usize, const N: usize>(self) {
        let Self { places, input, apart, run, gradients, pitch, first, ahead, sums, .. } = self;
        assert_eq!(sums.len(), R * N * V::LANES);
        let (input, gradients) = (input.wrapping_add(run.offset), gradients.as_ptr());
        // SAFETY: the caller's promise, and the assertion.
        unsafe {
            let mut products = [[V::zero(); N]; R];
            let (mut line, step) = ahead;
            for place in places {
                prefetch_to_l2(line);
                line = line.wrapping_add(step);
                let input = input.wrapping_add(place.pixel as usize * apart);
                let gradient = gradients.add(place.position as usize * pitch);
                let mut row = [V::zero(); N];
                for j in 0..N {
                    row[j] = V::load(gradient.add(j * V::LANES));
                }
                for r in 0..R {
                    let v = V::splat(*input.add(r));
                    for j in 0..N {
                        products[r][j] = v.mul_add(row[j], products[r][j]);
                    }
                }
            }
            let sums = sums.as_mut_ptr();
            for r in 0..R {
                for j in 0..N {
                    let sum = sums.add((r * N + j) * V::LANES);
                    let product = products[r][j];
                    let total = if first { product } else { product.add(V::load(sum)) };
                    total.store(sum);
                }
            }
        }
    }
}
