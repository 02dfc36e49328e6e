//! Tests of safetensors files: round trips, and invalid files.

use crate::error::Error;
use crate::model::safetensors::{TensorFile, draft_with_checksum, write};
use crate::tensor::Tensor;
use std::collections::BTreeMap;
use std::path::Path;

fn sample() -> Vec<(&'static str, Tensor<f32>)> {
    vec![
        ("b", Tensor::from_fn([2, 3], |i| i as f32 - 0.1)),
        ("a", Tensor::scalar(f32::MIN_POSITIVE)),
        ("empty", Tensor::zeros([0, 4])),
        ("long", Tensor::from_fn([40_000], |i| (i as f32).sin())),
    ]
}

fn metadata(keys: usize) -> BTreeMap<String, String> {
    (0..keys).map(|i| (format!("key{i}"), format!("\"value\" {i} ü"))).collect()
}

fn refs(tensors: &[(&'static str, Tensor<f32>)]) -> Vec<(&'static str, Tensor<f32>)> {
    tensors.to_vec()
}

fn write_sample(path: &Path, tensors: &[(&'static str, Tensor<f32>)]) {
    write(path, tensors.iter().map(|(n, t)| (*n, t)), &metadata(9)).unwrap();
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.safetensors");
    write_sample(&path, &sample());
    let mut file = TensorFile::open(&path).unwrap();
    assert_eq!(file.names(), ["a", "b", "empty", "long"]);
    assert_eq!(file.metadata("key3"), Some("\"value\" 3 ü"));
    assert_eq!(file.metadata("key9"), None);
    for (name, tensor) in refs(&sample()) {
        assert_eq!(file.shape(name).unwrap(), tensor.dims());
        assert_eq!(file.read::<f32>(name).unwrap(), tensor);
    }
    assert!(file.read::<f64>("a").unwrap_err().to_string().contains("F32, not F64"));
    assert!(file.read::<f32>("c").unwrap_err().to_string().contains("no tensor c, only a, b"));
}

#[test]
fn double_precision_survives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.safetensors");
    let tensor = Tensor::<f64>::from_fn([9000], |i| (i as f64).ln_1p());
    write(&path, [("x", &tensor)], &BTreeMap::new()).unwrap();
    assert_eq!(TensorFile::open(&path).unwrap().read::<f64>("x").unwrap(), tensor);
}

#[test]
fn the_crate_reads_our_files_and_bytes_do_not_depend_on_order() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1"), folder.path().join("2"));
    let mut tensors = sample();
    write_sample(&first, &tensors);
    tensors.reverse();
    write_sample(&second, &tensors);
    let bytes = std::fs::read(first).unwrap();
    assert_eq!(bytes, std::fs::read(second).unwrap());
    let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.len(), 4);
    assert_eq!(theirs.tensor("b").unwrap().data()[4..8], 0.9f32.to_le_bytes());
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(header % 8, 0);
}

#[test]
fn each_tensor_has_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.safetensors");
    let tensor = Tensor::<f32>::zeros([2]);
    for (names, word) in [(["a", "a"], "a twice"), (["a", "__metadata__"], "__metadata__")] {
        let message = write(&path, names.map(|name| (name, &tensor)), &metadata(1)).unwrap_err();
        assert!(message.to_string().contains(word), "{message}");
    }
    assert!(!path.exists());
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.safetensors");
    write_sample(&path, &sample());
    let whole = std::fs::read(&path).unwrap();
    let mut longer = whole.clone();
    longer.push(0);
    let mut boastful = whole.clone();
    boastful[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let header = |json: &str| [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
    for (what, bytes) in [
        ("empty", vec![]),
        ("seven bytes", whole[..7].to_vec()),
        ("half a header", whole[..60].to_vec()),
        ("cut off", whole[..whole.len() - 1].to_vec()),
        ("too long", longer),
        ("boastful", boastful),
        ("no JSON", header("hello")),
        ("a list", header("[1, 2]")),
        ("deep", header(&"[".repeat(100_000))),
        ("overflow", header(&tensor("[18446744073709551615, 3]", "[0, 8]"))),
        ("too large for its bytes", header(&tensor("[1000000000000]", "[0, 8]"))),
        ("beyond the end", header(&tensor("[2]", "[0, 8]"))),
        ("backwards", header(&tensor("[2]", "[8, 0]"))),
        ("unknown type", header(&tensor("[2]", "[0, 8]").replace("F32", "F33"))),
        ("a picture", b"\xff\xd8\xff\xe0\0\x10JFIF and so on".to_vec()),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let message = TensorFile::open(&path).expect_err(what).to_string();
        assert!(message.contains("t.safetensors: not a whole"), "{what}: {message}");
    }
    assert!(TensorFile::open(folder.path()).is_err());
    let missing = TensorFile::open(&folder.path().join("none")).unwrap_err().to_string();
    assert!(missing.contains("cannot read"), "{missing}");
}

fn tensor(shape: &str, offsets: &str) -> String {
    format!(r#"{{"a": {{"dtype": "F32", "shape": {shape}, "data_offsets": {offsets}}}}}"#)
}

#[test]
fn a_changed_byte_anywhere_shows_in_the_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.safetensors");
    let tensors = sample();
    let given = tensors.iter().map(|(n, t)| (*n, t));
    let draft = draft_with_checksum(&path, given, &metadata(2), None);
    draft.unwrap().commit().unwrap();
    let mut file = TensorFile::open(&path).unwrap();
    file.verify().unwrap();
    for (name, tensor) in &tensors {
        assert_eq!(file.read::<f32>(name).unwrap(), *tensor);
    }
    let whole = std::fs::read(&path).unwrap();
    let numbers = whole.len() - 4 * 40_000;
    for at in [0, 9, 50, numbers, numbers + 70_000, whole.len() - 17, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let verified = TensorFile::open(&path).and_then(|mut file| file.verify());
        assert!(verified.unwrap_err().to_string().contains("t.safetensors"), "{at}");
    }
    write_sample(&path, &tensors);
    let message = TensorFile::open(&path).unwrap().verify().unwrap_err().to_string();
    assert!(message.contains("does not end in a checksum"), "{message}");
}

/// Opening a pipe without a writer would block forever.
#[cfg(target_os = "linux")]
#[test]
fn what_is_no_regular_file_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if made.is_ok_and(|status| status.success()) {
        let refused = TensorFile::open(&pipe).unwrap_err();
        assert!(matches!(refused, Error::File { .. }), "{refused}");
        assert!(refused.to_string().contains("not a regular file"), "{refused}");
    }
}
