//! The feature map that class activation maps look at by default.

use super::{Model, Node};
use crate::kernels::Kernels;

impl<T: Kernels> Model<T> {
    /// The last feature map `[height, width, channels]` before pooling or flattening ends the picture:
    /// Grad-CAM's default layer. `None` if no layer has such an output.
    ///
    /// It is the last node on the way to the output whose map has more than one place, or the one that
    /// its poolings and dropouts take their values from: in a chain that ends in convolution, ReLU,
    /// pooling and `Flatten`, the ReLU; in a residual network, the last ReLU before the global pooling.
    ///
    /// ```
    /// use nn_core::model::{ReferenceCnn, Sequential};
    /// let model: Sequential = ReferenceCnn::new(2, 64).build(27)?;
    /// assert_eq!(model.last_feature_map(), Some("conv3"));
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn last_feature_map(&self) -> Option<&str> {
        let on_the_way = self.nodes_before(self.outputs[0]);
        let maps = || {
            let nodes = self.nodes.iter().enumerate();
            nodes.filter(|(i, node)| on_the_way[*i] && node.output.rank() == 3)
        };
        let places = |node: &Node<T>| node.output.dims()[0] * node.output.dims()[1];
        let large = maps().rev().find(|(_, node)| places(node) > 1);
        let (at, _) = large.or_else(|| maps().next_back())?;
        let back = self.nodes_passing_on(at + 1).take_while(|node| node.output.rank() == 3);
        back.last().map(|node| node.name.as_str())
    }
}
