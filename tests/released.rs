//! Files of version 0.1.0, written before models became graphs, still load, and are written as before.
//!
//! The fixtures hold the metadata and the shapes of the tensors; the numbers are made here.

use nn_core::model::{self, ReferenceCnn, Sequential};
use nn_core::optim::OptimizerConfig;
use nn_core::train::{Checkpoint, FitOptions, Trainer};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use twox_hash::XxHash3_128;

/// The name of the checksum among a checkpoint's tensors.
const CHECKSUM: &str = "xxh3";

#[derive(Deserialize)]
struct Released {
    metadata: HashMap<String, String>,
    tensors: BTreeMap<String, Vec<usize>>,
}

impl Released {
    fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap()
    }

    /// Writes it with numbers from 0 to 0.06, 0, 0.01, ...
    fn write(&self, path: &Path) {
        let bytes: BTreeMap<&str, Vec<u8>> = self
            .tensors
            .iter()
            .map(|(name, shape)| {
                let len: usize = shape.iter().product();
                if name == CHECKSUM {
                    return (name.as_str(), vec![0; len]);
                }
                let numbers = (0..len).map(|i| (i % 7) as f32 * 0.01);
                (name.as_str(), numbers.flat_map(f32::to_le_bytes).collect())
            })
            .collect();
        let mut views = Vec::new();
        for (&name, bytes) in &bytes {
            let shape = self.tensors[name].clone();
            let dtype = if name == CHECKSUM { Dtype::U8 } else { Dtype::F32 };
            views.push((name, TensorView::new(dtype, shape, bytes).unwrap()));
        }
        let mut bytes = serialize(views, Some(self.metadata.clone())).unwrap();
        if self.tensors.contains_key(CHECKSUM) {
            // The last 16 bytes are the hash of all others.
            let end = bytes.len() - 16;
            let hash = XxHash3_128::oneshot(&bytes[..end]).to_be_bytes();
            bytes[end..].copy_from_slice(&hash);
        }
        std::fs::write(path, bytes).unwrap();
    }
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.safetensors");
    (folder, path)
}

#[test]
fn a_model_loads_and_is_written_as_before() {
    let released = Released::read(include_str!("fixtures/released/model.json"));
    let (_folder, path) = scratch();
    released.write(&path);
    let file = model::load(&path, None).unwrap();
    let reference: Sequential = ReferenceCnn::new(2, 64).build(27).unwrap();
    assert_eq!(file.model.architecture().unwrap(), reference.architecture().unwrap());
    assert_eq!(file.classes.as_deref(), Some(&["husky".to_string(), "wolf".into()][..]));
    assert_eq!(file.model.get("conv1.bias").unwrap().value.as_slice()[..3], [0.0, 0.01, 0.02]);

    model::save_with(&path, &file.model, file.classes.as_deref(), &file.notes).unwrap();
    let written = std::fs::read(&path).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&written).unwrap();
    assert_eq!(metadata.metadata().as_ref().unwrap(), &released.metadata);
}

#[test]
fn a_run_goes_on_from_its_checkpoint() {
    let released = Released::read(include_str!("fixtures/released/checkpoint.json"));
    let (_folder, path) = scratch();
    released.write(&path);
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!((checkpoint.history().len(), checkpoint.options().batch_size), (1, 4));
    let model = ReferenceCnn::new(2, 64).build::<f32>(27).unwrap();
    let options = FitOptions { epochs: 2, ..FitOptions::default() };
    let optimizer = OptimizerConfig::adam().build().unwrap();
    let trainer = Trainer::new(model, optimizer, options).unwrap().resume(checkpoint).unwrap();
    assert_eq!(trainer.position(), (2, 0));
    let weight = &trainer.model().get("dense1.weight").unwrap().value;
    assert_eq!(weight.as_slice()[..3], [0.0, 0.01, 0.02]);
}
