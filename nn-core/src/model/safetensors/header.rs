//! The header of a safetensors file: names, types, shapes and offsets of its tensors.
//!
//! JSON: `{"__metadata__": {KEY: TEXT, ..}, NAME: {"dtype": "F32", "shape": [2, 3], "data_offsets":
//! [0, 24]}, ..}`. Offsets are in bytes from the end of the header. Tensors are contiguous in some
//! order, without gaps, each as long as its type and shape require; other headers are rejected.

use crate::error::Result;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Error as JsonError;
use std::collections::BTreeMap;
use std::fmt;

/// The key of the metadata.
pub(super) const METADATA: &str = "__metadata__";

/// Types by the number of bits per element.
const TYPES: [(u64, &[&str]); 6] = [
    (4, &["F4"]),
    (6, &["F6_E2M3", "F6_E3M2"]),
    (8, &["BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"]),
    (16, &["I16", "U16", "F16", "BF16"]),
    (32, &["I32", "U32", "F32"]),
    (64, &["I64", "U64", "F64", "C64"]),
];

/// The header entry of one tensor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TensorInfo {
    /// The element type: `F32`.
    pub dtype: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// The first byte and the one after the last, counted from the end of the header.
    pub data_offsets: (usize, usize),
}

/// A header.
#[derive(Debug, Default, PartialEq)]
pub struct Header {
    /// Metadata: text values by key.
    pub metadata: BTreeMap<String, String>,
    /// The tensors by name.
    pub tensors: BTreeMap<String, TensorInfo>,
}

impl Header {
    /// Parses a header and checks that its tensors are contiguous, each as long as its type and shape
    /// require.
    ///
    /// # Errors
    /// If the JSON is not a valid header, a name occurs twice, or the tensors are not contiguous.
    pub fn parse(json: &[u8]) -> Result<Self, JsonError> {
        let header: Self = serde_json::from_slice(json)?;
        header.check().map_err(JsonError::custom)?;
        Ok(header)
    }

    /// The total size of all tensors, in bytes.
    pub fn data_len(&self) -> usize {
        self.tensors.values().map(|info| info.data_offsets.1).max().unwrap_or(0)
    }

    fn check(&self) -> Result<(), String> {
        let mut tensors: Vec<_> = self.tensors.iter().collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        let mut end = 0;
        for (name, info) in tensors {
            let (from, to) = info.data_offsets;
            if from != end || to < from {
                return Err(format!("tensor {name} lies at {from}..{to}, not at {end}"));
            }
            let dtype = &info.dtype;
            let bits = bits(dtype)
                .ok_or_else(|| format!("tensor {name} is of type {dtype}, which is not known"))?;
            let shape = info.shape.iter().map(|&len| len as u64);
            let total = shape.into_iter().try_fold(bits, u64::checked_mul);
            if total.is_none_or(|bits| bits % 8 != 0 || bits / 8 != (to - from) as u64) {
                let shape = &info.shape;
                let bytes = to - from;
                return Err(format!(
                    "tensor {name} of type {dtype} and shape {shape:?} has {bytes} bytes"
                ));
            }
            end = to;
        }
        Ok(())
    }
}

fn bits(dtype: &str) -> Option<u64> {
    TYPES.iter().find(|(_, names)| names.contains(&dtype)).map(|&(bits, _)| bits)
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        let mut has_metadata = false;
        while let Some(name) = map.next_key::<String>()? {
            let twice = if name == METADATA {
                header.metadata = map.next_value::<Option<_>>()?.unwrap_or_default();
                std::mem::replace(&mut has_metadata, true)
            } else {
                header.tensors.insert(name.clone(), map.next_value()?).is_some()
            };
            if twice {
                return Err(A::Error::custom(format!("{name} stands there twice")));
            }
        }
        Ok(header)
    }
}

/// A header to be written: tensors in the order of their bytes, metadata sorted by key.
pub struct NewHeader<'a> {
    /// Metadata: text values by key.
    pub metadata: &'a BTreeMap<String, String>,
    /// The tensors' names and header entries.
    pub tensors: Vec<(&'a str, TensorInfo)>,
}

impl Serialize for NewHeader<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(METADATA, self.metadata)?;
        for (name, info) in &self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_format_forbids_is_refused() {
        let parse = |json: &str| Header::parse(json.as_bytes());
        let tensor = |name: &str, dtype: &str, shape: &str, offsets: &str| {
            format!(
                r#""{name}": {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": {offsets}}}"#
            )
        };
        let good = tensor("a", "F32", "[2]", "[0, 8]");
        let header = parse(&format!(r#"{{{good}, "__metadata__": {{"k": "v"}}}}"#)).unwrap();
        assert_eq!((header.metadata["k"].as_str(), header.data_len()), ("v", 8));
        assert_eq!(parse("{}").unwrap(), Header::default());
        for (bad, says) in [
            (format!("{good}, {good}"), "a stands there twice"),
            (r#""__metadata__": {}, "__metadata__": {}"#.into(), "twice"),
            (format!("{good}, {}", tensor("b", "F32", "[1]", "[12, 16]")), "12..16, not at 8"),
            (format!("{good}, {}", tensor("b", "F32", "[1]", "[4, 8]")), "4..8, not at 8"),
            (tensor("a", "F32", "[2]", "[8, 0]"), "8..0, not at 0"),
            (tensor("a", "F33", "[2]", "[0, 8]"), "F33, which is not known"),
            (tensor("a", "F4", "[3]", "[0, 1]"), "has 1 bytes"),
            (tensor("a", "F32", "[18446744073709551615, 9]", "[0, 8]"), "has 8 bytes"),
        ] {
            let message = parse(&format!("{{{bad}}}")).unwrap_err().to_string();
            assert!(message.contains(says), "{bad}: {message}");
        }
    }

    #[test]
    fn half_bytes_make_whole_ones() {
        let json = r#"{"a": {"dtype": "F4", "shape": [2, 3], "data_offsets": [0, 3]}}"#;
        assert_eq!(Header::parse(json.as_bytes()).unwrap().data_len(), 3);
    }
}
