//! Names for staged files that come from elsewhere: image files and classes.

use std::collections::HashSet;

/// The longest part of a name, in bytes: file systems take names of up to 255 bytes.
const LONGEST: usize = 80;

/// Names of files in a folder, each of them once.
#[derive(Debug, Default)]
pub struct FileNames {
    /// In lower case, for file systems that do not tell `A` from `a`.
    taken: HashSet<String>,
}

impl FileNames {
    /// A name without extension that no other file of this folder has, for `STEM.CLASS` from names that may
    /// be anything: `STEM.CLASS`, else `STEM-2.CLASS` and so on. Characters that file names cannot hold are
    /// replaced.
    pub fn reserve(&mut self, stem: &str, class: &str) -> String {
        let (stem, class) = (safe(stem), safe(class));
        let numbered = |i: usize| match i {
            1 => format!("{stem}.{class}"),
            i => format!("{stem}-{i}.{class}"),
        };
        let free = (1..).map(numbered).find(|name| self.taken.insert(name.to_lowercase()));
        free.unwrap_or(stem)
    }
}

/// A part of a file's name: without what file systems or shells stumble over, not empty, not hidden
/// and not too long. What comes after a dot stays apart from it.
fn safe(name: &str) -> String {
    let harmless = |c: char| {
        let bad = c.is_control() || "/\\:*?\"<>|".contains(c);
        if bad { '_' } else { c }
    };
    let name: String = name.chars().map(harmless).collect();
    let name = name.trim().trim_start_matches('.').trim_end_matches('.');
    let mut short = String::new();
    for c in name.chars() {
        if short.len() + c.len_utf8() > LONGEST {
            break;
        }
        short.push(c);
    }
    if short.is_empty() { "_".into() } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_distinct() {
        let mut names = FileNames::default();
        let long = "ü".repeat(300);
        for (stem, class, expected) in [
            ("husky_1", "wolf", "husky_1.wolf"),
            ("husky_1", "wolf", "husky_1-2.wolf"),
            ("HUSKY_1", "wolf", "HUSKY_1-3.wolf"),
            ("husky_1", "husky", "husky_1.husky"),
            ("a/b", "..", "a_b._"),
            (".hidden", "c:\\d", "hidden.c__d"),
            ("", " ", "_._"),
            ("x\n\u{1b}", "a*b?", "x__.a_b_"),
            (&long, "w", &format!("{}.w", "ü".repeat(40))),
            ("v1.2", "狼", "v1.2.狼"),
        ] {
            assert_eq!(names.reserve(stem, class), expected);
        }
    }
}
