//! A node that is being lowered, and what its operator may ask for and add.

use crate::array::Array;
use crate::fold::{self, Budget};
use crate::graph::Node;
use crate::layout::Layout;
use crate::net::{Net, ValueId, Weight};
use crate::refusal::{Refusal, Result};
use crate::value::{Batch, Computed, Value};
use nn_core::layers::{Constant, Layer, Permute, Reshape};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// A graph as a network, before it is simplified.
#[derive(Debug)]
pub struct Lowered {
    pub net: Net,
    /// What each name of a node or value of the file stands for.
    pub names: HashMap<String, ValueId>,
    /// Whether the file leaves the size of the batch open.
    pub any_batch: bool,
    /// How many nodes were computed while reading.
    pub folded: usize,
    /// What may still be computed while reading.
    pub budget: Budget,
    pub values: HashMap<String, Value>,
    /// Values that cannot be computed, which is a fault only if they are needed.
    pub postponed: HashMap<String, Refusal>,
}

impl Lowered {
    /// The value of an output.
    pub fn output(&self, name: &str) -> Result<&Computed> {
        if let Some(refusal) = self.postponed.get(name) {
            return Err(refusal.clone());
        }
        let again = "export the model again, with the logits or scores as its output";
        match self.values.get(name) {
            Some(Value::Computed(value)) => Ok(value),
            Some(Value::Unaligned(..)) => {
                Err(Refusal::new("its first dimension is not the batch", again))
            }
            Some(Value::Constant(_)) => Err(Refusal::new("it does not depend on the image", again)),
            None => Err(Refusal::new("nothing computes it", again)),
        }
    }

    /// Takes note that what a node gives cannot be computed.
    pub fn postpone(&mut self, node: &Node, refusal: &Refusal) {
        let outputs = node.outputs.iter().cloned();
        self.postponed.extend(outputs.map(|name| (name, refusal.clone())));
    }

    /// Takes note of what a node gives.
    pub fn keep(&mut self, node: &Node, outputs: Vec<Value>, place: &str) {
        let mut outputs = outputs.into_iter();
        for (i, name) in node.outputs.iter().enumerate() {
            let value = outputs.next();
            if let Some(Value::Computed(value) | Value::Unaligned(_, value)) = &value {
                self.names.insert(name.clone(), value.id);
                if i == 0 && !node.name.is_empty() {
                    self.names.entry(node.name.clone()).or_insert(value.id);
                }
            }
            match value {
                Some(value) => drop(self.values.insert(name.clone(), value)),
                None => drop(self.postponed.insert(name.clone(), not_given(name).at(place))),
            }
        }
    }
}

/// An output that only training needs, such as the mask of a dropout.
fn not_given(name: &str) -> Refusal {
    Refusal::new(
        format!("its output {name:?} is taken, which is not computed"),
        "export the model in inference mode, without outputs that only training needs",
    )
}

/// A node that is being lowered, and what it may ask for.
#[derive(Debug)]
pub struct Call<'a> {
    pub node: &'a Node,
    pub opset: i64,
    pub lowered: &'a mut Lowered,
}

impl Call<'_> {
    /// Whether there is an `i`-th input.
    pub fn has(&self, i: usize) -> bool {
        self.node.inputs.get(i).is_some_and(|name| !name.is_empty())
    }

    /// The `i`-th input, if it is there.
    pub fn optional(&self, i: usize) -> Result<Option<&Value>> {
        if !self.has(i) {
            return Ok(None);
        }
        let name = &self.node.inputs[i];
        if let Some(refusal) = self.lowered.postponed.get(name) {
            return Err(refusal.clone());
        }
        self.lowered.values.get(name).map(Some).ok_or_else(|| {
            Refusal::new(format!("its input {name:?} is not known"), "export the model again")
        })
    }

    /// The `i`-th input.
    pub fn value(&self, i: usize) -> Result<&Value> {
        self.optional(i)?.ok_or_else(|| {
            Refusal::new(
                format!("its input {i} is missing"),
                "the file is damaged; export it again",
            )
        })
    }

    /// The `i`-th input, which depends on the image.
    pub fn computed(&self, i: usize) -> Result<Computed> {
        match self.value(i)? {
            Value::Computed(value) => Ok(value.clone()),
            Value::Unaligned(..) => Err(unaligned()),
            Value::Constant(_) => Err(Refusal::new(
                format!(
                    "its input {i} is a constant, where a value that depends on the image is expected"
                ),
                "fold it: onnxsim, or torch.onnx.export with do_constant_folding=True",
            )),
        }
    }

    /// Whether it has inputs, and all of them are known when the file is read.
    pub fn all_constant(&self) -> bool {
        let mut inputs = self.node.inputs.iter().filter(|name| !name.is_empty()).peekable();
        let values = &self.lowered.values;
        inputs.peek().is_some()
            && inputs.all(|name| matches!(values.get(name), Some(Value::Constant(_))))
    }

    /// The `i`-th input, which depends on the image; the batch may be at any place.
    pub fn anywhere(&self, i: usize) -> Result<Computed> {
        match self.value(i)? {
            Value::Unaligned(Batch::Moved, value) => Ok(value.clone()),
            _ => self.computed(i),
        }
    }

    /// The `i`-th input, which is known when the file is read, if it is there.
    pub fn constant(&self, i: usize) -> Result<Option<Array>> {
        match self.optional(i)? {
            None => Ok(None),
            Some(Value::Constant(array)) => Ok(Some(array.clone())),
            Some(Value::Computed(_) | Value::Unaligned(..)) => Err(Refusal::new(
                format!("its input {i} ({:?}) depends on the image", self.node.inputs[i]),
                "only weights and shapes that are fixed can be read here; export for a fixed image size",
            )),
        }
    }

    /// The `i`-th input, a constant that must be there.
    pub fn required_constant(&self, i: usize) -> Result<Array> {
        self.constant(i)?.ok_or_else(|| {
            Refusal::new(
                format!("its input {i} is missing"),
                "the file is damaged; export it again",
            )
        })
    }

    /// Whole numbers from attribute `name`, or as later opsets have them from input `i`.
    pub fn ints(&self, name: &str, i: usize) -> Result<Option<Vec<i64>>> {
        match self.node.attributes.ints(name)? {
            Some(ints) => Ok(Some(ints.to_vec())),
            None => self.constant(i)?.map(|array| Ok(array.to_integers()?.to_vec())).transpose(),
        }
    }

    /// The node and its inputs, for folding; `None` if an input cannot be had.
    pub fn for_folding(&self) -> Option<fold::Call<'_>> {
        let inputs = (0..self.node.inputs.len()).map(|i| self.optional(i).ok());
        Some(fold::Call { node: self.node, inputs: inputs.collect::<Option<_>>()? })
    }

    /// The network so far.
    pub fn net(&self) -> &Net {
        &self.lowered.net
    }

    /// What may still be computed while reading.
    pub fn budget(&self) -> &Budget {
        &self.lowered.budget
    }

    /// `len` times this number, as a parameter.
    pub fn filled(&self, value: f32, len: usize) -> Result<Weight> {
        Ok(Rc::new(vec![value; self.budget().take_real(&[len])?]))
    }

    /// Each number `times` times, one after the other, as a parameter.
    pub fn spread(&self, weight: &[f32], times: usize) -> Result<Weight> {
        self.budget().take_real(&[weight.len(), times])?;
        Ok(Rc::new(weight.iter().flat_map(|&v| std::iter::repeat_n(v, times)).collect()))
    }

    /// Adds a layer named after the node, and gives its value.
    pub fn add<L: Layer<f32> + 'static>(
        &mut self,
        layer: L,
        inputs: &[ValueId],
        parameters: Vec<Weight>,
    ) -> Result<ValueId> {
        let name = self.node.title().to_owned();
        self.lowered.net.add(name, Arc::new(layer), inputs.to_vec(), parameters)
    }

    /// Adds a layer that helps the node, under its name and that of the help.
    pub fn help<L: Layer<f32> + 'static>(
        &mut self,
        what: &str,
        layer: L,
        inputs: &[ValueId],
        parameters: Vec<Weight>,
    ) -> Result<ValueId> {
        let name = format!("{}.{what}", self.node.title());
        self.lowered.net.add(name, Arc::new(layer), inputs.to_vec(), parameters)
    }

    /// Adds a layer without parameters, named after the node and, if there is one, its help.
    pub fn add_shared(
        &mut self,
        what: Option<&str>,
        layer: Arc<dyn Layer<f32>>,
        inputs: &[ValueId],
    ) -> Result<ValueId> {
        let title = self.node.title();
        let name = what.map_or_else(|| title.to_owned(), |what| format!("{title}.{what}"));
        self.lowered.net.add(name, layer, inputs.to_vec(), vec![])
    }

    /// A constant `[1, ..]`, input `i` of the node, as a value of the network in this layout, the same for each sample of
    /// `like`. It is named as the file does, or after the layer whose parameter it is.
    pub fn known(
        &mut self,
        i: Option<usize>,
        constant: &Array,
        layout: &Layout,
        like: ValueId,
    ) -> Result<ValueId> {
        let arranged = constant.permuted(layout.axes());
        let layer = Constant::new(&arranged.dims[1..]).fixed(!constant.is_learned());
        let own = |input: &String| input.strip_suffix(".weight").unwrap_or(input).to_owned();
        let name = i.and_then(|i| self.node.inputs.get(i)).map(own);
        let name = name.unwrap_or_else(|| format!("{}.constant", self.node.title()));
        self.lowered.net.add(name, Arc::new(layer), vec![like], vec![arranged.to_floats()])
    }

    /// The value in a layout: as it is, or moved.
    pub fn arranged(&mut self, value: &Computed, layout: &Layout) -> Result<ValueId> {
        self.arranged_for(None, value, layout)
    }

    /// Like [`arranged`](Self::arranged), for a help of the node if one is named.
    pub fn arranged_for(
        &mut self,
        what: Option<&str>,
        value: &Computed,
        layout: &Layout,
    ) -> Result<ValueId> {
        let named = |how: &str| what.map_or(how.to_owned(), |what| format!("{what}.{how}"));
        if value.layout == *layout {
            return Ok(value.id);
        }
        if value.layout.is_same_memory(layout, &value.dims) {
            let shape = layout.sample(&value.dims);
            return self.help(&named("reshape"), Reshape::new(shape), &[value.id], vec![]);
        }
        let axes = value.layout.permutation_to(layout);
        let axes: Vec<_> = axes[1..].iter().map(|axis| axis - 1).collect();
        self.help(&named("permute"), Permute::new(axes), &[value.id], vec![])
    }

    /// The value arranged as an image of ours, and its ONNX dimensions `[batch, channels, height, width]`.
    pub fn image(&mut self, i: usize) -> Result<(ValueId, [usize; 4])> {
        let value = self.computed(i)?;
        let Ok(dims) = <[usize; 4]>::try_from(value.dims.as_slice()) else {
            return Err(Refusal::new(
                format!(
                    "its input has the shape {:?}; images [batch, channels, height, width] are read",
                    value.dims
                ),
                "classifiers of images have 2-D convolutions and poolings",
            ));
        };
        Ok((self.arranged(&value, &Layout::channels_last(4))?, dims))
    }

    /// The value that a layer of images computes, as ONNX sees it.
    pub fn as_image(&self, batch: usize, id: ValueId) -> Result<Vec<Value>> {
        match *self.lowered.net.shape(id).dims() {
            [height, width, channels] => {
                let dims = vec![batch, channels, height, width];
                Ok(vec![Computed::new(dims, Layout::channels_last(4), id).into()])
            }
            ref other => Err(Refusal::new(
                format!("its value has the shape {other:?}, not that of an image"),
                "this is a fault of nn-onnx, please report it",
            )),
        }
    }
}

/// What mixes the samples of a batch.
pub fn mixes_the_batch(what: &str) -> Refusal {
    Refusal::new(
        format!("{what} the batch, its first dimension"),
        "each sample must be computed for itself: export the model for inference",
    )
}

/// What takes a value whose first dimension is not the batch.
pub fn unaligned() -> Refusal {
    Refusal::new(
        "the first dimension of its input is not the batch",
        "move the batch back to the front before this node: each sample must be computed for itself",
    )
}
