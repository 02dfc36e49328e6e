//! Opens image classifiers from ONNX files as models of [`nn_core`]: with gradients, so that they can be explained,
//! trained further and stored. [`Export`] writes any model as an ONNX file.
//!
//! ```
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/onnx/group_norm.onnx");
//! let imported = nn_onnx::read(path.as_ref())?;
//! assert_eq!(imported.input_size(), Some((16, 16)));
//! assert_eq!(imported.model.classes(), 5);
//! // A node of the file, or a value, names a layer.
//! assert_eq!(imported.layer("/0/Conv_output_0"), Some("/0/Conv"));
//! println!("{}", imported.model.summary());
//! for note in imported.notes() {
//!     println!("{note}");
//! }
//! # Ok::<(), nn_core::Error>(())
//! ```
//!
//! Reading is a small compiler. `proto` has the messages of a file; `graph` checks them and brings the nodes into
//! order, with `tensors` and `external` for weights; `lowering` walks over the nodes: what does not depend on the
//! image is computed (`fold`), the rest becomes layers (`operators`), whose values lie in memory as a `layout` says;
//! `simplify` joins what exporters write out; `emit` makes the model.
//!
//! A file's batch size is of no account: the model runs any. Images are channels-last as everywhere in nn-core,
//! whatever the file has. How pixels are to be scaled is not in an ONNX file, unless [`Export`] wrote it into the
//! metadata.
//!
//! What is trained further are the weights of layers that learn (convolutions, matrix products, normalisations, slopes),
//! and initialisers of real numbers that a node combines with a value: biases, layer scales, position embeddings.
//! Constants that nodes give or that follow from shapes, and masks (0 and one other number), are stored with the model,
//! but [not trained](nn_core::model::Model::parameters); constants of one number are settings of layers.
//!
//! Files are not trusted: sizes are checked before anything is allocated, and nothing outside the model's folder is
//! read.

#![warn(missing_debug_implementations)]
// Tests may do these; library code must not.
#![cfg_attr(
    not(test),
    deny(
        clippy::dbg_macro,
        clippy::exit,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::todo,
        clippy::unimplemented,
        clippy::unwrap_used,
    )
)]

mod array;
mod attributes;
mod branches;
mod call;
mod emit;
mod export;
mod external;
mod fold;
mod graph;
mod imported;
mod input;
mod layout;
mod literal;
mod lowering;
mod metadata;
mod net;
mod operators;
mod proto;
mod refusal;
mod shapes;
mod simplify;
mod tensors;
mod value;
mod wire;

#[cfg(test)]
mod tests;

pub use export::{Export, kinds};
pub use imported::{Imported, Report};
pub use input::ReadOptions;

use bytes::Bytes;
use external::ExternalData;
use graph::Graph;
use nn_core::files::read_limited;
use nn_core::{Error, Result};
use prost::Message;
use proto::ModelProto;
use std::path::Path;

/// The largest file: protobuf's own limit. Weights beyond it lie in files beside the model.
const MOST_BYTES: u64 = 1 << 31;

/// Opens the ONNX file at `path`.
///
/// # Errors
/// Those of [`read_with`].
pub fn read(path: &Path) -> Result<Imported> {
    read_with(path, &ReadOptions::default())
}

/// Opens the ONNX file at `path`; weights in other files are read from its folder.
///
/// ```
/// use nn_onnx::ReadOptions;
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/onnx/softmax_any_size.onnx");
/// let options = ReadOptions { input_size: Some((24, 32)), ..Default::default() };
/// let imported = nn_onnx::read_with(path.as_ref(), &options)?;
/// assert_eq!(imported.model.input_shape().dims(), [24, 32, 3]);
/// assert!(imported.report.activation_taken_off);
/// # Ok::<(), nn_core::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is damaged, or is no image classifier that can be computed here. The error names the
/// node, its operator and attribute, and says what to do.
pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Imported> {
    let remedy = "export with external data: weights beside the model";
    let bytes = read_limited(path, MOST_BYTES, remedy)?;
    decode(bytes.into(), &mut ExternalData::beside(path), options)
        .map_err(|refusal| Error::file(path, refusal.problem, refusal.remedy))
}

/// Opens the content of an ONNX file that has its weights inside.
///
/// # Errors
/// As [`read_with`].
pub fn read_bytes(bytes: impl Into<Bytes>, options: &ReadOptions) -> Result<Imported> {
    decode(bytes.into(), &mut ExternalData::none(), options)
        .map_err(|refusal| Error::file(Path::new("ONNX model"), refusal.problem, refusal.remedy))
}

/// The names of the operators that are read where they depend on the image; what does not is computed while reading,
/// by more of them.
pub fn operators() -> Vec<&'static str> {
    operators::names()
}

fn decode(
    bytes: Bytes,
    external: &mut ExternalData<'_>,
    options: &ReadOptions,
) -> refusal::Result<Imported> {
    wire::check(&bytes)?;
    let mut proto = ModelProto::decode(bytes).map_err(|error| {
        refusal::Refusal::new(
            format!("it is no ONNX file, or damaged: {error}"),
            "give a whole file that an exporter of ONNX wrote",
        )
    })?;
    let mut report = Report::new(&mut proto);
    let graph = Graph::new(proto, external, options.output.as_deref())?;
    report.opset = graph.opset;
    let mut options = options.clone();
    let known = metadata::output_kind(&report.metadata)?;
    options.output_kind = options.output_kind.or(known);
    let input = input::choose(&graph, &options)?;
    imported::import(graph, input, &options, report)
}
