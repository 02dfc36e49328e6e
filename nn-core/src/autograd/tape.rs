//! The tape: nodes, values, gradients.

use super::Gradient;
use super::var::{LeafId, NodeRef, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::{BufferPool, Shape, Tensor};
use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A recorded operation: its backward pass and the data saved for it.
///
/// The forward pass runs before recording, in the function that creates the op; see [`Tape::record`]
/// for an example.
pub trait Op<T: Kernels>: Send {
    /// The op's name, for errors.
    fn name(&self) -> &'static str;

    /// Computes each input's gradient from the output's `gradient` and passes it to
    /// [`Backward::accumulate`]. Inputs for which [`Backward::needs`] is false can be skipped.
    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()>;
}

struct Node<T: Kernels> {
    /// `None` for a leaf, and after a backward pass has consumed the op.
    op: Option<Box<dyn Op<T>>>,
    inputs: Vec<Option<usize>>,
    shape: Shape,
    kind: NodeKind,
}

#[derive(Clone, Copy, PartialEq)]
enum NodeKind {
    Leaf,
    Inner,
    Retained,
}

/// A record of operations, in the order they ran.
///
/// Ops take the tape by shared reference, so calls can be nested:
///
/// ```
/// use nn_core::{Tape, Tensor};
/// let mut tape = Tape::<f32>::new();
/// let x = tape.constant(Tensor::from_vec([1, 2], vec![1., -2.])?);
/// let w = tape.leaf(Tensor::from_vec([1, 2], vec![3., 0.5])?);
/// let loss = tape.sum(&tape.relu(tape.linear(&x, &w, None)?));
/// tape.backward(&loss)?;
/// assert_eq!(tape.grad(&w).unwrap().as_slice(), [1., -2.]);
/// # Ok::<(), nn_core::Error>(())
/// ```
///
/// A tape can be used by one thread at a time, and can move between threads.
pub struct Tape<T: Kernels = f32> {
    nodes: RefCell<Vec<Node<T>>>,
    /// By node index, up to the last node that a backward pass started from.
    gradients: Vec<Option<Gradient<T>>>,
    recording: Arc<()>,
    enabled: bool,
    pool: BufferPool<T>,
    /// Data that ops prepared for later runs, by type.
    prepared: RefCell<HashMap<TypeId, Box<dyn Any + Send>>>,
    /// The first op that was given a variable of another recording. `record` cannot fail, so the next
    /// backward pass returns the error: otherwise such a variable would silently be a constant.
    foreign_input: Cell<Option<&'static str>>,
}

impl<T: Kernels> Default for Tape<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Kernels> Tape<T> {
    /// An empty tape.
    pub fn new() -> Self {
        Self::with_pool(BufferPool::new())
    }

    /// An empty tape that takes its buffers from `pool` and returns them to it.
    pub fn with_pool(pool: BufferPool<T>) -> Self {
        Self {
            nodes: RefCell::default(),
            gradients: Vec::new(),
            recording: Arc::new(()),
            enabled: true,
            pool,
            prepared: RefCell::default(),
            foreign_input: Cell::default(),
        }
    }

    /// A tape that runs ops without recording them: for inference. If it is reused, convolutions reuse
    /// their packed weights.
    pub fn inference(pool: BufferPool<T>) -> Self {
        Self { enabled: false, ..Self::with_pool(pool) }
    }

    /// The pool from which ops take their buffers.
    pub fn pool(&self) -> &BufferPool<T> {
        &self.pool
    }

    /// A constant in a buffer that is not far larger than it is.
    pub(crate) fn fitted(&self, var: Var<T>) -> Var<T> {
        match Arc::try_unwrap(var.value) {
            Ok(value) => self.constant(value.fitted(&self.pool)),
            Err(shared) => self.constant(shared),
        }
    }

    /// The result of `with`, applied to the data of type `P` that ops prepared for later runs, such as
    /// packed weights. `None` on a recording tape: training changes weights at every step.
    pub(crate) fn prepared<P: Any + Default + Send, R>(
        &self,
        with: impl FnOnce(&mut P) -> R,
    ) -> Option<R> {
        if self.enabled {
            return None;
        }
        let mut prepared = self.prepared.borrow_mut();
        let kept = prepared.entry(TypeId::of::<P>()).or_insert_with(|| Box::<P>::default());
        Some(with(kept.downcast_mut()?))
    }

    /// Whether ops are recorded.
    pub fn is_recording(&self) -> bool {
        self.enabled
    }

    /// Removes all records. Earlier variables can no longer be used on this tape as inputs that need
    /// gradients.
    pub fn clear(&mut self) {
        self.nodes.get_mut().clear();
        self.gradients.clear();
        self.recording = Arc::new(());
        self.foreign_input.set(None);
    }

    /// A variable to differentiate with respect to: a parameter, or an input to be explained.
    pub fn leaf(&self, value: impl Into<Arc<Tensor<T>>>) -> Var<T> {
        let value = value.into();
        let node = self.push(None, Vec::new(), value.shape().clone(), NodeKind::Leaf);
        Var { value, node }
    }

    /// A variable without gradient: data, targets.
    pub fn constant(&self, value: impl Into<Arc<Tensor<T>>>) -> Var<T> {
        Var { value: value.into(), node: None }
    }

    /// Records `op`, which computed `output` from `inputs`, and returns the output as a variable.
    /// Nothing is recorded if no input requires a gradient.
    ///
    /// With it, other crates define their own ops:
    ///
    /// ```
    /// use nn_core::autograd::{Backward, Op};
    /// use nn_core::{Result, Tape, Tensor, Var};
    ///
    /// struct Double;
    /// impl Op<f32> for Double {
    ///     fn name(&self) -> &'static str {
    ///         "double"
    ///     }
    ///     fn backward(&self, gradient: Tensor, inputs: &mut Backward<'_, f32>) -> Result<()> {
    ///         inputs.accumulate(0, gradient.map(|g| 2.0 * g))
    ///     }
    /// }
    ///
    /// let mut tape = Tape::new();
    /// let x: Var = tape.leaf(Tensor::scalar(3.0));
    /// let y = tape.record(Double, &[&x], x.value().map(|v| 2.0 * v));
    /// tape.backward(&y)?;
    /// assert_eq!(tape.grad(&x).unwrap().item()?, 2.0);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn record(
        &self,
        op: impl Op<T> + 'static,
        inputs: &[&Var<T>],
        output: impl Into<Arc<Tensor<T>>>,
    ) -> Var<T> {
        let value = output.into();
        if self.enabled && inputs.iter().any(|input| self.is_foreign(input)) {
            self.foreign_input.set(self.foreign_input.get().or(Some(op.name())));
        }
        let indices: Vec<_> = inputs.iter().map(|input| self.place(input)).collect();
        if indices.iter().all(Option::is_none) {
            return Var { value, node: None };
        }
        let node = self.push(Some(Box::new(op)), indices, value.shape().clone(), NodeKind::Inner);
        Var { value, node }
    }

    /// Whether an op with these inputs will be recorded, and so has to save anything.
    pub fn tracks(&self, inputs: &[&Var<T>]) -> bool {
        self.enabled && inputs.iter().any(|input| self.place(input).is_some())
    }

    /// Whether `var` belongs to another tape, or to this one before it was cleared.
    fn is_foreign(&self, var: &Var<T>) -> bool {
        var.node.as_ref().is_some_and(|node| !Arc::ptr_eq(&node.recording, &self.recording))
    }

    fn push(
        &self,
        op: Option<Box<dyn Op<T>>>,
        inputs: Vec<Option<usize>>,
        shape: Shape,
        kind: NodeKind,
    ) -> Option<NodeRef> {
        if !self.enabled {
            return None;
        }
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { op, inputs, shape, kind });
        let (recording, index) = (Arc::clone(&self.recording), nodes.len() - 1);
        Some(NodeRef { recording, index, is_leaf: kind == NodeKind::Leaf })
    }

    /// The index of `var` in this recording; `None` if it has none.
    fn place(&self, var: &Var<T>) -> Option<usize> {
        let node = var.node.as_ref()?;
        Arc::ptr_eq(&node.recording, &self.recording).then_some(node.index)
    }

    /// [`Tape::place`] of a variable that must be in this recording.
    fn index(&self, var: &Var<T>) -> Result<usize> {
        match (self.place(var), &var.node) {
            (Some(index), _) => Ok(index),
            (None, Some(_)) => Err(Error::Tape(
                "this variable belongs to another tape, or to this one before it was cleared; \
                 make it again with `leaf`, or rerun the forward pass"
                    .into(),
            )),
            (None, None) => Err(Error::Tape(
                "this variable carries no gradient: it is a constant, was computed from constants \
                 only, or the tape does not record; start from `leaf` on a recording tape"
                    .into(),
            )),
        }
    }

    /// Keeps the gradient of an intermediate value. Call it before `backward`.
    pub fn retain_grad(&self, var: &Var<T>) -> Result<()> {
        let index = self.index(var)?;
        let node = &mut self.nodes.borrow_mut()[index];
        if node.kind == NodeKind::Inner {
            node.kind = NodeKind::Retained;
        }
        Ok(())
    }

    /// The gradient of a leaf or retained value; `None` before a backward pass has reached it.
    pub fn grad(&self, var: &Var<T>) -> Option<&Tensor<T>> {
        self.gradients.get(self.place(var)?)?.as_ref().map(Gradient::tensor)
    }

    /// Removes the gradient of a leaf or retained value from the tape and returns it.
    pub fn take_grad(&mut self, var: &Var<T>) -> Option<Tensor<T>> {
        let gradient = self.take_gradient(var)?;
        Some(gradient.into_tensor(&self.pool))
    }

    /// Like [`Tape::take_grad`], but a gradient stored as a product is not computed.
    pub fn take_gradient(&mut self, var: &Var<T>) -> Option<Gradient<T>> {
        let index = self.place(var)?;
        self.gradients.get_mut(index)?.take()
    }

    /// Differentiates `loss`, a single number, and frees the data that ops saved. Gradients are added
    /// to existing ones.
    pub fn backward(&mut self, loss: &Var<T>) -> Result<()> {
        self.backward_on_leaf(loss, &mut |_, _| {})
    }

    /// Like [`Tape::backward`], but calls `on_leaf` for each leaf as soon as its gradient is final, in
    /// reverse order of creation. So gradients can be sent to other workers, or used, while the others
    /// are still being computed.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor, Var};
    /// let mut tape = Tape::<f32>::new();
    /// let (a, b) = (tape.leaf(Tensor::scalar(2.0)), tape.leaf(Tensor::scalar(5.0)));
    /// let square = tape.mul(&a, &a)?;
    /// let product = tape.mul(&square, &b)?;
    /// let mut reported = Vec::new();
    /// tape.backward_on_leaf(&product, &mut |leaf, gradient| {
    ///     reported.push((leaf, gradient.tensor().as_slice()[0]));
    /// })?;
    /// assert_eq!(reported, [(b.leaf_id().unwrap(), 4.0), (a.leaf_id().unwrap(), 20.0)]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn backward_on_leaf(&mut self, loss: &Var<T>, on_leaf: &mut OnLeaf<'_, T>) -> Result<()> {
        if loss.value().len() != 1 {
            return Err(Error::shape(
                "backward",
                "a loss of one element",
                loss.shape(),
                "reduce it with sum or mean, or pass the output's gradient to backward_from",
            ));
        }
        self.propagate(loss, Tensor::full(loss.shape(), T::one()), false, on_leaf)
    }

    /// Propagates `gradient` backwards from `output`, and frees the data that ops saved.
    pub fn backward_from(&mut self, output: &Var<T>, gradient: Tensor<T>) -> Result<()> {
        self.propagate(output, gradient, false, &mut |_, _| {})
    }

    /// Like [`Tape::backward_from`], but keeps the data that ops saved, for another backward pass.
    pub fn backward_from_keeping(&mut self, output: &Var<T>, gradient: Tensor<T>) -> Result<()> {
        self.propagate(output, gradient, true, &mut |_, _| {})
    }

    fn propagate(
        &mut self,
        output: &Var<T>,
        gradient: Tensor<T>,
        keep: bool,
        on_leaf: &mut OnLeaf<'_, T>,
    ) -> Result<()> {
        let last = self.index(output)?;
        if let Some(op) = self.foreign_input.get() {
            return Err(Error::Tape(format!(
                "{op} was given a variable of another tape, or of this one before it was cleared, \
                 and no gradient can flow to it; make it again with `leaf`, or pass its value \
                 through `constant` if it needs none"
            )));
        }
        if gradient.shape() != output.shape() {
            return Err(Error::shape(
                "backward",
                format!("a gradient of the output's shape {}", output.shape()),
                gradient.shape(),
                "pass one number per output element",
            ));
        }
        // Gradients kept by an earlier pass must not be propagated again. So each pass has its own
        // slots, and adds those of leaves and retained values to the kept ones when it reaches their
        // node.
        let mut pending: Vec<Option<Gradient<T>>> = Vec::new();
        pending.resize_with(last + 1, || None);
        pending[last] = Some(gradient.into());
        if self.gradients.len() <= last {
            self.gradients.resize_with(last + 1, || None);
        }
        let (nodes, gradients, pool) = (self.nodes.get_mut(), &mut self.gradients, &self.pool);
        for index in (0..=last).rev() {
            let Some(gradient) = pending[index].take() else {
                continue;
            };
            let node = &mut nodes[index];
            if node.kind == NodeKind::Leaf {
                on_leaf(LeafId(index), add_to(&mut gradients[index], gradient));
                continue;
            }
            let Some(op) = node.op.take() else {
                return Err(Error::Tape(
                    "this part of the record was already differentiated and freed; rerun the \
                     forward pass, or use backward_from_keeping for all passes but the last"
                        .into(),
                ));
            };
            let gradient = gradient.into_tensor(pool);
            if node.kind == NodeKind::Retained {
                add_to(&mut gradients[index], gradient.clone_in(pool).into());
            }
            let inputs = std::mem::take(&mut node.inputs);
            let mut backward =
                Backward { op: op.name(), inputs: &inputs, nodes, pending: &mut pending, pool };
            let outcome = op.backward(gradient, &mut backward);
            let node = &mut nodes[index];
            node.inputs = inputs;
            if keep {
                node.op = Some(op);
            }
            outcome?;
        }
        Ok(())
    }
}

impl<T: Kernels> fmt::Debug for Tape<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recorded = self.nodes.borrow().len();
        f.debug_struct("Tape")
            .field("recording", &self.enabled)
            .field("recorded", &recorded)
            .finish_non_exhaustive()
    }
}

/// A callback that receives each leaf and its gradient.
pub type OnLeaf<'a, T> = dyn FnMut(LeafId, &Gradient<T>) + 'a;

/// Receives the gradients of an op's inputs during its backward pass.
pub struct Backward<'a, T: Kernels> {
    op: &'static str,
    inputs: &'a [Option<usize>],
    nodes: &'a [Node<T>],
    pending: &'a mut [Option<Gradient<T>>],
    pool: &'a BufferPool<T>,
}

impl<T: Kernels> fmt::Debug for Backward<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backward").field("op", &self.op).finish_non_exhaustive()
    }
}

impl<T: Kernels> Backward<'_, T> {
    /// Whether the gradient of input `i` is needed.
    pub fn needs(&self, i: usize) -> bool {
        self.inputs.get(i).is_some_and(Option::is_some)
    }

    /// The pool to take buffers from.
    pub fn pool(&self) -> &BufferPool<T> {
        self.pool
    }

    /// Adds `gradient`, of the input's shape, to the gradient of input `i`.
    pub fn accumulate(&mut self, i: usize, gradient: impl Into<Gradient<T>>) -> Result<()> {
        let gradient = gradient.into();
        let Some(&Some(index)) = self.inputs.get(i) else {
            return Ok(());
        };
        let expected = &self.nodes[index].shape;
        if gradient.shape() != expected {
            return Err(Error::shape(
                format!("backward of {}", self.op),
                format!("a gradient of shape {expected} for input {i}"),
                gradient.shape(),
                "the op's backward must give each input a gradient of that input's shape",
            ));
        }
        add_to(&mut self.pending[index], gradient);
        Ok(())
    }

    /// Calls `add` with the gradient of input `i`, zero before anything was added: for an op that uses a
    /// part of its input, and adds to that part alone.
    pub(super) fn add_to_part(&mut self, i: usize, add: impl FnOnce(&mut [T])) {
        let Some(&Some(index)) = self.inputs.get(i) else { return };
        let none = || Tensor::zeros_in(&self.nodes[index].shape, self.pool).into();
        add(self.pending[index].get_or_insert_with(none).tensor_mut().as_mut_slice());
    }
}

/// Adds `gradient` to what `slot` holds, and returns the sum.
fn add_to<T: Kernels>(slot: &mut Option<Gradient<T>>, gradient: Gradient<T>) -> &Gradient<T> {
    match slot {
        None => slot.insert(gradient),
        Some(sum) => {
            sum.add(&gradient);
            sum
        }
    }
}
