//! The bytes of a file, and of the weights beside it.

use super::graph::{Constant, Numbers};
use super::proto::{self, FLOAT, INT64, entry};
use crate::proto::{ModelProto, TensorProto};
use bytes::Bytes;
use nn_core::files::FileDraft;
use nn_core::{Error, Result};
use prost::Message;
use std::io::{self, Write};
use std::path::Path;

/// The most bytes of weights in a file: protobuf's limit of 2 GiB, less room for the graph.
const MOST_INSIDE: u64 = (1 << 31) - (1 << 26);

/// What is smaller stays in the file.
const LEAST_BESIDE: u64 = 1024;

/// Where numbers beside a file begin: at multiples of a page, so that they can be mapped.
const PAGE: u64 = 4096;

impl Numbers<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Weights(tensor) => 4 * tensor.len() as u64,
            Self::Floats(values) => 4 * values.len() as u64,
            Self::Integers(values) => 8 * values.len() as u64,
        }
    }

    fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Weights(tensor) => floats(to, tensor.as_slice()),
            Self::Floats(values) => floats(to, values),
            Self::Integers(values) => {
                values.iter().try_for_each(|v| to.write_all(&v.to_le_bytes()))
            }
        }
    }
}

fn floats(to: &mut dyn Write, values: &[f32]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(1 << 16);
    for chunk in values.chunks(1 << 14) {
        bytes.clear();
        bytes.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
        to.write_all(&bytes)?;
    }
    Ok(())
}

/// A model without its constants, and these.
#[derive(Debug)]
pub struct Document<'a> {
    pub model: ModelProto,
    pub constants: Vec<Constant<'a>>,
}

impl Document<'_> {
    /// Whether the weights are more than a file can have.
    pub fn is_too_large(&self) -> bool {
        self.constants.iter().map(|constant| constant.numbers.len()).sum::<u64>() > MOST_INSIDE
    }

    /// The bytes of a file that has its weights inside.
    ///
    /// # Errors
    /// If these are too many.
    pub fn into_bytes(mut self) -> Result<Vec<u8>> {
        if self.is_too_large() {
            return Err(Error::setting(
                "the weights of an ONNX file",
                "less than 2 GiB, all that its form can hold",
                "more",
                "write it to a path: the weights then lie in a file beside it",
            ));
        }
        let tensors = self.constants.iter().map(|constant| {
            let mut bytes = Vec::with_capacity(constant.numbers.len() as usize);
            // Memory takes all that is written.
            let _ = constant.numbers.write(&mut bytes);
            TensorProto { raw_data: Bytes::from(bytes), ..tensor(constant) }
        });
        let tensors = tensors.collect();
        self.put(tensors);
        Ok(self.model.encode_to_vec())
    }

    /// Writes the file, with its weights inside.
    pub fn write(self, path: &Path) -> Result<()> {
        let bytes = self.into_bytes()?;
        nn_core::files::write_atomically(path, |file| file.write_all(&bytes))
    }

    /// Writes the file, and its weights to another of its name and `.data`.
    pub fn write_beside(mut self, path: &Path) -> Result<()> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::file(
                path,
                "weights beside a file are found by its name, which is no text",
                "give the file a name of letters and digits",
            ));
        };
        let location = format!("{name}.data");
        let mut end = 0;
        let mut tensors = Vec::with_capacity(self.constants.len());
        let mut beside = Vec::new();
        for constant in &self.constants {
            let len = constant.numbers.len();
            let mut proto = tensor(constant);
            // Only initialisers can lie outside.
            if len < LEAST_BESIDE || constant.is_node {
                let mut bytes = Vec::new();
                let _ = constant.numbers.write(&mut bytes);
                proto.raw_data = bytes.into();
            } else {
                let offset = u64::next_multiple_of(end, PAGE);
                beside.push((offset - end, &constant.numbers));
                end = offset + len;
                proto.data_location = 1;
                proto.external_data = vec![
                    entry("location", &location),
                    entry("offset", offset.to_string()),
                    entry("length", len.to_string()),
                ];
            }
            tensors.push(proto);
        }
        let data = FileDraft::write(&path.with_file_name(&location), |file| {
            for (gap, numbers) in &beside {
                file.write_all(&[0; PAGE as usize][..*gap as usize])?;
                numbers.write(file)?;
            }
            Ok(())
        })?;
        self.put(tensors);
        let bytes = self.model.encode_to_vec();
        let model = FileDraft::write(path, |file| file.write_all(&bytes))?;
        // Both are there before either gets its name.
        data.commit()?;
        model.commit()
    }

    /// Puts the constants, in their order, into the graph: as nodes before all others, or as initialisers.
    fn put(&mut self, tensors: Vec<TensorProto>) {
        let Some(graph) = &mut self.model.graph else { return };
        let mut nodes = Vec::new();
        for (tensor, constant) in tensors.into_iter().zip(&self.constants) {
            if constant.is_node {
                let (name, value) = (constant.name.clone(), vec![proto::tensor("value", tensor)]);
                nodes.push(proto::node(name, "Constant", &[], &constant.name, value));
            } else {
                graph.initializer.push(tensor);
            }
        }
        graph.node.splice(0..0, nodes);
    }
}

/// A constant without its numbers.
fn tensor(constant: &Constant<'_>) -> TensorProto {
    let data_type = match constant.numbers {
        Numbers::Weights(_) | Numbers::Floats(_) => FLOAT,
        Numbers::Integers(_) => INT64,
    };
    let dims = constant.dims.iter().map(|&dim| dim as i64).collect();
    TensorProto { name: constant.name.clone(), dims, data_type, ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::Tensor;

    #[test]
    fn more_than_a_file_can_hold_is_refused_before_it_is_made() {
        let weight = Tensor::zeros([1 << 20]);
        let constant = |i: usize| Constant {
            name: format!("{i}"),
            dims: vec![1 << 20],
            numbers: Numbers::Weights(&weight),
            is_node: false,
        };
        let document = |count: usize| Document {
            model: ModelProto::default(),
            constants: (0..count).map(constant).collect(),
        };
        assert!(!document(496).is_too_large());
        assert!(document(497).is_too_large());
        let refused = document(512).into_bytes().unwrap_err().to_string();
        assert!(refused.contains("2 GiB") && refused.contains("beside it"), "{refused}");
    }
}
