//! Which classes of a model the folders of images stand for.

use crate::failure::Failure;
use crate::hints;
use std::collections::BTreeMap;

/// The most classes that are named to choose from.
const MOST_NAMED: usize = 4;

/// The classes of a model that each folder stands for.
pub struct Matching {
    /// For each folder, indices of classes; none where nothing matches.
    pub classes: Vec<Vec<usize>>,
}

impl Matching {
    /// Matches folders by name and by what `--map` says.
    ///
    /// # Errors
    /// If `--map` names what is not there.
    pub fn new(folders: &[String], classes: &[String], map: &[String]) -> Result<Self, Failure> {
        let mut said = BTreeMap::new();
        for typed in map {
            let refuse = |problem: String| Failure::usage(format!("--map {typed}: {problem}"));
            let Some((folder, names)) = typed.split_once('=') else {
                return Err(refuse("expected FOLDER=CLASSES, such as husky=248-250".into()));
            };
            if !folders.iter().any(|known| known == folder) {
                let known = folders.iter().map(String::as_str);
                let meant = hints::did_you_mean(folder, known);
                return Err(refuse(format!(
                    "the images are of {}{meant}",
                    hints::some_of(folders)
                )));
            }
            let mut found = Vec::new();
            for name in names.split(',').map(str::trim) {
                found.extend(named(name, classes).map_err(refuse)?);
            }
            if said.insert(folder, found).is_some() {
                return Err(refuse(
                    "this folder is mapped twice; name its classes with commas".into(),
                ));
            }
        }
        let classes = folders.iter().map(|folder| match said.remove(folder.as_str()) {
            Some(found) => found,
            None => called(folder, classes),
        });
        Ok(Self { classes: classes.collect() })
    }

    /// Whether any folder has a class.
    pub fn is_any(&self) -> bool {
        self.classes.iter().any(|classes| !classes.is_empty())
    }

    /// For people: what each folder stands for, and what could stand for those without classes.
    pub fn told(&self, folders: &[String], classes: &[String]) -> Vec<String> {
        let shown = |indices: &[usize]| {
            let names: Vec<String> = indices.iter().map(|&i| classes[i].clone()).collect();
            hints::some_of(&names)
        };
        let line = |(folder, found): (&String, &Vec<usize>)| match found.as_slice() {
            [] => match similar(folder, classes).as_slice() {
                [] => format!("{folder}: no class of this name; say which with --map"),
                near => {
                    let indices: Vec<String> = near.iter().map(usize::to_string).collect();
                    let more = if near.len() == MOST_NAMED { ", ..." } else { "" };
                    format!(
                        "{folder}: no class of this name; --map {folder}={} would be {}{more}",
                        indices.join(","),
                        shown(near)
                    )
                }
            },
            found => format!("{folder}: {}", shown(found)),
        };
        folders.iter().zip(&self.classes).map(line).collect()
    }
}

/// A name without case, `-` and `_`.
fn plain(name: &str) -> String {
    let words = name.to_lowercase().replace(['_', '-'], " ");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The classes of this name: of names with commas, such as ImageNet's, each part counts.
fn called(name: &str, classes: &[String]) -> Vec<usize> {
    let wanted = plain(name);
    let is_called =
        |class: &str| plain(class) == wanted || class.split(',').any(|part| plain(part) == wanted);
    (0..classes.len()).filter(|&i| is_called(&classes[i])).collect()
}

/// Some classes in whose names this one is a word.
fn similar(name: &str, classes: &[String]) -> Vec<usize> {
    let wanted = plain(name);
    let has = |class: &str| plain(class).split([' ', ',']).any(|word| word == wanted);
    (0..classes.len()).filter(|&i| has(&classes[i])).take(MOST_NAMED).collect()
}

/// The classes that an index, a range of them or a name says.
fn named(typed: &str, classes: &[String]) -> Result<Vec<usize>, String> {
    let index = |text: &str| text.trim().parse::<usize>().ok();
    let range = typed.split_once('-').and_then(|(first, last)| Some((index(first)?, index(last)?)));
    let found = match (index(typed), range) {
        (Some(one), _) => vec![one],
        (None, Some((first, last))) if first <= last => (first..=last.min(classes.len())).collect(),
        _ => called(typed, classes),
    };
    match found.iter().max() {
        Some(&last) if last < classes.len() => Ok(found),
        Some(_) => Err(format!("the model's classes are 0 to {}", classes.len() - 1)),
        None => {
            let meant = hints::did_you_mean(typed, classes.iter().map(String::as_str));
            Err(format!("the model has no class {typed}{meant}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn folders_stand_for_classes_of_their_name() {
        let classes = texts(&[
            "tench, Tinca tinca",
            "Siberian husky",
            "timber wolf",
            "white-wolf",
            "Eskimo dog, husky",
        ]);
        let folders = texts(&["Tinca_tinca", "husky", "wolf", "white wolf", "cat"]);
        let matching = Matching::new(&folders, &classes, &[]).unwrap();
        assert_eq!(matching.classes, [vec![0], vec![4], vec![], vec![3], vec![]]);
        assert!(matching.is_any());
        let told = matching.told(&folders, &classes);
        assert!(told[2].contains("--map wolf=2,3 would be timber wolf, white-wolf"), "{told:?}");
        assert!(told[4].contains("say which with --map"), "{told:?}");
        let map = texts(&["husky=1,4", "wolf=timber wolf, 3-3"]);
        let matching = Matching::new(&folders, &classes, &map).unwrap();
        assert_eq!((&matching.classes[1], &matching.classes[2]), (&vec![1, 4], &vec![2, 3]));
    }

    #[test]
    fn maps_to_nowhere_are_refused() {
        let (folders, classes) = (texts(&["husky", "wolf"]), texts(&["a dog", "a wolf"]));
        for (map, says) in [
            (&["husky"][..], "FOLDER=CLASSES"),
            (&["husk=0"], "did you mean husky?"),
            (&["husky=2"], "0 to 1"),
            (&["husky=0-5"], "0 to 1"),
            (&["husky=a wolv"], "did you mean a wolf?"),
            (&["husky=0", "husky=1"], "mapped twice"),
        ] {
            let failure = Matching::new(&folders, &classes, &texts(map)).err().unwrap();
            assert!(failure.to_string().contains(says), "{map:?}: {failure}");
        }
    }
}
