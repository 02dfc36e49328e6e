//! Building of models: layer names, shape inference, initial parameters.

use super::{Sequential, Stage, label};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::{Activation, Layer, LayerConfig, OutputKind, Parameter, ParameterSpec};
use crate::rng::{Rng, stream};
use crate::tensor::{Shape, Tensor};
use std::collections::HashSet;
use std::sync::Arc;

/// Maximum number of elements of a model's parameters: 4 GB of `f32`. This limit and the next keep a
/// typing mistake, or a forged file, from exhausting the machine's memory.
const MOST_PARAMETERS: usize = 1 << 30;

/// Maximum number of elements of one sample, at the input and after any layer: 512 MiB of `f32`, twice
/// what the built-in network needs for images of 1024 x 1024 pixels.
const MOST_NUMBERS: usize = 1 << 27;

/// Collects the layers of a [`Sequential`].
#[derive(Debug, Clone)]
pub struct SequentialBuilder<T: Kernels = f32> {
    name: String,
    input: Shape,
    layers: Vec<(Option<String>, Arc<dyn Layer<T>>)>,
    output: Option<OutputKind>,
    /// Whether the layers come from a built model, whose final activation was already removed.
    built_before: bool,
    /// Whether the caller confirmed that the input is channels-last.
    channels_last: bool,
}

impl<T: Kernels> SequentialBuilder<T> {
    /// Starts a network for inputs of this shape, without the batch dimension:
    /// `[height, width, channels]` for images. `SequentialBuilder::<f64>::new(..)` starts one in double
    /// precision, for gradient checks for example; [`Sequential::builder`] starts one in `f32`.
    pub fn new(input: impl Into<Shape>) -> Self {
        Self {
            name: "sequential".into(),
            input: input.into(),
            layers: Vec::new(),
            output: None,
            built_before: false,
            channels_last: false,
        }
    }

    /// Names the model.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a layer, named by its prefix and a counter: `conv1`, `conv2`, `dense1`, ...
    pub fn layer(self, layer: impl Layer<T> + 'static) -> Self {
        self.shared_layer(None, Arc::new(layer))
    }

    /// Adds a layer with a given name.
    pub fn named(self, name: impl Into<String>, layer: impl Layer<T> + 'static) -> Self {
        self.shared_layer(Some(name.into()), Arc::new(layer))
    }

    pub(super) fn shared_layer(mut self, name: Option<String>, layer: Arc<dyn Layer<T>>) -> Self {
        self.layers.push((name, layer));
        self
    }

    /// Sets the output kind. By default it is inferred: a softmax or sigmoid at the end of the last
    /// layer is removed from it and becomes the model's output kind, so that the network itself
    /// computes logits. [`OutputKind::Linear`] prevents that: the activation stays in the layer, and
    /// the model's outputs are plain numbers.
    pub fn output(mut self, output: OutputKind) -> Self {
        self.output = Some(output);
        self
    }

    /// Confirms that the input is `[height, width, channels]` although it looks like
    /// `[channels, height, width]`: three rows and 224 channels, for example.
    pub fn channels_last(mut self) -> Self {
        self.channels_last = true;
        self
    }

    /// Like [`SequentialBuilder::output`], for layers that come from a built model.
    pub(super) fn output_as_built(mut self, output: OutputKind) -> Self {
        (self.built_before, self.channels_last) = (true, true);
        self.output(output)
    }

    /// Builds the model and draws its parameters from `seed`, each from a random stream of its own:
    /// adding a layer at the end does not change the parameters of earlier layers.
    ///
    /// # Errors
    /// If the shapes of consecutive layers do not match: the error has the layer's name and, if larger
    /// images would help, the smallest sufficient size. If a setting or name is invalid.
    pub fn build(self, seed: u64) -> Result<Sequential<T>> {
        self.build_with(|i, _, spec| {
            let mut rng = Rng::new(seed, stream::INITIALIZE + i as u64);
            Ok(spec.initializer.tensor(&spec.shape, spec.fans, &mut rng))
        })
    }

    /// Builds the model with parameters from `value(index, name, specification)`.
    pub(super) fn build_with(
        mut self,
        mut value: impl FnMut(usize, &str, &ParameterSpec) -> Result<Tensor<T>>,
    ) -> Result<Sequential<T>> {
        let output = self.take_output()?;
        if self.input.is_empty() || self.input.rank() == 0 {
            return Err(Error::shape(
                "model input",
                "at least one dimension, none of them 0",
                &self.input,
                "pass [height, width, channels] for images",
            ));
        }
        check_sample("model", "input", &self.input)?;
        if !self.channels_last {
            check_channels_last(&self.input)?;
        }
        let names = self.names()?;
        // All shapes first: nothing is allocated for an invalid network.
        let mut stages = Vec::new();
        let mut specs: Vec<(String, ParameterSpec)> = Vec::new();
        let mut shape = self.input.clone();
        for (name, (_, layer)) in names.into_iter().zip(&self.layers) {
            let inferred = infer(layer.as_ref(), &shape);
            let (next, wanted) =
                inferred.map_err(|e| self.explain(e, &label(&name, layer.kind())))?;
            let first = specs.len();
            specs.extend(wanted.into_iter().map(|spec| (format!("{name}.{}", spec.name), spec)));
            stages.push(Stage {
                name,
                layer: Arc::clone(layer),
                config: LayerConfig::of(layer.as_ref()),
                output: next.clone(),
                parameters: first..specs.len(),
            });
            shape = next;
        }
        check_total(&specs)?;
        let mut parameters = Vec::with_capacity(specs.len());
        for (i, (name, spec)) in specs.into_iter().enumerate() {
            let value = Arc::new(value(i, &name, &spec)?);
            parameters.push(Parameter { name, value, trainable: spec.trainable });
        }
        Ok(Sequential { name: self.name, input: self.input, stages, parameters, output })
    }

    /// Removes a final softmax or sigmoid from the last layer, unless the output kind is set to linear.
    fn take_output(&mut self) -> Result<OutputKind> {
        if self.built_before {
            return Ok(self.output.unwrap_or_default());
        }
        let last = self.layers.last().and_then(|(_, layer)| LayerConfig::of(layer.as_ref()));
        let found = match &last {
            Some(LayerConfig::Dense(dense)) => OutputKind::of_activation(dense.activation),
            Some(LayerConfig::Activation { function }) => OutputKind::of_activation(*function),
            _ => None,
        };
        let output = match (self.output, found) {
            (Some(OutputKind::Linear), _) => return Ok(OutputKind::Linear),
            (Some(asked), Some(found)) if asked != found => {
                return Err(Error::setting(
                    "the model's output",
                    format!("{found:?}, as its last layer ends in"),
                    format!("{asked:?}"),
                    "leave one of the two away",
                ));
            }
            (asked, found) => asked.or(found).unwrap_or_default(),
        };
        if found.is_some()
            && let Some((name, _)) = self.layers.pop()
            && let Some(LayerConfig::Dense(dense)) = last
        {
            self.layers.push((name, Arc::new(dense.activation(Activation::Linear))));
        }
        Ok(output)
    }

    /// The layers' names: given ones unchanged, others from prefix and counter.
    fn names(&self) -> Result<Vec<String>> {
        let mut taken = HashSet::new();
        for name in self.layers.iter().filter_map(|(name, _)| name.as_ref()) {
            if name.is_empty() || !taken.insert(name.clone()) {
                return Err(Error::setting(
                    "a layer's name",
                    "non-empty and used once",
                    format!("{name:?}"),
                    "give each layer a name of its own, or none",
                ));
            }
        }
        let name = |(given, layer): &(Option<String>, Arc<dyn Layer<T>>)| {
            given.clone().unwrap_or_else(|| {
                let prefix = layer.name_prefix();
                let mut free = (1..).map(|i| format!("{prefix}{i}"));
                free.find(|name| taken.insert(name.clone())).unwrap_or(prefix)
            })
        };
        Ok(self.layers.iter().map(name).collect())
    }

    /// Adds the layer's name to an error, and the smallest image size that would be sufficient.
    fn explain(&self, error: Error, layer: &str) -> Error {
        match error {
            Error::Shape { at: _, expected, received, remedy } => {
                let remedy = match (self.smallest_square_input(), self.input.dims()) {
                    (Some(smallest), &[h, w, _]) if smallest > h.min(w) => format!(
                        "the image size {h}x{w} is too small for the network, use at least \
                         {smallest}x{smallest}"
                    ),
                    _ => remedy,
                };
                Error::Shape { at: layer.into(), expected, received, remedy }
            }
            Error::Setting { what, expected, received, remedy } => {
                Error::Setting { what: format!("{layer}: {what}"), expected, received, remedy }
            }
            other => other,
        }
    }

    /// The side of the smallest square image that these layers accept, with the input's channels;
    /// `None` if the input is not an image, or no image of up to 4096 pixels a side is accepted.
    pub fn smallest_square_input(&self) -> Option<usize> {
        let &[_, _, channels] = self.input.dims() else {
            return None;
        };
        (1..=4096).find(|&side| {
            let mut shape = Shape::from([side, side, channels]);
            self.layers.iter().all(|(_, layer)| match layer.output_shape(&shape) {
                Ok(next) => {
                    shape = next;
                    true
                }
                Err(_) => false,
            })
        })
    }
}

/// A layer's output shape and parameters, with the output's size checked.
fn infer<T: Kernels>(layer: &dyn Layer<T>, input: &Shape) -> Result<(Shape, Vec<ParameterSpec>)> {
    let output = layer.output_shape(input)?;
    check_sample(layer.kind(), "output", &output)?;
    Ok((output, layer.parameters(input)?))
}

fn check_sample(at: &str, what: &str, shape: &Shape) -> Result<()> {
    if shape.checked_len().is_some_and(|len| len <= MOST_NUMBERS) {
        return Ok(());
    }
    Err(Error::shape(
        at,
        format!("at most {MOST_NUMBERS} numbers in its {what}"),
        shape,
        "use smaller images or fewer filters",
    ))
}

/// Rejects an input that looks like a channels-first image. Such a network would build, with few rows
/// and many channels, and learn nothing.
fn check_channels_last(input: &Shape) -> Result<()> {
    // Minimum height and width that make the shape look like an image.
    const MANY: usize = 16;
    match *input.dims() {
        [channels @ (1 | 3 | 4), height, width] if height >= MANY && width >= MANY => {
            Err(Error::shape(
                "model input",
                format!("an image with its channels last, [{height}, {width}, {channels}]"),
                input,
                "put the channels last, or call channels_last() where they are",
            ))
        }
        _ => Ok(()),
    }
}

fn check_total(specs: &[(String, ParameterSpec)]) -> Result<()> {
    let mut total = 0usize;
    for (name, spec) in specs {
        let sum = spec.shape.checked_len().and_then(|len| total.checked_add(len));
        match sum {
            Some(sum) if sum <= MOST_PARAMETERS => total = sum,
            _ => {
                return Err(Error::shape(
                    name,
                    format!("at most {MOST_PARAMETERS} parameters in the whole model"),
                    format!("a tensor of shape {}", spec.shape),
                    "use smaller images, more pooling, or fewer filters and units",
                ));
            }
        }
    }
    Ok(())
}
