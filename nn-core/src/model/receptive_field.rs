//! The receptive fields of a layer's feature map: position and size in the image.
//!
//! A convolution without padding has no window centred on the border, and a pooling merges several
//! positions. So the cells of a deep feature map are on a grid inside the image that does not reach its
//! corners. From layer to layer, with window `k`, stride `s` and padding `p`,
//!
//! ```text
//! size  <- size + (k - 1) step
//! first <- first + ((k - 1) / 2 - p) step
//! step  <- step s
//! ```
//!
//! (Araujo, Norris and Sim: Computing receptive fields of convolutional neural networks, Distill 2019,
//! <https://distill.pub/2019/computing-receptive-fields>.)

use super::{Model, Node};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::Window2d;
use crate::tensor::Shape;

/// The grid of receptive fields along one axis of the image, in pixels; pixel `i` has its centre at
/// `i`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceptiveAxis {
    /// The size of a receptive field.
    pub size: f64,
    /// The distance between the centres of neighbouring receptive fields.
    pub step: f64,
    /// The centre of the first receptive field; it can be outside the image because of padding.
    pub first: f64,
}

impl ReceptiveAxis {
    /// The grid of the pixels themselves.
    pub const PIXELS: Self = Self { size: 1.0, step: 1.0, first: 0.0 };

    /// The grid of `cells` that divide `len` pixels evenly.
    pub fn even(cells: usize, len: usize) -> Self {
        let step = len as f64 / cells.max(1) as f64;
        Self { size: step, step, first: (step - 1.0) / 2.0 }
    }

    fn through(self, window: usize, stride: usize, padding: usize) -> Self {
        let reach = window as f64 - 1.0;
        Self {
            size: self.size + reach * self.step,
            step: self.step * stride as f64,
            first: self.first + (reach / 2.0 - padding as f64) * self.step,
        }
    }

    /// The grid of cells that see what this one and another's see.
    fn joined(self, other: Self) -> Self {
        let edge = |axis: Self, side: f64| axis.first + side * (axis.size - 1.0) / 2.0;
        let low = edge(self, -1.0).min(edge(other, -1.0));
        let high = edge(self, 1.0).max(edge(other, 1.0));
        Self { size: high - low + 1.0, step: self.step.max(other.step), first: (low + high) / 2.0 }
    }

    /// The grid after a resize from `from` to `to` cells that covers the same extent evenly.
    fn resampled(self, from: usize, to: usize) -> Self {
        let even = Self::even(to, from);
        Self {
            size: self.size + (even.size - 1.0).max(0.0) * self.step,
            step: self.step * even.step,
            first: self.first + even.first * self.step,
        }
    }
}

/// The receptive fields of a layer's feature map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceptiveField {
    /// The vertical axis, from top to bottom.
    pub vertical: ReceptiveAxis,
    /// The horizontal axis, from left to right.
    pub horizontal: ReceptiveAxis,
}

impl ReceptiveField {
    /// The grid of the pixels themselves.
    pub const PIXELS: Self =
        Self { vertical: ReceptiveAxis::PIXELS, horizontal: ReceptiveAxis::PIXELS };

    /// The grid of `cells` (rows, columns) that divide an image of `size` (height, width) evenly.
    pub fn even(cells: (usize, usize), size: (usize, usize)) -> Self {
        Self {
            vertical: ReceptiveAxis::even(cells.0, size.0),
            horizontal: ReceptiveAxis::even(cells.1, size.1),
        }
    }

    /// What cells see that see both.
    fn joined(self, other: Self) -> Self {
        Self {
            vertical: self.vertical.joined(other.vertical),
            horizontal: self.horizontal.joined(other.horizontal),
        }
    }

    fn through(self, Window2d { size, stride, padding }: Window2d) -> Self {
        Self {
            vertical: self.vertical.through(size.0, stride.0, padding.0),
            horizontal: self.horizontal.through(size.1, stride.1, padding.1),
        }
    }
}

impl<T: Kernels> Model<T> {
    /// The receptive fields of a layer's feature map in the model's images. Where branches meet, a cell
    /// sees what any of them sees; a branch that is spread over a larger map, such as the weights of a
    /// squeeze-and-excite block, does not count. If a layer of another crate does not report its windows
    /// and changes the size, its cells are assumed to divide the input evenly.
    ///
    /// # Errors
    /// If there is no layer of that name, or its output is not a feature map `[height, width, channels]`
    /// that is computed from others.
    ///
    /// ```
    /// use nn_core::layers::{Conv2D, MaxPool2D};
    /// use nn_core::model::Sequential;
    ///
    /// let model: Sequential = Sequential::builder([20, 20, 1])
    ///     .layer(Conv2D::new(4, 3))
    ///     .layer(MaxPool2D::new(2))
    ///     .layer(Conv2D::new(4, 3))
    ///     .build(27)?;
    /// let field = model.receptive_field("conv2")?.vertical;
    /// // The first window begins at pixel 0 and ends at pixel 7.
    /// assert_eq!((field.size, field.step, field.first), (8.0, 2.0, 3.5));
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn receptive_field(&self, layer: &str) -> Result<ReceptiveField> {
        let end = self.node_index(layer)?;
        // Those of all values up to the layer: `None` for one that is no map, or not made of maps.
        let mut fields = vec![map_size(&self.input).map(|_| ReceptiveField::PIXELS)];
        for node in &self.nodes[..=end] {
            fields.push(self.field_of(node, &fields)?);
        }
        fields[end + 1].ok_or_else(|| {
            let node = &self.nodes[end];
            let inputs: Vec<_> = self.input_shapes(node).iter().map(Shape::to_string).collect();
            Error::shape(
                format!("receptive field of {layer}"),
                "layers of maps [height, width, channels] up to it",
                format!("{} from {} to {}", node.label(), inputs.join(" and "), node.output),
                "choose a layer before Flatten and the dense layers",
            )
        })
    }

    /// The fields of a node's map, from those of the values before it.
    fn field_of(
        &self,
        node: &Node<T>,
        fields: &[Option<ReceptiveField>],
    ) -> Result<Option<ReceptiveField>> {
        let Some((out_h, out_w)) = map_size(&node.output) else { return Ok(None) };
        let maps = node
            .inputs
            .iter()
            .filter_map(|&value| Some((map_size(self.value_shape(value))?, fields[value]?)));
        let maps: Vec<_> = maps.collect();
        let Some(&(size, _)) = maps.iter().max_by_key(|((h, w), _)| h * w) else { return Ok(None) };
        let largest = maps.iter().filter(|(other, _)| *other == size).map(|&(_, field)| field);
        let Some(field) = largest.reduce(ReceptiveField::joined) else { return Ok(None) };
        Ok(Some(match node.layer.window(&self.input_shapes(node))? {
            Some(window) => field.through(window),
            None => ReceptiveField {
                vertical: field.vertical.resampled(size.0, out_h),
                horizontal: field.horizontal.resampled(size.1, out_w),
            },
        }))
    }
}

/// Height and width of a map; `None` for another shape.
fn map_size(shape: &Shape) -> Option<(usize, usize)> {
    match *shape.dims() {
        [height, width, _] => Some((height, width)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Padding;
    use crate::layers::{AveragePool2D, Conv2D, Dropout, Flatten, MaxPool2D, Rescaling};
    use crate::model::{Sequential, SequentialBuilder};
    use crate::tensor::Tensor;

    /// The first and last row and column of the pixels that affect a cell of `layer`'s map.
    fn seen(model: &Sequential<f64>, layer: &str, cell: (usize, usize)) -> [usize; 4] {
        use crate::autograd::Tape;
        use crate::model::Pass;
        let &[height, width, channels] = model.input_shape().dims() else { unreachable!() };
        let mut tape = Tape::new();
        let x = tape.leaf(Tensor::full([1, height, width, channels], 1.0));
        let layers = [layer];
        let pass = Pass::inference().frozen().watch(&layers);
        let features = model.forward(&tape, x.clone(), pass).unwrap().watched[0].1.clone();
        let &[_, _, w, c] = features.dims() else { unreachable!() };
        let at = (cell.0 * w + cell.1) * c;
        let one = Tensor::from_fn(features.shape(), |i| f64::from(u8::from(i == at)));
        tape.backward_from(&features, one).unwrap();
        let gradient = tape.grad(&x).unwrap();
        let hit = |i: &usize| gradient.as_slice()[*i] != 0.0;
        let places: Vec<usize> = (0..gradient.len()).filter(hit).map(|i| i / channels).collect();
        let rows = || places.iter().map(|p| p / width);
        let columns = || places.iter().map(|p| p % width);
        [rows().min(), rows().max(), columns().min(), columns().max()].map(Option::unwrap)
    }

    #[test]
    fn fields_are_what_gradients_reach() {
        // Average instead of max-pooling, and positive weights: every pixel of a window has an effect.
        let mut model: Sequential<f64> = SequentialBuilder::new([42, 54, 2])
            .layer(Rescaling::new(0.5))
            .layer(Conv2D::new(3, (3, 5)))
            .layer(AveragePool2D::new(2))
            .layer(Dropout::new(0.2))
            .layer(Conv2D::new(2, 3).stride((2, 1)).padding(Padding::Same))
            .layer(AveragePool2D::new((3, 2)).stride((1, 2)))
            .build(3)
            .unwrap();
        for name in ["conv1.weight", "conv2.weight"] {
            let positive = model.get(name).unwrap().value.map(|v| v.abs() + 0.01);
            model.set(name, positive).unwrap();
        }
        for layer in ["rescaling1", "conv1", "pool1", "dropout1", "conv2", "pool2"] {
            let &[h, w, _] = model.layer_output_shape(layer).unwrap().dims() else {
                unreachable!()
            };
            let field = model.receptive_field(layer).unwrap();
            for cell in [(0, 0), (h / 2, w / 2), (h - 1, w - 1)] {
                let [top, bottom, left, right] = seen(&model, layer, cell);
                for (axis, cell, len, first, last) in [
                    (field.vertical, cell.0, 42, top, bottom),
                    (field.horizontal, cell.1, 54, left, right),
                ] {
                    let centre = axis.first + cell as f64 * axis.step;
                    let reach = (axis.size - 1.0) / 2.0;
                    let expected =
                        [(centre - reach).max(0.0), (centre + reach).min(len as f64 - 1.0)];
                    assert_eq!([first as f64, last as f64], expected, "{layer} {cell:?}");
                }
            }
        }
    }

    #[test]
    fn only_maps_have_one() {
        let model: Sequential = Sequential::builder([9, 9, 1])
            .layer(MaxPool2D::new(2))
            .layer(Flatten::new())
            .build(1)
            .unwrap();
        assert_eq!(model.receptive_field("pool1").unwrap().vertical.first, 0.5);
        let message = model.receptive_field("flatten1").unwrap_err().to_string();
        assert!(message.contains("flatten1") && message.contains("before Flatten"), "{message}");
        assert!(model.receptive_field("pool9").is_err());
    }

    #[test]
    fn layers_that_do_not_say_are_spread_evenly() {
        let axis = ReceptiveAxis::PIXELS.resampled(12, 4);
        assert_eq!((axis.size, axis.step, axis.first), (3.0, 3.0, 1.0));
        assert_eq!(ReceptiveAxis::even(4, 12), axis);
    }
}
