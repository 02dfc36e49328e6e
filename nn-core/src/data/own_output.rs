//! Recognition of files and folders that `nn-cli` wrote, which are no data.

/// Entries that identify an output folder, and a description of that folder.
const MARKS: [(&[&str], &str); 5] = [
    (&["config.toml", "metrics.json"], "a run's folder"),
    (&["config.toml", "checkpoint.safetensors"], "a run's folder"),
    (&["metrics.json", "model.safetensors"], "a run's folder"),
    (&["experiment.json", "runs"], "an experiment's folder"),
    (&["split.csv", "train", "test"], "a repaired folder"),
];

/// Files that `nn-cli` writes beside the class folders of a synthetic set.
const FILES: [&str; 2] = ["stand-in.json", "STAND-IN.txt"];

/// The first text chunk of a PNG that `nn-cli` drew: keyword, zero byte, text.
pub const SIGNATURE: &[u8] = b"Software\0nn-cli";

/// The number of bytes of a file that [`is_own_picture`] needs: PNG's signature, its header and the
/// text chunk.
pub(super) const PICTURE_HEAD: usize = 8 + 25 + 8 + SIGNATURE.len();

/// The description of a folder with these entries, if `nn-cli` wrote it.
pub(super) fn folder<'a>(has: impl Fn(&str) -> bool + 'a) -> Option<&'static str> {
    MARKS.iter().find(|(marks, _)| marks.iter().all(|mark| has(mark))).map(|(_, what)| *what)
}

/// Whether `nn-cli` writes a file of this name into a folder of images.
pub(super) fn is_own_file(name: &str) -> bool {
    FILES.contains(&name)
}

/// Whether a picture that `nn-cli` drew may have this name: `STEM.CLASS.png`, `grid.png`,
/// `grid-2.png`. Only such files are opened.
pub(super) fn may_be_own_picture(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".png") else { return false };
    stem.contains('.') || stem.starts_with("grid")
}

/// Whether a file that begins with `head` is a picture that `nn-cli` drew: a PNG whose first chunk
/// after the header is the text [`SIGNATURE`].
pub(super) fn is_own_picture(head: &[u8]) -> bool {
    head.starts_with(b"\x89PNG\r\n\x1a\n")
        && head.get(37..41) == Some(b"tEXt")
        && head.get(41..).is_some_and(|text| text.starts_with(SIGNATURE))
}
