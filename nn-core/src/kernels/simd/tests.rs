use super::*;

/// Applies every operation to lanes with all kinds of numbers and compares with scalar arithmetic.
struct Check;

impl SimdFn for Check {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let numbers = [1.0, -2.5, 0.0, f32::NAN, 3.0, f32::INFINITY, -0.0, 255.0, 7.0];
        let lanes = |step: usize| {
            (0..V::LANES).map(|i| numbers[i * step % numbers.len()]).collect::<Vec<f32>>()
        };
        for (step_a, step_b) in [(1, 1), (1, 2), (2, 5), (7, 1), (4, 4)] {
            let (a, b, c) = (lanes(step_a), lanes(step_b), lanes(1));
            let check = |what: &str, v: V, expected: &dyn Fn(f32, f32, f32) -> f32| {
                let mut got = vec![0.0; V::LANES];
                // SAFETY: `got` has as many elements as the vector lanes.
                unsafe { v.store(got.as_mut_ptr()) };
                for i in 0..V::LANES {
                    let expected = expected(a[i], b[i], c[i]);
                    let same = got[i] == expected || got[i].is_nan() && expected.is_nan();
                    assert!(same, "{what} of {} and {}: {}", a[i], b[i], got[i]);
                }
            };
            // SAFETY: as many elements as lanes; the caller promised the instructions.
            let [x, y, z] = [&a, &b, &c].map(|v| unsafe { V::load(v.as_ptr()) });
            check("add", x.add(y), &|a, b, _| a + b);
            check("sub", x.sub(y), &|a, b, _| a - b);
            check("mul", x.mul(y), &|a, b, _| a * b);
            check("mul_add", x.mul_add(y, z), &|a, b, c| a * b + c);
            check("neg_mul_add", x.neg_mul_add(y, z), &|a, b, c| c - a * b);
            let pick = |set: bool, a, b| if set { a } else { b };
            check("at_most", V::select(x.at_most(y), x, z), &|a, b, c| pick(a <= b, a, c));
            check("equals", V::select(x.equals(y), x, z), &|a, b, c| pick(a == b, a, c));
            check("beats", V::select(x.beats(y), x, z), &|a, b, c| {
                pick(a > b || a.is_nan() && !b.is_nan(), a, c)
            });
        }
        let bytes: Vec<u8> = (0..V::LANES).map(|i| (i * 37 % 256) as u8).collect();
        let mut back = vec![0; V::LANES];
        // SAFETY: as many elements as lanes, all of them bytes; the caller promised the rest.
        unsafe { V::load_bytes(bytes.as_ptr()).store_bytes(back.as_mut_ptr()) };
        assert_eq!(back, bytes);
        back[0] = 255;
        // SAFETY: the same.
        unsafe { V::splat(255.0).store_bytes(back.as_mut_ptr()) };
        assert!(back.iter().all(|&b| b == 255));
    }
}

#[test]
fn every_set_computes_what_plain_arithmetic_does() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        run(isa, Check);
    }
}
