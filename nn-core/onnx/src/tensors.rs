//! Tensors of a file as [`Array`]s: every element type that classifiers use, wherever the numbers lie.

use crate::array::{Array, elements};
use crate::external::ExternalData;
use crate::proto::TensorProto;
use crate::refusal::{Refusal, Result};
use nn_core::tensor::half;

/// The element types of `TensorProto.DataType` that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    F32,
    U8,
    I8,
    U16,
    I16,
    I32,
    I64,
    Bool,
    F16,
    F64,
    U32,
    U64,
    Bf16,
}

impl ElementType {
    pub fn new(number: i32) -> Result<Self> {
        Ok(match number {
            1 => Self::F32,
            2 => Self::U8,
            3 => Self::I8,
            4 => Self::U16,
            5 => Self::I16,
            6 => Self::I32,
            7 => Self::I64,
            9 => Self::Bool,
            10 => Self::F16,
            11 => Self::F64,
            12 => Self::U32,
            13 => Self::U64,
            16 => Self::Bf16,
            8 => return Err(unknown("texts")),
            14 | 15 => return Err(unknown("complex numbers")),
            17..=20 | 24 => return Err(unknown("8-bit floating-point numbers")),
            21..=23 => return Err(unknown("4-bit numbers")),
            other => return Err(unknown(&format!("the unknown data type {other}"))),
        })
    }

    pub fn is_real(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::F64 | Self::Bf16)
    }

    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::I64 | Self::F64 | Self::U64 => 8,
        }
    }
}

fn unknown(what: &str) -> Refusal {
    Refusal::new(
        format!("it holds {what}, which cannot be read"),
        "export the model in single precision, before any quantisation",
    )
}

/// The numbers of a tensor, which are moved out of it where they can be.
pub fn read(proto: &mut TensorProto, external: &mut ExternalData<'_>) -> Result<Array> {
    read_any(proto, external).map_err(|refusal| match proto.name.as_str() {
        "" => refusal.at("a tensor"),
        name => refusal.at(format!("tensor {name:?}")),
    })
}

fn read_any(proto: &mut TensorProto, external: &mut ExternalData<'_>) -> Result<Array> {
    let kind = ElementType::new(proto.data_type)?;
    let dims = proto.dims.iter().map(|&dim| usize::try_from(dim));
    let dims: Vec<_> = dims.collect::<Result<_, _>>().map_err(|_| {
        let problem = format!("its shape {:?} has a negative dimension", proto.dims);
        Refusal::new(problem, "the file is damaged; export the model again")
    })?;
    let len = elements(&dims)?;
    if proto.data_location == 1 {
        let bytes = external.read(&proto.external_data, len * kind.bytes())?;
        return from_bytes(kind, dims, len, &bytes);
    }
    if !proto.raw_data.is_empty() {
        return from_bytes(kind, dims, len, &proto.raw_data);
    }
    from_fields(kind, dims, len, proto)
}

fn from_bytes(kind: ElementType, dims: Vec<usize>, len: usize, bytes: &[u8]) -> Result<Array> {
    check_len(&dims, len * kind.bytes(), bytes.len(), "bytes")?;
    macro_rules! numbers {
        ($array:ident, $from:ty, $as:expr) => {{
            let (chunks, _) = bytes.as_chunks::<{ size_of::<$from>() }>();
            let number = |chunk: &[u8; size_of::<$from>()]| $as(<$from>::from_le_bytes(*chunk));
            Array::$array(dims, chunks.iter().map(number).collect())
        }};
    }
    Ok(match kind {
        ElementType::F32 => numbers!(floats, f32, |v| v),
        ElementType::F64 => numbers!(floats, f64, |v| v as f32),
        ElementType::F16 => numbers!(floats, u16, half::f16),
        ElementType::Bf16 => numbers!(floats, u16, half::bf16),
        ElementType::U8 | ElementType::Bool => numbers!(integers, u8, i64::from),
        ElementType::I8 => numbers!(integers, i8, i64::from),
        ElementType::U16 => numbers!(integers, u16, i64::from),
        ElementType::I16 => numbers!(integers, i16, i64::from),
        ElementType::I32 => numbers!(integers, i32, i64::from),
        ElementType::U32 => numbers!(integers, u32, i64::from),
        ElementType::I64 => numbers!(integers, i64, |v| v),
        ElementType::U64 => numbers!(integers, u64, saturated),
    })
}

fn from_fields(
    kind: ElementType,
    dims: Vec<usize>,
    len: usize,
    proto: &mut TensorProto,
) -> Result<Array> {
    let received = match kind {
        ElementType::F32 => proto.float_data.len(),
        ElementType::F64 => proto.double_data.len(),
        ElementType::I64 => proto.int64_data.len(),
        ElementType::U32 | ElementType::U64 => proto.uint64_data.len(),
        _ => proto.int32_data.len(),
    };
    check_len(&dims, len, received, "numbers")?;
    let bits = || proto.int32_data.iter().map(|&v| v as u16);
    Ok(match kind {
        ElementType::F32 => Array::floats(dims, std::mem::take(&mut proto.float_data)),
        ElementType::F64 => {
            Array::floats(dims, proto.double_data.iter().map(|&v| v as f32).collect())
        }
        ElementType::F16 => Array::floats(dims, bits().map(half::f16).collect()),
        ElementType::Bf16 => Array::floats(dims, bits().map(half::bf16).collect()),
        ElementType::I64 => Array::integers(dims, std::mem::take(&mut proto.int64_data)),
        ElementType::U32 | ElementType::U64 => {
            Array::integers(dims, proto.uint64_data.iter().copied().map(saturated).collect())
        }
        _ => Array::integers(dims, proto.int32_data.iter().map(|&v| v.into()).collect()),
    })
}

fn check_len(dims: &[usize], expected: usize, received: usize, unit: &str) -> Result<()> {
    if expected == received {
        return Ok(());
    }
    let problem = format!("its shape {dims:?} needs {expected} {unit}, but it has {received}");
    Err(Refusal::new(problem, "the file is damaged or cut off; export or copy it again"))
}

/// Whole numbers beyond `i64` only ever mean "to the end".
fn saturated(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Data;

    #[test]
    fn every_type_is_widened() {
        let mut external = ExternalData::none();
        let mut read_raw = |data_type: i32, bytes: &[u8]| {
            let raw_data = bytes::Bytes::copy_from_slice(bytes);
            read(
                &mut TensorProto { dims: vec![1], data_type, raw_data, ..Default::default() },
                &mut external,
            )
        };
        let whole = |v| Array::list([v]);
        let real = |v| Array::floats([1], vec![v]);
        assert_eq!(read_raw(1, &1.5f32.to_le_bytes()).unwrap(), real(1.5));
        assert_eq!(read_raw(11, &1.5f64.to_le_bytes()).unwrap(), real(1.5));
        assert_eq!(read_raw(10, &0x3e00u16.to_le_bytes()).unwrap(), real(1.5));
        assert_eq!(read_raw(16, &0x3fc0u16.to_le_bytes()).unwrap(), real(1.5));
        assert_eq!(read_raw(2, &[200]).unwrap(), whole(200));
        assert_eq!(read_raw(3, &[200]).unwrap(), whole(-56));
        assert_eq!(read_raw(9, &[1]).unwrap(), whole(1));
        assert_eq!(read_raw(4, &[0, 200]).unwrap(), whole(51200));
        assert_eq!(read_raw(5, &[0, 200]).unwrap(), whole(-14336));
        assert_eq!(read_raw(6, &(-7i32).to_le_bytes()).unwrap(), whole(-7));
        assert_eq!(read_raw(12, &u32::MAX.to_le_bytes()).unwrap(), whole(u32::MAX.into()));
        assert_eq!(read_raw(7, &(-7i64).to_le_bytes()).unwrap(), whole(-7));
        assert_eq!(read_raw(13, &u64::MAX.to_le_bytes()).unwrap(), whole(i64::MAX));
        for number in [0, 8, 14, 17, 22, 99, -1] {
            assert!(read_raw(number, &[0]).is_err(), "{number}");
        }
        assert!(read_raw(1, &[0; 3]).is_err());
    }

    #[test]
    fn typed_fields_and_their_faults() {
        let mut external = ExternalData::none();
        let mut proto = TensorProto {
            dims: vec![2],
            data_type: 10,
            int32_data: vec![0x3c00, 0xc000],
            ..Default::default()
        };
        let array = read(&mut proto, &mut external).unwrap();
        assert_eq!(array.data, Data::Floats(vec![1.0, -2.0].into()));
        let faults = [
            (TensorProto { dims: vec![-2], ..proto.clone() }, "negative"),
            (TensorProto { dims: vec![3], ..proto.clone() }, "3 numbers, but it has 2"),
            (TensorProto { dims: vec![1 << 40, 1 << 40], ..proto.clone() }, "larger than"),
            (TensorProto { data_location: 1, ..proto }, "without a place"),
        ];
        for (mut proto, part) in faults {
            let refusal = read(&mut proto, &mut external).unwrap_err();
            assert!(refusal.problem.contains(part), "{refusal:?}");
        }
    }
}
