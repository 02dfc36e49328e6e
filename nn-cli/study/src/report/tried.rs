//! What an experiment tried against the leak: accuracies beside those of the network alone, and where the models look.

use super::gallery::Gallery;
use super::parts::Table;
use super::shares::Shares;
use crate::StudyError;
use crate::experiment::{Comparison, Parts, Way};
use crate::format::{percent, sentence};
use crate::inspection::Inspection;

/// What was tried.
pub struct TriedSection {
    pub table: Table,
    pub ways: Vec<TriedWay>,
}

/// A way to train.
pub struct TriedWay {
    pub title: String,
    pub about: &'static str,
    pub shares: Vec<Shares>,
    /// The images with swapped backgrounds.
    pub swap: Gallery,
}

/// The inspections of a way's models: of the first seed, and of all, for the three measurements in their order.
pub struct LookedInto<'a> {
    /// The way.
    pub way: Way,
    /// Those of the first seed.
    pub first: [&'a Inspection; 3],
    /// Those of all seeds.
    pub looked: [Vec<&'a Inspection>; 3],
}

/// The names of the three measurements.
const MEASURED: [&str; 3] = [
    "with the leak, own test set",
    "with the leak, backgrounds swapped",
    "without the leak, own test set",
];

impl TriedSection {
    /// The section; `None` if nothing was tried.
    ///
    /// # Errors
    /// If an image cannot be read any more.
    pub fn new(parts: &Parts<'_>, looked: &[LookedInto<'_>]) -> Result<Option<Self>, StudyError> {
        if looked.is_empty() {
            return Ok(None);
        }
        let ways = looked.iter().map(TriedWay::new).collect::<Result<_, _>>()?;
        Ok(Some(Self { table: table(parts), ways }))
    }
}

impl TriedWay {
    fn new(looked: &LookedInto<'_>) -> Result<Self, StudyError> {
        let name = sentence(looked.way.title());
        let shares = (0..3)
            .filter_map(|i| Shares::new(&format!("{name}, {}", MEASURED[i]), &looked.looked[i]));
        let [_, swap, _] = looked.first;
        let title = format!("{name}, backgrounds swapped");
        Ok(Self {
            about: about(looked.way),
            shares: shares.collect(),
            swap: Gallery::new(&format!("gallery-{}", looked.way.name()), title, swap)?,
            title: name,
        })
    }
}

/// The ways as rows, the three measurements as columns.
fn table(parts: &Parts<'_>) -> Table {
    let caption = "Accuracy with its 95 % interval, over all seeds";
    let mut table = Table::new(caption, &["trained", MEASURED[0], MEASURED[1], MEASURED[2]], 1);
    let row = |way: Way, comparison: &Comparison| {
        let accuracies = comparison.rows().map(|row| row.measured.accuracy);
        let cell =
            |one: crate::stats::Repeated| format!("{} ({})", percent(one.mean), one.interval);
        std::iter::once(sentence(way.title())).chain(accuracies.map(cell)).collect()
    };
    table.rows.push(row(Way::Plain, parts.comparison));
    table.rows.extend(parts.tried.iter().map(|tried| row(tried.way, &tried.comparison)));
    table
}

/// What a way to train is, in words for a student.
fn about(way: Way) -> &'static str {
    match way {
        Way::Plain => "All weights are trained on these images alone.",
        Way::Augmented => {
            "All weights are trained on these images alone, which are changed a little in each epoch, as the settings \
             below say. What is changed at random can no longer tell the class."
        }
        Way::Backgrounds => {
            "All weights are trained on these images alone, whose subjects get other backgrounds in each epoch, whatever \
             their class, as the settings below say: the leak is taken out of the images."
        }
        Way::Frozen => {
            "A network that others trained on many more photographs, of many more things. What is \
             frozen, usually all but a new last layer, is not trained on these images: what it looks for in a picture \
             stays as it was."
        }
        Way::FineTuned => {
            "The same network, whose other layers were then trained on these images as well, at a small learning \
             rate. What it looks for in a picture can change, also to what only these images have in common."
        }
    }
}
