//! Whether a file is an image: decided by its name, and by its first bytes where the name is not
//! conclusive.

use super::decode::{Content, Format, SNIFFED_BYTES, sniff};
use super::own_output;
use super::passed_over::Reason;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The extensions of supported image formats, in lower case; they are matched in any letter case. Files
/// with these extensions count as images without being opened; other files are judged by their first bytes.
pub const EXTENSIONS: [&str; 17] = [
    "apng", "bmp", "dib", "gif", "jfif", "jpe", "jpeg", "jpg", "pbm", "pgm", "pjpeg", "png", "pnm",
    "ppm", "tif", "tiff", "webp",
];

/// Extensions of files that are certainly no single image; such files are not opened.
const OTHER: &str = "7z bz2 c cfg ckpt css csv db doc docx gz h5 htm html ini ipynb js json jsonl \
    lnk log mat md md5 mp3 npy npz onnx parquet pdf pkl ps1 pt pth py rar rst safetensors sh sha256 \
    sqlite tar tex tfrecord toml tsv txt wav xls xml yaml yml zip";

/// Extensions of images and films in formats that are not supported.
const UNREAD: &str = "arw avi avif avifs cr2 cr3 dcm dds dng eps exr hdr heic heif ico j2k jp2 jpf \
    jpx jxl m4v mkv mov mp4 nef nii orf pcx psd raf svg tga webm xcf";

/// Files and folders that operating systems create.
const JUNK: [&str; 9] = [
    "$recycle.bin",
    "@eadir",
    "__macosx",
    "desktop.ini",
    "ehthumbs.db",
    "icon\r",
    "lost+found",
    "system volume information",
    "thumbs.db",
];

/// Whether a file or folder of this name is hidden, or created by the operating system.
pub(super) fn is_junk(name: &OsStr) -> bool {
    if name.as_encoded_bytes().first() == Some(&b'.') {
        return true;
    }
    let name = name.to_string_lossy();
    JUNK.iter().any(|junk| junk.eq_ignore_ascii_case(&name)) || own_output::is_own_file(&name)
}

/// Whether a file of this name counts as an image: it has one of [`EXTENSIONS`], and is not hidden.
pub fn is_image(path: &Path) -> bool {
    EXTENSIONS.contains(&extension(path).as_str())
        && path.file_name().is_some_and(|name| !is_junk(name))
}

/// A file's extension in lower case; empty if there is none.
fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Why a file is not a supported image; `None` if it is one. Files with one of [`EXTENSIONS`] are
/// not opened, except for names that `nn-cli` gives to its own pictures.
pub(super) fn no_image(path: &Path) -> Option<Reason> {
    let extension = extension(path);
    let is_among = |list: &str| list.split(' ').any(|known| known == extension);
    if EXTENSIONS.contains(&extension.as_str()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let own = own_output::may_be_own_picture(&name)
            && own_output::is_own_picture(&head(path, own_output::PICTURE_HEAD));
        return own.then_some(Reason::OwnPicture);
    }
    if is_among(OTHER) {
        return Some(Reason::Other);
    }
    let head = head(path, SNIFFED_BYTES);
    match sniff(&head) {
        Content::Image(Format::Pnm) if !is_certainly_pnm(&head) => Some(Reason::Other),
        Content::Image(_) => None,
        _ if is_among(UNREAD) => Some(Reason::Unread(extension)),
        Content::UnreadImage(kind) => Some(Reason::UnreadKind(kind)),
        Content::Other(_) | Content::Unknown => Some(Reason::Other),
    }
}

/// PNM begins with a letter and a digit, as do many texts. Here a size, a comment or a PAM header
/// must follow.
fn is_certainly_pnm(head: &[u8]) -> bool {
    matches!(head.get(3), Some(b'0'..=b'9' | b'#'))
        || head.get(3..).is_some_and(|h| h.starts_with(b"WIDTH"))
}

/// The first `bytes` bytes of a file; fewer if the file is shorter or cannot be read.
fn head(path: &Path, bytes: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(bytes);
    if let Ok(file) = File::open(path) {
        // A file that cannot be read is not known to be an image.
        let _ = file.take(bytes as u64).read_to_end(&mut head);
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why a file with this name and content is not an image.
    fn of(name: &str, bytes: &[u8]) -> Option<Reason> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        no_image(&path)
    }

    fn encoded(format: image::ImageFormat) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(3, 2).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn the_content_decides_where_the_name_does_not() {
        use image::ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, WebP};
        for format in [Bmp, Gif, Jpeg, Png, Pnm, WebP] {
            for name in ["photo", "photo.JPG_large", "photo.tga", "photo.1"] {
                assert_eq!(of(name, &encoded(format)), None, "{name}, {format:?}");
            }
        }
        assert_eq!(of("broken.jpg", b"Dear wolf,"), None, "for the decoder to refuse");
        let avif = b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf";
        assert_eq!(of("photo", avif), Some(Reason::UnreadKind("an AVIF image")));
        for (name, bytes) in [
            ("a.avif", &avif[..]),
            ("a.HEIC", b""),
            ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n"),
            ("a.svg", b"<svg/>"),
            ("a.mp4", b""),
        ] {
            let extension = name.to_lowercase()[2..].to_string();
            assert_eq!(of(name, bytes), Some(Reason::Unread(extension)), "{name}");
        }
        for name in ["README", "labels.csv", "notes.TXT", "x.part", "b.json"] {
            for text in ["BMW, 3 series: a text of some length", "P1 is the first point"] {
                assert_eq!(of(name, text.as_bytes()), Some(Reason::Other), "{name}");
            }
        }
        // Not even if it is an image: the content of tables is not inspected.
        assert_eq!(of("labels.csv", &encoded(Png)), Some(Reason::Other));
    }

    #[test]
    fn what_systems_leave_is_known() {
        for name in [".DS_Store", "Thumbs.db", "__MACOSX", ".ipynb_checkpoints", "Desktop.ini"] {
            assert!(is_junk(OsStr::new(name)), "{name}");
        }
        assert!(!is_junk(OsStr::new("thumbs")));
    }
}
