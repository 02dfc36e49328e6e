//! Tables for people: the result of an evaluation, and aligned columns.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::lines::{shortened, width};
use nn_study::format::{self, class_name};
use nn_study::stats::wilson;

/// Above this number of classes, a matrix would be wider than a terminal; there is a line for each class
/// instead.
const MATRIX_UP_TO: usize = 12;

/// A table style with only a rule under the header; columns are separated by spaces.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// The parts of an evaluation's result that its table shows.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'a> {
    /// What was evaluated: `same_backgrounds, test set (published)`.
    pub title: &'a str,
    /// Lines that go before loss and accuracy; may be empty.
    pub headline: &'a str,
    /// Mean loss.
    pub loss: f64,
    /// The accuracy, with its interval.
    pub accuracy: &'a str,
    /// The classes' names.
    pub classes: &'a [String],
    /// `confusion[true][predicted]`; missing entries count as zero.
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

/// The indentation of the tables of an evaluation.
const INSET: usize = 2;

/// The width of a class's name: the minimum it is shortened to, and the maximum.
const NAME: std::ops::RangeInclusive<usize> = 8..=28;

/// Formats loss, accuracy with its 95 % interval, and the confusion matrix, in at most `most` columns if
/// given.
pub fn evaluation(result: &Evaluation<'_>, most: Option<usize>) -> String {
    let n = result.classes.len();
    let mut out = format!(
        "{}\n\n{}  loss      {}\n  accuracy  {}\n\n",
        format::clean(result.title),
        result.headline,
        format::loss(result.loss),
        result.accuracy
    );
    let fits = |table: &String| match most {
        Some(most) => table.lines().all(|line| INSET + width(line) <= most),
        None => true,
    };
    let names = NAME.rev();
    let matrix = (n <= MATRIX_UP_TO)
        .then(|| names.clone().map(|name| matrix(result, name, name.min(16))).find(fits))
        .flatten();
    let table = matrix.or_else(|| names.clone().map(|name| by_class(result, name)).find(fits));
    for line in table.unwrap_or_else(|| by_class(result, *NAME.start())).lines() {
        out += &format!("  {line}\n");
    }
    out
}

/// A row for each true class and a column for each predicted one; names are shortened to `row_name` and
/// `column_name` columns.
fn matrix(result: &Evaluation<'_>, row_name: usize, column_name: usize) -> String {
    let n = result.classes.len();
    let mut header = vec!["true \\ predicted".to_string()];
    header.extend(result.classes.iter().map(|c| short(c, column_name)));
    header.push("right".into());
    let rows = (0..n).map(|row| {
        let mut cells = vec![short(&result.classes[row], row_name)];
        cells.extend((0..n).map(|column| result.count(row, column).to_string()));
        cells.push(share(result.count(row, row), result.total(row)));
        cells
    });
    columns(&header, rows)
}

/// A line for each class, with its most frequent wrong prediction; names are shortened to `name` columns.
fn by_class(result: &Evaluation<'_>, name: usize) -> String {
    let n = result.classes.len();
    let header =
        ["class", "images", "right", "95 % interval", "most often called"].map(String::from);
    let rows = (0..n).map(|row| {
        let (right, total) = (result.count(row, row), result.total(row));
        // The first of equals, so that the table is deterministic.
        let worst = (0..n)
            .filter(|&c| c != row && result.count(row, c) > 0)
            .max_by_key(|&c| (result.count(row, c), std::cmp::Reverse(c)));
        let worst = worst.map_or_else(String::new, |c| {
            format!("{} ({})", short(&result.classes[c], name), result.count(row, c))
        });
        let interval = if total == 0 { "–".into() } else { wilson(right, total).to_string() };
        let name = short(&result.classes[row], name);
        vec![name, total.to_string(), share(right, total), interval, worst]
    });
    columns(&header, rows)
}

fn share(part: u64, total: u64) -> String {
    if total == 0 { "–".into() } else { format::percent(part as f64 / total as f64) }
}

/// A name shortened to at most `most` columns.
fn short(name: &str, most: usize) -> String {
    shortened(&class_name(name), most)
}

/// Aligned columns under a header with a rule: the first to the left, the others to the right. Line breaks
/// and control characters in cells are replaced; the layout does not depend on the terminal's width.
pub fn columns(header: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    columns_with_text(header, rows, 1)
}

/// Like [`columns`], with the first `text` columns left-aligned.
pub fn columns_with_text(
    header: &[String],
    rows: impl IntoIterator<Item = Vec<String>>,
    text: usize,
) -> String {
    columns_within(None, header, rows, text)
}

/// The space between columns.
const GAP: usize = 2;

/// The minimum width of a column whose cells are wrapped.
const NARROWEST: usize = 6;

/// Like [`columns_with_text`], in at most `most` columns if given: cells that are too long are wrapped, the
/// widest column first, so that nothing is cut off.
pub fn columns_within(
    most: Option<usize>,
    header: &[String],
    rows: impl IntoIterator<Item = Vec<String>>,
    text: usize,
) -> String {
    let header: Vec<String> = header.iter().map(|cell| format::clean(cell)).collect();
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|row| row.iter().map(|cell| format::clean(cell)).collect()).collect();
    let widths = most.map(|most| widths(most, &header, &rows));
    let broken = |row: &[String]| match &widths {
        Some(widths) => row.iter().zip(widths).map(|(cell, &most)| within(cell, most)).collect(),
        None => row.to_vec(),
    };
    let mut table = Table::new();
    table.load_style(RULED);
    table.set_header(broken(&header));
    for row in &rows {
        table.add_row(broken(row));
    }
    for column in table.column_iter_mut() {
        if column.index >= text {
            column.set_cell_alignment(CellAlignment::Right);
        }
        column.set_padding((0, if column.index + 1 < header.len() { GAP as u16 } else { 0 }));
    }
    table.trim_fmt()
}

/// The width of each column of a table.
fn widths(most: usize, header: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths: Vec<usize> = (0..header.len())
        .map(|i| {
            let cells = rows.iter().filter_map(|row| row.get(i));
            cells.chain([&header[i]]).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let room = most.saturating_sub(GAP * header.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().filter(|width| **width > NARROWEST).max() {
            Some(widest) => *widest -= 1,
            None => break,
        }
    }
    widths
}

/// Wraps a cell to lines of at most `most` columns, after separators in names, or anywhere.
fn within(cell: &str, most: usize) -> String {
    let mut lines = vec![String::new()];
    for piece in cell.split_inclusive([' ', '/', '_', '-', '.', ',']) {
        let used = lines.last().map_or(0, |line| width(line));
        if used > 0 && used + width(piece.trim_end()) > most {
            lines.push(String::new());
        }
        for c in piece.chars() {
            let full = lines.last().is_some_and(|line| {
                !line.is_empty() && width(line) + width(c.encode_utf8(&mut [0; 4])) > most
            });
            match lines.last_mut() {
                Some(_) if full && c == ' ' => {}
                Some(line) if !full => line.push(c),
                _ => lines.push(c.to_string()),
            }
        }
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n")
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
            headline: "",
            loss: 0.4123,
            accuracy: &nn_study::stats::accuracy(18, 20),
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
        assert_eq!(evaluation(&result, None), expected);
        assert_eq!(evaluation(&result, Some(80)), expected);
    }

    #[test]
    fn many_classes_are_told_one_by_one() {
        let classes: Vec<String> = (0..30).map(|i| format!("class {i}")).collect();
        let mut confusion = vec![vec![0; 30]; 30];
        confusion[0][0] = 8;
        confusion[0][7] = 2;
        let (classes, confusion) = (&classes[..], &confusion[..]);
        let (title, headline, loss, accuracy) = ("t", "", f64::NAN, "80 %");
        let result = Evaluation { title, headline, loss, accuracy, classes, confusion };
        let text = evaluation(&result, None);
        let row = text.lines().find(|l| l.contains("class 0 ")).unwrap();
        for part in ["10", "80.0 %", "49 to 94 %", "class 7 (2)"] {
            assert!(row.contains(part), "{part} is missing in {row}");
        }
        assert!(text.lines().all(|l| l.chars().count() < 100), "{text}");
    }

    #[test]
    fn hostile_names_keep_the_table_straight() {
        let classes = names(&["\u{1b}[2J", "", "日本語", &"x".repeat(300), "a\nb"]);
        let result = Evaluation {
            title: "a\nb",
            headline: "",
            loss: 1.0,
            accuracy: "",
            classes: &classes,
            confusion: &[],
        };
        let text = evaluation(&result, None);
        assert!(!text.contains('\u{1b}') && text.contains("(no name)") && text.contains("a b"));
        let table: Vec<&str> = text.lines().skip(5).collect();
        assert_eq!(table.len(), 2 + 5);
        assert!(table.iter().all(|l| l.chars().count() < 120), "{text}");
    }

    #[test]
    fn tables_fit_the_terminal() {
        let long = |i: usize| format!("{i} {}", "a kind of hound with a long name".repeat(2));
        for n in [2, 3, 7, 12, 40] {
            let mut classes: Vec<String> = (0..n).map(long).collect();
            classes[0] = "日本語の犬の名前はとても長いですから切ります".into();
            let confusion = vec![vec![1234; n]; n];
            let (classes, confusion) = (&classes[..], &confusion[..]);
            let (title, headline, loss, accuracy) = ("t", "", 1.0, "");
            let result = Evaluation { title, headline, loss, accuracy, classes, confusion };
            for most in [80, 60] {
                let text = evaluation(&result, Some(most));
                let table: Vec<&str> = text.lines().skip(5).collect();
                assert!(table.iter().all(|line| width(line) <= most), "{most}\n{text}");
                assert_eq!(table.len(), n + 2, "a line each");
            }
        }
    }

    #[test]
    fn long_cells_are_broken_and_whole() {
        let header = names(&["image", "class", "share"]);
        let path = "photographs/of-2024/somewhere_in/the_woods/IMG_20240112.jpeg";
        let row = names(&[path, "日本語の犬", "97.0 %"]);
        let text = columns_within(Some(40), &header, [row], 1);
        assert!(text.lines().all(|line| width(line) <= 40), "{text}");
        let first: String =
            text.lines().skip(2).map(|line| line.split("  ").next().unwrap()).collect();
        assert_eq!(first, path, "{text}");
        assert!(text.contains("97.0 %"), "{text}");
        assert_eq!(within("abcdefghij", 4), "abcd\nefgh\nij");
        assert_eq!(within("a b", 2), "a\nb");
    }
}
