//! Model files of other kinds, told by their first bytes, and the lines of Python that convert them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Endings of what `torch.save` and `torch.jit.save` write; `bin` is also many other things.
const PYTORCH: [&str; 4] = ["pt", "pth", "ckpt", "bin"];

/// Endings of what Keras writes.
const KERAS: [&str; 3] = ["keras", "h5", "hdf5"];

/// What a file of another kind is, and how to make a file of it that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherFormat {
    /// What it is: `a pickle of PyTorch`, and why it cannot be read.
    pub what: &'static str,
    /// The lines of Python that convert it.
    pub remedy: String,
}

impl OtherFormat {
    /// Looks at a file's first bytes, and where these say nothing at its ending; `None` if it is nothing known, or
    /// cannot be read.
    pub fn of(path: &Path) -> Option<Self> {
        let mut first = Vec::new();
        if std::fs::metadata(path).ok()?.is_file() {
            File::open(path).ok()?.take(FIRST_BYTES).read_to_end(&mut first).ok()?;
        }
        Self::told(path, &first)
    }

    fn told(path: &Path, first: &[u8]) -> Option<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let ending = ending.unwrap_or_default();
        let is_zip = first.starts_with(b"PK\x03\x04");
        // The first file of an archive: one of these in Keras', FOLDER/data.pkl in PyTorch's.
        let name = first.get(ZIP_NAME..).unwrap_or_default();
        let of_keras = [&b"metadata.json"[..], b"config.json"].iter().any(|n| name.starts_with(n));
        let of_pytorch = name.windows(PICKLE.len()).any(|part| part == PICKLE);
        let is_hdf5 = first.starts_with(b"\x89HDF\r\n\x1a\n");
        let is_pickle = matches!(first, [0x80, 2..=5, ..]);
        if first.get(8) == Some(&b'{') {
            None // A safetensors file, whatever its ending.
        } else if is_hdf5 || is_zip && of_keras || KERAS.contains(&ending.as_str()) {
            Some(keras(path))
        } else if is_pickle
            || is_zip && of_pytorch
            || PYTORCH.contains(&ending.as_str()) && (is_zip || ending != "bin")
        {
            Some(pytorch(path))
        } else {
            None
        }
    }
}

/// Bytes that tell what a file is.
const FIRST_BYTES: u64 = 512;

/// What PyTorch's archives hold.
const PICKLE: &[u8] = b"/data.pkl";

/// Where a zip archive has the name of its first file.
const ZIP_NAME: usize = 30;

/// The file's name with another ending, as Python writes it, without its folder.
fn named(path: &Path, ending: &str) -> String {
    let path = if ending.is_empty() { path.to_path_buf() } else { path.with_extension(ending) };
    format!("{:?}", path.file_name().unwrap_or_default().to_string_lossy())
}

fn pytorch(path: &Path) -> OtherFormat {
    let remedy = format!(
        "write its tensors as safetensors:\n    \
         import torch, safetensors.torch\n    \
         safetensors.torch.save_file(torch.load({}, \"cpu\", weights_only=True), {})",
        named(path, ""),
        named(path, "safetensors")
    );
    OtherFormat { what: "a pickle of PyTorch, which only Python can read", remedy }
}

fn keras(path: &Path) -> OtherFormat {
    let remedy = format!(
        "export it to ONNX (pip install keras tensorflow tf2onnx):\n    \
         import keras\n    \
         model = keras.saving.load_model({})\n    \
         model.export({}, format=\"onnx\")",
        named(path, ""),
        named(path, "onnx")
    );
    OtherFormat { what: "a model of Keras, which only Keras can read", remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_is_told_by_its_bytes() {
        let zip = |name: &str| [&b"PK\x03\x04"[..], &[0; 26], name.as_bytes()].concat();
        for (name, first, says) in [
            ("a/net.pth", zip("archive/data.pkl"), "torch.load(\"net.pth\", \"cpu\""),
            ("net", b"\x80\x02\x8a\x0al\xfc\x9cF".to_vec(), "\"net.safetensors\")"),
            ("module", zip("module/data.pkl"), "torch.load(\"module\""),
            ("net.bin", b"\x80\x04\x95\0".to_vec(), "save_file("),
            ("net.keras", zip("metadata.json"), "model.export(\"net.onnx\""),
            ("net", zip("config.json"), "format=\"onnx\""),
            ("net.PTH", b"damaged".to_vec(), "\"net.safetensors\")"),
            ("Net.H5", b"\x89HDF\r\n\x1a\n".to_vec(), "load_model(\"Net.H5\")"),
        ] {
            let told = OtherFormat::told(Path::new(name), &first).unwrap();
            assert!(told.remedy.contains(says), "{name}: {told:?}");
        }
        let header = [9, 0, 0, 0, 0, 0, 0, 0, b'{'];
        for (name, first) in [("net.pth", &header[..]), ("a.zip", b"PK\x03\x04"), ("x.bin", b"")] {
            assert_eq!(OtherFormat::told(Path::new(name), first), None, "{name}");
        }
        assert!(OtherFormat::of(Path::new("no such file.pth")).is_none());
    }
}
