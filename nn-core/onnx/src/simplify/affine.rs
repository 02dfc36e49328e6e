//! Factors and offsets for each channel that the layer before can take along: a bias behind a convolution or a
//! product with weights, scale and bias behind a normalisation.

use crate::net::{Net, Step, Weight};
use crate::refusal::Result;
use nn_core::layers::{
    Bias, Conv2D, Dense, GroupNormalization, Layer, LayerNormalization, Rescaling, Scale,
};
use std::rc::Rc;
use std::sync::Arc;

/// What is done to each channel.
enum Affine {
    Scale(Weight),
    Bias(Weight),
}

impl Affine {
    fn of(net: &Net, i: usize) -> Option<Self> {
        let step = &net.steps[i];
        let channels = step.shape.dims().last().copied()?;
        if step.is::<Bias>().is_some() {
            return step.parameters.first().cloned().map(Self::Bias);
        }
        if step.is::<Scale>().is_some() {
            return step.parameters.first().cloned().map(Self::Scale);
        }
        // One number for all channels.
        let of_all = |number: f64| Rc::new(vec![number as f32; channels]);
        match *step.is::<Rescaling>()? {
            Rescaling { scale: 1.0, offset } => Some(Self::Bias(of_all(offset))),
            Rescaling { scale, offset: 0.0 } => Some(Self::Scale(of_all(scale))),
            _ => None,
        }
    }

    fn apply(&self, values: &Weight) -> Weight {
        let (other, combine): (_, fn(f32, f32) -> f32) = match self {
            Self::Scale(scale) => (scale, |a, b| a * b),
            Self::Bias(bias) => (bias, |a, b| a + b),
        };
        Rc::new(values.iter().zip(other.iter()).map(|(&a, &b)| combine(a, b)).collect())
    }
}

pub fn taken_along(net: &mut Net, i: usize, uses: &[usize]) -> Result<()> {
    let Some(&input) = net.steps[i].inputs.first() else { return Ok(()) };
    let takes = |before: &&Step| {
        let products = before.is::<Conv2D>().is_some() || before.is::<Dense>().is_some();
        uses[input] == 1 && (products || is_normalization(before))
    };
    // Before anything of as many numbers as there are channels is made.
    let Some(before) = net.step(input).filter(takes) else { return Ok(()) };
    let Some(affine) = Affine::of(net, i) else { return Ok(()) };
    let (layer, parameters): (Arc<dyn Layer<f32>>, _) =
        match (&affine, before.parameters.as_slice()) {
            (Affine::Bias(bias), [weight, own @ ..]) => {
                let layer: Arc<dyn Layer<f32>> = match (before.is::<Conv2D>(), before.is::<Dense>())
                {
                    (Some(conv), _) => Arc::new(conv.clone().bias(true)),
                    (None, Some(dense)) => Arc::new(dense.clone().bias(true)),
                    (None, None) if is_normalization(before) => Arc::clone(&before.layer),
                    (None, None) => return Ok(()),
                };
                let bias = own.first().map_or_else(|| Rc::clone(bias), |own| affine.apply(own));
                (layer, vec![Rc::clone(weight), bias])
            }
            (Affine::Scale(_), [weight, bias]) if is_normalization(before) => {
                (Arc::clone(&before.layer), vec![affine.apply(weight), affine.apply(bias)])
            }
            _ => return Ok(()),
        };
    let (name, inputs) = (before.name.clone(), before.inputs.clone());
    net.put(i, layer, inputs, parameters)?;
    net.steps[i].name = name;
    Ok(())
}

fn is_normalization(step: &Step) -> bool {
    step.is::<LayerNormalization>().is_some() || step.is::<GroupNormalization>().is_some()
}
