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
        };
        let trainable = self.parameters.iter().filter(|p| p.trainable).map(|p| p.value.len());
        Summary {
            name: self.name.clone(),
            input_shape: self.input.dims().to_vec(),
            layers: self.nodes.iter().map(row).collect(),
            parameters: count(&self.parameters),
            trainable: trainable.sum(),
            element_bytes: size_of::<T>(),
            output: self.kind,
        }
    }
}

impl Summary {
    /// The rows, for other table formats.
    pub fn rows(&self) -> &[SummaryRow] {
        &self.layers
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["Layer (type)", "Output Shape", "Param #"].map(String::from);
        let rows: Vec<_> = self.layers.iter().map(SummaryRow::cells).collect();
        // Keras' column widths; Keras wraps longer text, this table widens the column.
        let mut widths = [31, 22, 13];
        for cells in &rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.chars().count().max(*width);
            }
        }
        let rule = |f: &mut fmt::Formatter<'_>, [left, line, middle, right]: [&str; 4]| {
            let lines = widths.map(|width| line.repeat(width + 2));
            writeln!(f, "{left}{}{right}", lines.join(middle))
        };
        let row = |f: &mut fmt::Formatter<'_>, bar: &str, [a, b, c]: &[String; 3]| {
            let [wa, wb, wc] = widths;
            writeln!(f, "{bar} {a:<wa$} {bar} {b:<wb$} {bar} {c:>wc$} {bar}")
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
                let name = format!("{output:?}").to_lowercase();
                writeln!(f, " Output: {name} (of the last layer, which computes logits)")
            }
        }
    }
}

impl SummaryRow {
    fn cells(&self) -> [String; 3] {
        let shape: String = self.output_shape.iter().map(|dim| format!(", {dim}")).collect();
        [
            format!("{} ({})", self.name, self.kind),
            format!("(None{shape})"),
            thousands(self.parameters as u64),
        ]
    }
}

impl Summary {
    /// The memory of `parameters` elements, formatted as by Keras: units of 1024, two decimals.
    fn memory(&self, parameters: usize) -> String {
        let mut size = (parameters * self.element_bytes) as f64;
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
