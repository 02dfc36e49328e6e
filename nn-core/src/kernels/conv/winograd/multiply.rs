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
            // SAFETY: rows `first..end` of `tiles`, which lie in `v` and `m`, and `depth` rows of
            // `u`, as asserted; the caller promised the instructions.
            unsafe {
                let (v, m) = ((v.add(first * v_pitch), v_pitch), (m.add(first * m_pitch), m_pitch));
                match end - first {
                    1 => register_tile::<V, 1>(depth, v, u, m),
                    2 => register_tile::<V, 2>(depth, v, u, m),
                    3 => register_tile::<V, 3>(depth, v, u, m),
                    4 => register_tile::<V, 4>(depth, v, u, m),
                    5 => register_tile::<V, 5>(depth, v, u, m),
                    6 => register_tile::<V, 6>(depth, v, u, m),
                    7 => register_tile::<V, 7>(depth, v, u, m),
                    8 => register_tile::<V, 8>(depth, v, u, m),
                    9 => register_tile::<V, 9>(depth, v, u, m),
                    10 => register_tile::<V, 10>(depth, v, u, m),
                    11 => register_tile::<V, 11>(depth, v, u, m),
                    12 => register_tile::<V, 12>(depth, v, u, m),
                    13 => register_tile::<V, 13>(depth, v, u, m),
                    14 => register_tile::<V, 14>(depth, v, u, m),
                    rows => unreachable!("{rows} rows in a register tile"),
                }
            }
        }
    }
}

/// Computes `R` rows of `m`: their sums stay in registers while `u` is read once.
///
/// # Safety
/// The processor has the instructions of `V`'s set, and the matrices lie inside their allocations.
#[inline(always)]
unsafe fn register_tile<V: Simd, const R: usize>(
    depth: usize,
    (v, v_pitch): (*const f32, usize),
    u: *const f32,
    (m, m_pitch): (*mut f32, usize),
) {
    // Evaluated at compile time, so that sets with fewer registers get no code for tall tiles.
    if R > V::MR {
        unreachable!("{R} rows in a register tile");
    }
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
