//! Explanations of a trained network depend on its weights, and are largest on what it has learned.

use super::*;
use crate::loss::Loss;
use crate::model::ReceptiveField;
use crate::optim::OptimizerConfig;
use crate::train::{FitOptions, Trainer};

#[test]
fn ranks_of_equal_values_are_shared() {
    // scipy.stats.spearmanr
    let found = rank_correlation(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
    close(found, 0.948_683_298_050_513_8, 1e-12);
    let found = rank_correlation(&[0.0, 0.0, 0.0, 5.0, 1.0], &[2.0, -0.0, 0.0, 1.0, 1.0]).unwrap();
    close(found, 0.294_627_825_494_394_8, 1e-12);
    assert_eq!(rank_correlation(&[1.0f32, 2.0], &[1.0, 2.0, 3.0]), None);
    assert_eq!(rank_correlation::<f32>(&[], &[]), None);
}

/// Draws the edges of the image, independent of the network: the magnitude of the brightness gradient.
struct EdgeDetector;

impl Explainer<f32> for EdgeDetector {
    fn name(&self) -> &'static str {
        "edges"
    }

    fn explain(
        &self,
        model: &Sequential<f32>,
        images: &Tensor<f32>,
        targets: &[Target],
    ) -> Result<Vec<Explanation<f32>>> {
        let tape = Tape::inference(Default::default());
        let logits = model.infer(&tape, images.clone())?;
        let predictions = Predictions::new(model, logits.value(), targets)?;
        let [h, w, c] = [images.dims()[1], images.dims()[2], images.dims()[3]];
        let edges = |i: usize| {
            let image = images.row(i);
            let at = |y: usize, x: usize| image[(y * w + x) * c..][..c].iter().sum::<f32>();
            let map = Tensor::from_fn([h - 1, w - 1], |p| {
                let (y, x) = (p / (w - 1), p % (w - 1));
                (at(y + 1, x) - at(y, x)).hypot(at(y, x + 1) - at(y, x))
            });
            predictions.explain(i, map, ReceptiveField::PIXELS)
        };
        (0..predictions.len()).map(edges).collect()
    }
}

/// A bright spot on noise, at the top (class 0) or at the bottom (class 1).
fn spots(count: usize) -> (Tensor<f32>, Vec<usize>) {
    let mut rng = Rng::new(11, 0);
    let mut images = Tensor::from_fn([count, 24, 24, 1], |_| rng.uniform_in(0.0, 0.4) as f32);
    let labels: Vec<usize> = (0..count).map(|i| i % 2).collect();
    for (image, &label) in images.as_mut_slice().chunks_mut(24 * 24).zip(&labels) {
        let (top, left) = (2 + 12 * label + rng.below(5), 2 + rng.below(15));
        for y in top..top + 5 {
            image[y * 24 + left..y * 24 + left + 5].fill(1.0);
        }
    }
    (images, labels)
}

/// A network that has learned to distinguish the two classes.
fn spot_finder(images: &Tensor<f32>, labels: &[usize]) -> Sequential<f32> {
    let model = Sequential::builder([24, 24, 1])
        .layer(Conv2D::new(6, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(Conv2D::new(8, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(Flatten::new())
        .layer(Dense::new(2).activation(Activation::Softmax))
        .build(7)
        .unwrap();
    let options = FitOptions { loss: Loss::CategoricalCrossentropy, ..FitOptions::default() };
    let mut trainer =
        Trainer::new(model, OptimizerConfig::adam().build().unwrap(), options).unwrap();
    let mut last = f64::INFINITY;
    for _ in 0..60 {
        last = trainer.step(images.clone(), labels, 0.01).unwrap().loss;
    }
    assert!(last < 0.05, "{last}");
    trainer.into_model()
}

#[test]
fn the_randomisation_check_tells_explanations_from_pictures() {
    let (images, labels) = spots(16);
    let model = spot_finder(&images, &labels);
    let targets = [Target::Predicted; 16];
    let check = |method: &dyn Explainer<f32>, how, seed| {
        let why = method.explain(&model, &images, &targets).unwrap();
        randomization_check(method, &model, &images, &why, how, seed).unwrap()
    };
    for seed in 0..4 {
        let edges = check(&EdgeDetector, Randomization::Full, seed);
        assert_eq!((edges.correlation(), edges.depends_on_model()), (Some(1.0), Some(false)));
        for method in all_methods() {
            let found = check(method.as_ref(), Randomization::Full, seed);
            let correlation = found.correlation().unwrap();
            println!("{} {seed}: {correlation:.3}", method.name());
            assert_eq!(found.depends_on_model(), Some(true), "{}", method.name());
            let cascade = check(method.as_ref(), Randomization::Cascade, seed);
            let layers: Vec<_> = cascade.steps.iter().map(|step| step.layer.as_str()).collect();
            assert_eq!(layers, ["dense1", "conv2", "conv1"]);
            assert_eq!(cascade.steps.last(), found.steps.last());
        }
    }
}

#[test]
fn flat_maps_tell_the_randomisation_check_nothing() {
    let mut model = three_classes::<f32>();
    model.set("dense2.weight", Tensor::zeros([3, 7])).unwrap();
    let how = Randomization::Full;
    let targets = [Target::Class(0); 2];
    let (method, images) = (Cam::new(GradCam), images(2));
    let why = method.explain(&model, &images, &targets).unwrap();
    let check = randomization_check(&method, &model, &images, &why, how, 1).unwrap();
    assert_eq!(check.steps[0].correlations, [None, None]);
    assert_eq!((check.correlation(), check.depends_on_model()), (None, None));
}

#[test]
fn the_heat_of_a_trained_network_lies_on_what_it_learned() {
    let (images, labels) = spots(16);
    let model = spot_finder(&images, &labels);
    let targets: Vec<_> = labels.iter().map(|&label| Target::Class(label)).collect();
    let methods: [Box<dyn Explainer<f32>>; 2] =
        [Box::new(Cam::new(HiResCam)), Box::new(Occlusion::new().patch(5).stride(2))];
    for method in methods {
        for (i, found) in method.explain(&model, &images, &targets).unwrap().iter().enumerate() {
            // The spot and a margin of two pixels, out of 576 pixels.
            let bright = |p: usize| images.row(i)[p] == 1.0;
            let near = |p: usize| {
                let (y, x) = (p / 24, p % 24);
                (y.saturating_sub(2)..(y + 3).min(24))
                    .any(|y| (x.saturating_sub(2)..(x + 3).min(24)).any(|x| bright(y * 24 + x)))
            };
            let mask: Vec<bool> = (0..576).map(near).collect();
            let area = mask.iter().filter(|&&m| m).count() as f64 / 576.0;
            let share = share_where(&found.stretched(), &mask).unwrap().unwrap();
            println!("{} image {i}: {share:.2} of the heat on {area:.2}", method.name());
            assert!(share > 2.5 * area, "{}: {share} on {area}", method.name());
        }
    }
}
