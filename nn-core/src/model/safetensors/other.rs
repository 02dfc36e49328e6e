//! Model files of other kinds, told by their first bytes, and the lines of Python that convert them.

use crate::error::Error;
use std::path::Path;

/// Pickles and archives of `torch.save` and `torch.jit.save`.
const PYTORCH: [&str; 4] = ["pt", "pth", "ckpt", "bin"];

/// What a file is that is not in this format, as an error; `None` if it is nothing known. `first` are its first
/// bytes.
pub(super) fn refusal(path: &Path, first: &[u8]) -> Option<Error> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let ending = ending.unwrap_or_default();
    let is_zip = first.starts_with(b"PK\x03\x04");
    // Keras writes these first; torch.save writes a folder.
    let of_keras = [&b"metadata.json"[..], b"config.json"];
    let is_keras = of_keras.iter().any(|name| first.get(30..).is_some_and(|r| r.starts_with(name)));
    if first.starts_with(b"\x89HDF\r\n\x1a\n") || is_zip && (is_keras || ending == "keras") {
        return Some(Error::file(path, keras(path), "or write it as ONNX in any other way"));
    }
    let is_pickle = matches!(first, [0x80, 2..=5, ..]);
    if is_pickle || is_zip && PYTORCH.contains(&ending.as_str()) {
        return Some(Error::file(
            path,
            pytorch(path),
            "weights_only keeps a pickle from running code",
        ));
    }
    None
}

/// The file's name with another ending, as Python writes it, without its folder.
fn named(path: &Path, ending: &str) -> String {
    let path = if ending.is_empty() { path.to_path_buf() } else { path.with_extension(ending) };
    format!("{:?}", path.file_name().unwrap_or_default().to_string_lossy())
}

fn pytorch(path: &Path) -> String {
    format!(
        "a pickle of PyTorch, which only Python can read. Write its state_dict as safetensors:\n    \
         import torch, safetensors.torch\n    \
         safetensors.torch.save_file(torch.load({}, \"cpu\", weights_only=True), {})\n",
        named(path, ""),
        named(path, "safetensors")
    )
}

fn keras(path: &Path) -> String {
    format!(
        "a model of Keras, which only Keras can read. Export it to ONNX (pip install keras tf2onnx):\n    \
         import keras\n    \
         model = keras.saving.load_model({})\n    \
         model.export({}, format=\"onnx\")\n",
        named(path, ""),
        named(path, "onnx")
    )
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
            ("net.bin", b"\x80\x04\x95\0".to_vec(), "save_file("),
            ("net.keras", zip("metadata.json"), "model.export(\"net.onnx\""),
            ("net", zip("config.json"), "format=\"onnx\""),
            ("Net.H5", b"\x89HDF\r\n\x1a\n".to_vec(), "load_model(\"Net.H5\")"),
        ] {
            let told = refusal(Path::new(name), &first).unwrap().to_string();
            assert!(told.contains(says), "{name}: {told}");
        }
        let header = [9, 0, 0, 0, 0, 0, 0, 0, b'{'];
        for (name, first) in [("net.pth", &header[..]), ("a.zip", b"PK\x03\x04"), ("x", b"")] {
            assert!(refusal(Path::new(name), first).is_none(), "{name}");
        }
    }
}
