//! Sample pictures of an experiment's data: a few of each class and set.

use crate::ImageSet;
use crate::StudyError;
use crate::experiment::Parts;
use crate::format::{class_name, clean};
use crate::inspection::Inspection;
use crate::known_ground;
use crate::picture;
use nn_core::data::AlphaBackground;

/// The number of pictures of each class.
const OF_CLASS: usize = 2;
/// The number of classes shown.
const CLASSES: usize = 3;

/// Sample pictures of one set.
pub struct Samples {
    pub title: String,
    pub about: String,
    pub shots: Vec<Shot>,
}

/// One sample picture.
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
    ) -> Result<Self, StudyError> {
        let all = set.folder.samples();
        let mut shots = Vec::new();
        for (label, class) in set.folder.classes.iter().enumerate().take(CLASSES) {
            let caption = caption(set, class);
            let of_class = all.iter().filter(|sample| sample.label == label);
            // Unreadable files are skipped here; they are reported elsewhere.
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
    /// Sample pictures of the three sets of an experiment.
    ///
    /// # Errors
    /// If an image cannot be read any more.
    pub fn of_experiment(parts: &Parts<'_>) -> Result<Vec<Self>, StudyError> {
        let told = [
            ("With the leak", "The leaky model is trained and tested on these."),
            ("Backgrounds swapped", "The leaky model is tested on these once more."),
            ("Without the leak", "The clean model is trained and tested on these."),
        ];
        let all = told.into_iter().zip(&parts.sets);
        all.map(|((title, about), set)| Self::new(title, about, set, parts.config.alpha_background))
            .collect()
    }

    /// Keeps only the first picture of each class.
    pub fn one_of_each(&mut self) {
        self.shots.dedup_by(|a, b| a.caption == b.caption);
    }
}

/// The background of all pictures of a set, if it is known and the same for all classes.
pub fn ground(looked: &Inspection) -> Option<&'static str> {
    let [one, other] =
        ["husky", "wolf"].map(|class| known_ground(&looked.name, looked.kind, class));
    one.filter(|_| one == other)
}

/// A caption: `husky on grass` if the background is known, else the class.
fn caption(set: &ImageSet, class: &str) -> String {
    match known_ground(&set.name, set.kind, class) {
        Some(ground) => format!("{class} on {ground}"),
        None => class_name(class),
    }
}
