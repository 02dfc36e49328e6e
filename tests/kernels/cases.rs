//! The convolutions that every kernel is tested on.

use nn_core::autograd::{Conv2dOptions, Pool2dOptions};
use nn_core::internals::{Conv2dGeometry, Pool2dGeometry};
use nn_core::layers::Padding;
use nn_core::rng::Rng;

/// A convolution, and a pooling after it if one fits.
pub struct Case {
    pub g: Conv2dGeometry,
    pub pool: Option<Pool2dGeometry>,
}

fn case(
    input: [usize; 4],
    out_c: usize,
    kernel: (usize, usize),
    options: Conv2dOptions,
    pool: Pool2dOptions,
) -> Option<Case> {
    let weight = [out_c, input[3] / options.groups, kernel.0, kernel.1];
    let g = Conv2dGeometry::new(&input, &weight, options).ok()?;
    Some(Case { g, pool: Pool2dGeometry::new(&g.output_dims(), pool).ok() })
}

/// Odd sizes, tails, strides, paddings; then wide layers small enough for the oracle.
pub fn cases() -> Vec<Case> {
    let valid = Conv2dOptions::default();
    let mut cases = Vec::new();
    for size in 3..=20 {
        let (h, w) = (size, 3 + (size * 7) % 18);
        let channels = [1, 3, 15, 16, 17][size % 5];
        let out = [16, 1, 17, 5, 33][size % 5];
        let batch = [1, 3, 4, 5][size % 4];
        cases.push(case([batch, h, w, channels], out, (3, 3), valid, Pool2dOptions::default()));
    }
    for (stride, padding) in [
        ((1, 1), Padding::Same),
        ((2, 2), Padding::Valid),
        ((2, 2), Padding::Same),
        ((3, 1), Padding::Valid),
        ((1, 2), Padding::Same),
        ((5, 4), Padding::Valid),
    ] {
        for kernel in [(1, 1), (2, 3), (3, 3), (5, 5), (4, 2)] {
            let options = Conv2dOptions::new().stride(stride).padding(padding);
            let pool = Pool2dOptions::new((3, 2)).stride((2, 1));
            cases.push(case([2, 11, 13, 3], 6, kernel, options, pool));
        }
    }
    for (window, stride) in [((3, 3), (2, 2)), ((2, 2), (3, 3)), ((1, 1), (1, 1)), ((4, 1), (1, 2))]
    {
        let pool = Pool2dOptions::new(window).stride(stride);
        cases.push(case([2, 12, 15, 4], 7, (3, 3), valid, pool));
    }
    for (size, channels, out) in [
        (62, 4, 16),
        (125, 3, 8),
        (20, 64, 32),
        (127, 2, 3),
        (254, 1, 2),
        (14, 128, 128),
        (19, 16, 64),
        (22, 64, 17),
    ] {
        cases.push(case([1, size, size, channels], out, (3, 3), valid, Pool2dOptions::default()));
    }
    // Padding around whole pooling windows, and rows of more tiles than a kernel takes at once.
    let same = Conv2dOptions::new().padding(Padding::Same);
    for (input, out, options) in [
        ([2, 9, 10, 5], 20, same),
        ([1, 12, 7, 17], 33, same),
        ([3, 4, 3, 3], 16, same),
        ([1, 7, 254, 17], 40, valid),
        ([1, 5, 254, 3], 64, valid),
        ([1, 10, 127, 130], 3, valid),
        // Many channels: more than one block and group, the last ones not full.
        ([3, 13, 6, 37], 45, same),
        ([2, 5, 70, 24], 70, same),
        ([4, 1, 1, 33], 40, same),
    ] {
        cases.push(case(input, out, (3, 3), options, Pool2dOptions::default()));
    }
    // Pooled behind 3x3 and 5x5 taps, with padding of all kinds: kernel rows that fit into a vector, and that do not;
    // tiles at every border, and one that has some everywhere.
    let uneven =
        Conv2dOptions::new().padding(Padding::Explicit { top: 2, bottom: 0, left: 1, right: 3 });
    for (input, out, kernel, options) in [
        ([2, 14, 14, 32], 9, 5, same),
        ([3, 28, 28, 1], 32, 5, same),
        ([2, 28, 23, 3], 5, 5, valid),
        ([1, 39, 22, 4], 17, 5, uneven),
        ([2, 6, 5, 17], 3, 5, uneven),
        ([1, 37, 41, 2], 6, 3, uneven),
        ([2, 17, 35, 18], 7, 3, uneven),
        ([1, 5, 5, 1], 1, 5, valid),
        ([2, 2, 3, 2], 4, 5, same),
    ] {
        cases.push(case(input, out, (kernel, kernel), options, Pool2dOptions::default()));
    }
    cases.extend(options_of_all_kinds());
    cases.into_iter().flatten().collect()
}

/// Dilation, groups and padding that differs from side to side; depthwise kernels with and without a
/// multiplier, and channels that fill whole blocks of vectors, parts of them, and both.
fn options_of_all_kinds() -> impl Iterator<Item = Option<Case>> {
    let plain = Conv2dOptions::new();
    let uneven = Padding::Explicit { top: 2, bottom: 0, left: 1, right: 4 };
    let wide = Padding::Explicit { top: 5, bottom: 7, left: 6, right: 4 };
    let (lower, same) = (Padding::SameLower, Padding::Same);
    [
        // Plain kernels, so that the fast ones see these paddings.
        ([2, 9, 11, 3], 17, (3, 3), plain.padding(uneven)),
        ([2, 9, 11, 16], 17, (3, 3), plain.padding(uneven)),
        ([2, 9, 6, 16], 9, (3, 3), plain.padding(wide)),
        ([1, 5, 6, 2], 9, (3, 3), plain.padding(wide)),
        ([2, 10, 9, 5], 6, (4, 3), plain.padding(lower).stride(2)),
        ([3, 8, 9, 20], 33, (1, 1), plain),
        ([3, 8, 9, 20], 33, (1, 1), plain.stride(2)),
        ([3, 8, 9, 20], 33, (1, 1), plain.padding(uneven)),
        // Dilated.
        ([2, 12, 13, 5], 7, (3, 3), plain.dilation(2)),
        ([2, 12, 13, 16], 16, (3, 3), plain.dilation((2, 3)).padding(same)),
        ([1, 12, 13, 3], 4, (2, 4), plain.dilation((4, 2)).padding(uneven).stride((2, 1))),
        ([1, 7, 8, 3], 4, (3, 3), plain.dilation(3).padding(wide).stride(4)),
        // Grouped.
        ([2, 9, 10, 12], 18, (3, 3), plain.groups(3)),
        ([2, 9, 10, 12], 8, (3, 2), plain.groups(4).padding(uneven).stride((1, 2))),
        ([2, 11, 10, 8], 6, (3, 3), plain.groups(2).dilation(2).padding(lower)),
        ([2, 7, 6, 32], 64, (1, 1), plain.groups(8)),
        // Depthwise.
        ([2, 12, 11, 3], 3, (3, 3), plain.groups(3).padding(same)),
        ([1, 20, 19, 48], 48, (3, 3), plain.groups(48).padding(same).stride(2)),
        ([3, 9, 10, 41], 41, (5, 5), plain.groups(41).padding(uneven)),
        ([1, 30, 31, 72], 72, (3, 3), plain.groups(72)),
        ([2, 9, 21, 37], 37, (5, 5), plain.groups(37).padding(same).stride(2)),
        ([1, 8, 19, 35], 35, (7, 7), plain.groups(35).padding(same)),
        ([2, 9, 10, 16], 48, (3, 3), plain.groups(16).padding(same)),
        ([2, 9, 10, 5], 10, (2, 3), plain.groups(5).dilation((3, 2)).padding(wide).stride((3, 2))),
        ([1, 40, 3, 130], 260, (7, 1), plain.groups(130).padding(lower)),
    ]
    .into_iter()
    .map(|(input, out, kernel, options)| {
        case(input, out, kernel, options, Pool2dOptions::new(2).stride((2, 1)))
            .or_else(|| panic!("{input:?} {out} {kernel:?} {options:?} does not fit"))
    })
}

/// The most multiply-adds of a random convolution, so that the oracle takes seconds for all.
const MOST_WORK: u64 = 1_500_000;

/// Random convolutions: kernels of 1 to 7, strides of 1 to 4, dilation of 1 to 3, groups, padding that
/// differs from side to side, 1 to 70 channels, 1 to 5 images of 5 to 70 rows and columns.
pub fn random_cases(count: usize) -> Vec<Case> {
    let rng = &mut Rng::new(29, 0);
    let mut from_to = |low: usize, high: usize| low + rng.below(high - low + 1);
    let mut cases = Vec::new();
    while cases.len() < count {
        let groups = [1, 1, 1, 2, 3, 7][from_to(0, 5)];
        let mut channels = || groups * from_to(1, 70 / groups);
        let (in_c, out_c) = (channels(), channels());
        let input = [from_to(1, 5), from_to(5, 70), from_to(5, 70), in_c];
        let kernel = (from_to(1, 7), from_to(1, 7));
        let mut side = || from_to(0, 3);
        let padding =
            Padding::Explicit { top: side(), bottom: side(), left: side(), right: side() };
        let options = Conv2dOptions::new()
            .stride((from_to(1, 4), from_to(1, 4)))
            .dilation((from_to(1, 3), from_to(1, 3)))
            .padding(padding)
            .groups(groups);
        let pool = Pool2dOptions::new((2, 3)).stride((2, 1));
        let case = case(input, out_c, kernel, options, pool);
        let small = |case: &Case| case.g.batch as u64 * case.g.multiply_adds() <= MOST_WORK;
        cases.extend(case.filter(small));
    }
    cases
}

/// 3x3 convolutions of `[batch, height, width]`: there are separate kernels for few and for many input
/// channels, and for one channel per group.
pub fn few_many_and_grouped_channels(size: [usize; 3], out: usize) -> [Case; 4] {
    let [n, h, w] = size;
    let pool = Pool2dOptions::default();
    [(3, out, 1), (48, out, 1), (out, out, out), (6, 12, 3)].map(|(channels, out, groups)| {
        let conv = Conv2dOptions::default().groups(groups);
        case([n, h, w, channels], out, (3, 3), conv, pool).expect("it fits")
    })
}
