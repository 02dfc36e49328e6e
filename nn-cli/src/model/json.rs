//! Numbers in files that say how images are brought to a model.

use serde_json::Value;

/// The largest such file that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

/// A number, or a list of some.
pub fn numbers(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Array(list) => list.iter().map(Value::as_f64).collect(),
        one => one.as_f64().map(|one| vec![one]),
    }
}

/// Height and width: a number for both, or a list of them.
pub fn size(value: &Value) -> Option<(usize, usize)> {
    let side = |value: &Value| usize::try_from(value.as_u64()?).ok().filter(|&side| side > 0);
    match value {
        Value::Array(list) => match list.as_slice() {
            [height, width] => Some((side(height)?, side(width)?)),
            _ => None,
        },
        one => side(one).map(|side| (side, side)),
    }
}
