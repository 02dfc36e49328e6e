//! The products between the transforms: at each of the 36 points a matrix of tiles times a matrix
//! of weights, in register tiles.

use crate::kernels::simd::{Simd, SimdFn, prefetch};

/// Columns of a register tile, in vectors.
pub const NR: usize = 2;

/// The products at one point: rows of `v`, one for each tile, times the matrix `u`, whose rows are
/// [`NR`] vectors long and lie one after the other, into rows of `m`.
pub struct Products<'a> {
    pub tiles: usize,
    pub v: &'a [f32],
    /// Elements from one row of `v` to the next.
    pub v_pitch: usize,
    pub u: &'a [f32],
    pub m: &'a mut [f32],
    /// Elements from one row of `m` to the next.
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
        // Register tiles of nearly equal height: 15 rows are 8 and 7, not 14 and 1.
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

/// `R` rows: their sums stay in registers while `u` passes by.
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
    // Known when compiled, so that sets with fewer registers get no code for tall tiles.
    if R > V::MR {
        unreachable!("{R} rows in a register tile");
    }
    // SAFETY: `k` counts the rows of `u` and the columns of `v`, `r` the rows of `v` and `m`, all
    // inside matrices that the caller vouches for.
    unsafe {
        let mut sums = [[V::zero(); NR]; R];
        for k in 0..depth {
            let u = u.add(k * NR * V::LANES);
            // The next point's weights, which lie behind these (behind the last there is nothing to
            // fetch, which does no harm), on their way from the third level.
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
