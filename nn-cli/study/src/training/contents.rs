//! SHA-256 checksums of a run's images, which identify the images independent of their paths.
//!
//! A run writes them in the format of `sha256sum`, which can verify them in the data folder.

use super::splits::Splits;
use crate::Observer;
use crate::StudyError;
use crate::checksum::{Checksum, checksum, hex};
use nn_core::Error;
use nn_core::data::{Dataset, Sample, images_below, relative};
use nn_core::files::read_limited;
use rayon::prelude::*;
use std::path::Path;

/// The checksums of a run's images, in their order.
pub struct Contents {
    /// Those of the training images.
    pub train: Vec<Checksum>,
    /// Those of the validation images.
    pub validation: Vec<Checksum>,
    /// Those of the test images; the validation images again if there are no others.
    pub test: Vec<Checksum>,
    /// Those of the pictures of backgrounds, with their paths within their folder.
    pub backgrounds: Vec<(String, Checksum)>,
}

impl Contents {
    /// Hashes every file, in a small part of the time of decoding, those in the folder `backgrounds` as well.
    ///
    /// # Errors
    /// If a file cannot be read any more, or the observer stops it.
    pub fn of(
        data: &Splits,
        backgrounds: Option<&Path>,
        observer: &dyn Observer,
    ) -> Result<Self, StudyError> {
        let of = |dataset: &Dataset| -> Result<Vec<Checksum>, StudyError> {
            let sum = |sample: &Sample| {
                observer.check()?;
                checksum(&sample.path)
            };
            Ok(dataset.samples().par_iter().map(sum).collect::<Result<_, Error>>()?)
        };
        let validation = of(&data.validation)?;
        let test = match data.tested_on {
            "test" => of(&data.test)?,
            _ => validation.clone(),
        };
        let backgrounds =
            backgrounds.map(|folder| pictures(folder, observer)).transpose()?.unwrap_or_default();
        Ok(Self { train: of(&data.train)?, validation, test, backgrounds })
    }

    /// The checksums of a split by its name in [`Splits::named`].
    pub fn named(&self, name: &str) -> &[Checksum] {
        match name {
            "train" => &self.train,
            "validation" => &self.validation,
            _ => &self.test,
        }
    }
}

/// The checksums of the pictures in and below `folder`, with their paths within it.
fn pictures(folder: &Path, observer: &dyn Observer) -> Result<Vec<(String, Checksum)>, Error> {
    let (paths, _) = images_below(folder)?;
    let one = |path: &std::path::PathBuf| {
        observer.check()?;
        Ok((relative(folder, path), checksum(path)?))
    };
    paths.par_iter().map(one).collect()
}

/// The file in a run's folder with the checksums.
pub const CHECKSUMS_FILE: &str = "images.sha256";

/// The largest checksum file that is read, in bytes: a line for each of a million images.
const MAX_BYTES: u64 = 256 << 20;

/// The lines of a checksum file for these names and checksums.
pub fn lines(images: impl Iterator<Item = (String, Checksum)>) -> String {
    let line = |(name, sum): (String, Checksum)| {
        let (mark, name) = escaped(&name);
        format!("{mark}{}  {name}\n", hex(&sum))
    };
    images.map(line).collect()
}

/// Reads the checksum file at `path`; names stay escaped as by [`escaped`].
///
/// # Errors
/// If it cannot be read, or a line is malformed.
pub fn read(path: &Path) -> Result<Vec<(Checksum, String)>, Error> {
    let remedy = "expected lines as sha256sum writes them; train again, or leave the file away";
    let text = String::from_utf8(read_limited(path, MAX_BYTES, remedy)?)
        .map_err(|problem| Error::file(path, problem.to_string(), remedy))?;
    let line = |(number, line): (usize, &str)| {
        let parts = line.trim_start_matches('\\').split_once("  ");
        let sum = parts.and_then(|(sum, name)| Some((bytes(sum)?, name.to_string())));
        let problem = || format!("line {}: this is no checksum with a name", number + 1);
        sum.ok_or_else(|| Error::file(path, problem(), remedy))
    };
    text.lines().enumerate().map(line).collect()
}

/// Escapes a file name as `sha256sum` does; returns the line's prefix (a backslash if the name changed) and
/// the name.
pub fn escaped(name: &str) -> (&'static str, String) {
    let escaped = name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    (if escaped == name { "" } else { "\\" }, escaped)
}

fn bytes(hex: &str) -> Option<Checksum> {
    let mut sum = Checksum::default();
    if hex.len() != 2 * sum.len() || !hex.is_ascii() {
        return None;
    }
    for (i, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn checksums_come_back_from_their_file() {
        let names = ["a.jpg", "two  spaces.png", "back\\slash\nline.png"];
        let sums = [[0; 32], [0x5a; 32], [0xff; 32]];
        let text = lines(names.map(String::from).into_iter().zip(sums));
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with(&format!("{}  a.jpg\n", "00".repeat(32))), "{text}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CHECKSUMS_FILE);
        fs::write(&path, &text).unwrap();
        let expected: Vec<_> = sums.into_iter().zip(names.map(|name| escaped(name).1)).collect();
        assert_eq!(read(&path).unwrap(), expected);
        for bad in ["text\n", "5a  a.jpg\n", "\u{e4}\n"] {
            fs::write(&path, format!("{text}{bad}")).unwrap();
            assert!(read(&path).unwrap_err().to_string().contains("line 4"), "{bad}");
        }
    }
}
