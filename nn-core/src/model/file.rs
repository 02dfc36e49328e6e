//! The model file, `model.safetensors`.
//!
//! Parameters are stored in `f32` under their names, in PyTorch's layouts. The metadata has
//! `format = "pt"` and these keys:
//!
//! ```text
//! nn.version        1 for a chain of layers, 2 for any other graph
//! nn.architecture   the layers, as JSON
//! nn.classes        the classes' names in the outputs' order, as JSON
//! nn.image_size     height x width of the images, as in 256x256
//! ```
//!
//! A file without `nn.architecture` is loaded as the built-in network ([`ReferenceCnn`]), or as the network of
//! torchvision or timm whose names and shapes its tensors have ([`StateDict`]).

use super::safetensors::{TensorFile, list, write};
use super::{
    Architecture, GraphBuilder, Model, NodeId, ReferenceCnn, SequentialBuilder, StateDict,
};
use crate::error::{Error, Result};
use crate::layers::{LayerKinds, OutputKind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The versions of this format: of files that hold a chain of layers, and of all others.
const VERSIONS: [&str; 2] = ["1", "2"];

/// The metadata keys of this format.
const OWN_KEYS: [&str; 4] = ["nn.version", "nn.architecture", "nn.classes", "nn.image_size"];

/// The image size of a file that does not store it.
const USUAL_IMAGE_SIZE: usize = 256;

/// The content of a model file.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// The model.
    pub model: Model<f32>,
    /// The classes' names, in the order of the outputs, if stored.
    pub classes: Option<Vec<String>>,
    /// Additional metadata stored by programs: all entries whose keys start with `nn.` and are not
    /// among those of this format.
    pub notes: BTreeMap<String, String>,
}

/// Writes a model atomically. The same model gives the same bytes.
///
/// # Errors
/// Those of [`save_with`].
pub fn save(path: &Path, model: &Model<f32>, classes: Option<&[String]>) -> Result<()> {
    save_with(path, model, classes, &BTreeMap::new())
}

/// [`save`] with additional metadata, whose keys start with `nn.`.
///
/// # Errors
/// If a note's key does not start with `nn.` or belongs to this format, a layer is not a built-in one,
/// a parameter has NaN or infinity, the number of classes does not fit the outputs (one per output, two for a
/// single sigmoid output), or the file cannot be written; an existing file is unchanged then.
pub fn save_with(
    path: &Path,
    model: &Model<f32>,
    classes: Option<&[String]>,
    notes: &BTreeMap<String, String>,
) -> Result<()> {
    let architecture = model.architecture()?;
    if let Some(key) = notes.keys().find(|key| !is_note(key)) {
        let expected = format!("one beginning with nn., and none of {}", OWN_KEYS.join(", "));
        return Err(Error::setting("a note's key", expected, key, "choose another key"));
    }
    let mut metadata = notes.clone();
    metadata.insert("format".to_owned(), "pt".to_owned());
    let version = VERSIONS[usize::from(!architecture.is_chain())];
    metadata.insert("nn.version".into(), version.into());
    metadata.insert("nn.architecture".into(), to_json(&architecture)?);
    if let Some(classes) = classes {
        if !fits(model, classes) {
            return Err(Error::setting(
                "the number of classes",
                format!("that of the model's outputs {}", model.output_shape()),
                classes.len(),
                "save the model with the classes it was trained on",
            ));
        }
        metadata.insert("nn.classes".into(), to_json(&classes)?);
    }
    if let &[height, width, _] = architecture.input.as_slice() {
        metadata.insert("nn.image_size".into(), format!("{height}x{width}"));
    }
    if let Some(broken) = model.parameters().iter().find(|p| !p.value.is_finite()) {
        return Err(Error::setting(
            format!("a model to be stored: {}", broken.name),
            "finite numbers",
            "NaN or infinity",
            "the training diverged; lower the learning rate and train again",
        ));
    }
    let tensors = model.parameters().iter().map(|p| (p.name.as_str(), p.value.as_ref()));
    write(path, tensors, &metadata)
}

/// Whether a metadata key is a program's note.
fn is_note(key: &str) -> bool {
    key.starts_with("nn.") && !OWN_KEYS.contains(&key)
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Error::Internal(format!("the model cannot be written as JSON: {e}")))
}

/// Whether the number of classes fits the model's outputs.
fn fits(model: &Model<f32>, classes: &[String]) -> bool {
    match (model.output_kind(), model.output_shape().dims()) {
        (OutputKind::Sigmoid, [1]) => classes.len() == 2,
        (_, [outputs]) => *outputs == classes.len(),
        _ => false,
    }
}

/// Loads a model. `image_size` is for files that do not store it (by default 256); for others it must
/// equal the stored size.
///
/// # Errors
/// If the file cannot be read, is not a safetensors file, or is not a model this crate can run: a
/// tensor is missing, unexpected, of another type or shape, or contains NaN or infinity.
pub fn load(path: &Path, image_size: Option<usize>) -> Result<ModelFile> {
    load_with(path, image_size, &LayerKinds::built_in())
}

/// [`load`] for files with layers of other crates: `kinds` has theirs.
///
/// # Errors
/// As [`load`]; if a layer is of a kind that is not among `kinds`.
pub fn load_with(path: &Path, image_size: Option<usize>, kinds: &LayerKinds) -> Result<ModelFile> {
    let mut file = TensorFile::open(path)?;
    // The built-in network has no batch normalisation, those of PyTorch's libraries have.
    let has_statistics = || file.names().iter().any(|name| name.ends_with(".running_mean"));
    if file.metadata("nn.architecture").is_none() && has_statistics() {
        return published(StateDict::new(file).model(None, image_size)?);
    }
    let notes = file.all_metadata().filter(|(key, _)| is_note(key));
    let notes = notes.map(|(key, note)| (key.to_string(), note.to_string())).collect();
    let ((graph, output), classes) = match file.metadata("nn.architecture") {
        Some(text) => {
            check_version(&file)?;
            let architecture: Architecture = parse(&file, "nn.architecture", text)?;
            check_image_size(&architecture, image_size)?;
            let classes = file.metadata("nn.classes");
            let classes: Option<Vec<String>> =
                classes.map(|text| parse(&file, "nn.classes", text)).transpose()?;
            (architecture.graph(kinds).map_err(|e| cannot_be_built(path, e))?, classes)
        }
        None => (builtin(&file, image_size)?.into_graph(), None),
    };
    let model = fill(graph, output, &mut file)?;
    if let Some(classes) = &classes
        && !fits(&model, classes)
    {
        return Err(Error::file(
            path,
            format!("{} classes for outputs {}", classes.len(), model.output_shape()),
            "the file is damaged; write it again",
        ));
    }
    Ok(ModelFile { model, classes, notes })
}

/// Loads a file of PyTorch's tensors, which does not say its network, as `network`: one that torchvision or timm
/// publish ([`StateDict`]). `image_size` is by default 224.
///
/// # Errors
/// Those of [`StateDict::model`]; if the file says its network itself.
pub fn load_as(path: &Path, network: &str, image_size: Option<usize>) -> Result<ModelFile> {
    let file = TensorFile::open(path)?;
    if file.metadata("nn.architecture").is_some() {
        let problem = format!("it says which network it holds, {network} is asked for");
        return Err(Error::file(path, problem, "leave the network's name away"));
    }
    published(StateDict::new(file).model(Some(network), image_size)?)
}

fn published(model: Model) -> Result<ModelFile> {
    Ok(ModelFile { model, classes: None, notes: BTreeMap::new() })
}

fn check_version(file: &TensorFile) -> Result<()> {
    match file.metadata("nn.version") {
        Some(version) if VERSIONS.contains(&version) => Ok(()),
        other => Err(Error::file(
            file.path(),
            format!(
                "its nn.version is {}, not {}",
                other.unwrap_or("missing"),
                VERSIONS.join(" or ")
            ),
            "read it with the version of this program that wrote it, or a newer one",
        )),
    }
}

fn check_image_size(architecture: &Architecture, image_size: Option<usize>) -> Result<()> {
    match (image_size, architecture.input.as_slice()) {
        (Some(asked), &[height, width, _]) if (height, width) != (asked, asked) => {
            Err(Error::setting(
                "the image size",
                format!("{height}x{width}, as the model was trained with"),
                asked,
                "leave it away: the file says it",
            ))
        }
        _ => Ok(()),
    }
}

fn parse<T: serde::de::DeserializeOwned>(file: &TensorFile, key: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| {
        Error::file(file.path(), format!("its {key} cannot be understood: {e}"), "write it again")
    })
}

/// Builds the model with the parameters in the file; each is checked before memory is allocated for it.
fn fill(graph: GraphBuilder<f32>, output: NodeId, file: &mut TensorFile) -> Result<Model<f32>> {
    let path = file.path().to_path_buf();
    let mut left: BTreeSet<_> = file.names().into_iter().collect();
    let model = graph.build_with(output, |_, name, spec| {
        left.remove(name);
        if let Some(shape) = file.shape(name)
            && shape != spec.shape.dims()
        {
            return Err(Error::file(
                &path,
                format!("tensor {name} has shape {shape:?}, the network needs {}", spec.shape),
                "use a file whose tensors fit the network and image size",
            ));
        }
        let tensor = file.read(name)?;
        if !tensor.is_finite() {
            return Err(Error::file(
                &path,
                format!("tensor {name} holds NaN or infinity"),
                "the training diverged or the file is damaged; train again",
            ));
        }
        Ok(tensor)
    });
    let model = model.map_err(|error| cannot_be_built(&path, error))?;
    if !left.is_empty() {
        let left: Vec<_> = left.into_iter().collect();
        return Err(Error::file(
            &path,
            format!("tensors that are not the network's: {}", list(&left)),
            "use a file that holds this network only",
        ));
    }
    Ok(model)
}

/// An error of the network that a file describes, as one of the file.
fn cannot_be_built(path: &Path, error: Error) -> Error {
    match error {
        Error::Shape { .. } | Error::Setting { .. } => Error::file(
            path,
            format!("the network it describes cannot be built: {error}"),
            "the file is damaged, or not from this program",
        ),
        other => other,
    }
}

/// The built-in network with the sizes of the file's tensors.
fn builtin(file: &TensorFile, image_size: Option<usize>) -> Result<SequentialBuilder<f32>> {
    let side = image_size.unwrap_or(USUAL_IMAGE_SIZE);
    let dims = |name: &str, rank: usize| match file.shape(name) {
        Some(shape) if shape.len() == rank => Ok(shape),
        found => Err(Error::file(
            file.path(),
            format!(
                "without nn.architecture it must be the built-in network, whose {name} has {rank} \
                 dimensions; here it has {}, among {}",
                found.map_or("none".into(), |shape| format!("{shape:?}")),
                list(&file.names())
            ),
            "use a model.safetensors of this program, or give your tensors the names and layouts \
             of the built-in network",
        )),
    };
    let convs = [dims("conv1.weight", 4)?, dims("conv2.weight", 4)?, dims("conv3.weight", 4)?];
    let hidden = dims("dense1.weight", 2)?;
    let network = ReferenceCnn {
        classes: dims("dense2.weight", 2)?[0],
        image_size: (side, side),
        channels: convs[0][1],
        filters: convs.map(|shape| shape[0]),
        kernel_sizes: convs.map(|shape| (shape[2], shape[3])),
        units: hidden[0],
    };
    // The only mismatch expected in a valid file: the image size. It has a message of its own.
    let received = hidden[1];
    let sizes: Vec<_> = (1..=4096).filter(|&s| network.features(s) == Some(received)).collect();
    if network.features(side) != Some(received)
        && let (Some(first), Some(last)) = (sizes.first(), sizes.last())
    {
        return Err(Error::file(
            file.path(),
            format!(
                "its dense1.weight takes {received} features, which images of size {side} do not give"
            ),
            format!("say the image size it was trained with, one from {first} to {last}"),
        ));
    }
    Ok(network.builder())
}
