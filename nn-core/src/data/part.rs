//! The splits of a data set, and the folder names that stand for them.

use serde::Serialize;

/// The split that an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Training: used to update the weights.
    Train,
    /// Validation: evaluated after each epoch.
    Validation,
    /// Test: evaluated after training.
    Test,
}

/// The usual names of folders, as [`bare`] returns them.
const NAMES: [(Part, &[&str]); 3] = [
    (Part::Train, &["train", "training", "trn"]),
    (
        Part::Validation,
        &[
            "val",
            "valid",
            "validation",
            "validate",
            "dev",
            "devel",
            "development",
            "eval",
            "evaluation",
        ],
    ),
    (Part::Test, &["test", "testing", "tst"]),
];

/// Suffixes that are ignored: `test_set`, `TrainingImages`.
const ENDINGS: [&str; 8] =
    ["set", "data", "dataset", "split", "images", "imgs", "folder", "samples"];

impl Part {
    /// All splits, in this order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Its name: `train`, `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// Its purpose, as a phrase for messages: `for training`, `for validation`, `for the test`.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Train => "for training",
            Self::Validation => "for validation",
            Self::Test => "for the test",
        }
    }

    /// The split of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// The split that a folder name stands for, in any letter case: `train`, `Training`, `valid`,
    /// `dev`, `TEST`, `test_set`, `val2017`.
    pub fn of_folder(name: &str) -> Option<Self> {
        let name = bare(name);
        let known = |names: &[&str]| names.contains(&name.as_str());
        NAMES.iter().find(|(_, names)| known(names)).map(|(part, _)| *part)
    }

    /// The split that the last word of a folder name stands for: `seg_train`, `my-data.test`.
    /// Classes may have such names, too, so call this only for folders that contain class folders.
    pub fn of_last_word(name: &str) -> Option<Self> {
        name.rsplit(['_', '-', '.', ' ']).next().and_then(Self::of_folder)
    }
}

/// A folder's name in lower case, without separators, a year at its end, and one of [`ENDINGS`].
fn bare(name: &str) -> String {
    let mut name: String = name.to_lowercase();
    name.retain(|c| !['_', '-', '.', ' '].contains(&c));
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    if name.len() - letters == 4 {
        name.truncate(letters);
    }
    let shorter = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
    shorter.filter(|rest| !rest.is_empty()).map(String::from).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_are_known_in_any_case() {
        for (names, part) in [
            ("train Training TRAIN trn train_set training-set TrainImages train2017", Part::Train),
            (
                "val valid Validation dev DEV eval evaluation val_set validation_data",
                Part::Validation,
            ),
            ("test Test testing TEST_SET test-images testset tst", Part::Test),
        ] {
            for name in names.split(' ') {
                assert_eq!(Part::of_folder(name), Some(part), "{name}");
            }
        }
        for name in [
            "husky", "trains", "set", "images", "2017", "", "tester", "invalid", "device", "train1",
        ] {
            assert_eq!(Part::of_folder(name), None, "{name}");
        }
        assert_eq!(Part::of_last_word("seg_train"), Some(Part::Train));
        assert_eq!(Part::of_last_word("test_results"), None);
    }
}
