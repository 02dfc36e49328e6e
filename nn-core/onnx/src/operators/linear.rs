//! Matrix products: with weights a dense layer, or one for each pixel; of two values attention's.

use super::Family;
use crate::array::Array;
use crate::call::{Call, mixes_the_batch, unaligned};
use crate::layout::Layout;
use crate::net::Weight;
use crate::refusal::{Refusal, Result};
use crate::value::{Computed, Value};
use nn_core::layers::{Conv2D, Dense, MatMul, Reshape};
use std::rc::Rc;
use std::sync::Arc;

pub const OPERATORS: Family = &[("Gemm", gemm), ("MatMul", matmul)];

/// `alpha A' B' + beta C`, where a prime may stand for a transpose.
fn gemm(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let attributes = &call.node.attributes;
    if attributes.flag("transA")? {
        return Err(mixes_the_batch("attribute transA is 1, so it sums over"));
    }
    let factor = |name: &str| Ok::<_, Refusal>(attributes.float(name)?.unwrap_or(1.0) as f32);
    let (alpha, beta) = (factor("alpha")?, factor("beta")?);
    let x = call.computed(0)?;
    let weight = call.required_constant(1)?;
    // One with the batch merged with others has a dimension more in the network.
    let ([_, features] | [_, _, features], [_, _]) = (x.dims.as_slice(), weight.dims.as_slice())
    else {
        return Err(Refusal::new(
            format!(
                "it multiplies values of the shapes {:?} and {:?}, no matrices",
                x.dims, weight.dims
            ),
            "the file is damaged; export the model again",
        ));
    };
    // Ours are [out, in], as PyTorch's.
    let weight = if attributes.flag("transB")? { weight } else { weight.permuted(&[1, 0]) };
    let [units, columns] = [weight.dims[0], weight.dims[1]];
    if columns != *features {
        return Err(Refusal::new(
            format!("its weight takes {columns} features, but its input has {features}"),
            "the image size differs from that at export, or the file is damaged",
        ));
    }
    let bias = match call.constant(2)? {
        None => None,
        Some(bias) => Some(scaled(bias_for(call, units, &bias)?, beta)),
    };
    product(call, &x, units, scaled(weight.to_floats(), alpha), bias)
}

fn scaled(values: Weight, factor: f32) -> Weight {
    match factor {
        1.0 => values,
        factor => Rc::new(values.iter().map(|value| value * factor).collect()),
    }
}

/// One number for each unit, from a bias that may be one for all.
fn bias_for(call: &Call<'_>, units: usize, bias: &Array) -> Result<Weight> {
    let values = bias.to_floats();
    match values.len() {
        1 => call.spread(&values, units),
        len if len == units && bias.dims.last() == Some(&units) => Ok(values),
        len => Err(Refusal::new(
            format!("its bias {:?} has {len} numbers for {units} units", bias.dims),
            "export again, with another version of the exporter: some write wrong biases (PyTorch issue 166797)",
        )),
    }
}

fn matmul(call: &mut Call<'_>) -> Result<Vec<Value>> {
    match (call.value(0)?.clone(), call.value(1)?.clone()) {
        (Value::Computed(x), Value::Constant(weight)) => with_weight(call, &x, &weight),
        (Value::Computed(a), Value::Computed(b)) => Ok(vec![of_two(call, &a, &b, None)?.into()]),
        (Value::Unaligned(..), _) | (_, Value::Unaligned(..)) => Err(unaligned()),
        (Value::Constant(_), _) => Err(Refusal::new(
            "its first factor is a constant: it mixes pixels or tokens",
            "only weights on the right are read",
        )),
    }
}

/// A dense layer of each row: for images the convolution of each pixel.
fn with_weight(call: &mut Call<'_>, x: &Computed, weight: &Array) -> Result<Vec<Value>> {
    let (rank, &[inputs, units]) = (x.rank(), weight.dims.as_slice()) else {
        let problem = format!("its weight has the shape {:?}, which is no matrix", weight.dims);
        return Err(Refusal::new(problem, "only products with one matrix are read"));
    };
    if rank < 2 || x.dims[rank - 1] != inputs {
        return Err(Refusal::new(
            format!("its weight {:?} does not fit its input {:?}", weight.dims, x.dims),
            "the image size differs from that at export, or the file is damaged",
        ));
    }
    let weight = weight.permuted(&[1, 0]).to_floats();
    product(call, x, units, weight, None)
}

/// The product of each row with a weight `[units, inputs]`.
fn product(
    call: &mut Call<'_>,
    x: &Computed,
    units: usize,
    weight: Weight,
    bias: Option<Weight>,
) -> Result<Vec<Value>> {
    let (rank, inputs) = (x.rank(), x.dims[x.rank() - 1]);
    let has_bias = bias.is_some();
    let parameters = [Some(weight), bias].into_iter().flatten().collect();
    let mut dims = x.dims.clone();
    dims[rank - 1] = units;
    if rank == 2 {
        let id = call.add(Dense::new(units).bias(has_bias), &[x.id], parameters)?;
        return Ok(vec![Computed::new(dims, Layout::plain(2), id).into()]);
    }
    let layout = x.layout.ending_in(rank - 1);
    let mut id = call.arranged(x, &layout)?;
    let image = rank == 4;
    if !image {
        id =
            call.help("rows", Reshape::new([x.len() / inputs.max(1), 1, inputs]), &[id], vec![])?;
    }
    id = call.add(Conv2D::new(units, 1).bias(has_bias), &[id], parameters)?;
    if !image {
        let shape = layout.sample(&dims);
        id = call.help("shape", Reshape::new(shape), &[id], vec![])?;
    }
    Ok(vec![Computed::new(dims, layout, id).into()])
}

/// The products of matrices of two values; `what` names the layer beside the node, if that has several.
pub fn of_two(
    call: &mut Call<'_>,
    a: &Computed,
    b: &Computed,
    what: Option<&str>,
) -> Result<Computed> {
    let rank = a.rank();
    if rank < 3 || b.rank() != rank {
        return Err(Refusal::new(
            format!("it multiplies values of the shapes {:?} and {:?}", a.dims, b.dims),
            "both must be [batch, .., rows, columns], of as many dimensions",
        ));
    }
    let layout = Layout::plain(rank);
    let arranged = |call: &mut Call<'_>, value| call.arranged_for(what, value, &layout);
    let inputs = [arranged(call, a)?, arranged(call, b)?];
    let id = call.add_shared(what, Arc::new(MatMul::new()), &inputs)?;
    let dims = [&a.dims[..1], call.net().shape(id).dims()].concat();
    Ok(Computed::new(dims, layout, id))
}
