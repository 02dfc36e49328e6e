//! Safetensors files: named tensors and text.
//!
//! The format (<https://github.com/huggingface/safetensors>) is eight bytes of header length, a JSON
//! header, and the numbers, all little-endian. Headers are written with sorted keys, so that the same
//! model always gives the same bytes.
//!
//! Sizes in a header are compared with the file's size before anything is allocated.
//!
//! A file can end with a checksum: a last tensor `xxh3`, the 16 bytes of the XXH3-128 hash
//! (<https://xxhash.com>), most significant byte first, of all the bytes before it. It is at the end so
//! that a file of any size is written in one pass. It detects damage, not forgery, so a fast
//! non-cryptographic hash is enough.

mod header;
mod other;

pub use other::OtherFormat;

use crate::error::{Error, Result};
use crate::files::{FileDraft, Spare};
use crate::kernels::{Kernels, parallel};
use crate::tensor::{Shape, Tensor, half};
use header::{Header, METADATA, NewHeader, TensorInfo};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use twox_hash::XxHash3_128;

/// The largest header the format allows.
const LARGEST_HEADER: u64 = 100_000_000;

/// The name of the checksum tensor.
const CHECKSUM: &str = "xxh3";

/// The length of the checksum, in bytes.
const CHECKSUM_LEN: usize = 16;

/// Bytes read or written at a time: a multiple of every element's size.
const BLOCK: usize = 1 << 16;

/// Writes tensors and metadata atomically. The same content gives the same bytes, in whatever order it
/// is passed.
///
/// # Errors
/// If two tensors have one name, or one has a name that the format keeps for itself; if the file cannot be
/// written. An existing file is unchanged then.
pub fn write<'a, T: Kernels>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor<T>)>,
    metadata: &'a BTreeMap<String, String>,
) -> Result<()> {
    let layout = Layout::new(tensors, metadata, false)?;
    FileDraft::write(path, |file| layout.write(file))?.commit()
}

/// Writes a draft of a file like [`write()`], with a checksum for [`TensorFile::verify`]. It overwrites
/// a spare file, if there is one. The draft is not committed yet.
///
/// # Errors
/// If the file cannot be written; the draft is removed then.
pub(crate) fn draft_with_checksum<'a, T: Kernels>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor<T>)>,
    metadata: &'a BTreeMap<String, String>,
    spare: Option<Spare>,
) -> Result<FileDraft> {
    let layout = Layout::new(tensors, metadata, true)?;
    FileDraft::write_over(spare, path, |file| {
        let mut hashed = Hashed { file, hash: XxHash3_128::new() };
        layout.write(&mut hashed)?;
        let checksum = hashed.hash.finish_128().to_be_bytes();
        hashed.file.write_all(&checksum)
    })
}

/// A writer that hashes the bytes it passes on.
struct Hashed<'a> {
    file: &'a mut (dyn Write + Send),
    hash: XxHash3_128,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let Self { file, hash } = self;
        parallel::join(|| hash.write(bytes), || file.write_all(bytes)).1?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// The header and the tensors of a file, in the order in which they are written.
struct Layout<'a, T: Kernels> {
    header: NewHeader<'a>,
    tensors: BTreeMap<&'a str, &'a Tensor<T>>,
}

impl<'a, T: Kernels> Layout<'a, T> {
    fn new(
        tensors: impl IntoIterator<Item = (&'a str, &'a Tensor<T>)>,
        metadata: &'a BTreeMap<String, String>,
        with_checksum: bool,
    ) -> Result<Self> {
        let mut by_name = BTreeMap::new();
        for (name, tensor) in tensors {
            let reserved = name == METADATA || with_checksum && name == CHECKSUM;
            if reserved || by_name.insert(name, tensor).is_some() {
                return Err(Error::setting(
                    "the name of a tensor in a file",
                    "one of its own, not one that the format uses",
                    format!("{name}{}", if reserved { "" } else { " twice" }),
                    "give it another name",
                ));
            }
        }
        let tensors = by_name;
        let mut end = 0;
        let mut info = |dtype: &str, shape: &[usize], bytes| {
            let start = end;
            end += bytes;
            TensorInfo { dtype: dtype.into(), shape: shape.to_vec(), data_offsets: (start, end) }
        };
        let mut infos = Vec::new();
        for (&name, tensor) in &tensors {
            let bytes = tensor.len() * size_of::<T>();
            infos.push((name, info(dtype::<T>(), tensor.dims(), bytes)));
        }
        if with_checksum {
            infos.push((CHECKSUM, info("U8", &[CHECKSUM_LEN], CHECKSUM_LEN)));
        }
        Ok(Self { header: NewHeader { metadata, tensors: infos }, tensors })
    }

    /// Writes all but the checksum.
    fn write(&self, file: &mut dyn Write) -> std::io::Result<()> {
        let mut header = serde_json::to_vec(&self.header)?;
        // The numbers start at a multiple of eight bytes; the format pads headers with spaces.
        header.resize(header.len().next_multiple_of(8), b' ');
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        self.tensors.values().try_for_each(|tensor| write_numbers(file, tensor.as_slice()))
    }
}

fn dtype<T: Kernels>() -> &'static str {
    if size_of::<T>() == 8 { "F64" } else { "F32" }
}

fn write_numbers<T: Kernels>(file: &mut dyn Write, numbers: &[T]) -> std::io::Result<()> {
    let bytes: &[u8] = bytemuck::cast_slice(numbers);
    if cfg!(target_endian = "little") {
        return file.write_all(bytes);
    }
    bytes.chunks(BLOCK).try_for_each(|block| {
        let mut block = block.to_vec();
        turn_if_big_endian::<T>(&mut block);
        file.write_all(&block)
    })
}

/// Converts between little-endian and this machine's byte order.
fn turn_if_big_endian<T: Kernels>(bytes: &mut [u8]) {
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size_of::<T>()).for_each(<[u8]>::reverse);
    }
}

/// A safetensors file, open for reading; tensors are read on request.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    file: File,
    header: Header,
    /// The offset of the numbers in the file.
    start: u64,
}

impl TensorFile {
    /// Opens a file and checks its header.
    ///
    /// # Errors
    /// If the file cannot be read, is not a safetensors file, or is truncated.
    pub fn open(path: &Path) -> Result<Self> {
        let corrupt = |problem: String| {
            if let Some(OtherFormat { what, remedy }) = OtherFormat::of(path) {
                return Error::file(path, format!("it is {what}"), remedy);
            }
            let problem = format!("not a whole safetensors file: {problem}");
            Error::file(path, problem, "copy or write the file again")
        };
        // Checked before opening, because opening a pipe blocks until another process writes to it.
        if !fs::metadata(path).map_err(Error::io("read", path))?.is_file() {
            return Err(corrupt("it is not a regular file".into()));
        }
        let mut file = File::open(path).map_err(Error::io("read", path))?;
        let total = file.metadata().map_err(Error::io("read", path))?.len();
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
        let header = Header::parse(&header).map_err(|e| corrupt(format!("its header: {e}")))?;
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

    /// The metadata value of a key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header.metadata.get(key).map(String::as_str)
    }

    /// All metadata: keys and values, sorted by key.
    pub fn all_metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.header.metadata.iter().map(|(key, text)| (key.as_str(), text.as_str()))
    }

    /// The tensors' names, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        self.header.tensors.keys().cloned().collect()
    }

    /// The shape of a tensor, if there is one of that name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.header.tensors.get(name).map(|info| info.shape.as_slice())
    }

    /// Verifies the file's checksum; this reads the whole file.
    ///
    /// # Errors
    /// If the file cannot be read, has no checksum, or does not match it.
    pub fn verify(&mut self) -> Result<()> {
        let damaged = |problem: &str| Error::file(&self.path, problem, "write it again");
        let size = self.start + self.header.data_len() as u64;
        let end = self.header.data_len();
        match self.header.tensors.get(CHECKSUM) {
            Some(info)
                if info.dtype == "U8"
                    && info.data_offsets == (end.saturating_sub(CHECKSUM_LEN), end)
                    && info.shape == [CHECKSUM_LEN] => {}
            _ => return Err(damaged("it does not end in a checksum")),
        }
        let mut compare = || {
            self.file.seek(SeekFrom::Start(0))?;
            let mut hash = XxHash3_128::new();
            let mut bytes = vec![0; BLOCK];
            let mut left = size - CHECKSUM_LEN as u64;
            while left > 0 {
                let block = &mut bytes[..left.min(BLOCK as u64) as usize];
                self.file.read_exact(block)?;
                hash.write(block);
                left -= block.len() as u64;
            }
            let mut checksum = [0; CHECKSUM_LEN];
            self.file.read_exact(&mut checksum)?;
            Ok(hash.finish_128().to_be_bytes() == checksum)
        };
        match compare().map_err(Error::io("read", &self.path))? {
            true => Ok(()),
            false => Err(damaged("it is damaged: its content is not what its checksum says")),
        }
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// If there is no such tensor, or its type is not `T`.
    pub fn read<T: Kernels>(&mut self, name: &str) -> Result<Tensor<T>> {
        let info = self.info(name)?;
        if info.dtype != dtype::<T>() {
            return Err(Error::file(
                &self.path,
                format!("tensor {name} is of type {}, not {}", info.dtype, dtype::<T>()),
                "convert the file",
            ));
        }
        let (shape, (begin, end)) = (Shape::from(info.shape.as_slice()), info.data_offsets);
        let mut numbers = vec![T::zero(); (end - begin) / size_of::<T>()];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut numbers);
        self.read_bytes(begin, bytes)?;
        turn_if_big_endian::<T>(bytes);
        Tensor::from_vec(shape, numbers)
    }

    /// Reads a tensor of `F32`; of `F16` or `BF16`, whose numbers are widened; or of `F64`, whose numbers are rounded.
    ///
    /// # Errors
    /// If there is no such tensor, or it is of another type.
    pub(super) fn read_as_f32(&mut self, name: &str) -> Result<Tensor<f32>> {
        let info = self.info(name)?;
        let widen = match info.dtype.as_str() {
            "F16" => half::f16,
            "BF16" => half::bf16,
            "F64" => {
                let exact = self.read::<f64>(name)?;
                let rounded = exact.as_slice().iter().map(|&number| number as f32).collect();
                return Tensor::from_vec(exact.shape().clone(), rounded);
            }
            _ => return self.read(name),
        };
        let (shape, (begin, end)) = (Shape::from(info.shape.as_slice()), info.data_offsets);
        let mut bytes = vec![0; end - begin];
        self.read_bytes(begin, &mut bytes)?;
        let (pairs, _) = bytes.as_chunks::<2>();
        let numbers = pairs.iter().map(|&pair| widen(u16::from_le_bytes(pair))).collect();
        Tensor::from_vec(shape, numbers)
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        self.header.tensors.get(name).ok_or_else(|| {
            let names = self.names();
            Error::file(
                &self.path,
                format!("there is no tensor {name}, only {}", list(&names)),
                "use a file written for this kind of model",
            )
        })
    }

    /// Fills `bytes` from the numbers' byte `begin` on.
    fn read_bytes(&mut self, begin: usize, bytes: &mut [u8]) -> Result<()> {
        let from = SeekFrom::Start(self.start + begin as u64);
        let read = self.file.seek(from).and_then(|_| self.file.read_exact(bytes));
        read.map_err(Error::io("read", &self.path))
    }
}

/// A list of names for an error message: the first few.
pub(super) fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    match names {
        [] => "none".into(),
        _ if names.len() <= SHOWN => names.join(", "),
        _ => format!("{}, .. ({} in all)", names[..SHOWN].join(", "), names.len()),
    }
}
