//! Weights of torchvision and timm, read from safetensors into networks by name.
//!
//! Such a file holds tensors under the names of a PyTorch module's `state_dict`, and says nothing about the
//! network. `published.rs` has the names that the libraries give to the networks here, as data; the network is
//! the one that is asked for, or the only one whose names and shapes all fit. `num_batches_tracked`, which
//! PyTorch keeps beside each batch normalisation, is passed over.

mod misfit;
mod published;

use misfit::Misfit;

use super::networks::graph_behind;
use super::safetensors::{TensorFile, list};
use super::{Model, networks};
use crate::error::{Error, Result};
use crate::layers::Normalization;
use crate::tensor::Tensor;
use published::{PUBLISHED, Published};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Height and width of images unless others are asked for: those that most weights were trained with.
const USUAL_IMAGE_SIZE: usize = 224;

/// The classes of a file that has no classifier: those of ImageNet.
const USUAL_CLASSES: usize = 1000;

/// Files with fewer tensors are not even half a network.
const FEWEST: usize = 50;

/// What PyTorch keeps beside the statistics of a batch normalisation, and nothing here needs.
const PASSED_OVER: &str = ".num_batches_tracked";

/// A file of torchvision's or timm's weights.
///
/// ```no_run
/// use nn_core::model::StateDict;
/// // As torchvision names its tensors, written by `safetensors.torch.save_file(model.state_dict(), ..)`.
/// let mut weights = StateDict::open("resnet18.safetensors")?;
/// assert_eq!(weights.networks(), ["resnet18"]);
/// // Takes pixels from 0 to 255.
/// let model = weights.model(None, None)?;
/// assert_eq!(model.classes(), 1000);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug)]
pub struct StateDict {
    file: TensorFile,
    /// All but those that are passed over.
    names: Vec<String>,
}

/// A network under the names of a library, beside a file.
struct Candidate {
    published: &'static Published,
    model: Model,
    /// The file's names by ours: those that fit.
    pairs: BTreeMap<String, String>,
    misfit: Misfit,
}

impl StateDict {
    /// Opens a file. Numbers are read later.
    ///
    /// # Errors
    /// If it cannot be read, or is not a safetensors file. For a file of `torch.save` or of Keras the error has
    /// the lines of Python that convert it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self::new(TensorFile::open(path.as_ref())?))
    }

    pub(super) fn new(file: TensorFile) -> Self {
        let mut names = file.names();
        names.retain(|name| !name.ends_with(PASSED_OVER));
        Self { file, names }
    }

    /// The networks that the file fits in names and shapes, whatever its number of classes. Two networks can
    /// differ in settings alone, such as padding; then it fits both.
    pub fn networks(&self) -> Vec<&'static str> {
        if self.names.len() < FEWEST {
            return Vec::new();
        }
        let all = PUBLISHED.iter().filter(|published| self.names_fit(published));
        let fits = |published: &&'static Published| {
            self.candidate(published, None).is_ok_and(|candidate| candidate.misfit.is_empty())
        };
        all.filter(fits).map(|published| published.network).collect()
    }

    /// Whether each of the file's names is one of the network's library.
    fn names_fit(&self, published: &Published) -> bool {
        self.names.iter().all(|name| published.ours(name).is_some())
    }

    /// The network with the file's weights, for pixels from 0 to 255: `network` is one of
    /// [`networks::NAMES`], or `None` for the one that fits. `image_size` is by default 224.
    ///
    /// Its first layer, `normalization`, brings pixels into the distribution that the library's usual weights
    /// were trained with: ImageNet's mean and deviation, or -1 to 1 for `tf_efficientnet_lite0`. Some weights
    /// were trained with others, which no file says.
    ///
    /// # Errors
    /// If no network fits or several do and none is asked for; if tensors are missing, unexpected or of other
    /// shapes (all are listed), of a type other than F32, F16, BF16 and F64, or hold NaN or infinity.
    pub fn model(&mut self, network: Option<&str>, image_size: Option<usize>) -> Result<Model> {
        let network = match network {
            Some(network) => network,
            None => self.detected()?,
        };
        let mut candidate = self.nearest(network, image_size)?;
        self.fill(&candidate.pairs, &mut candidate.model)?;
        Ok(candidate.model)
    }

    /// Loads the weights into a model that [`networks::graph`] described.
    ///
    /// # Errors
    /// As [`StateDict::model`], and if the number of classes differs. The model is unchanged then.
    pub fn load_into(&mut self, model: &mut Model) -> Result<()> {
        let candidates =
            named(model.name())?.map(|published| self.beside(published, model.clone()));
        let candidate = self.accepted(candidates.collect())?;
        let mut filled = candidate.model;
        self.fill(&candidate.pairs, &mut filled)?;
        *model = filled;
        Ok(())
    }

    /// The only network that fits.
    fn detected(&self) -> Result<&'static str> {
        match self.networks().as_slice() {
            [network] => Ok(network),
            [] => Err(self.unknown()),
            several => Err(Error::file(
                self.file.path(),
                format!("its tensors fit several networks: {}", several.join(", ")),
                "say which one; those with tf_ have TensorFlow's padding and epsilon",
            )),
        }
    }

    /// The error for a file that no network fits: what is wrong with it if it nearly is one.
    fn unknown(&self) -> Error {
        let all = if self.names.len() < FEWEST { &[][..] } else { &PUBLISHED };
        let all = all.iter().filter_map(|published| self.candidate(published, None).ok());
        let near = |candidate: &Candidate| candidate.misfit.len() < candidate.pairs.len();
        match all.min_by_key(|candidate| candidate.misfit.len()).filter(near) {
            Some(nearest) => self.refused(&nearest),
            None => Error::file(
                self.file.path(),
                format!(
                    "its tensors are not those of a network that is known by name ({}); among them are {}",
                    known().join(", "),
                    list(&self.names)
                ),
                "export the network to ONNX",
            ),
        }
    }

    /// The network under the library's names that fit best, if they fit.
    fn nearest(&self, network: &str, image_size: Option<usize>) -> Result<Candidate> {
        let candidates = named(network)?.map(|published| self.candidate(published, image_size));
        self.accepted(candidates.collect::<Result<_>>()?)
    }

    fn accepted(&self, candidates: Vec<Candidate>) -> Result<Candidate> {
        let best = candidates.into_iter().min_by_key(|candidate| candidate.misfit.len());
        let best = best.ok_or_else(|| Error::Internal("a network without names".into()))?;
        if best.misfit.is_empty() {
            return Ok(best);
        }
        Err(self.refused(&best))
    }

    fn refused(&self, Candidate { published, misfit, .. }: &Candidate) -> Error {
        let Published { network, library, .. } = published;
        let problem = format!("its tensors are not those of {network} of {library}");
        let others = self.networks();
        let remedy = match others.as_slice() {
            _ if misfit.is_of_classes() => {
                "build the network with the file's classes, and replace and train its \
                                            classifier if there are others to tell apart"
                    .into()
            }
            [] => "use a file of this network, or say which other network it holds".into(),
            others => format!("they are those of {}", others.join(" and of ")),
        };
        Error::file(self.file.path(), problem, format!("{remedy}{misfit}"))
    }

    /// The network with as many classes as the file has, its parameters 0, beside the file.
    fn candidate(
        &self,
        published: &'static Published,
        image_size: Option<usize>,
    ) -> Result<Candidate> {
        let (logits, features) = published.classifier;
        // Only a number of classes that the file has the weights of: no more is allocated than it holds.
        let classes = match self.file.shape(&format!("{logits}.weight")) {
            Some(&[classes, inputs]) if inputs == features => classes,
            _ => USUAL_CLASSES,
        };
        let size = image_size.unwrap_or(USUAL_IMAGE_SIZE);
        let pixels = published.pixels.map(|numbers| numbers.map(|number| 255.0 * number));
        let first = Arc::new(Normalization::new(pixels[0], pixels[1]));
        let (name, input) = (published.network, [size, size, 3]);
        let (graph, output) = graph_behind("normalization", first, name, input, classes)?;
        let model = graph.build_with(output, |_, _, spec| Ok(Tensor::zeros(spec.shape.clone())))?;
        Ok(self.beside(published, model))
    }

    fn beside(&self, published: &'static Published, model: Model) -> Candidate {
        let own: HashSet<&str> = model.parameters().iter().map(|p| p.name.as_str()).collect();
        let mut pairs = BTreeMap::new();
        let mut misfit = Misfit { classifier: published.classifier.0.into(), ..Misfit::default() };
        for theirs in &self.names {
            match published.ours(theirs) {
                Some(ours) if !pairs.contains_key(&ours) && own.contains(ours.as_str()) => {
                    pairs.insert(ours, theirs.clone());
                }
                _ => misfit.unexpected.push(theirs.clone()),
            }
        }
        for parameter in model.parameters() {
            let own = &parameter.name;
            let Some(theirs) = pairs.get(own) else {
                misfit.missing.push(published.theirs(own).unwrap_or_else(|| own.clone()));
                continue;
            };
            let (shape, expected) = (self.file.shape(theirs).unwrap_or(&[]), &parameter.value);
            if shape != expected.dims() {
                let expected = expected.dims().to_vec();
                misfit.mismatched.push((theirs.clone(), shape.to_vec(), expected));
            }
        }
        Candidate { published, model, pairs, misfit }
    }

    fn fill(&mut self, pairs: &BTreeMap<String, String>, model: &mut Model) -> Result<()> {
        for parameter in model.parameters_mut() {
            let Some(theirs) = pairs.get(&parameter.name) else { continue };
            let value = self.file.read_as_f32(theirs)?;
            if !value.is_finite() {
                return Err(Error::file(
                    self.file.path(),
                    format!("tensor {theirs} holds NaN or infinity"),
                    "the file is damaged, or its training diverged; write it again",
                ));
            }
            parameter.value = Arc::new(value);
        }
        Ok(())
    }
}

/// The networks that have published names.
fn known() -> Vec<&'static str> {
    let mut known: Vec<_> = PUBLISHED.iter().map(|published| published.network).collect();
    known.dedup();
    known
}

/// A network under the names of each library.
fn named(network: &str) -> Result<impl Iterator<Item = &'static Published> + use<>> {
    let all: Vec<_> = PUBLISHED.iter().filter(|known| known.network == network).collect();
    if all.is_empty() {
        let is_here = networks::NAMES.iter().any(|(name, _)| *name == network);
        return Err(Error::setting(
            "the network of a PyTorch file",
            format!("one of {}", known().join(", ")),
            network,
            match is_here {
                true => {
                    "no library publishes weights of this one; choose the one the file was made of"
                }
                false => "choose the one the file was made of, or export it to ONNX",
            },
        ));
    }
    Ok(all.into_iter())
}

#[cfg(test)]
mod tests;
