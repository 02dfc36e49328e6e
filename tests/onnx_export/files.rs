//! Models that were read from files of others, written by us and read once more.

use crate::again::read_again;
use crate::runtime::Checked;
use nn_core::model::Model;
use nn_onnx::ReadOptions;
use std::path::{Path, PathBuf};

/// Those whose names begin so have any transposes: not more than the files of others, but for one, and for windows,
/// which others cut from channels first (7).
const TRANSPOSES: [(&str, usize); 10] = [
    ("attention", 6),
    ("batch_norm_unfolded", 2),
    ("channels_last", 1),
    ("convnext", 23),
    ("layer_norm_written_out", 4),
    ("local_response", 2),
    ("rows", 1),
    ("shuffle_external", 2),
    ("shufflenet", 6),
    ("windows", 12),
];

/// The models of the files of a folder, and how many transposes writing them may take.
fn models(folder: &Path) -> Vec<(String, Model, usize)> {
    let is_model = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "onnx");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(is_model);
    paths.sort();
    let read = |path: PathBuf| {
        let options = |input_size| ReadOptions { input_size, ..Default::default() };
        let imported = nn_onnx::read_with(&path, &options(None))
            .or_else(|_| nn_onnx::read_with(&path, &options(Some((16, 16)))));
        let imported = imported.unwrap_or_else(|error| panic!("{error}"));
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let allowed = TRANSPOSES.iter().find(|(own, _)| name.starts_with(own));
        (name, imported.model, allowed.map_or(0, |(_, allowed)| *allowed))
    };
    paths.into_iter().map(read).collect()
}

/// The small files that are kept here.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/onnx")
}

/// The large ones, if they are there.
fn elsewhere() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models");
    let folder = std::env::var_os("NN_MODELS").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        println!("no models in {}: none are written", folder.display());
        return None;
    }
    Some(folder)
}

fn same_again(folder: &Path) {
    let apart = |(name, model, _): (String, Model, usize)| match read_again(&model) {
        Ok(again) if again.same_bits && again.same_layers => None,
        Ok(again) if again.same_bits => Some(format!("{name}: other layers")),
        Ok(_) => Some(format!("{name}: other bits")),
        Err(what) => Some(format!("{name}: {what}")),
    };
    let wrong: Vec<_> = models(folder).into_iter().filter_map(apart).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run_elsewhere(folder: &Path) {
    let Some(checked) = Checked::new() else { return };
    for (name, model, transposes) in models(folder) {
        checked.add(&name, &model, transposes);
    }
    checked.run();
}

#[test]
fn small_files_are_the_same_again() {
    same_again(&kept());
}

#[test]
fn small_files_run_elsewhere() {
    run_elsewhere(&kept());
}

#[test]
fn families_are_the_same_again() {
    elsewhere().iter().for_each(|folder| same_again(folder));
}

#[test]
fn families_run_elsewhere() {
    elsewhere().iter().for_each(|folder| run_elsewhere(folder));
}
