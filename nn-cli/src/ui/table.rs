//! Tables for people: the result of an evaluation, and plain columns.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::format::{self, class_name};
use super::stats::wilson;

/// From this many classes on, a matrix is wider than a terminal and is told class by class.
const MATRIX_UP_TO: usize = 12;

/// Only a rule under the header: spaces are enough between columns.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// The result of an evaluation, as far as its table shows it.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'a> {
    /// What was evaluated: `same_backgrounds, test set (published)`.
    pub title: &'a str,
    /// Mean loss.
    pub loss: f64,
    /// The classes' names.
    pub classes: &'a [String],
    /// `confusion[true][predicted]`; what is missing counts as zero.
    pub confusion: &'a [Vec<u64>],
}

impl Evaluation<'_> {
    fn count(&self, row: usize, column: usize) -> u64 {
        self.confusion.get(row).and_then(|r| r.get(column)).copied().unwrap_or(0)
    }

    fn total(&self, row: usize) -> u64 {
        (0..self.classes.len()).map(|c| self.count(row, c)).sum()
    }
}

/// Writes loss, accuracy with its 95 % interval, and the confusion matrix.
pub fn evaluation(result: &Evaluation<'_>) -> String {
    let n = result.classes.len();
    let correct: u64 = (0..n).map(|i| result.count(i, i)).sum();
    let total: u64 = (0..n).map(|i| result.total(i)).sum();
    let mut out = format!(
        "{}\n\n  loss      {}\n  accuracy  {}\n\n",
        format::clean(result.title),
        format::loss(result.loss),
        format::accuracy(correct, total)
    );
    let table = if n <= MATRIX_UP_TO { matrix(result) } else { by_class(result) };
    for line in table.lines() {
        out += &format!("  {line}\n");
    }
    out
}

/// A row for each true class, a column for each predicted one.
fn matrix(result: &Evaluation<'_>) -> String {
    let n = result.classes.len();
    let mut header = vec!["true \\ predicted".to_string()];
    header.extend(result.classes.iter().map(|c| short(c, 16)));
    header.push("right".into());
    let rows = (0..n).map(|row| {
        let mut cells = vec![short(&result.classes[row], 28)];
        cells.extend((0..n).map(|column| result.count(row, column).to_string()));
        cells.push(share(result.count(row, row), result.total(row)));
        cells
    });
    columns(&header, rows)
}

/// A line for each class, with what it was most often taken for.
fn by_class(result: &Evaluation<'_>) -> String {
    let n = result.classes.len();
    let header =
        ["class", "images", "right", "95 % interval", "most often taken for"].map(String::from);
    let rows = (0..n).map(|row| {
        let (right, total) = (result.count(row, row), result.total(row));
        // The first of equals, so that the table is the same everywhere.
        let worst = (0..n)
            .filter(|&c| c != row && result.count(row, c) > 0)
            .max_by_key(|&c| (result.count(row, c), std::cmp::Reverse(c)));
        let worst = worst.map_or_else(String::new, |c| {
            format!("{} ({})", short(&result.classes[c], 28), result.count(row, c))
        });
        let interval =
            if total == 0 { "–".into() } else { format::interval(wilson(right, total)) };
        let name = short(&result.classes[row], 28);
        vec![name, total.to_string(), share(right, total), interval, worst]
    });
    columns(&header, rows)
}

fn share(part: u64, total: u64) -> String {
    if total == 0 { "–".into() } else { format::percent(part as f64 / total as f64) }
}

/// A name of at most `most` characters.
fn short(name: &str, most: usize) -> String {
    let name = class_name(name);
    let chars: Vec<char> = name.chars().collect();
    if chars.len() <= most {
        return name;
    }
    let tail = (most - 1) / 3;
    let head = most - 1 - tail;
    chars[..head].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect()
}

/// Aligned columns under a ruled header: the first to the left, the others to the right. Line breaks
/// and control characters in cells are made harmless; nothing depends on the terminal's width.
pub fn columns(header: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    columns_with_text(header, rows, 1)
}

/// Like [`columns`], with the first `text` columns to the left.
pub fn columns_with_text(
    header: &[String],
    rows: impl IntoIterator<Item = Vec<String>>,
    text: usize,
) -> String {
    let mut table = Table::new();
    table.load_style(RULED);
    table.set_header(header.iter().map(|c| format::clean(c)));
    for row in rows {
        table.add_row(row.iter().map(|c| format::clean(c)));
    }
    for column in table.column_iter_mut() {
        if column.index >= text {
            column.set_cell_alignment(CellAlignment::Right);
        }
        column.set_padding((0, if column.index + 1 < header.len() { 2 } else { 0 }));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|n| n.to_string()).collect()
    }

    #[test]
    fn two_classes() {
        let result = Evaluation {
            title: "same_backgrounds, test set (published)",
            loss: 0.4123,
            classes: &names(&["husky", "wolf"]),
            confusion: &[vec![9, 1], vec![1, 9]],
        };
        let expected = "\
same_backgrounds, test set (published)

  loss      0.4123
  accuracy  90.0 % (18 of 20; 95 % interval 70 to 97 %)

  true \\ predicted  husky  wolf   right
  ─────────────────────────────────────
  husky                 9     1  90.0 %
  wolf                  1     9  90.0 %
";
        assert_eq!(evaluation(&result), expected);
    }

    #[test]
    fn many_classes_are_told_one_by_one() {
        let classes: Vec<String> = (0..30).map(|i| format!("class {i}")).collect();
        let mut confusion = vec![vec![0; 30]; 30];
        confusion[0][0] = 8;
        confusion[0][7] = 2;
        let text = evaluation(&Evaluation {
            title: "t",
            loss: f64::NAN,
            classes: &classes,
            confusion: &confusion,
        });
        let row = text.lines().find(|l| l.contains("class 0 ")).unwrap();
        for part in ["10", "80.0 %", "49 to 94 %", "class 7 (2)"] {
            assert!(row.contains(part), "{part} is missing in {row}");
        }
        assert!(text.lines().all(|l| l.chars().count() < 100), "{text}");
    }

    #[test]
    fn hostile_names_keep_the_table_straight() {
        let classes = names(&["\u{1b}[2J", "", "日本語", &"x".repeat(300), "a\nb"]);
        let text =
            evaluation(&Evaluation { title: "a\nb", loss: 1.0, classes: &classes, confusion: &[] });
        assert!(!text.contains('\u{1b}') && text.contains("(no name)") && text.contains("a b"));
        let table: Vec<&str> = text.lines().skip(5).collect();
        assert_eq!(table.len(), 2 + 5);
        assert!(table.iter().all(|l| l.chars().count() < 120), "{text}");
    }
}
