//! Which files an audit looks at, and what each is for.
//!
//! It takes a folder as it is ([`ImageFolder`]): classes may be missing from a split, there may be
//! no classes at all. What is wrong is told, not refused.

use crate::data::{
    ImageFolder, Layout, PartFolder, PassedOver, Split, check_validation_split, relative,
};
use crate::error::Result;
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use crate::data::Part;

/// An image file and its place in the experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it lies.
    pub path: PathBuf,
    /// Its path below the folder, with forward slashes.
    pub file: String,
    /// Its class, as an index into [`Listing::classes`]; none if it lies in no class folder.
    pub label: Option<usize>,
    /// What it is used for; none where the folder is not split and cannot be.
    pub part: Option<Part>,
}

/// Who divided the images of a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Divided {
    /// The user: the folders say what is for training and what for the test.
    Folders,
    /// Nobody yet: training would draw a split by its seed, and the audit shows that one.
    Drawn,
    /// Nobody.
    #[default]
    Nobody,
}

/// The images of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The folder.
    pub root: PathBuf,
    /// The names of all classes, sorted, whichever split they are in.
    pub classes: Vec<String>,
    /// The images.
    pub items: Vec<Item>,
    /// Who divided them.
    pub divided: Divided,
    /// Why the folder cannot be trained on as it is, if so.
    pub problem: Option<String>,
    /// The folders of the user's split, if there is one.
    pub folders: Vec<PartFolder>,
    /// Which folder was taken for what, in words.
    pub arrangement: String,
    /// What the reader took for what, where somebody may have meant something else.
    pub remarks: Vec<String>,
    /// What is not looked at.
    pub passed_over: Vec<PassedOver>,
}

impl Listing {
    /// Lists the images under `root`: in class folders or not, perhaps within `train/`, `test/` and the
    /// like ([`ImageFolder::scan`]). Where the folder can be trained on, each image is in the split that
    /// training with this validation share and seed would put it in ([`ImageFolder::split`]); where it
    /// cannot, in the one that its folder says.
    ///
    /// # Errors
    /// Those of [`ImageFolder::scan`], or a validation share out of its range.
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
        // Folders for one purpose alone divide nothing, and half a split leaves the rest open.
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

    /// Puts each image into the part that `split` says, and those it does not name into none.
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
