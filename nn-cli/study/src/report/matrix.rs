//! A confusion matrix on a page: as a picture, in words, and as a table.

use super::parts::Table;
use crate::format::{class_name, percent};
use nn_figures::plots::{self, ConfusionSpec};

/// Above this number of classes, the table has a row for each class, but no column for each.
const MATRIX_UP_TO: usize = 12;

/// A confusion matrix, as a picture and as a table.
pub struct Matrix {
    pub title: String,
    pub subtitle: String,
    pub svg: String,
    pub table: Table,
}

impl Matrix {
    /// Draws `spec`; its title becomes text of the page.
    pub fn draw(spec: &ConfusionSpec) -> Self {
        let bare = ConfusionSpec { title: String::new(), synthetic: false, ..spec.clone() };
        Self {
            title: spec.title.clone(),
            subtitle: spec.subtitle.clone(),
            svg: plots::confusion(&bare),
            table: table(spec),
        }
    }
}

fn table(spec: &ConfusionSpec) -> Table {
    let n = spec.classes.len();
    let names: Vec<String> = spec.classes.iter().map(|class| class_name(class)).collect();
    let caption = format!("{}: images of each true class, by the answer given", spec.title);
    let right = |row: usize| match spec.row_total(row) {
        0 => "–".to_string(),
        total => percent(spec.count(row, row) as f64 / total as f64),
    };
    if n > MATRIX_UP_TO {
        let header = ["true class", "images", "right", "share", "most often confused with"];
        let mut table = Table::new(caption, &header, 1);
        table.rows.extend((0..n).map(|row| {
            let wrong = (0..n).filter(|&c| c != row && spec.count(row, c) > 0);
            let worst = wrong.max_by_key(|&c| (spec.count(row, c), std::cmp::Reverse(c)));
            let worst = worst.map(|c| format!("{} ({})", names[c], spec.count(row, c)));
            vec![
                names[row].clone(),
                spec.row_total(row).to_string(),
                spec.count(row, row).to_string(),
                right(row),
                worst.unwrap_or("–".into()),
            ]
        }));
        return table;
    }
    let called = names.iter().map(|name| format!("called {name}"));
    let header: Vec<String> = std::iter::once("true class".to_string())
        .chain(called)
        .chain(["images", "right"].map(String::from))
        .collect();
    let rows = (0..n).map(|row| {
        let counts = (0..n).map(|column| spec.count(row, column).to_string());
        std::iter::once(names[row].clone())
            .chain(counts)
            .chain([spec.row_total(row).to_string(), right(row)])
            .collect()
    });
    Table { caption, header, text: 1, rows: rows.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_what_the_drawing_shows() {
        let spec = ConfusionSpec {
            title: "t".into(),
            classes: ["husky", "wolf"].map(String::from).to_vec(),
            counts: vec![vec![7, 3], vec![0, 0]],
            ..ConfusionSpec::default()
        };
        let Table { header, rows, .. } = table(&spec);
        assert_eq!(header, ["true class", "called husky", "called wolf", "images", "right"]);
        assert_eq!(rows, [["husky", "7", "3", "10", "70.0 %"], ["wolf", "0", "0", "0", "–"]]);
        let many = ConfusionSpec {
            classes: (0..200).map(|i| format!("c{i}")).collect(),
            counts: vec![vec![1, 2], vec![4, 5]],
            ..spec
        };
        let Table { header, rows, .. } = table(&many);
        assert_eq!((header.len(), rows.len()), (5, 200));
        assert_eq!(rows[0], ["c0", "3", "1", "33.3 %", "c1 (2)"]);
        assert_eq!(rows[1], ["c1", "9", "5", "55.6 %", "c0 (4)"]);
    }
}
