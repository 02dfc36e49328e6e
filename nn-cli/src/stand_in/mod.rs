//! The stand-in data set: drawn huskies and wolves for those who do not have the photographs.
//!
//! The published experiment teaches a network to tell huskies on grass from wolves on snow, and
//! finds that it learned the ground, not the animal. This renderer makes pictures with the same
//! trap, in the same folders and numbers: backgrounds that differ at a glance ([`scene`]), animals
//! that differ in a few overlapping traits ([`animal`]) and in everything else alike. Pictures are
//! drawn with vector shapes and hairs ([`canvas`], [`head`], [`parts`], [`body`]) and then "photographed"
//! ([`picture`]).
//!
//! Each picture is a pure function of its [`Spec`], the seed and the size, whatever the number of
//! threads. A folder so made holds a marker ([`Marker`]), so that no later step can mistake it for
//! the photographs.

mod animal;
mod body;
mod canvas;
mod head;
mod parts;
mod picture;
mod scene;

pub use animal::Species;
pub use picture::Picture;
pub use scene::Ground;

use nn_core::files::folder_of;
use nn_core::rng::Rng;
use nn_core::{Error, Result};
use nn_staging::CreatedFolders;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The seed with which the stand-in is rendered unless the user asks for another.
pub const DEFAULT_SEED: u64 = 27;

/// Width and height of a picture unless the user asks for another: what the network reads.
pub const DEFAULT_SIZE: u32 = 256;

/// Changes whenever the same seed would give other pictures.
pub const RENDERER_VERSION: u32 = 3;

/// The machine-readable marker's file name.
pub const MARKER_FILE: &str = "stand-in.json";

/// The marker for people.
const NOTE_FILE: &str = "STAND-IN.txt";

/// The named sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandInSet {
    /// Both animals on pure white.
    SameBackgrounds,
    /// Huskies on grass, wolves on snow: the leak.
    DifferentBackgrounds,
    /// Huskies on snow, wolves on grass: the leak exposed.
    BackgroundSwap,
}

impl StandInSet {
    /// Every set.
    pub const ALL: [Self; 3] =
        [Self::SameBackgrounds, Self::DifferentBackgrounds, Self::BackgroundSwap];

    /// The set called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// The set's name on the command line, and its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::SameBackgrounds => "same_backgrounds",
            Self::DifferentBackgrounds => "different_backgrounds",
            Self::BackgroundSwap => "background_swap",
        }
    }

    /// What `species` stands on in this set.
    pub fn ground(self, species: Species) -> Ground {
        match (self, species) {
            (Self::SameBackgrounds, _) => Ground::White,
            (Self::DifferentBackgrounds, Species::Husky)
            | (Self::BackgroundSwap, Species::Wolf) => Ground::Grass,
            (Self::DifferentBackgrounds, Species::Wolf)
            | (Self::BackgroundSwap, Species::Husky) => Ground::Snow,
        }
    }
}

/// Which part of a set a picture belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// In `train/`.
    Train,
    /// In `test/`.
    Test,
    /// The set is not divided: class folders lie directly in it.
    Whole,
}

impl Part {
    /// The numbers of each class's pictures.
    fn numbers(self) -> std::ops::Range<u32> {
        match self {
            Self::Train => 10..50,
            Self::Test => 0..10,
            Self::Whole => 1..21,
        }
    }
}

/// One picture of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The set.
    pub set: StandInSet,
    /// The part of the set.
    pub part: Part,
    /// The class.
    pub species: Species,
    /// The number in the file name.
    pub number: u32,
}

impl Spec {
    /// The picture's path below the set's folder: `train/husky/husky_12.png`.
    pub fn path(&self) -> PathBuf {
        let class = self.species.name();
        let file = format!("{class}_{}.png", self.number);
        match self.part {
            Part::Train => ["train", class, &file].iter().collect(),
            Part::Test => ["test", class, &file].iter().collect(),
            Part::Whole => [class, &file].iter().collect(),
        }
    }

    /// What decides the picture's coat, evenly spread over `[0, 1)` within its class and part: coats
    /// are dealt like cards, so that even ten test pictures are a fair sample of them.
    fn lot(&self, seed: u64) -> f64 {
        let deck = Self { number: u32::from(u16::MAX), ..*self };
        let mut rng = Rng::new(seed, picture::STREAMS * deck.stream());
        let mut numbers: Vec<u32> = self.part.numbers().collect();
        rng.shuffle(&mut numbers);
        let place = numbers.iter().position(|&number| number == self.number).unwrap_or(0);
        (place as f64 + rng.uniform()) / numbers.len() as f64
    }

    /// A number no other picture of any set has.
    fn stream(&self) -> u64 {
        let class = match self.species {
            Species::Husky => 0,
            Species::Wolf => 1,
        };
        (self.set as u64) << 24 | (self.part as u64) << 20 | class << 16 | u64::from(self.number)
    }
}

/// The pictures of `set`, numbered as the photographs are: 0 to 9 for testing and 10 to 49 for
/// training in each class, or 1 to 20 in the undivided set.
pub fn specs(set: StandInSet) -> Vec<Spec> {
    let parts: &[Part] = match set {
        StandInSet::BackgroundSwap => &[Part::Whole],
        _ => &[Part::Train, Part::Test],
    };
    let mut all = Vec::new();
    for &part in parts {
        for species in [Species::Husky, Species::Wolf] {
            all.extend(part.numbers().map(|number| Spec { set, part, species, number }));
        }
    }
    all
}

/// Renders one picture, `size` pixels square, and the animal's outline. The same arguments always
/// give the same picture.
pub fn render_image(spec: &Spec, seed: u64, size: u32) -> Picture {
    let ground = spec.set.ground(spec.species);
    picture::compose(spec.species, spec.lot(seed), ground, seed, spec.stream(), size)
}

/// What tells a rendered folder from photographs: the content of `stand-in.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Always `"stand-in"`.
    pub kind: String,
    /// The set that was rendered.
    pub set: StandInSet,
    /// The seed it was rendered with.
    pub seed: u64,
    /// Width and height of each picture.
    pub size: u32,
    /// The [`RENDERER_VERSION`] that drew it.
    pub renderer_version: u32,
}

impl Marker {
    /// Reads the marker of the folder `dir`; none if the folder is not a rendered one.
    ///
    /// # Errors
    /// If there is a marker that cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        let path = dir.join(MARKER_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let remedy = "remove the folder and render it again with `nn-cli data render`";
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Error::file(&path, format!("is not a stand-in marker ({error})"), remedy)
        })
    }
}

/// Renders `set` into the new folder `dir`, on all threads of the current rayon pool. `progress` is
/// told, from any thread, how many pictures are done; [`ControlFlow::Break`] stops the work.
///
/// Everything is written into a temporary folder beside `dir` which takes its name at the end, so
/// `dir` is whole or not there.
///
/// # Errors
/// If `size` is not between 32 and 4096, `dir` exists and is not empty, something cannot be
/// written, or `progress` stopped the work ([`Error::Interrupted`]).
pub fn render(
    set: StandInSet,
    seed: u64,
    dir: &Path,
    size: u32,
    progress: &(dyn Fn(usize) -> ControlFlow<()> + Sync),
) -> Result<Marker> {
    if !(32..=4096).contains(&size) {
        return Err(Error::setting(
            "the picture size",
            "between 32 and 4096",
            size,
            format!("the network reads {DEFAULT_SIZE}"),
        ));
    }
    if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) || dir.is_file() {
        return Err(Error::file(dir, "exists already", "remove it or choose another folder"));
    }
    let parent = folder_of(dir);
    let _made = CreatedFolders::make(parent)?;
    let draft = tempfile::Builder::new()
        .prefix(".stand-in-")
        .tempdir_in(parent)
        .map_err(Error::io("create a folder in", parent))?;
    let root = draft.path().join(set.name());

    let done = AtomicUsize::new(0);
    specs(set).par_iter().try_for_each(|spec| {
        write_picture(&root.join(spec.path()), spec, seed, size)?;
        match progress(done.fetch_add(1, Ordering::Relaxed) + 1) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        }
    })?;

    let marker =
        Marker { kind: "stand-in".into(), set, seed, size, renderer_version: RENDERER_VERSION };
    write_marker(&root, &marker)?;
    // An empty folder of that name may stand in the way on some systems.
    if dir.is_dir() {
        std::fs::remove_dir(dir).map_err(Error::io("replace", dir))?;
    }
    std::fs::rename(&root, dir).map_err(Error::io("create", dir))?;
    Ok(marker)
}

fn write_picture(path: &Path, spec: &Spec, seed: u64, size: u32) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let picture = render_image(spec, seed, size);
    picture.rgb.save(path).map_err(|error| match error {
        image::ImageError::IoError(error) => Error::io("write", path)(error),
        other => Error::file(path, other, "try another picture size"),
    })
}

fn write_marker(root: &Path, marker: &Marker) -> Result<()> {
    let write = |name: &str, text: String| {
        let path = root.join(name);
        std::fs::write(&path, text).map_err(Error::io("write", &path))
    };
    let json = serde_json::to_string_pretty(marker).map_err(|error| {
        Error::file(&root.join(MARKER_FILE), error, "this is a defect of nn-cli; please report it")
    })?;
    write(MARKER_FILE, json + "\n")?;
    write(
        NOTE_FILE,
        format!(
            "These pictures are drawings, not photographs.\n\n\
             nn-cli rendered them (seed {}) as a stand-in for the published data set \"{}\".\n\
             Results obtained with them say nothing about real animals.\n\
             `nn-cli data fetch` gets the photographs.\n",
            marker.seed,
            marker.set.name(),
        ),
    )
}

#[cfg(test)]
mod tests;
