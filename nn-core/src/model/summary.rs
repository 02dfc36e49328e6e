//! The table of layers, in the format of Keras.

use super::Model;
use crate::kernels::Kernels;
use crate::layers::OutputKind;
use serde::Serialize;
use std::fmt;

/// A model's layers, shapes and sizes; displays as the table that Keras prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The model's name.
    pub name: String,
    /// The shape of an input, without the batch dimension.
    pub input_shape: Vec<usize>,
    /// A row per layer.
    pub layers: Vec<SummaryRow>,
    /// Number of elements of all parameters.
    pub parameters: usize,
    /// Number of elements of the trainable parameters.
    pub trainable: usize,
    /// Size of one element, in bytes.
    pub element_bytes: usize,
    /// The output kind.
    pub output: OutputKind,
    /// Multiply-adds of one sample: those of convolutions and dense products
    /// ([`LayerSpec::multiply_adds`](crate::layers::LayerSpec::multiply_adds)).
    pub multiply_adds: u64,
    /// Number of elements of all values of one sample, which training keeps for the backward pass; less
    /// where layers are fused.
    pub activations: usize,
    /// Number of elements of one sample's values that inference needs at the same time, at most: the
    /// widest cut through the graph.
    pub widest_cut: usize,
}

/// One layer of a [`Summary`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SummaryRow {
    /// The layer's name.
    pub name: String,
    /// The layer's kind.
    pub kind: &'static str,
    /// The shape of its output, without the batch dimension.
    pub output_shape: Vec<usize>,
    /// Number of elements of its parameters.
    pub parameters: usize,
    /// The names of the layers whose outputs it takes; `input` is the model's input.
    pub connected_to: Vec<String>,
    /// Multiply-adds of one sample.
    pub multiply_adds: u64,
}

impl<T: Kernels> Model<T> {
    /// The table of layers.
    pub fn summary(&self) -> Summary {
        let count = |parameters: &[crate::layers::Parameter<T>]| {
            parameters.iter().map(|p| p.value.len()).sum()
        };
        let row = |node: &super::Node<T>| SummaryRow {
            name: node.name.clone(),
            kind: node.layer.kind(),
            output_shape: node.output.dims().to_vec(),
            parameters: count(&self.parameters[node.parameters.clone()]),
            connected_to: node.inputs.iter().map(|&i| self.value_name(i).to_owned()).collect(),
            // A layer of a built model has accepted these shapes.
            multiply_adds: node.layer.multiply_adds(&self.input_shapes(node)).unwrap_or(0),
        };
        let layers: Vec<SummaryRow> = self.nodes.iter().map(row).collect();
        let trainable = self.parameters.iter().filter(|p| p.is_trained()).map(|p| p.value.len());
        Summary {
            name: self.name.clone(),
            input_shape: self.input.dims().to_vec(),
            multiply_adds: layers.iter().map(|layer| layer.multiply_adds).sum(),
            layers,
            parameters: count(&self.parameters),
            trainable: trainable.sum(),
            element_bytes: size_of::<T>(),
            output: self.kind,
            activations: (0..=self.nodes.len()).map(|value| self.value_shape(value).len()).sum(),
            widest_cut: self.widest_cut(),
        }
    }

    /// The largest number of elements of one sample that are alive while a layer runs: its inputs, its
    /// output, and what later layers take or the model returns.
    fn widest_cut(&self) -> usize {
        let mut uses = self.uses();
        let size = |value: usize| self.value_shape(value).len();
        let mut alive = size(0);
        let mut widest = alive;
        for (i, node) in self.nodes.iter().enumerate() {
            alive += size(i + 1);
            widest = widest.max(alive);
            for &value in &node.inputs {
                uses[value] -= 1;
                alive -= if uses[value] == 0 { size(value) } else { 0 };
            }
        }
        widest
    }
}

impl Summary {
    /// The rows, for other table formats.
    pub fn rows(&self) -> &[SummaryRow] {
        &self.layers
    }

    /// Whether each layer takes the output of the one before it, and nothing else.
    pub fn is_chain(&self) -> bool {
        let before =
            std::iter::once("input").chain(self.layers.iter().map(|row| row.name.as_str()));
        self.layers.iter().zip(before).all(|(row, before)| row.connected_to == [before])
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keras shows the connections of a graph only.
        let shown = if self.is_chain() { 3 } else { 4 };
        let header = ["Layer (type)", "Output Shape", "Param #", "Connected to"].map(String::from);
        let rows: Vec<_> = self.layers.iter().map(SummaryRow::cells).collect();
        // Keras' column widths; Keras wraps longer text, this table widens the column.
        let mut widths = [31, 22, 13, 18];
        for cells in &rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.chars().count().max(*width);
            }
        }
        let rule = |f: &mut fmt::Formatter<'_>, [left, line, middle, right]: [&str; 4]| {
            let lines = widths.map(|width| line.repeat(width + 2));
            writeln!(f, "{left}{}{right}", lines[..shown].join(middle))
        };
        let row = |f: &mut fmt::Formatter<'_>, bar: &str, [a, b, c, d]: &[String; 4]| {
            let [wa, wb, wc, wd] = widths;
            write!(f, "{bar} {a:<wa$} {bar} {b:<wb$} {bar} {c:>wc$} {bar}")?;
            if shown == 4 { writeln!(f, " {d:<wd$} {bar}") } else { writeln!(f) }
        };
        writeln!(f, "Model: \"{}\"", self.name)?;
        rule(f, ["┏", "━", "┳", "┓"])?;
        row(f, "┃", &header)?;
        rule(f, ["┡", "━", "╇", "┩"])?;
        for (i, cells) in rows.iter().enumerate() {
            if i > 0 {
                rule(f, ["├", "─", "┼", "┤"])?;
            }
            row(f, "│", cells)?;
        }
        rule(f, ["└", "─", "┴", "┘"])?;
        let frozen = self.parameters - self.trainable;
        for (what, count) in
            [("Total", self.parameters), ("Trainable", self.trainable), ("Non-trainable", frozen)]
        {
            writeln!(f, " {what} params: {} ({})", thousands(count as u64), self.memory(count))?;
        }
        match self.output {
            OutputKind::Linear => Ok(()),
            output => {
                let name = output.name();
                writeln!(f, " Output: {name} (of the last layer, which computes logits)")
            }
        }
    }
}

impl SummaryRow {
    fn cells(&self) -> [String; 4] {
        let shape: String = self.output_shape.iter().map(|dim| format!(", {dim}")).collect();
        [
            format!("{} ({})", self.name, self.kind),
            format!("(None{shape})"),
            thousands(self.parameters as u64),
            self.connected_to.join(", "),
        ]
    }
}

impl Summary {
    /// The memory of `elements` elements, formatted as by Keras: units of 1024, two decimals.
    pub fn memory(&self, elements: usize) -> String {
        let mut size = (elements * self.element_bytes) as f64;
        for unit in ["B", "KB", "MB", "GB"] {
            if size < 1024.0 {
                return format!("{size:.2} {unit}");
            }
            size /= 1024.0;
        }
        format!("{size:.2} TB")
    }
}

/// A number with commas between thousands: `7,596,226`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn thousands_are_grouped() {
        let written = [0, 999, 1000, 7_596_226].map(thousands);
        assert_eq!(written, ["0", "999", "1,000", "7,596,226"]);
    }
}
