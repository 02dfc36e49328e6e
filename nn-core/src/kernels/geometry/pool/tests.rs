use super::*;
use crate::kernels::geometry::Padding;

/// The pixels of every window, by the definition; `None` where they are padding.
fn windows(
    input: usize,
    output: usize,
    window: usize,
    stride: usize,
    dilation: usize,
    before: usize,
) -> Vec<Vec<Option<usize>>> {
    let pixel = |i: usize, k: usize| {
        (i * stride + k * dilation).checked_sub(before).filter(|&pixel| pixel < input)
    };
    (0..output).map(|i| (0..window).map(|k| pixel(i, k)).collect()).collect()
}

/// PyTorch's `pooling_output_shape_pad_lr`, line by line.
fn pytorch_size(
    input: i64,
    window: i64,
    (before, after): (i64, i64),
    stride: i64,
    dilation: i64,
    ceil_mode: bool,
) -> i64 {
    let hanging = if ceil_mode { stride - 1 } else { 0 };
    let steps = input + before + after - dilation * (window - 1) - 1 + hanging;
    let mut output = steps.div_euclid(stride) + 1;
    if ceil_mode && (output - 1) * stride >= input + before {
        output -= 1;
    }
    output
}

/// Every combination of small settings that is allowed, with its geometry.
fn small_settings() -> Vec<(Pool2dOptions, usize, Pool2dGeometry)> {
    let mut all = Vec::new();
    for input in 1..=7 {
        for window in 1..=4 {
            for stride in 1..=4 {
                for dilation in 1..=3 {
                    for (top, bottom) in [(0, 0), (1, 1), (0, 2), (2, 1), (3, 0)] {
                        for ceil_mode in [false, true] {
                            let options = Pool2dOptions::new((window, 1))
                                .stride((stride, 1))
                                .dilation((dilation, 1))
                                .ceil_mode(ceil_mode)
                                .padding(Padding::Explicit { top, bottom, left: 0, right: 0 });
                            if let Ok(g) = Pool2dGeometry::new(&[1, input, 1, 1], options) {
                                all.push((options, input, g));
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

#[test]
fn sizes_are_those_of_pytorch_and_no_window_is_padding_alone() {
    let settings = small_settings();
    assert!(settings.len() > 1500, "{}", settings.len());
    for (options, input, g) in settings {
        let Padding::Explicit { top, bottom, .. } = options.padding else { unreachable!() };
        let (window, stride, dilation) =
            (options.window.0 as i64, options.stride.0 as i64, options.dilation.0 as i64);
        let padding = (top as i64, bottom as i64);
        let expected =
            pytorch_size(input as i64, window, padding, stride, dilation, options.ceil_mode);
        assert_eq!(g.out_h as i64, expected, "{options:?} of {input}");
        for counted in [false, true] {
            let g = Pool2dGeometry { counted: counted.then_some((bottom, 0)), ..g };
            let all = windows(input, g.out_h, g.window_h, g.stride_h, g.dilation_h, g.pad_top);
            for (i, pixels) in all.into_iter().enumerate() {
                let inside: Vec<usize> = pixels.iter().flatten().copied().collect();
                assert!(!inside.is_empty(), "{options:?} of {input}");
                let w = g.rows().window(i);
                let found: Vec<_> = (0..w.inside).map(|k| w.first + k * w.step).collect();
                assert_eq!(found, inside, "{options:?} of {input}, window {i}");
                assert_eq!(pixels[w.place], Some(w.first));
                let ends = input + top + bottom;
                let in_padded =
                    (0..g.window_h).filter(|k| i * g.stride_h + k * g.dilation_h < ends);
                let count = if counted { in_padded.count() } else { inside.len() };
                assert_eq!(w.counted, count, "{options:?} of {input}, window {i}");
            }
        }
    }
}

#[test]
fn windows_touching_pixels_by_brute_force() {
    let strided = small_settings().into_iter().map(|(.., g)| g.rows());
    let adaptive = (1..=7).flat_map(|input| (1..=9).map(move |output| (input, output)));
    let adaptive = adaptive.map(|(input, output)| Axis::Adaptive { input, output });
    for axis in strided.chain(adaptive) {
        let windows: Vec<_> = (0..axis.output()).map(|i| axis.window(i)).collect();
        for start in 0..axis.input() {
            for end in start + 1..=axis.input() {
                let range = axis.touching(&(start..end));
                for (i, w) in windows.iter().enumerate() {
                    let touches =
                        (0..w.inside).any(|k| (start..end).contains(&(w.first + k * w.step)));
                    assert!(!touches || range.contains(&i), "{axis:?}: {i} and {start}..{end}");
                    assert!(w.inside <= axis.reach());
                }
            }
        }
    }
}

#[test]
fn adaptive_windows_are_those_of_pytorch() {
    let windows = |input, output| -> Vec<(usize, usize)> {
        let axis = Axis::Adaptive { input, output };
        (0..output).map(|i| axis.window(i)).map(|w| (w.first, w.first + w.inside)).collect()
    };
    assert_eq!(windows(7, 1), [(0, 7)]);
    assert_eq!(windows(6, 3), [(0, 2), (2, 4), (4, 6)]);
    assert_eq!(windows(7, 3), [(0, 3), (2, 5), (4, 7)]);
    assert_eq!(windows(2, 3), [(0, 1), (0, 2), (1, 2)]);
    assert_eq!(windows(usize::MAX / 16, 1), [(0, usize::MAX / 16)]);
}

#[test]
fn padding_that_keeps_the_size() -> Result<()> {
    for (padding, top) in [(Padding::Same, 0), (Padding::SameLower, 1)] {
        let options = Pool2dOptions::new(2).stride(1).padding(padding);
        let g = Pool2dGeometry::new(&[1, 5, 5, 1], options)?;
        assert_eq!((g.out_h, g.pad_top, g.out_w, g.pad_left), (5, top, 5, top));
    }
    let g =
        Pool2dGeometry::new(&[1, 7, 8, 1], Pool2dOptions::new(3).stride(2).padding(Padding::Same))?;
    assert_eq!((g.out_h, g.pad_top, g.out_w, g.pad_left), (4, 1, 4, 0));
    Ok(())
}

#[test]
fn whether_windows_are_inside() -> Result<()> {
    let inside = |options| Ok::<_, Error>(Pool2dGeometry::new(&[1, 7, 7, 1], options)?.is_inside());
    assert!(inside(Pool2dOptions::new(2))?);
    assert!(inside(Pool2dOptions::new(7).stride(100))?);
    assert!(!inside(Pool2dOptions::new(2).ceil_mode(true))?);
    assert!(inside(Pool2dOptions::new(3).stride(2).ceil_mode(true))?);
    assert!(!inside(Pool2dOptions::new(2).dilation(2))?);
    assert!(!inside(Pool2dOptions::new(3).stride(2).padding(Padding::symmetric(1)))?);
    assert!(!Pool2dGeometry::new(&[1, 7, 7, 1], Pool2dOptions::new(2).ceil_mode(true))?.is_2x2());
    Ok(())
}

#[test]
fn errors_say_what_to_do() {
    let refused = |input: [usize; 4], options, parts: &[&str]| {
        let message = Pool2dGeometry::new(&input, options).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "no `{part}` in: {message}");
        }
    };
    let image = [1, 9, 9, 1];
    refused([1, 1, 9, 1], Pool2dOptions::default(), &["at least 2x2", "1x9", "smaller window"]);
    refused(image, Pool2dOptions::new((0, 1)), &["window (0, 1)", "at least 1"]);
    refused(image, Pool2dOptions::new(2).stride((1, 0)), &["stride (1, 0)"]);
    refused(image, Pool2dOptions::new(2).dilation(0), &["dilation", "(0, 0)"]);
    refused(
        image,
        Pool2dOptions::new(2).padding(Padding::symmetric((2, 0))),
        &["height", "below 2"],
    );
    let dilated = Pool2dOptions::new(3).dilation(4).padding(Padding::symmetric(4));
    refused([1, 3, 9, 1], dilated, &["dilation along the height", "at most 3", "received 4"]);
    let padded = Pool2dOptions::new(7).padding(Padding::symmetric(2));
    refused([1, 2, 9, 1], padded, &["at least 3x3", "less the padding", "2x9"]);
    let vast = Pool2dOptions::new(1 << 20).padding(Padding::symmetric((1 << 20) - 1));
    refused(image, vast, &["window and dilation", "image in memory"]);
    refused(image, Pool2dOptions::new(3).dilation(usize::MAX), &["window and dilation"]);
    let same = Pool2dOptions::new(2).padding(Padding::Same);
    refused([1, 0, 9, 1], same, &["an input of at least", "0x9"]);
    assert!(Pooled::adaptive("pool", &image, (0, 1)).is_err());
    assert!(Pooled::adaptive("pool", &[1, 0, 9, 1], (1, 1)).is_err());
    assert!(Pooled::adaptive("pool", &image, (1 << 40, 1 << 40)).is_err());
}

#[test]
fn strides_beyond_the_input_are_steps_to_its_end() -> Result<()> {
    let options = Pool2dOptions::new((2, 7)).stride((usize::MAX, 7));
    for ceil_mode in [false, true] {
        let p = Pool2dGeometry::new(&[1, 6, 7, 1], options.ceil_mode(ceil_mode))?;
        assert_eq!((p.out_h, p.out_w, p.stride_h, p.stride_w), (1, 1, 6, 7));
    }
    Ok(())
}

#[test]
fn stored_forms_leave_defaults_out() {
    let stored = |options: Pool2dOptions| serde_json::to_string(&options).unwrap();
    let old = r#"{"window":[3,2],"stride":[2,1]}"#;
    let options = Pool2dOptions::new((3, 2)).stride((2, 1));
    assert_eq!(stored(options), old);
    assert_eq!(serde_json::from_str::<Pool2dOptions>(old).unwrap(), options);
    let all =
        options.padding(Padding::Same).ceil_mode(true).count_include_pad(false).dilation((2, 1));
    assert_eq!(serde_json::from_str::<Pool2dOptions>(&stored(all)).unwrap(), all);
}
