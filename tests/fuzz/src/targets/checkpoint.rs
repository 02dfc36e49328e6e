//! `checkpoint.safetensors`. A checkpoint that can be read is resumed by a small trainer, saved and
//! read again with the same content; for a damaged one, the previous checkpoint is used.
//!
//! The checksum, which would reject nearly all inputs, is corrected in the previous checkpoint. If
//! the first byte is `{`, the input is a header, a line end, and numbers that are repeated: lengths
//! are made to fit, text in a checkpoint may be written as JSON, and offsets may be omitted.

use super::files::{folder, tensor_file};
use nn_core::layers::{Activation, Dense, Dropout};
use nn_core::model::Sequential;
use nn_core::model::safetensors::TensorFile;
use nn_core::optim::{Decayed, OptimizerConfig};
use nn_core::tensor::BufferPool;
use nn_core::train::{
    Batch, CHECKPOINT_FILE, Checkpoint, Checkpoints, Examples, FitOptions,
    PREVIOUS_CHECKPOINT_FILE, Silent, Trainer,
};
use nn_core::{Result, Tensor};
use serde_json::{Value, json};
use std::path::Path;
use twox_hash::XxHash3_128;

/// Bytes of a checksum.
const CHECKSUM: usize = 16;

pub fn run(data: &[u8]) {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let mut file = described(data).unwrap_or_else(|| data.to_vec());
    std::fs::write(path(CHECKPOINT_FILE), &file).expect("it can be written");
    if let Some((content, checksum)) = file.split_last_chunk_mut::<CHECKSUM>() {
        checksum.copy_from_slice(&XxHash3_128::oneshot(content).to_be_bytes());
        std::fs::write(path(PREVIOUS_CHECKPOINT_FILE), &file).expect("it can be written");
    }
    if let Ok(Some(latest)) = Checkpoints::new(folder.path()).latest() {
        check(latest.checkpoint, &path("again.safetensors"));
    }
}

/// Resumes from the checkpoint, if it fits this trainer.
fn check(checkpoint: Checkpoint, again: &Path) {
    let (note, history) = (checkpoint.note().to_string(), checkpoint.history().clone());
    let Some(trainer) = resumed(checkpoint) else { return };
    trainer.save(again, &note).expect("what was read can be written");
    let saved = std::fs::read(again).expect("it was written");
    let back = Checkpoint::open(again).expect("what was written can be read");
    assert_eq!((back.note(), back.history()), (note.as_str(), &history));
    let mut trainer = resumed(back).expect("it was gone on with before");
    trainer.save(again, &note).expect("what was read can be written");
    assert_eq!(std::fs::read(again).expect("it was written"), saved);
    if trainer.fit(&Points, None, &mut Silent).is_ok() {
        assert_eq!(trainer.history().len(), history.len() + 1);
    }
}

/// A trainer with the settings of the checkpoint and its optimiser, for one more epoch.
fn resumed(checkpoint: Checkpoint) -> Option<Trainer> {
    let file = TensorFile::open(checkpoint.path()).expect("it was opened before");
    let state: Value = serde_json::from_str(file.metadata("nn.checkpoint")?).ok()?;
    let optimizer = match state["optimizer"].as_str()? {
        "sgd" => OptimizerConfig::Sgd {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 0.0,
            decayed: Decayed::All,
        },
        "adamw" => OptimizerConfig::adamw(),
        _ => OptimizerConfig::adam(),
    };
    let model = Sequential::builder([2])
        .layer(Dense::new(3).activation(Activation::Relu))
        .layer(Dropout::new(0.5))
        .layer(Dense::new(2))
        .build(27);
    let epochs = checkpoint.history().len() + 1;
    let options = FitOptions { epochs, ..checkpoint.options().clone() };
    let optimizer = optimizer.build().expect("these are the usual settings");
    Trainer::new(model.expect("it is a small one"), optimizer, options)
        .ok()?
        .resume(checkpoint)
        .ok()
}

/// Five points of two classes.
struct Points;

impl Examples for Points {
    fn len(&self) -> usize {
        5
    }

    fn batch(&self, indices: &[usize], _: &BufferPool<f32>) -> Result<Batch> {
        let x = Tensor::from_fn([indices.len(), 2], |i| (indices[i / 2] + i % 2) as f32);
        let labels: Vec<usize> = indices.iter().map(|i| i % 2).collect();
        Ok((x, labels).into())
    }
}

/// The file that `data` describes, if it has that form.
fn described(data: &[u8]) -> Option<Vec<u8>> {
    let end = data.iter().position(|&byte| byte == b'\n')?;
    let mut header: Value =
        serde_json::from_slice(data.starts_with(b"{").then(|| &data[..end])?).ok()?;
    let tensors = header.as_object_mut()?;
    for text in tensors.get_mut("__metadata__")?.as_object_mut()?.values_mut() {
        if !text.is_string() {
            *text = text.to_string().into();
        }
    }
    let mut total = 0u64;
    tensors.entry("xxh3").or_insert(json!({ "dtype": "U8", "shape": [CHECKSUM] }));
    let (checksum, others): (Vec<_>, Vec<_>) =
        tensors.iter_mut().partition(|(name, _)| *name == "xxh3");
    for (_, tensor) in
        others.into_iter().chain(checksum).filter(|(name, _)| *name != "__metadata__")
    {
        let tensor = tensor.as_object_mut()?;
        let bytes = match tensor.get("dtype")?.as_str()? {
            "F64" => 8u64,
            "F32" => 4,
            _ => 1,
        };
        let sizes = tensor.get("shape")?.as_array()?.iter();
        let bytes = sizes.filter_map(Value::as_u64).fold(bytes, u64::saturating_mul);
        let place = [total, total.saturating_add(bytes)];
        let place = tensor.entry("data_offsets").or_insert(json!(place));
        total = place.get(1)?.as_u64()?.max(total);
    }
    let header = serde_json::to_vec(&header).expect("it was read from JSON");
    Some(tensor_file(&header, &data[end + 1..], total))
}
