//! Occlusion: the mean drop of the score, computed independently.

use super::*;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn occlusion_is_the_mean_drop_over_the_patches_that_cover_a_place() {
    let model = three_classes::<f64>();
    let images = images(1);
    let (side, stride, class) = (7, 4, 2);
    let occlusion = Occlusion::new().patch(side).stride(stride);
    let found = &occlusion.explain(&model, &images, &[Target::Class(class)]).unwrap()[0];
    let score = |x: Tensor<f64>| {
        let tape = Tape::inference(Default::default());
        model.infer(&tape, x).unwrap().value().as_slice()[class]
    };
    let whole = score(images.clone());
    let mean: Vec<f64> = (0..3)
        .map(|c| images.as_slice().iter().skip(c).step_by(3).sum::<f64>() / (SIDE * 18) as f64)
        .collect();
    let (mut drops, mut covers) = ([[0.0; 18]; SIDE], [[0; 18]; SIDE]);
    for top in [0, 4, 8, 12, 13] {
        for left in [0, 4, 8, 11] {
            let mut x = images.clone();
            for (i, value) in x.as_mut_slice().iter_mut().enumerate() {
                let (y, x) = (i / 3 / 18, i / 3 % 18);
                if (top..top + side).contains(&y) && (left..left + side).contains(&x) {
                    *value = mean[i % 3];
                }
            }
            let drop = whole - score(x);
            for y in top..top + side {
                for x in left..left + side {
                    drops[y][x] += drop;
                    covers[y][x] += 1;
                }
            }
        }
    }
    for (i, found) in found.map.as_slice().iter().enumerate() {
        let (y, x) = (i / 18, i % 18);
        let expected: f64 = drops[y][x] / f64::from(covers[y][x]);
        assert!((found - expected.max(0.0)).abs() < 1e-9, "{found} {expected}");
    }
    let many = occlusion.clone().batch_size(100);
    let few = occlusion.batch_size(1);
    let maps = [many, few].map(|method| {
        method.explain(&model, &images, &[Target::Class(class)]).unwrap().remove(0).map
    });
    for (a, b) in maps[0].as_slice().iter().zip(maps[1].as_slice()) {
        assert!((a - b).abs() < 1e-12);
    }
}

#[test]
fn occlusion_can_be_stopped_and_refuses_senseless_patches() {
    let (model, images) = (three_classes::<f32>(), images(1));
    let explain = |method: Occlusion| method.explain(&model, &images, &[Target::Predicted]);
    let stopped = explain(Occlusion::new().go_on(|| ControlFlow::Break(())));
    assert!(matches!(stopped, Err(crate::Error::Interrupted)));
    // It is asked before every forward pass: two of one patch each here, and stopped at the third.
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let stopped = explain(Occlusion::new().batch_size(1).go_on(move || {
        match counter.fetch_add(1, Ordering::Relaxed) {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }));
    assert!(matches!(stopped, Err(crate::Error::Interrupted)));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    for method in [
        Occlusion::new().patch(0),
        Occlusion::new().patch(19),
        Occlusion::new().patch(4).stride(5),
        Occlusion::new().stride(0),
    ] {
        let message = explain(method).unwrap_err().to_string();
        assert!(message.contains("patch"), "{message}");
    }
    assert!(explain(Occlusion::new().patch(18).batch_size(0)).is_ok());
}
