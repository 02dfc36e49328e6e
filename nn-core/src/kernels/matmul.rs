//! Matrix products over slices.
//!
//! [`gemm`] is a general product on the calling thread, for kernels that split the work themselves.
//! [`matmul`] splits a product over threads: the tiles depend only on the sizes, and each element of
//! the result is summed by one task in an order that does not depend on the tile. So the results are
//! bit-identical for any number of threads.

use super::Kernels;
use crate::kernels::parallel::prelude::*;

/// Below this many multiplications a product runs on one thread.
const PARALLEL_FROM: usize = 1 << 16;
/// Rows and columns of the result that one task computes: small enough that two threads share a 200 x
/// 200 product, large enough that packing the operands takes little time compared with multiplying
/// them.
const TILE: (usize, usize) = (128, 256);

/// `C = alpha A B + beta C` on the calling thread, with `A [m, k]`, `B [k, n]` and `C [m, n]`, each
/// with a row stride and a column stride.
///
/// To transpose an operand, swap its strides. `C` is not read when `beta` is zero.
///
/// # Panics
/// If a slice is too short for its sizes and strides, or two elements of `C` coincide.
#[allow(clippy::too_many_arguments)] // BLAS's own argument list
pub fn gemm<T: Kernels>(
    m: usize,
    n: usize,
    k: usize,
    alpha: T,
    a: &[T],
    rsa: usize,
    csa: usize,
    b: &[T],
    rsb: usize,
    csb: usize,
    beta: T,
    c: &mut [T],
    rsc: usize,
    csc: usize,
) {
    assert!(spans(m, k, rsa, csa, a.len()), "gemm: A is too short for {m} x {k} elements");
    assert!(spans(k, n, rsb, csb, b.len()), "gemm: B is too short for {k} x {n} elements");
    assert!(spans(m, n, rsc, csc, c.len()), "gemm: C is too short for {m} x {n} elements");
    assert!(distinct(m, n, rsc, csc), "gemm: strides {rsc}, {csc} make elements of C coincide");
    // SAFETY: the assertions above are raw_gemm's conditions. Where two elements exist along a
    // dimension its stride is below a slice length, so it fits an isize; elsewhere it is unused.
    unsafe {
        T::raw_gemm(
            m,
            k,
            n,
            alpha,
            (a.as_ptr(), rsa as isize, csa as isize),
            (b.as_ptr(), rsb as isize, csb as isize),
            beta,
            (c.as_mut_ptr(), rsc as isize, csc as isize),
        );
    }
}

/// Whether `rows` x `cols` elements with these strides fit into a slice of length `len`.
fn spans(rows: usize, cols: usize, row_stride: usize, col_stride: usize, len: usize) -> bool {
    if rows == 0 || cols == 0 {
        return true;
    }
    let last_row = (rows - 1).checked_mul(row_stride);
    let last_col = (cols - 1).checked_mul(col_stride);
    matches!((last_row, last_col), (Some(r), Some(c)) if r.checked_add(c).is_some_and(|i| i < len))
}

/// Whether no two elements share an index: one stride steps over the extent of the other dimension.
fn distinct(rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> bool {
    let steps_over = |outer: usize, stride: usize, inner: usize, inner_stride: usize| {
        (outer <= 1 || stride > inner.saturating_sub(1).saturating_mul(inner_stride))
            && (inner <= 1 || inner_stride > 0)
    };
    steps_over(rows, row_stride, cols, col_stride) || steps_over(cols, col_stride, rows, row_stride)
}

/// The layout of a matrix in a slice without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Row-major.
    Rows,
    /// Column-major: the slice holds the transposed matrix in row-major order.
    Columns,
}

impl Order {
    fn strides(self, rows: usize, cols: usize) -> (usize, usize) {
        match self {
            Self::Rows => (cols, 1),
            Self::Columns => (1, rows),
        }
    }
}

/// `C = A B`, or `C += A B` if `add`, over all threads: `A [m, k]`, `B [k, n]` and a row-major
/// `C [m, n]`.
///
/// # Panics
/// If the length of a slice is not its matrix's number of elements.
pub fn matmul<T: Kernels>(
    (m, n, k): (usize, usize, usize),
    (a, a_order): (&[T], Order),
    (b, b_order): (&[T], Order),
    add: bool,
    c: &mut [T],
) {
    assert_eq!(a.len(), m * k, "matmul: A must have {m} x {k} elements");
    assert_eq!(b.len(), k * n, "matmul: B must have {k} x {n} elements");
    assert_eq!(c.len(), m * n, "matmul: C must have {m} x {n} elements");
    if c.is_empty() {
        return;
    }
    let (rsa, csa) = a_order.strides(m, k);
    let (rsb, csb) = b_order.strides(k, n);
    let beta = if add { T::one() } else { T::zero() };
    if m * n * k < PARALLEL_FROM {
        gemm(m, n, k, T::one(), a, rsa, csa, b, rsb, csb, beta, c, n, 1);
        return;
    }
    let (tile_rows, tile_cols) = TILE;
    let across = n.div_ceil(tile_cols);
    let tiles = m.div_ceil(tile_rows) * across;
    let c = SharedMut(c.as_mut_ptr());
    (0..tiles).into_par_iter().for_each(|tile| {
        let (i, j) = (tile / across * tile_rows, tile % across * tile_cols);
        let (rows, cols) = (tile_rows.min(m - i), tile_cols.min(n - j));
        // With k = 0 the operands are empty, and so are their parts for each tile.
        let a = &a[(i * rsa).min(a.len())..];
        let b = &b[(j * csb).min(b.len())..];
        debug_assert!(spans(rows, k, rsa, csa, a.len()) && spans(k, cols, rsb, csb, b.len()));
        // SAFETY: the tile lies inside C, whose length was checked, and tiles do not overlap, so
        // no other task touches these elements; A and B were checked to be whole matrices.
        unsafe {
            T::raw_gemm(
                rows,
                k,
                cols,
                T::one(),
                (a.as_ptr(), rsa as isize, csa as isize),
                (b.as_ptr(), rsb as isize, csb as isize),
                beta,
                (c.get().add(i * n + j), n as isize, 1),
            );
        }
    });
}

/// A pointer shared by tasks that write to disjoint ranges.
struct SharedMut<T>(*mut T);

impl<T> SharedMut<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}

// SAFETY: only the address is shared; whoever writes through it answers for disjointness.
unsafe impl<T: Send> Sync for SharedMut<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_operand_is_one_with_its_strides_swapped() {
        let (a, b) = ([1., 2., 3., 4.], [5., 6., 7., 8.]);
        let mut c = [0.; 4];
        gemm(2, 2, 2, 1.0, &a, 2, 1, &b, 1, 2, 0.0, &mut c, 2, 1);
        assert_eq!(c, [17., 23., 39., 53.]);
    }
    use crate::rng::Rng;

    fn random(len: usize, seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed, 0);
        (0..len).map(|_| rng.uniform_in(-1.0, 1.0)).collect()
    }

    fn reference(
        m: usize,
        n: usize,
        k: usize,
        a: &dyn Fn(usize, usize) -> f64,
        b: &[f64],
    ) -> Vec<f64> {
        let mut c = vec![0.0; m * n];
        for i in 0..m {
            for j in 0..n {
                c[i * n + j] = (0..k).map(|l| a(i, l) * b[l * n + j]).sum();
            }
        }
        c
    }

    fn transposed<U: Copy>(rows: usize, cols: usize, x: &[U]) -> Vec<U> {
        (0..rows * cols).map(|i| x[i % rows * cols + i / rows]).collect()
    }

    #[test]
    fn all_orders_and_odd_sizes_agree_with_the_definition() {
        for (m, n, k) in
            [(1, 1, 1), (3, 5, 7), (17, 1, 33), (1, 300, 300), (130, 257, 40), (129, 3, 513)]
        {
            let (a, b) = (random(m * k, 1), random(k * n, 2));
            let expected = reference(m, n, k, &|i, l| a[i * k + l], &b);
            let (at, bt) = (transposed(m, k, &a), transposed(k, n, &b));
            for (a, a_order) in [(&a, Order::Rows), (&at, Order::Columns)] {
                for (b, b_order) in [(&b, Order::Rows), (&bt, Order::Columns)] {
                    let mut c = vec![f64::NAN; m * n];
                    matmul((m, n, k), (a, a_order), (b, b_order), false, &mut c);
                    let mut twice = c.clone();
                    matmul((m, n, k), (a, a_order), (b, b_order), true, &mut twice);
                    for (i, &e) in expected.iter().enumerate() {
                        assert!((c[i] - e).abs() < 1e-12, "{m} {n} {k}: {} {e}", c[i]);
                        assert!((twice[i] - 2.0 * e).abs() < 1e-12);
                    }
                }
            }
        }
    }

    #[test]
    fn single_precision_stays_within_its_error_bound() {
        let (m, n, k) = (70, 50, 200);
        let a: Vec<f32> = random(m * k, 3).iter().map(|&v| v as f32).collect();
        let b: Vec<f32> = random(k * n, 4).iter().map(|&v| v as f32).collect();
        let wide: Vec<f64> = b.iter().map(|&v| f64::from(v)).collect();
        let exact = reference(m, n, k, &|i, l| f64::from(a[i * k + l]), &wide);
        let absolute: Vec<f64> = wide.iter().map(|v| v.abs()).collect();
        let size = reference(m, n, k, &|i, l| f64::from(a[i * k + l]).abs(), &absolute);
        let mut c = vec![0f32; m * n];
        matmul((m, n, k), (&a, Order::Rows), (&b, Order::Rows), false, &mut c);
        for i in 0..m * n {
            let bound = (k + 2) as f64 * 2f64.powi(-24) * size[i];
            assert!((f64::from(c[i]) - exact[i]).abs() <= bound);
        }
    }

    #[test]
    fn an_inner_size_of_zero_gives_zeros() {
        let mut c = [f32::NAN; 6];
        matmul((2, 3, 0), (&[], Order::Rows), (&[], Order::Rows), false, &mut c);
        assert_eq!(c, [0.0; 6]);
        matmul::<f32>((0, 3, 4), (&[], Order::Rows), (&[1.0; 12], Order::Rows), false, &mut []);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (m, n, k) = (300, 270, 65);
        let a: Vec<f32> = random(m * k, 5).iter().map(|&v| v as f32).collect();
        let b: Vec<f32> = random(k * n, 6).iter().map(|&v| v as f32).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut c = vec![0f32; m * n];
            pool.install(|| {
                matmul((m, n, k), (&a, Order::Columns), (&b, Order::Rows), false, &mut c)
            });
            c.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        };
        let one = run(1);
        assert!(one == run(2) && one == run(4) && one == run(7));
    }

    #[test]
    #[should_panic(expected = "C is too short")]
    fn a_short_result_is_refused() {
        gemm(2, 2, 1, 1.0, &[1.0; 2], 1, 1, &[1.0; 2], 2, 1, 0.0, &mut [0.0; 3], 2, 1);
    }

    #[test]
    #[should_panic(expected = "coincide")]
    fn overlapping_results_are_refused() {
        gemm(2, 2, 1, 1.0, &[1.0; 2], 1, 1, &[1.0; 2], 2, 1, 0.0, &mut [0.0; 4], 1, 1);
    }

    #[test]
    #[should_panic(expected = "B is too short")]
    fn strides_that_overflow_are_refused() {
        gemm(1, 3, 1, 1.0, &[1.0], 1, 1, &[1.0; 3], 1, usize::MAX, 0.0, &mut [0.0; 3], 3, 1);
    }
}
