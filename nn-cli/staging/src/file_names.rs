//! Safe, unique names for staged files, derived from the names of image files and classes.

use std::collections::HashSet;

/// The longest part of a name, in bytes: file systems allow names of up to 255 bytes.
const LONGEST: usize = 80;

/// The file names used in a folder; each is given out once.
#[derive(Debug, Default)]
pub struct FileNames {
    /// In lower case, for file systems that ignore letter case.
    taken: HashSet<String>,
}

impl FileNames {
    /// Reserves a name without extension that is unique in this folder: `STEM.CLASS`, else `STEM-2.CLASS`
    /// and so on. `stem` and `class` may be any text: characters that file names cannot contain are
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

/// Makes one part of a file name safe: without control characters and characters that file systems or
/// shells treat specially, not empty, without dots at its ends, and at most [`LONGEST`] bytes long.
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
