//! The one-dimensional transforms of F(4, 3), applied to both axes of a tile.
//!
//! Four outputs of a filter with three taps come from a product of two polynomials, evaluated at six
//! points: 0, 3/4, -3/4, 3/2, -3/2 and infinity (Toom-Cook, transposed). At these points the factors of
//! the input and output transforms are exact in `f32`, and the error is less than half of that with the
//! usual points 0, 1, -1, 2, -2 and infinity.
//!
//! `y = output(weight(g) * input(d))` with `y[i] = sum over k of g[k] d[i + k]`.
//!
//! F(3, 4), which the weight gradient needs, swaps the sizes: three outputs of a filter with four taps. The
//! product has the same degree, so the points and the input transform are the same:
//! `y = output_of_three(weight_of_four(g) * input(d))`.

use crate::kernels::simd::Simd;

/// The smaller point.
const P: f32 = 0.75;
/// The larger point.
const Q: f32 = 1.5;
const P2: f32 = P * P;
const Q2: f32 = Q * Q;

/// The input transform: for each point, six inputs combined by the coefficients of the product of
/// `(x - a)` over all other points `a`.
#[inline(always)]
pub fn input<V: Simd>(d: [V; 6]) -> [V; 6] {
    // SAFETY: a vector exists, so the processor has the instructions.
    let [p, q, p2, q2, sum, product] = unsafe { V::splats([P, Q, P2, Q2, P2 + Q2, P2 * Q2]) };
    let even_p = q2.neg_mul_add(d[2], d[4]);
    let odd_p = q2.neg_mul_add(d[1], d[3]);
    let even_q = p2.neg_mul_add(d[2], d[4]);
    let odd_q = p2.neg_mul_add(d[1], d[3]);
    [
        product.mul_add(d[0], sum.neg_mul_add(d[2], d[4])),
        p.mul_add(odd_p, even_p),
        p.neg_mul_add(odd_p, even_p),
        q.mul_add(odd_q, even_q),
        q.neg_mul_add(odd_q, even_q),
        product.mul_add(d[1], sum.neg_mul_add(d[3], d[5])),
    ]
}

/// The inverse of the factor by which [`input`] scales the point 0; likewise of the others.
const AT_0: f32 = 1.0 / (P2 * Q2);
const AT_P: f32 = 1.0 / (2.0 * P2 * (P2 - Q2));
const AT_Q: f32 = 1.0 / (2.0 * Q2 * (Q2 - P2));

/// The weight transform: a filter's three taps evaluated at the points, each divided by the factor by
/// which [`input`] scales that point.
#[inline(always)]
pub fn weight<V: Simd>(g: [V; 3]) -> [V; 6] {
    // SAFETY: a vector exists, so the processor has the instructions.
    let [at_0, at_p, at_q, odd_p, odd_q, p2, q2] =
        unsafe { V::splats([AT_0, AT_P, AT_Q, AT_P * P, AT_Q * Q, P2, Q2]) };
    let even_p = p2.mul_add(g[2], g[0]).mul(at_p);
    let even_q = q2.mul_add(g[2], g[0]).mul(at_q);
    [
        at_0.mul(g[0]),
        odd_p.mul_add(g[1], even_p),
        odd_p.neg_mul_add(g[1], even_p),
        odd_q.mul_add(g[1], even_q),
        odd_q.neg_mul_add(g[1], even_q),
        g[2],
    ]
}

/// [`weight`] of a filter with four taps.
#[inline(always)]
pub fn weight_of_four<V: Simd>(g: [V; 4]) -> [V; 6] {
    // SAFETY: a vector exists, so the processor has the instructions.
    let [at_0, at_p, at_q, odd_p, odd_q, p2, q2] =
        unsafe { V::splats([AT_0, AT_P, AT_Q, AT_P * P, AT_Q * Q, P2, Q2]) };
    let even_p = p2.mul_add(g[2], g[0]).mul(at_p);
    let even_q = q2.mul_add(g[2], g[0]).mul(at_q);
    let rest_p = p2.mul_add(g[3], g[1]);
    let rest_q = q2.mul_add(g[3], g[1]);
    [
        at_0.mul(g[0]),
        odd_p.mul_add(rest_p, even_p),
        odd_p.neg_mul_add(rest_p, even_p),
        odd_q.mul_add(rest_q, even_q),
        odd_q.neg_mul_add(rest_q, even_q),
        g[3],
    ]
}

/// The output transform: four outputs from the products at the six points.
#[inline(always)]
pub fn output<V: Simd>(m: [V; 6]) -> [V; 4] {
    // SAFETY: a vector exists, so the processor has the instructions.
    let [p, q, p2, q2, p3, q3] = unsafe { V::splats([P, Q, P2, Q2, P2 * P, Q2 * Q]) };
    let (even_p, odd_p) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (even_q, odd_q) = (m[3].add(m[4]), m[3].sub(m[4]));
    [
        m[0].add(even_p.add(even_q)),
        q.mul_add(odd_q, p.mul(odd_p)),
        q2.mul_add(even_q, p2.mul(even_p)),
        q3.mul_add(odd_q, p3.mul_add(odd_p, m[5])),
    ]
}

/// [`output`] for a filter of four taps: three outputs from the products at the six points.
#[inline(always)]
pub fn output_of_three<V: Simd>(m: [V; 6]) -> [V; 3] {
    // SAFETY: a vector exists, so the processor has the instructions.
    let [p, q, p2, q2] = unsafe { V::splats([P, Q, P2, Q2]) };
    let (even_p, odd_p) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (even_q, odd_q) = (m[3].add(m[4]), m[3].sub(m[4]));
    [
        m[0].add(even_p.add(even_q)),
        q.mul_add(odd_q, p.mul(odd_p)),
        q2.mul_add(even_q, p2.mul_add(even_p, m[5])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::isa::Isa;
    use crate::kernels::simd::{self, SimdFn};

    struct Correlate;

    impl SimdFn for Correlate {
        type Output = ();

        #[inline(always)]
        unsafe fn run<V: Simd>(self) {
            let d = [1.0, -2.0, 0.5, 3.0, -1.5, 0.25];
            let g = [0.5, -1.25, 2.0];
            let four = [0.5, -1.25, 2.0, -0.75];
            // SAFETY: the caller's promise.
            let (y, of_four) = unsafe {
                let products = |g: [V; 6]| {
                    let d = input(d.map(|v| V::splat(v)));
                    [0, 1, 2, 3, 4, 5].map(|i| d[i].mul(g[i]))
                };
                (
                    output(products(weight(g.map(|v| V::splat(v))))),
                    output_of_three(products(weight_of_four(four.map(|v| V::splat(v))))),
                )
            };
            let check = |y: &[V], g: &[f32]| {
                for (i, y) in y.iter().enumerate() {
                    let mut got = [0.0; 1];
                    y.write(&mut got);
                    let expected: f32 = (0..g.len()).map(|k| g[k] * d[i + k]).sum();
                    assert!((got[0] - expected).abs() < 1e-5, "{i}: {} and {expected}", got[0]);
                }
            };
            check(&y, &g);
            check(&of_four, &four);
        }
    }

    #[test]
    fn four_outputs_of_three_taps_and_three_of_four() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            simd::run(isa, Correlate);
        }
    }
}
