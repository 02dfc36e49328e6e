//! The matrix products of the Winograd convolution: at each of the 36 points, a matrix of tiles times a
//! matrix of weights, computed in register tiles.

use crate::kernels::simd::{Simd, SimdFn, prefetch};

/// Columns of a register tile, in vectors.
pub const NR: usize = 2;

/// The product at one point: `m = v u`. `v` and `m` have one row per tile; `u` has contiguous rows of
/// [`NR`] vectors.
pub struct Products<'a> {
    pub tiles: usize,
    pub v: &'a [f32],
    /// Row stride of `v`, in elements.
    pub v_pitch: usize,
    pub u: &'a [f32],
    pub m: &'a mut [f32],
    /// Row stride of `m`, in elements.
    pub m_pitch: usize,
}

impl SimdFn for Products<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { tiles, v, v_pitch, u, m, m_pitch } = self;
        let width = NR * V::LANES;
        let depth = u.len() / width;
        assert!(tiles > 0 && depth <= v_pitch && width <= m_pitch);
        assert!(v.len() >= (tiles - 1) * v_pitch + depth);
        assert!(m.len() >= (tiles - 1) * m_pitch + width);
        let (v, u, m) = (v.as_ptr(), u.as_ptr(), m.as_mut_ptr());
        // Register tiles of nearly equal height: 15 rows as 8 and 7, not as 14 and 1.
        let groups = tiles.div_ceil(V::MR);
        for group in 0..groups {
            let (first, end) = (group * tiles / groups, (group + 1) * tiles / groups);
            let tile = RegisterTile {
                depth,
                v: (v.wrapping_add(first * v_pitch), v_pitch),
                u,
                m: (m.wrapping_add(first * m_pitch), m_pitch),
            };
            // SAFETY: rows `first..end` of `tiles`, which lie in `v` and `m`, and `depth` rows of
            // `u`, as asserted; the caller promised the instructions.
            unsafe { for_rows::<V>(end - first, tile) };
        }
    }
}

/// A computation of some rows, whose sums stay in registers.
pub trait Rows {
    /// Computes `R` rows. Must be `#[inline(always)]`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set; and what the computation itself asks for.
    unsafe fn run<V: Simd, const R: usize>(self);
}

/// Runs `work` for `rows` rows, at most [`Simd::MR`], compiled for each number of them.
///
/// # Safety
/// That of [`Rows::run`].
#[inline(always)]
pub unsafe fn for_rows<V: Simd>(rows: usize, work: impl Rows) {
    // Evaluated at compile time, so that sets with fewer registers get no code for more rows.
    macro_rules! match_rows {
        ($($r:literal)*) => {
            match rows {
                // SAFETY: the caller's promise.
                $($r if $r <= V::MR => unsafe { work.run::<V, $r>() },)*
                rows => unreachable!("{rows} rows in a register tile"),
            }
        };
    }
    match_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// Rows of `m`: their sums stay in registers while `u` is read once. The matrices lie inside their
/// allocations.
struct RegisterTile {
    depth: usize,
    v: (*const f32, usize),
    u: *const f32,
    m: (*mut f32, usize),
}

impl Rows for RegisterTile {
    #[inline(always)]
    unsafe fn run<V: Simd, const R: usize>(self) {
        let Self { depth, v: (v, v_pitch), u, m: (m, m_pitch) } = self;
        // SAFETY: `k` counts the rows of `u` and the columns of `v`, `r` the rows of `v` and `m`, all
        // inside matrices that the caller vouches for.
        unsafe {
            let mut sums = [[V::zero(); NR]; R];
            for k in 0..depth {
                let u = u.add(k * NR * V::LANES);
                // Prefetches the next point's weights, which follow these, from the L3 cache. After the
                // last point the prefetched address is past the end, which is harmless.
                for j in 0..NR {
                    prefetch(u.wrapping_add(depth * NR * V::LANES + j * V::LANES));
                }
                let u = [V::load(u), V::load(u.add(V::LANES))];
                for r in 0..R {
                    let v = V::splat(*v.add(r * v_pitch + k));
                    for j in 0..NR {
                        sums[r][j] = v.mul_add(u[j], sums[r][j]);
                    }
                }
            }
            for r in 0..R {
                for j in 0..NR {
                    sums[r][j].store(m.add(r * m_pitch + j * V::LANES));
                }
            }
        }
    }
}
