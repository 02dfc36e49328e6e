//! The files in `onnx.checker` and ONNX Runtime, by `check.py`, where there is a Python with both packages: `NN_PYTHON`
//! names it, or `python3` is one. Without it the tests say so and pass, unless `NN_REQUIRE_ONNX` is set.

use crate::again::samples;
use nn_core::model::{Model, Pass};
use nn_core::{Tape, Tensor};
use nn_onnx::Export;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The Python to check with.
fn python() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        let python = std::env::var("NN_PYTHON").unwrap_or("python3".into());
        let output = Command::new(&python).args(["-c", "import onnx, onnxruntime"]).output();
        let is_there = output.is_ok_and(|output| output.status.success());
        assert!(
            is_there || std::env::var_os("NN_REQUIRE_ONNX").is_none(),
            "NN_REQUIRE_ONNX: {python} has no onnx and onnxruntime"
        );
        if !is_there {
            println!("{python} has no onnx and onnxruntime: files are not run");
        }
        is_there.then_some(python)
    };
    FOUND.get_or_init(find).as_deref()
}

/// A folder of files to be checked.
pub struct Checked {
    folder: tempfile::TempDir,
}

impl Checked {
    /// `None` without a Python to check with.
    pub fn new() -> Option<Self> {
        python().map(|_| Self { folder: tempfile::tempdir().unwrap() })
    }

    /// Adds a model, which may need so many transposes.
    pub fn add(&self, name: &str, model: &Model, transposes: usize) {
        self.add_as(name, model, model, |export| export);
        std::fs::write(self.path(name, "transposes"), transposes.to_string()).unwrap();
    }

    /// Adds a model with settings by which its file computes what another model does.
    pub fn add_as<'a>(
        &self,
        name: &str,
        model: &'a Model,
        same: &Model,
        settings: impl FnOnce(Export<'a>) -> Export<'a>,
    ) {
        settings(Export::new(model)).write(&self.path(name, "onnx")).unwrap();
        let x = samples(same);
        let tape = Tape::inference(Default::default());
        let pass = same.forward(&tape, tape.constant(x.clone()), Pass::inference()).unwrap();
        write(&self.path(name, "input"), &in_file(x));
        write(&self.path(name, "output"), &in_file(pass.output.value().clone()));
    }

    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.{extension}"))
    }

    /// Checks and runs all files.
    pub fn run(self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/onnx_export/check.py");
        let mut command = Command::new(python().unwrap());
        let output = command.arg(script).arg(self.folder.path()).output().unwrap();
        println!("{}", String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Images with their channels first.
fn in_file(tensor: Tensor) -> Tensor {
    if tensor.shape().rank() != 4 {
        return tensor;
    }
    let tape = Tape::inference(Default::default());
    tape.permute(&tape.constant(tensor), &[0, 3, 1, 2]).unwrap().value().clone()
}

fn write(path: &Path, tensor: &Tensor) {
    let bytes: Vec<u8> = tensor.as_slice().iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(path, bytes).unwrap();
}
