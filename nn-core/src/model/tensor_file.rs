//! Safetensors files: named tensors and text.
//!
//! The format (<https://github.com/huggingface/safetensors>) is eight bytes of header length, a
//! JSON header, and the numbers, all little-endian. Headers are read with the `safetensors` crate,
//! which checks them; they are written here, with every key in order, because the crate keeps
//! metadata in a hash map and so writes the same model differently each time.
//!
//! Nothing is allocated on the word of a header alone: sizes are first held against the file's.

use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::tensor::{Element, Shape, Tensor};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The largest header the format allows.
const LARGEST_HEADER: u64 = 100_000_000;

/// Bytes converted at a time: a multiple of every element's size.
const BLOCK: usize = 1 << 16;

/// Writes tensors and metadata, atomically. The same content gives the same bytes, whatever the
/// order it comes in.
///
/// # Errors
/// If the file cannot be written; what was there is still there then.
pub fn write<'a, T: Element>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor<T>)>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let tensors: BTreeMap<_, _> = tensors.into_iter().collect();
    let mut end = 0;
    let infos = tensors.iter().map(|(&name, tensor)| {
        let start = end;
        end += tensor.len() * size_of::<T>();
        let shape = tensor.dims().to_vec();
        (name, TensorInfo { dtype: dtype::<T>(), shape, data_offsets: (start, end) })
    });
    let header = Header { metadata, tensors: infos.collect() };
    write_atomically(path, |file| {
        let mut header = serde_json::to_vec(&header)?;
        // The numbers begin at a multiple of eight; spaces are the format's filling.
        header.resize(header.len().next_multiple_of(8), b' ');
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        tensors.values().try_for_each(|tensor| write_numbers(file, tensor.as_slice()))
    })
}

struct Header<'a> {
    metadata: &'a BTreeMap<String, String>,
    tensors: Vec<(&'a str, TensorInfo)>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("__metadata__", self.metadata)?;
        for (name, info) in &self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

fn dtype<T: Element>() -> Dtype {
    if size_of::<T>() == 8 { Dtype::F64 } else { Dtype::F32 }
}

fn write_numbers<T: Element>(file: &mut dyn Write, numbers: &[T]) -> std::io::Result<()> {
    let mut bytes = Vec::with_capacity(BLOCK);
    for block in numbers.chunks(BLOCK / size_of::<T>()) {
        bytes.clear();
        for number in block {
            match dtype::<T>() {
                Dtype::F64 => bytes.extend(number.as_f64().to_le_bytes()),
                _ => bytes.extend((number.as_f64() as f32).to_le_bytes()),
            }
        }
        file.write_all(&bytes)?;
    }
    Ok(())
}

/// A safetensors file, open for reading; tensors are read when asked for.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    file: File,
    header: Metadata,
    /// Where the numbers begin.
    start: u64,
}

impl TensorFile {
    /// Opens a file and checks its header.
    ///
    /// # Errors
    /// If it cannot be read, is no safetensors file, or is cut off.
    pub fn open(path: &Path) -> Result<Self> {
        let corrupt = |problem: String| {
            let problem = format!("not a whole safetensors file: {problem}");
            Error::file(path, problem, "copy or write the file again")
        };
        let mut file = File::open(path).map_err(Error::io("read", path))?;
        let about = file.metadata().map_err(Error::io("read", path))?;
        if !about.is_file() {
            return Err(corrupt("it is not a regular file".into()));
        }
        let total = about.len();
        if total < 8 {
            return Err(corrupt(format!("it has only {total} bytes")));
        }
        let mut len = [0; 8];
        file.read_exact(&mut len).map_err(Error::io("read", path))?;
        let len = u64::from_le_bytes(len);
        if len > LARGEST_HEADER.min(total - 8) {
            return Err(corrupt(format!(
                "it has {total} bytes, but its first eight claim a header of {len}"
            )));
        }
        let mut header = vec![0; len as usize];
        file.read_exact(&mut header).map_err(Error::io("read", path))?;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|e| corrupt(format!("its header: {e}")))?;
        let (start, described) = (8 + len, header.data_len() as u64);
        if start.checked_add(described) != Some(total) {
            return Err(corrupt(format!(
                "its header describes {described} bytes of numbers, but {} follow",
                total - start
            )));
        }
        Ok(Self { path: path.to_path_buf(), file, header, start })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text under a metadata key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// The tensors' names, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.header.offset_keys();
        names.sort();
        names
    }

    /// The shape of a tensor, if there is one of that name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.header.info(name).map(|info| info.shape.as_slice())
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// If there is no such tensor, or it is of another type than `T`.
    pub fn read<T: Element>(&mut self, name: &str) -> Result<Tensor<T>> {
        let Some(info) = self.header.info(name) else {
            let names = self.names();
            return Err(Error::file(
                &self.path,
                format!("there is no tensor {name}, only {}", list(&names)),
                "use a file written for this kind of model",
            ));
        };
        if info.dtype != dtype::<T>() {
            return Err(Error::file(
                &self.path,
                format!("tensor {name} is of type {}, not {}", info.dtype, dtype::<T>()),
                "convert the file",
            ));
        }
        let shape = Shape::from(info.shape.as_slice());
        let (begin, end) = info.data_offsets;
        let (path, file) = (&self.path, &mut self.file);
        file.seek(SeekFrom::Start(self.start + begin as u64)).map_err(Error::io("read", path))?;
        let mut numbers = Vec::with_capacity((end - begin) / size_of::<T>());
        let mut bytes = vec![0; BLOCK.min(end - begin)];
        let mut left = end - begin;
        while left > 0 {
            let block = &mut bytes[..left.min(BLOCK)];
            file.read_exact(block).map_err(Error::io("read", path))?;
            left -= block.len();
            match dtype::<T>() {
                Dtype::F64 => {
                    let block = block.as_chunks().0.iter();
                    numbers.extend(block.map(|&b| T::from_f64(f64::from_le_bytes(b))));
                }
                _ => {
                    let block = block.as_chunks().0.iter();
                    numbers.extend(block.map(|&b| T::from_f64(f64::from(f32::from_le_bytes(b)))));
                }
            }
        }
        Tensor::from_vec(shape, numbers)
    }
}

/// Names for an error message: the first few.
pub(super) fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    match names {
        [] => "none".into(),
        _ if names.len() <= SHOWN => names.join(", "),
        _ => format!("{}, .. ({} in all)", names[..SHOWN].join(", "), names.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
