//! Maps at the size of the image, and the share of their heat on the background.

use super::*;
use crate::data::{Foreground, ForegroundRule, Mask};
use crate::kernels::Padding;
use crate::layers::GlobalAveragePool2D;
use crate::model::{ReceptiveAxis, ReceptiveField, SequentialBuilder};

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
                // The hat function of every element of the map.
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
    let mask = |mask: Vec<bool>| Mask::new(2, 2, mask).unwrap();
    let subject = |values: Vec<bool>| Foreground { mask: mask(values), rule, second: None };
    let left = found.on_background(&subject(vec![false, true, false, true])).unwrap();
    let right = found.on_background(&subject(vec![true, false, true, false])).unwrap();
    assert_eq!((left.area, right.area, left.rule), (0.5, 0.5, rule));
    close(left.heat + right.heat, 1.0, 1e-12);
    let map = found.stretched();
    let is_left: Vec<bool> = (0..SIDE * 18).map(|p| p % 18 < 9).collect();
    close(left.heat, share_where(&map, &is_left).unwrap().unwrap(), 1e-12);
    for all in [true, false] {
        assert_eq!(found.on_background(&subject(vec![all; 4])), Err(NoShare::NoSubject));
    }
    // Two masks: no share is reported where their shares differ.
    let with = |second| Foreground {
        second: Some(mask(second)),
        ..subject(vec![false, true, false, true])
    };
    assert_eq!(found.on_background(&with(vec![false, true, false, true])), Ok(left));
    assert!((left.heat - right.heat).abs() > AGREEMENT, "{left:?} {right:?}");
    for other in [vec![true, false, true, false], vec![true; 4]] {
        assert_eq!(found.on_background(&with(other)), Err(NoShare::MasksDisagree));
    }
    // Nor where they agree on the heat, but not on the area of the background: a map whose heat
    // lies in one corner, and subjects of one quarter and of three.
    let mut corner = found.clone();
    let cells = corner.map.as_mut_slice();
    cells.fill(0.0);
    cells[0] = 1.0;
    let quarter = subject(vec![false, false, false, true]);
    let on = |second| corner.on_background(&Foreground { second, ..quarter.clone() });
    let alone = on(None).unwrap();
    let wide = subject(vec![false, true, true, true]);
    assert!((alone.heat - corner.on_background(&wide).unwrap().heat).abs() < AGREEMENT);
    assert_eq!(on(Some(wide.mask)), Err(NoShare::MasksDisagree));
    // The share does not depend on the alignment for display.
    let corners = found.clone().aligned(Alignment::Corners);
    assert_ne!(corners.stretched(), found.stretched());
    assert_eq!(corners.on_background(&subject(vec![false, true, false, true])), Ok(left));
    // Flat maps have no share.
    let mut flat = found.clone();
    for (value, reason) in [(0.0, NoShare::Empty), (0.3, NoShare::Flat)] {
        flat.map.as_mut_slice().fill(value);
        let found = flat.on_background(&subject(vec![false, true, false, true]));
        assert_eq!((found, flat.is_flat()), (Err(reason), true));
    }
}

#[test]
fn heat_and_mask_must_be_of_one_size() {
    let map = Tensor::<f32>::full([2, 2], 1.0);
    assert_eq!(share_where(&map, &[true, false, false, false]).unwrap(), Some(0.25));
    assert!(share_where(&map, &[true; 3]).is_err());
}

/// A network with one output after these three convolutions, with all weights 1.
fn adding_up(maps: SequentialBuilder<f32>) -> Sequential {
    let end = maps.layer(GlobalAveragePool2D::new()).layer(Dense::new(1));
    let mut model = end.build(1).unwrap();
    for name in ["conv1.weight", "conv2.weight", "conv3.weight", "dense1.weight"] {
        let weight = model.get(name).unwrap().value.map(|_| 1.0);
        model.set(name, weight).unwrap();
    }
    model
}

/// A network that responds to bright spots, with convolutions without padding and pooling layers.
fn dot_finder(side: (usize, usize)) -> Sequential {
    let relu = |kernel| Conv2D::new(1, kernel).activation(Activation::Relu);
    let maps = Sequential::builder([side.0, side.1, 1])
        .layer(relu(5))
        .layer(MaxPool2D::new(2))
        .layer(relu(3))
        .layer(AveragePool2D::new(2))
        .layer(relu(3));
    adding_up(maps)
}

/// The centre of a map's heat: row and column.
fn centroid(map: &Tensor) -> (f64, f64) {
    let (mut sum, mut rows, mut columns) = (0.0, 0.0, 0.0);
    for (i, &heat) in map.as_slice().iter().enumerate() {
        sum += f64::from(heat);
        rows += f64::from(heat) * (i / map.dims()[1]) as f64;
        columns += f64::from(heat) * (i % map.dims()[1]) as f64;
    }
    (rows / sum, columns / sum)
}

#[test]
fn heat_lies_where_its_cause_is() {
    for side in [(64, 64), (96, 72)] {
        let model = dot_finder(side);
        // The centres of cells of conv3's map, far enough from the border for their whole response.
        for cell in [(3, 3), (3, 6), (5, 4), (6, 3)] {
            let field = model.receptive_field("conv3").unwrap();
            let centre = |axis: ReceptiveAxis, at: usize| axis.first + at as f64 * axis.step;
            let (y, x) = (centre(field.vertical, cell.0), centre(field.horizontal, cell.1));
            // A dot of 2 x 2 pixels around it.
            let image = Tensor::from_fn([1, side.0, side.1, 1], |i| {
                let (row, column) = ((i / side.1) as f64, (i % side.1) as f64);
                f32::from(u8::from((row - y).abs() < 1.0 && (column - x).abs() < 1.0))
            });
            let found = &Cam::new(GradCam).explain(&model, &image, &[Target::Class(0)]).unwrap()[0];
            let (row, column) = centroid(&found.stretched());
            assert!(
                (row - y).abs() < 1.0 && (column - x).abs() < 1.0,
                "{side:?} {cell:?}: {row}, {column} for {y}, {x}"
            );
            let (row, column) = centroid(&found.clone().aligned(Alignment::Corners).stretched());
            let off = (row - y).hypot(column - x);
            assert!(
                off > 1.0,
                "from corner to corner it lies elsewhere, but only {off} pixels off"
            );
        }
    }
}

#[test]
fn heat_follows_a_dot_of_any_size_to_any_place() {
    // Averages only: a dot causes a bell-shaped response around it, wherever it lies between the cells.
    let relu = |kernel| Conv2D::new(1, kernel).activation(Activation::Relu);
    let (height, width) = (72, 96);
    let maps = Sequential::builder([height, width, 1])
        .layer(relu(3))
        .layer(AveragePool2D::new(2))
        .layer(Conv2D::new(1, (5, 3)).padding(Padding::Same).stride((1, 2)))
        .layer(relu(5));
    let model = adding_up(maps);
    for (top, left, side) in [(25, 31, 1), (30, 40, 2), (33, 52, 3), (41, 47, 4), (22, 60, 7)] {
        let inside = |i: usize, from: usize| (from..from + side).contains(&i);
        let image = Tensor::from_fn([1, height, width, 1], |i| {
            f32::from(u8::from(inside(i / width, top) && inside(i % width, left)))
        });
        let found = &Cam::new(GradCam).explain(&model, &image, &[Target::Class(0)]).unwrap()[0];
        let middle = |from: usize| from as f64 + (side as f64 - 1.0) / 2.0;
        let (row, column) = centroid(&found.stretched());
        let off = (row - middle(top)).abs().max((column - middle(left)).abs());
        assert!(off < 1.0, "{side} x {side} at {top}, {left}: heat at {row}, {column}");
    }
}

#[test]
fn maps_without_preference_stay_so() {
    let field = ReceptiveField::even((3, 4), (10, 9));
    let flat = place(&Tensor::full([3, 4], 2.5f32), field, 10, 9);
    assert_eq!(flat, Tensor::full([10, 9], 2.5));
    let pixels = Tensor::<f64>::from_fn([3, 5], |i| (i * i % 7) as f64);
    assert_eq!(place(&pixels, ReceptiveField::PIXELS, 3, 5), pixels);
}
