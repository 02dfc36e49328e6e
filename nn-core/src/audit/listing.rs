//! The files of an audit, with their classes and splits.
//!
//! Any folder is accepted ([`ImageFolder`]): classes may be missing from a split, or there may be
//! no classes at all. Problems are reported, not rejected.

use crate::data::{
    ImageFolder, Layout, PartFolder, PassedOver, Split, check_validation_split, relative,
};
use crate::error::Result;
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use crate::data::Part;

/// An image file, with its class and split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The path of the file.
    pub path: PathBuf,
    /// Its path relative to the folder, with forward slashes.
    pub file: String,
    /// Its class, as an index into [`Listing::classes`]; none if it is in no class folder.
    pub label: Option<usize>,
    /// Its split; none if the folder has no split and none can be drawn.
    pub part: Option<Part>,
}

/// How the images of a folder are divided into splits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Divided {
    /// By the user: the folders specify the splits.
    Folders,
    /// Not yet: training would draw a split by its seed, and the audit uses that split.
    Drawn,
    /// Not at all.
    #[default]
    Nobody,
}

/// The images of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The folder.
    pub root: PathBuf,
    /// The sorted names of the classes of all splits.
    pub classes: Vec<String>,
    /// The images.
    pub items: Vec<Item>,
    /// How they are divided into splits.
    pub divided: Divided,
    /// Why the folder cannot be trained on, if so.
    pub problem: Option<String>,
    /// The folders of the user's split, if there is one.
    pub folders: Vec<PartFolder>,
    /// Which folder was recognised as which split, in words.
    pub arrangement: String,
    /// Notes on ambiguous folders.
    pub remarks: Vec<String>,
    /// The entries that were skipped.
    pub passed_over: Vec<PassedOver>,
}

impl Listing {
    /// Lists the images under `root`, with or without class folders and folders of a split
    /// ([`ImageFolder::scan`]). If the folder can be trained on, each image has the split that
    /// training with this validation fraction and seed would assign ([`ImageFolder::split`]);
    /// otherwise, the split that its folder specifies.
    ///
    /// # Errors
    /// Those of [`ImageFolder::scan`], or a validation fraction that is out of range.
    pub fn scan(root: &Path, validation: f64, seed: u64) -> Result<Self> {
        check_validation_split(validation)?;
        Ok(Self::of(ImageFolder::scan(root)?, validation, seed))
    }

    /// The images of `folder`, as [`Listing::scan`] lists them.
    pub fn of(folder: ImageFolder, validation: f64, seed: u64) -> Self {
        let split = folder.split(validation, seed);
        let drawn = folder.is_drawn();
        let (arrangement, folders) = (folder.arrangement(), folder.parts().to_vec());
        let ImageFolder { root, classes, layout, images, passed_over, remarks } = folder;
        let items = images.into_iter().map(|image| Item {
            file: relative(&root, &image.path),
            label: image.label,
            part: image.part,
            path: image.path,
        });
        let items: Vec<Item> = items.collect();
        let in_part = |part| items.iter().any(|item| item.part == Some(part));
        let beside = items.iter().any(|item| item.part.is_none() && item.label.is_some());
        let by_user = matches!(layout, Layout::Split(_) | Layout::Table) && !drawn;
        // One split alone divides nothing; a split beside other folders is incomplete.
        let halves = Part::ALL.into_iter().filter(|&part| in_part(part)).count() < 2 || beside;
        let divided = match (by_user, &split) {
            (true, _) if halves => Divided::Nobody,
            (true, _) => Divided::Folders,
            (false, Ok(_)) => Divided::Drawn,
            (false, Err(_)) => Divided::Nobody,
        };
        let problem = split.as_ref().err().map(ToString::to_string);
        let mut listing = Self {
            root,
            classes,
            items,
            divided,
            problem,
            folders,
            arrangement,
            remarks,
            passed_over,
        };
        if let Ok(split) = split {
            listing.mark(&split);
        }
        listing
    }

    /// Assigns each image the split that `split` specifies, and none to images that it does not contain.
    pub fn assign(&mut self, split: &Split) {
        self.items.iter_mut().for_each(|item| item.part = None);
        self.mark(split);
    }

    fn mark(&mut self, split: &Split) {
        let sets = [&split.train, &split.validation, &split.test];
        let parts: HashMap<&Path, Part> = sets
            .into_iter()
            .zip(Part::ALL)
            .flat_map(|(samples, part)| samples.iter().map(move |s| (s.path.as_path(), part)))
            .collect();
        for item in &mut self.items {
            item.part = parts.get(item.path.as_path()).copied().or(item.part);
        }
    }
}
