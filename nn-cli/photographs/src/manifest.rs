//! The list of the published photographs, one SHA-256 checksum and path a line.
//!
//! The format is that of `sha256sum`: 64 hexadecimal digits, two spaces, a path with forward
//! slashes. A path's first component names the set it belongs to, so `sha256sum -c
//! MANIFEST.sha256`, run in the data root, checks the same as `nn-cli data verify`.

use std::collections::HashSet;
use std::path::Path;
use std::sync::LazyLock;

use nn_core::{Error, Result};
use sha2::{Digest, Sha256};

/// A SHA-256 checksum.
pub type Checksum = [u8; 32];

/// The checksum of `bytes`.
pub fn checksum(bytes: &[u8]) -> Checksum {
    Sha256::digest(bytes).into()
}

/// One published file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The checksum of its content.
    pub checksum: Checksum,
    /// Its path below the data root, with forward slashes: `background_swap/husky/husky_1.jpg`.
    pub path: String,
}

impl Entry {
    /// The set it belongs to: its path's first component.
    pub fn set(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Its path below the set's folder: `husky/husky_1.jpg`.
    pub fn path_in_set(&self) -> &str {
        self.path.split_once('/').map_or("", |(_, rest)| rest)
    }
}

/// The published files, in the manifest's order.
#[derive(Clone, Debug)]
pub struct Manifest {
    entries: Vec<Entry>,
}

impl Manifest {
    /// The manifest this program was built with, `data/MANIFEST.sha256`.
    pub fn published() -> &'static Self {
        static PUBLISHED: LazyLock<Manifest> = LazyLock::new(|| {
            let text = include_str!("../../../data/MANIFEST.sha256");
            Manifest::parse(text, Path::new("data/MANIFEST.sha256"))
                .expect("the built-in manifest is checked by this module's tests")
        });
        &PUBLISHED
    }

    /// Reads a manifest; `origin` names it in errors.
    ///
    /// # Errors
    /// If a line is not a checksum and a path, or a path leaves the root, names no set or comes twice; the
    /// error names the line.
    pub fn parse(text: &str, origin: &Path) -> Result<Self> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line)) {
            if line.trim().is_empty() {
                continue;
            }
            let bad = |problem: &str| {
                Error::file(
                    origin,
                    format_args!("line {number}: {problem}"),
                    "every line must be 64 hexadecimal digits, two spaces and SET/PATH",
                )
            };
            let (digits, path) = line.split_once("  ").ok_or_else(|| bad("no two spaces"))?;
            let checksum = parse_checksum(digits).ok_or_else(|| bad("no SHA-256 checksum"))?;
            let plain = |part: &str| !matches!(part, "" | "." | "..");
            if path.contains('\\') || !path.contains('/') || !path.split('/').all(plain) {
                return Err(bad("the path is not of the form SET/PATH"));
            }
            if !seen.insert(path) {
                return Err(bad("the path is listed twice"));
            }
            entries.push(Entry { checksum, path: path.to_owned() });
        }
        if entries.is_empty() {
            return Err(Error::file(origin, "lists no files", "use a complete manifest"));
        }
        Ok(Self { entries })
    }

    /// All files.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The sets' names, each once, in order of first appearance.
    pub fn sets(&self) -> Vec<&str> {
        let mut sets = Vec::new();
        for entry in &self.entries {
            if !sets.contains(&entry.set()) {
                sets.push(entry.set());
            }
        }
        sets
    }

    /// The files of one set; none if there is no such set.
    pub fn set<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.set() == name)
    }
}

fn parse_checksum(digits: &str) -> Option<Checksum> {
    let digits = digits.as_bytes();
    let mut checksum = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in checksum.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(checksum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_manifest_lists_the_240_photographs() {
        let manifest = Manifest::published();
        assert_eq!(manifest.entries().len(), 240);
        assert_eq!(
            manifest.sets(),
            ["background_swap", "different_backgrounds", "same_backgrounds"]
        );
        let count = |prefix: &str| {
            manifest.entries().iter().filter(|entry| entry.path.starts_with(prefix)).count()
        };
        for set in ["same_backgrounds", "different_backgrounds"] {
            assert_eq!(manifest.set(set).count(), 100);
            for class in ["husky", "wolf"] {
                assert_eq!(count(&format!("{set}/train/{class}/")), 40);
                assert_eq!(count(&format!("{set}/test/{class}/")), 10);
            }
        }
        assert_eq!(count("background_swap/husky/"), 20);
        assert_eq!(count("background_swap/wolf/"), 20);
    }

    /// The duplicates that `data/README.md` names have the same checksums.
    #[test]
    fn the_known_duplicates_are_in_the_manifest() {
        let manifest = Manifest::published();
        let of = |path: &str| {
            let entry = manifest.entries().iter().find(|entry| entry.path == path);
            entry.unwrap_or_else(|| panic!("{path} is not listed")).checksum
        };
        for (test, train) in [("wolf_4", "wolf_31"), ("wolf_6", "wolf_35")] {
            assert_eq!(
                of(&format!("same_backgrounds/test/wolf/{test}.jpeg")),
                of(&format!("same_backgrounds/train/wolf/{train}.jpeg"))
            );
        }
        let distinct: HashSet<_> = manifest.entries().iter().map(|e| e.checksum).collect();
        assert_eq!(distinct.len(), 230, "ten pairs in all");
    }

    #[test]
    fn a_checksum_is_that_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Some(checksum(b"abc")), parse_checksum(expected));
    }

    #[test]
    fn a_bad_line_is_named() {
        let good = format!("{}  a/b.jpg\n", "0f".repeat(32));
        let origin = Path::new("M");
        assert_eq!(Manifest::parse(&good, origin).unwrap().entries()[0].checksum, [0x0f; 32]);
        for (bad, says) in [
            (format!("{}  a/b.jpg", "0f".repeat(31)), "no SHA-256"),
            (format!("{}  a/b.jpg", "0g".repeat(32)), "no SHA-256"),
            (format!("{}  a/b.jpg", "+f".repeat(32)), "no SHA-256"),
            (format!("{}  a/b.jpg", "é".repeat(32)), "no SHA-256"),
            (format!("{} a/b.jpg", "0f".repeat(32)), "no two spaces"),
            (format!("{}  b.jpg", "0f".repeat(32)), "SET/PATH"),
            (format!("{}  a/../b.jpg", "0f".repeat(32)), "SET/PATH"),
            (format!("{}  /a/b.jpg", "0f".repeat(32)), "SET/PATH"),
            (good.clone(), "listed twice"),
        ] {
            let error = Manifest::parse(&format!("{good}{bad}"), origin).unwrap_err().to_string();
            assert!(error.contains("line 2") && error.contains(says), "{bad}: {error}");
        }
        assert!(Manifest::parse("\n", origin).unwrap_err().to_string().contains("no files"));
    }
}
