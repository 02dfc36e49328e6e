//! Element by element: sums, products, comparisons, functions, casts.

use super::{Budget, Call};
use crate::array::{Array, Data, strides, walk};
use crate::refusal::{Refusal, Result};
use crate::tensors::ElementType;

/// An operator of two numbers, as real and as whole ones.
struct Binary {
    real: fn(f64, f64) -> f64,
    /// `None` where there is no result: of a division by zero, or a power.
    whole: fn(i64, i64) -> Option<i64>,
    /// Whether it says whether something is so.
    is_truth: bool,
}

const PRODUCT: Binary =
    Binary { real: |a, b| a * b, whole: |a, b| Some(a.wrapping_mul(b)), is_truth: false };

fn binary(op: &str) -> Option<Binary> {
    let arithmetic = |real, whole| Some(Binary { real, whole, is_truth: false });
    macro_rules! truth {
        ($test:expr) => {
            Some(Binary {
                real: |a, b| if $test(&a, &b) { 1.0 } else { 0.0 },
                whole: |a, b| Some($test(&a, &b).into()),
                is_truth: true,
            })
        };
    }
    match op {
        "Add" | "Sum" => arithmetic(|a, b| a + b, |a, b| Some(a.wrapping_add(b))),
        "Sub" => arithmetic(|a, b| a - b, |a, b| Some(a.wrapping_sub(b))),
        "Mul" => Some(PRODUCT),
        "Div" => arithmetic(|a, b| a / b, i64::checked_div),
        "Mod" => arithmetic(
            |a, b| a % b,
            |a, b| {
                let rest = a.checked_rem(b)?;
                Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
            },
        ),
        "Pow" => arithmetic(f64::powf, |a, b| a.checked_pow(u32::try_from(b).ok()?)),
        "Min" => arithmetic(f64::min, |a, b| Some(a.min(b))),
        "Max" => arithmetic(f64::max, |a, b| Some(a.max(b))),
        "Equal" => truth!(PartialEq::eq),
        "Greater" => truth!(PartialOrd::gt),
        "GreaterOrEqual" => truth!(PartialOrd::ge),
        "Less" => truth!(PartialOrd::lt),
        "LessOrEqual" => truth!(PartialOrd::le),
        "And" => arithmetic(|a, b| a * b, |a, b| Some((a != 0 && b != 0).into())),
        "Or" => arithmetic(f64::max, |a, b| Some((a != 0 || b != 0).into())),
        _ => None,
    }
}

/// A function of a real number. Whole ones stay as they are where a function rounds.
fn unary(op: &str) -> Option<fn(f64) -> f64> {
    Some(match op {
        "Neg" => |v| -v,
        "Abs" => f64::abs,
        "Sqrt" => f64::sqrt,
        "Sin" => f64::sin,
        "Cos" => f64::cos,
        "Exp" => f64::exp,
        "Log" => f64::ln,
        "Floor" => f64::floor,
        "Ceil" => f64::ceil,
        "Round" => f64::round_ties_even,
        "Reciprocal" => |v| 1.0 / v,
        "Not" => |v| if v == 0.0 { 1.0 } else { 0.0 },
        "Sigmoid" => |v| 1.0 / (1.0 + (-v).exp()),
        "Relu" => |v| v.max(0.0),
        "Tanh" => f64::tanh,
        _ => return None,
    })
}

pub fn evaluate(call: &Call<'_>, budget: &Budget) -> Result<Option<Array>> {
    let op = call.node.op.as_str();
    if let Some(operator) = binary(op) {
        let mut result = call.array(0)?.clone();
        for i in 1..call.inputs.len() {
            result = combined(&operator, &result, call.array(i)?, budget)?;
        }
        return Ok(Some(result));
    }
    if let Some(function) = unary(op) {
        let array = call.array(0)?;
        budget.take(&array.dims, array)?;
        let data = match &array.data {
            Data::Floats(v) => {
                Array::floats([], v.iter().map(|&v| function(v.into()) as f32).collect())
            }
            Data::Integers(v) => {
                Array::integers([], v.iter().map(|&v| function(v as f64) as i64).collect())
            }
        };
        return Ok(Some(data.with_dims(array.dims.clone())));
    }
    match op {
        "Cast" => {
            let to = call.node.attributes.int("to")?.unwrap_or(1);
            cast(call.array(0)?, i32::try_from(to).unwrap_or(0), budget).map(Some)
        }
        "CastLike" => match &call.array(1)?.data {
            Data::Floats(_) => cast(call.array(0)?, 1, budget).map(Some),
            Data::Integers(_) => cast(call.array(0)?, 7, budget).map(Some),
        },
        "Clip" => {
            let bound = |name: &str, i: usize, usual: f64| -> Result<f64> {
                let given = call.node.attributes.float(name)?;
                match (given, call.constant(i)) {
                    (Some(given), _) => Ok(given),
                    (None, None) => Ok(usual),
                    (None, Some(array)) => array.scalar().ok_or_else(|| not_one(name, array)),
                }
            };
            let low = bound("min", 1, f64::NEG_INFINITY)?;
            let high = bound("max", 2, f64::INFINITY)?;
            let array = call.array(0)?;
            budget.take(&array.dims, array)?;
            let above = |v: f64| if v < low { low } else { v };
            let clipped = |v: f64| if above(v) > high { high } else { above(v) };
            Ok(Some(match &array.data {
                Data::Floats(values) => {
                    let values = values.iter().map(|&v| clipped(f64::from(v)) as f32).collect();
                    Array::floats(array.dims.clone(), values)
                }
                Data::Integers(values) => {
                    let (low, high) = (low as i64, high as i64); // infinity is the last number
                    let values = values.iter().map(|&v| v.max(low).min(high)).collect();
                    Array::integers(array.dims.clone(), values)
                }
            }))
        }
        "Where" => {
            let (condition, a, b) = (call.array(0)?, call.array(1)?, call.array(2)?);
            let dims = broadcast(&broadcast(&condition.dims, &a.dims)?, &b.dims)?;
            budget.take(&dims, a)?;
            let offsets = |array: &Array| repeated(&array.dims, &dims);
            let picks = offsets(condition).map(|i| condition.number(i) != 0.0);
            let pairs = picks.zip(offsets(a).zip(offsets(b)));
            Ok(Some(match (&a.data, &b.data) {
                (Data::Integers(a), Data::Integers(b)) => {
                    let picked = pairs.map(|(pick, (i, j))| if pick { a[i] } else { b[j] });
                    Array::integers(dims, picked.collect())
                }
                _ => {
                    let (a, b) = (a.to_floats(), b.to_floats());
                    let picked = pairs.map(|(pick, (i, j))| if pick { a[i] } else { b[j] });
                    Array::floats(dims, picked.collect())
                }
            }))
        }
        _ => Ok(None),
    }
}

/// A bound that is not one number.
pub fn not_one(name: &str, array: &Array) -> Refusal {
    let problem = format!("its {name} is an array {:?}", array.dims);
    Refusal::new(problem, "it must be one number; export the model again")
}

/// The product of two constants.
pub fn product(a: &Array, b: &Array, budget: &Budget) -> Result<Array> {
    combined(&PRODUCT, a, b, budget)
}

fn combined(operator: &Binary, a: &Array, b: &Array, budget: &Budget) -> Result<Array> {
    let dims = broadcast(&a.dims, &b.dims)?;
    budget.take(&dims, a)?;
    let pairs = repeated(&a.dims, &dims).zip(repeated(&b.dims, &dims));
    if let (Data::Integers(x), Data::Integers(y)) = (&a.data, &b.data) {
        let value = |(i, j): (usize, usize)| {
            (operator.whole)(x[i], y[j]).ok_or_else(|| {
                let problem = format!("of {} and {} it gives no whole number", x[i], y[j]);
                Refusal::new(problem, "the file is damaged; export it again")
            })
        };
        return Ok(Array::integers(dims, pairs.map(value).collect::<Result<_>>()?));
    }
    let values = pairs.map(|(i, j)| (operator.real)(a.number(i), b.number(j)));
    Ok(match operator.is_truth {
        true => Array::integers(dims, values.map(|v| v as i64).collect()),
        false => Array::floats(dims, values.map(|v| v as f32).collect()),
    })
}

fn cast(array: &Array, to: i32, budget: &Budget) -> Result<Array> {
    budget.take(&array.dims, array)?;
    let kind = ElementType::new(to).map_err(|refusal| refusal.at("attribute to"))?;
    let whole = |v: f64| if kind == ElementType::Bool { (v != 0.0).into() } else { v as i64 };
    Ok(match (&array.data, kind.is_real()) {
        (Data::Floats(_), true) => array.clone(),
        (Data::Integers(_), true) => {
            Array { data: Data::Floats(array.to_floats()), ..array.clone() }
        }
        (Data::Integers(_), false) if kind != ElementType::Bool => array.clone(),
        _ => Array::integers(
            array.dims.clone(),
            (0..array.len()).map(|i| whole(array.number(i))).collect(),
        ),
    })
}

/// The shape of what two shapes combine to, as NumPy has it.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |dims: &[usize], i: usize| (i + dims.len()).checked_sub(rank).map_or(1, |i| dims[i]);
    let combined = (0..rank).map(|i| match (dim(a, i), dim(b, i)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    });
    combined.collect::<Option<_>>().ok_or_else(|| {
        Refusal::new(
            format!("values of the shapes {a:?} and {b:?} do not combine"),
            "dimensions must be equal or 1; export the model again",
        )
    })
}

/// The offsets, in an array of the shape `from`, of the elements of what it is repeated to.
pub fn repeated(from: &[usize], to: &[usize]) -> impl Iterator<Item = usize> + use<> {
    let missing = to.len() - from.len();
    let own = strides(from);
    let stride = |i: usize| match i.checked_sub(missing) {
        Some(i) if from[i] != 1 => own[i],
        _ => 0,
    };
    walk(to, &(0..to.len()).map(stride).collect::<Vec<_>>())
}
