//! Batch normalisation of constants. PyTorch writes the standardisation of weights this way, by the statistics of the
//! weights themselves (<https://arxiv.org/abs/1903.10520>), as timm's `StdConv2d` has it.

use super::{Budget, Call};
use crate::array::Array;
use crate::refusal::{Refusal, Result};

pub fn evaluate(call: &Call<'_>, budget: &Budget) -> Result<Option<Array>> {
    if call.node.op != "BatchNormalization" {
        return Ok(None);
    }
    let array = call.array(0)?;
    let &[batch, channels, ref rest @ ..] = array.dims.as_slice() else {
        let problem = format!("its input has the shape {:?}, without channels", array.dims);
        return Err(Refusal::new(problem, "the file is damaged; export it again"));
    };
    let parameters = (1..5).map(|i| call.array(i)).collect::<Result<Vec<_>>>()?;
    if let Some(other) = parameters.iter().find(|array| array.len() != channels) {
        let problem = format!("it has {} numbers for {channels} channels", other.len());
        return Err(Refusal::new(problem, "export again, with another version of the exporter"));
    }
    if budget.take_real(&array.dims)? == 0 {
        return Ok(Some(Array::floats(array.dims.clone(), Vec::new())));
    }
    let epsilon = call.node.attributes.float("epsilon")?.unwrap_or(1e-5);
    let by_own_statistics = call.node.attributes.flag("training_mode")?;
    let [x, scale, bias] = [array, parameters[0], parameters[1]].map(Array::to_floats);
    let len: usize = rest.iter().product();
    let mut y = vec![0.0; array.len()];
    for channel in 0..channels {
        let own = || {
            let first = (0..batch).map(|sample| (sample * channels + channel) * len);
            first.flat_map(|first| first..first + len)
        };
        let (mean, variance) = if by_own_statistics {
            let count = (batch * len) as f64;
            let mean = own().map(|i| f64::from(x[i])).sum::<f64>() / count;
            (mean, own().map(|i| (f64::from(x[i]) - mean).powi(2)).sum::<f64>() / count)
        } else {
            (parameters[2].number(channel), parameters[3].number(channel))
        };
        let factor = f64::from(scale[channel]) / (variance + epsilon).sqrt();
        for i in own() {
            y[i] = ((f64::from(x[i]) - mean) * factor + f64::from(bias[channel])) as f32;
        }
    }
    Ok(Some(Array::floats(array.dims.clone(), y)))
}
