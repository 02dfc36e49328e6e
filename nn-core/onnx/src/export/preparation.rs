//! The model that is written, and the entries of its metadata.

use super::Export;
use super::proto::entry;
use crate::metadata::{
    CLASSES, IMAGE_SIZE, OUTPUT, OUTPUT_KIND, OWN_VERSION, PREPROCESSING, RESIZE, VERSION,
    names_fit,
};
use crate::proto::Entry;
use nn_core::layers::{Gather, LayerKinds, Normalization, OutputKind, Rescaling};
use nn_core::model::{Model, Preprocessing};
use nn_core::{Error, Result};
use serde::Serialize;
use std::any::Any;

/// What is written.
#[derive(Debug)]
pub struct Prepared {
    pub model: Model,
    pub metadata: Vec<Entry>,
}

pub fn prepare(export: &Export<'_>) -> Result<Prepared> {
    let mut model = export.model.clone();
    let mut preprocessing = export.preprocessing.clone();
    if export.front_as_metadata {
        if preprocessing.is_some() || export.in_graph {
            return Err(Error::setting(
                "the preprocessing of an ONNX file",
                "given, or what the model's front does",
                "both",
                "leave one of them away",
            ));
        }
        preprocessing = Some(front(&model)?);
        model = model.without_front();
    }
    if export.in_graph {
        let Some(wanted) = preprocessing else {
            return Err(Error::setting(
                "the preprocessing in the graph of an ONNX file",
                "given",
                "none",
                "say which, or leave it out of the graph",
            ));
        };
        model = wanted.in_front_of(model)?;
        // What is left to do is nothing.
        preprocessing = Some(Preprocessing::preset("none")?);
    }
    let kind = model.output_kind();
    let output = match kind {
        OutputKind::Linear => "values",
        _ if export.probabilities => "probabilities",
        _ => "logits",
    };
    let mut metadata =
        vec![entry(VERSION, OWN_VERSION), entry(OUTPUT, output), entry(OUTPUT_KIND, kind.name())];
    if let Some(names) = &export.class_names {
        if !names_fit(names.len(), &model) {
            return Err(Error::setting(
                "the number of class names of an ONNX file",
                format!("that of the model's outputs, {}, or two for one sigmoid", model.classes()),
                names.len(),
                "give the names in the order of the outputs",
            ));
        }
        metadata.push(entry(CLASSES, json(names)));
    }
    if let [height, width, _] = *model.input_shape().dims() {
        metadata.push(entry(IMAGE_SIZE, format!("{height}x{width}")));
    }
    if let Some(preprocessing) = &preprocessing {
        // What does not fit the model is refused.
        preprocessing.in_front_of(model.clone())?;
        metadata.push(entry(PREPROCESSING, json(preprocessing)));
    }
    metadata.extend(export.resize.map(|resize| entry(RESIZE, resize.to_string())));
    Ok(Prepared { model, metadata })
}

/// Texts, or numbers with names, in JSON, which has a form for each.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// What the layers in front of a model do, as preprocessing.
fn front(model: &Model) -> Result<Preprocessing> {
    let channels = model.input_shape().dims().last().copied().unwrap_or(0);
    // Of each channel of the network which one of the pixel's it is, a factor, and an offset.
    let mut all: Vec<_> = (0..channels).map(|channel| (channel, 1.0, 0.0)).collect();
    let (architecture, kinds) = (model.architecture()?, LayerKinds::<f32>::built_in());
    for own in &architecture.layers[..model.front().count()] {
        let layer = kinds.layer(own.layer.clone())?;
        let layer: &dyn Any = &*layer;
        if let Some(Rescaling { scale, offset }) = layer.downcast_ref() {
            all.iter_mut().for_each(|(_, a, b)| (*a, *b) = (*a * scale, *b * scale + offset));
        } else if let Some(Normalization { mean, std }) = layer.downcast_ref() {
            for ((_, a, b), (mean, std)) in all.iter_mut().zip(mean.iter().zip(std)) {
                (*a, *b) = (*a / std, (*b - mean) / std);
            }
        } else if let Some(Gather { indices, .. }) = layer.downcast_ref() {
            all = indices.iter().map(|&index| all[index]).collect();
        }
    }
    let order: Vec<_> = all.iter().map(|(channel, ..)| *channel).collect();
    let bgr = order == [2, 1, 0];
    let is_usable = all.iter().all(|(_, a, b)| *a != 0.0 && a.is_finite() && b.is_finite());
    if !(bgr || order.iter().copied().eq(0..channels)) || !is_usable {
        return Err(Error::setting(
            "the front of a model to be written as preprocessing",
            "factors, offsets, and channels in the order red, green, blue or the other way round",
            format!("channels {order:?}"),
            "leave it in the graph",
        ));
    }
    all.sort_unstable_by_key(|(channel, ..)| *channel);
    Ok(match all[..] {
        [(_, scale, offset), ref rest @ ..]
            if rest.iter().all(|&(_, a, b)| (a, b) == (scale, offset)) =>
        {
            // No minus before a zero.
            Preprocessing { scale, mean: vec![0.0 - offset], std: vec![1.0], bgr }
        }
        _ => Preprocessing {
            scale: 1.0,
            mean: all.iter().map(|(_, a, b)| -b / a).collect(),
            std: all.iter().map(|(_, a, _)| 1.0 / a).collect(),
            bgr,
        },
    })
}
