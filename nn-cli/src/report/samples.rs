//! Pictures of the data an experiment is about: a few of each class and set.

use super::picture;
use crate::datasets::ImageSet;
use crate::failure::Failure;
use crate::inspection::Inspection;
use crate::ui::format::{class_name, clean};
use nn_core::data::AlphaBackground;
use nn_photographs::Kind;
use nn_synthetic::{Ground, Species, SyntheticSet};

/// Pictures of each class that are shown.
const OF_CLASS: usize = 2;
/// Classes that are shown.
const CLASSES: usize = 3;

/// Pictures of one set.
pub struct Samples {
    pub title: String,
    pub about: String,
    pub shots: Vec<Shot>,
}

/// One of them.
pub struct Shot {
    pub photo: String,
    pub alt: String,
    pub caption: String,
}

impl Samples {
    /// The first pictures of each class of `set`.
    ///
    /// # Errors
    /// If an image cannot be read any more.
    pub fn new(
        title: &str,
        about: &str,
        set: &ImageSet,
        alpha_background: AlphaBackground,
    ) -> Result<Self, Failure> {
        let all = set.folder.samples();
        let mut shots = Vec::new();
        for (label, class) in set.folder.classes.iter().enumerate().take(CLASSES) {
            let caption = caption(set, class);
            let of_class = all.iter().filter(|sample| sample.label == label);
            // A file that cannot be read is another part's to complain about.
            let photos = of_class.filter_map(|sample| {
                let photo = picture::thumbnail_of(&sample.path, alpha_background, picture::SIDE);
                Some((sample, photo.ok()?))
            });
            shots.extend(photos.take(OF_CLASS).map(|(sample, photo)| Shot {
                photo,
                alt: format!("{caption}: {}", clean(&set.relative(&sample.path))),
                caption: caption.clone(),
            }));
        }
        Ok(Self { title: title.into(), about: about.into(), shots })
    }
}

impl Samples {
    /// Keeps the first picture of each class.
    pub fn one_of_each(&mut self) {
        self.shots.dedup_by(|a, b| a.caption == b.caption);
    }
}

/// What all pictures of a set were taken against, where that is known and the same for all classes.
pub fn ground(looked: &Inspection) -> Option<&'static str> {
    let known =
        (looked.kind != Kind::Folder).then(|| SyntheticSet::from_name(&looked.name)).flatten();
    let [one, other] = [Species::Husky, Species::Wolf].map(|species| Some(known?.ground(species)));
    let same = one.filter(|_| one == other)?;
    Some(name(same))
}

fn name(ground: Ground) -> &'static str {
    match ground {
        Ground::Grass => "grass",
        Ground::Snow => "snow",
        Ground::White => "white",
    }
}

/// What is to be seen: `husky on grass` where the set is known, else the class.
fn caption(set: &ImageSet, class: &str) -> String {
    let class_shown = class_name(class);
    let species = [Species::Husky, Species::Wolf].into_iter().find(|s| s.name() == class);
    let known = (set.kind != Kind::Folder).then(|| SyntheticSet::from_name(&set.name)).flatten();
    match (known, species) {
        (Some(known), Some(species)) => {
            format!("{class} on {}", name(known.ground(species)))
        }
        _ => class_shown,
    }
}
