//! Maps at the image's size, and how much of their heat lies where.

use super::*;
use crate::data::{Foreground, ForegroundRule, Mask};

#[test]
fn stretching_aligns_the_corners() {
    let map = Tensor::<f64>::from_fn([3, 5], |i| ((i * i * 7 + 3) % 11) as f64);
    for (height, width) in [(3, 5), (9, 17), (4, 4), (1, 1), (2, 3), (1, 7), (64, 31)] {
        let out = stretch(&map, height, width);
        assert_eq!(out.dims(), [height, width]);
        let place = |i: usize, from: usize, to: usize| {
            if to == 1 { 0.0 } else { (i * (from - 1)) as f64 / (to - 1) as f64 }
        };
        for i in 0..height {
            for j in 0..width {
                let (y, x) = (place(i, 3, height), place(j, 5, width));
                // The hat function of every number of the map.
                let hat = |d: f64| (1.0 - d.abs()).max(0.0);
                let terms = (0..3).flat_map(|a| (0..5).map(move |b| (a, b))).map(|(a, b)| {
                    map.as_slice()[a * 5 + b] * hat(y - a as f64) * hat(x - b as f64)
                });
                let expected: f64 = terms.sum();
                assert!((out.as_slice()[i * width + j] - expected).abs() < 1e-12);
            }
        }
    }
    assert_eq!(stretch(&map, 3, 5), map);
    let single = stretch(&Tensor::full([1, 1], 2.5f32), 4, 3);
    assert_eq!(single.as_slice(), [2.5; 12]);
}

#[test]
fn normalised_maps_go_from_zero_to_nearly_one() {
    let model = three_classes::<f64>();
    let found = &Cam::new(GradCam).explain(&model, &images(1), &[Target::Class(0)]).unwrap()[0];
    let (raw, shown) = (found.stretched(), found.normalized());
    let high = raw.as_slice().iter().copied().fold(0.0, f64::max);
    let low = raw.as_slice().iter().copied().fold(f64::INFINITY, f64::min);
    assert!(high > 0.0);
    for (raw, shown) in raw.as_slice().iter().zip(shown.as_slice()) {
        close(*shown, (raw - low) / (high - low + 1e-7), 1e-12);
        assert!((0.0..1.0).contains(shown));
    }
}

#[test]
fn heat_on_the_background_is_measured_at_the_images_size() {
    let model = three_classes::<f64>();
    let found = &Cam::new(GradCam).explain(&model, &images(1), &[Target::Class(0)]).unwrap()[0];
    let rule = ForegroundRule::BorderColours;
    let subject = |mask: Vec<bool>| Foreground { mask: Mask::new(2, 2, mask).unwrap(), rule };
    let left = found.on_background(&subject(vec![false, true, false, true])).unwrap().unwrap();
    let right = found.on_background(&subject(vec![true, false, true, false])).unwrap().unwrap();
    assert_eq!((left.area, right.area, left.rule), (0.5, 0.5, rule));
    close(left.heat + right.heat, 1.0, 1e-12);
    let map = found.stretched();
    let is_left: Vec<bool> = (0..SIDE * 18).map(|p| p % 18 < 9).collect();
    close(left.heat, share_where(&map, &is_left).unwrap().unwrap(), 1e-12);
    for all in [true, false] {
        assert_eq!(found.on_background(&subject(vec![all; 4])).unwrap(), None);
    }
}

#[test]
fn heat_and_mask_must_be_of_one_size() {
    let map = Tensor::<f32>::full([2, 2], 1.0);
    assert_eq!(share_where(&map, &[true, false, false, false]).unwrap(), Some(0.25));
    assert!(share_where(&map, &[true; 3]).is_err());
}
