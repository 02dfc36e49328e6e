//! Classification of a file tree into classes and splits, by the rules in the documentation of [`super`].

use super::super::file_kind::EXTENSIONS;
use super::super::passed_over::{Collector, Reason, relative, summary};
use super::super::tree::Tree;
use super::{FolderImage, ImageFolder, Layout, PartFolder};
use crate::data::Part;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A top-level folder, and the split that its name stands for.
struct Top {
    tree: Tree,
    part: Option<Part>,
}

/// The images found so far, with the names of their classes and their splits.
struct Found {
    collector: Collector,
    images: Vec<(PathBuf, Option<String>, Option<Part>)>,
    /// The number of images in subfolders of class folders, and the first such subfolder.
    deeper: (usize, Option<PathBuf>),
    remarks: Vec<String>,
}

/// Derives classes and splits from `tree`.
///
/// # Errors
/// Those of [`ImageFolder::scan`], except for errors of reading.
pub(super) fn arrange(mut tree: Tree) -> Result<ImageFolder> {
    let root = tree.path.clone();
    if let Some(inner) = wrapped(&tree) {
        return Err(unwrap(&root, inner));
    }
    let is_void = tree.is_void();
    let mut found = Found {
        collector: Collector::new(&root),
        images: Vec::new(),
        deeper: (0, None),
        remarks: Vec::new(),
    };
    tree.tell_own(&mut found.collector);
    let loose = std::mem::take(&mut tree.images);
    let mut tops = Vec::new();
    for folder in std::mem::take(&mut tree.folders) {
        let part = Part::of_folder(&folder.name());
        if folder.has_images() || part.is_some() && folder.has_classes() {
            tops.push(Top { tree: folder, part });
        } else {
            let empty = part.map_or(Reason::Empty, Reason::EmptyPart);
            folder.into_images(&mut found.collector, empty);
        }
    }
    known_by_last_word(&mut tops);
    let layout = if is_split(&tops) {
        found.split(tops)?
    } else if tops.is_empty() {
        Layout::Flat
    } else {
        found.bare(tops)?;
        Layout::Bare
    };
    found.images.extend(loose.into_iter().map(|path| (path, None, None)));
    found.finish(root, layout, is_void)
}

/// A remark if all folders contain the same subfolders, and no images beside them: they may be
/// folds, or a split with unknown names. They may also be classes: `cat/` and `dog/` may each
/// contain `indoor/` and `outdoor/`.
fn rather_parts(tops: &[Top]) -> Option<String> {
    let inner = |top: &Top| -> Vec<String> {
        top.tree.folders.iter().filter(|folder| folder.has_images()).map(Tree::name).collect()
    };
    let [first, rest @ ..] = tops else { return None };
    let shared = inner(first);
    let same = |top: &Top| top.tree.images.is_empty() && inner(top) == shared;
    if rest.is_empty() || shared.len() < 2 || !tops.iter().all(same) {
        return None;
    }
    Some(format!(
        "{}/ and {}/ hold the same folders, {}/ and {}/, and are taken for classes; if they are parts of a \
         split, name them train/, val/ and test/, or pass one of them",
        first.tree.name(),
        rest[0].tree.name(),
        shared[0],
        shared[1]
    ))
}

/// Recognises names such as `seg_train`, if the folder contains class folders and no other folder
/// is for the same split.
fn known_by_last_word(tops: &mut [Top]) {
    let guesses: Vec<Option<Part>> = tops
        .iter()
        .map(|top| Part::of_last_word(&top.tree.name()).filter(|_| top.tree.has_classes()))
        .collect();
    for i in 0..tops.len() {
        let Some(part) = guesses[i].filter(|_| tops[i].part.is_none()) else { continue };
        let alone = (0..tops.len()).all(|j| i == j || tops[j].part.or(guesses[j]) != Some(part));
        if alone {
            tops[i].part = Some(part);
        }
    }
}

/// Whether the folders are a split. Class folders may also be called `train` or `valid`, so the folders are
/// a split only if all of them have such names, or one with such a name contains class folders.
fn is_split(tops: &[Top]) -> bool {
    let named = || tops.iter().filter(|top| top.part.is_some());
    named().count() > 0
        && (named().count() == tops.len() || named().any(|top| top.tree.has_classes()))
}

impl Found {
    fn split(&mut self, tops: Vec<Top>) -> Result<Layout> {
        let mut folders: Vec<PartFolder> = tops
            .iter()
            .filter_map(|top| Some(PartFolder { folder: top.tree.name(), part: top.part? }))
            .collect();
        folders.sort_by_key(|folder| folder.part);
        let parts: Vec<Part> = folders.iter().map(|folder| folder.part).collect();
        let several = Part::ALL.iter().filter(|part| parts.contains(part)).count() > 1;
        let names: Vec<_> = folders.iter().map(|folder| format!("{}/", folder.folder)).collect();
        let names = match &names[..] {
            [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            all => all.concat(),
        };
        for part in Part::ALL {
            let twice: Vec<_> = folders.iter().filter(|folder| folder.part == part).collect();
            if let [first, second, ..] = &twice[..] {
                self.remarks.push(format!(
                    "{}/ and {}/ are both {}: training and evaluation want one of them",
                    first.folder,
                    second.folder,
                    part.purpose()
                ));
            }
        }
        let (mut of_split, beside): (Vec<Top>, Vec<Top>) =
            tops.into_iter().partition(|top| top.part.is_some());
        of_split.sort_by_key(|top| top.part);
        for Top { mut tree, part } in of_split {
            tree.tell_own(&mut self.collector);
            while let Some(mut inner) = only_wrapper(&mut tree) {
                let path = relative(&self.collector.root, &inner.path);
                self.remarks.push(format!("the class folders of {}/ are in {path}/", tree.name()));
                inner.tell_own(&mut self.collector);
                for folder in std::mem::take(&mut tree.folders) {
                    folder.into_images(&mut self.collector, Reason::Empty);
                }
                tree = inner;
            }
            for class in std::mem::take(&mut tree.folders) {
                self.class(class, part)?;
            }
            self.images.extend(tree.images.into_iter().map(|path| (path, None, part)));
        }
        for Top { tree, .. } in beside {
            if several {
                for image in tree.into_images(&mut self.collector, Reason::Empty) {
                    self.collector.file(&image, Reason::BesideSplit(names.clone()));
                }
            } else {
                // A folder of a split beside class folders is ambiguous.
                self.class(tree, None)?;
            }
        }
        Ok(Layout::Split(folders))
    }

    fn bare(&mut self, tops: Vec<Top>) -> Result<()> {
        tops.iter().try_for_each(|top| no_split_within(&top.tree))?;
        self.remarks.extend(rather_parts(&tops));
        let others = tops.iter().find(|top| top.part.is_none()).map(|top| top.tree.name());
        for Top { tree, part } in tops {
            if let (Some(part), Some(other)) = (part, &others) {
                self.remarks.push(format!(
                    "{}/ is taken for a class, not for the folder {}: it has no class folders in it, and \
                     lies beside {other}/",
                    tree.name(),
                    part.purpose()
                ));
            }
            self.class(tree, None)?;
        }
        Ok(())
    }

    /// Adds the images of a class folder.
    fn class(&mut self, tree: Tree, part: Option<Part>) -> Result<()> {
        let folder = tree.path.clone();
        let images = tree.into_images(&mut self.collector, Reason::Empty);
        if images.is_empty() {
            return Ok(());
        }
        // Class names are written to tables, JSON and the model file, and must be read back unchanged.
        let Some(name) = folder.file_name().unwrap_or_default().to_str().map(String::from) else {
            return Err(Error::file(
                &folder,
                "the name of this class folder is not Unicode",
                "rename the folder",
            ));
        };
        for path in &images {
            if path.parent() != Some(&folder) {
                self.deeper.0 += 1;
                self.deeper.1 = self.deeper.1.take().or(path.parent().map(Path::to_path_buf));
            }
        }
        self.images.extend(images.into_iter().map(|path| (path, Some(name.clone()), part)));
        Ok(())
    }

    fn finish(mut self, root: PathBuf, layout: Layout, is_void: bool) -> Result<ImageFolder> {
        if let (images @ 1.., Some(first)) = &self.deeper {
            let first = relative(&root, first);
            let lie = if *images == 1 { "1 image lies" } else { &format!("{images} images lie") };
            self.remarks.push(format!(
                "{lie} deeper than a class folder, the first in {first}/, and counted as of that class"
            ));
        }
        let mut passed_over = self.collector.passed_over;
        passed_over.sort();
        if self.images.is_empty() {
            let problem = match summary(&passed_over) {
                _ if is_void => "the folder is empty".to_string(),
                Some(passed_over) => {
                    format!("there are no images in it (not looked at: {passed_over})")
                }
                None => "there are no images in it".to_string(),
            };
            return Err(Error::file(&root, problem, images_wanted()));
        }
        let mut classes: Vec<String> =
            self.images.iter().filter_map(|(_, class, _)| class.clone()).collect();
        classes.sort();
        classes.dedup();
        let label = |class: String| classes.binary_search(&class).ok();
        let images = self.images.into_iter();
        let mut images: Vec<FolderImage> = images
            .map(|(path, class, part)| FolderImage { path, label: class.and_then(label), part })
            .collect();
        // A stable sort: the order within a class is kept.
        images.sort_by_key(|image| (rank(image.part), image.label.unwrap_or(usize::MAX)));
        Ok(ImageFolder { root, classes, layout, images, passed_over, remarks: self.remarks })
    }
}

/// The position of a split in the order of images; images without one come last.
pub(super) fn rank(part: Option<Part>) -> usize {
    part.map_or(Part::ALL.len(), |part| part as usize)
}

/// If a folder of a split contains only one folder, which in turn contains the class folders, takes
/// that folder out: `seg_train/seg_train/husky`.
fn only_wrapper(tree: &mut Tree) -> Option<Tree> {
    let holds_classes = |inner: &Tree| inner.images.is_empty() && inner.filled().count() > 1;
    let only = tree.images.is_empty() && tree.filled().count() == 1;
    let at = tree.folders.iter().position(|folder| only && holds_classes(folder))?;
    Some(tree.folders.remove(at))
}

/// Rejects a class folder that contains a split: a data set of its own, or a class that is split by itself.
fn no_split_within(class: &Tree) -> Result<()> {
    let parts: Vec<&Tree> =
        class.filled().filter(|folder| Part::of_folder(&folder.name()).is_some()).collect();
    let others = class.filled().count() > parts.len();
    if !class.images.is_empty() || parts.is_empty() || others {
        return Ok(());
    }
    let names: Vec<_> = parts.iter().map(|folder| folder.name() + "/").collect();
    let names = names.join(" and ");
    if parts.iter().any(|folder| folder.has_classes()) {
        return Err(Error::file(
            &class.path,
            format!(
                "lies beside other folders and holds {names} itself, with class folders in them"
            ),
            format!("pass {} as the data folder", class.path.display()),
        ));
    }
    let (class_name, part) = (class.name(), parts[0].name());
    Err(Error::file(
        &class.path,
        format!("holds {names}, but a split is expected above the classes, not within them"),
        format!("move the images of {part}/ to {part}/{class_name}/, and so on"),
    ))
}

fn images_wanted() -> String {
    format!(
        "expected one sub-folder per class, each with the images of its class ({}), or train/ and test/ with \
         such sub-folders",
        EXTENSIONS.join(", ")
    )
}

/// The only folder in `tree`, if it contains the classes or the split: `dataset/dataset/train`.
fn wrapped(tree: &Tree) -> Option<&Tree> {
    let mut filled =
        tree.folders.iter().filter(|folder| folder.has_images() || folder.has_classes());
    let (only, None) = (filled.next()?, filled.next()) else { return None };
    if !tree.images.is_empty() || !only.images.is_empty() || Part::of_folder(&only.name()).is_some()
    {
        return None;
    }
    let is_split = only.folders.iter().any(|folder| {
        let part = Part::of_folder(&folder.name());
        part.is_some() && (folder.has_images() || folder.has_classes())
    });
    if is_split || only.filled().count() > 1 { Some(only) } else { wrapped(only) }
}

fn unwrap(root: &Path, inner: &Tree) -> Error {
    let names: Vec<String> = inner.filled().take(3).map(|folder| folder.name() + "/").collect();
    Error::file(
        root,
        format!(
            "holds one folder, and {} in it: the images of a class, or of a split, are further down",
            names.join(", ")
        ),
        format!("pass {} as the data folder", inner.path.display()),
    )
}
