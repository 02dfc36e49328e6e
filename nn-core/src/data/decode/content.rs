//! Detection of a file's format from its first bytes.

use image::ImageFormat;

/// The image formats that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG (ITU T.81).
    Jpeg,
    /// PNG, including animated PNG.
    Png,
    /// GIF.
    Gif,
    /// WebP.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// TIFF 6.0 and BigTIFF.
    Tiff,
    /// PBM, PGM, PPM and PAM.
    Pnm,
}

impl Format {
    /// The format's common name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Pnm => "PNM",
        }
    }

    /// The format in the `image` crate; JPEG and TIFF are decoded by other crates.
    pub(super) fn of_image_crate(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::Gif => ImageFormat::Gif,
            Self::WebP => ImageFormat::WebP,
            Self::Bmp => ImageFormat::Bmp,
            Self::Tiff => ImageFormat::Tiff,
            Self::Pnm => ImageFormat::Pnm,
        }
    }
}

/// The kind of content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// An image of a supported format, if it is intact.
    Image(Format),
    /// An image of a format that is not supported: its name with an article, as in `an AVIF image`.
    UnreadImage(&'static str),
    /// Not an image: its name, with an article, as in `an HTML page`.
    Other(&'static str),
    /// Unknown content.
    Unknown,
}

/// The number of bytes from a file's beginning that [`sniff`] uses.
pub const SNIFFED_BYTES: usize = 1024;

/// Detects the content of a file from its first [`SNIFFED_BYTES`]. The file's name is not used.
///
/// ```
/// use nn_core::data::{Content, Format, sniff};
/// assert_eq!(sniff(b"\xff\xd8\xff\xe0"), Content::Image(Format::Jpeg));
/// assert_eq!(sniff(b"\0\0\0\x20ftypavif"), Content::UnreadImage("an AVIF image"));
/// ```
pub fn sniff(bytes: &[u8]) -> Content {
    use Content::{Image, Other, Unknown, UnreadImage};
    let begins = |with: &[u8]| bytes.starts_with(with);
    let holds = |at: usize, what: &[u8]| bytes.get(at..at + what.len()) == Some(what);
    if begins(b"\xff\xd8\xff") {
        return if holds(3, b"\xf7") {
            UnreadImage("a JPEG-LS image")
        } else {
            Image(Format::Jpeg)
        };
    }
    if begins(b"\x89PNG\r\n\x1a\n") {
        let apple = holds(12, b"CgBI");
        return if apple { UnreadImage("a PNG in Apple's own form") } else { Image(Format::Png) };
    }
    if begins(b"GIF87a") || begins(b"GIF89a") {
        return Image(Format::Gif);
    }
    if begins(b"RIFF") {
        return match bytes.get(8..12) {
            Some(b"WEBP") => Image(Format::WebP),
            Some(b"AVI ") => Other("an AVI video"),
            Some(b"WAVE") => Other("a sound file"),
            _ => Unknown,
        };
    }
    if let [b'P', b'1'..=b'7', b'\n' | b'\r' | b' ' | b'\t' | b'#', ..] = bytes {
        return Image(Format::Pnm);
    }
    if begins(b"BM") && is_bitmap(bytes) {
        return Image(Format::Bmp);
    }
    if begins(b"II*\0") && holds(8, b"CR") {
        return UnreadImage("a camera's raw file (CR2)");
    }
    if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| begins(&magic[..])) {
        return Image(Format::Tiff);
    }
    if holds(4, b"ftyp") {
        return of_brand(bytes.get(8..).unwrap_or_default());
    }
    if let Some((_, _, content)) = KNOWN.iter().find(|(at, magic, _)| holds(*at, magic)) {
        return *content;
    }
    of_text(bytes)
}

/// Signatures: offset, bytes, and the content that they stand for.
const KNOWN: &[(usize, &[u8], Content)] = {
    use Content::{Other, UnreadImage};
    &[
        (0, b"\xff\x0a", UnreadImage("a JPEG XL image")),
        (0, b"\0\0\0\x0cJXL \r\n\x87\n", UnreadImage("a JPEG XL image")),
        (0, b"\0\0\0\x0cjP  \r\n\x87\n", UnreadImage("a JPEG 2000 image")),
        (0, b"\xff\x4f\xff\x51", UnreadImage("a JPEG 2000 image")),
        (0, b"II\xbc", UnreadImage("a JPEG XR image")),
        (0, b"8BPS", UnreadImage("a Photoshop document (PSD)")),
        (0, b"gimp xcf", UnreadImage("a GIMP document (XCF)")),
        (128, b"DICM", UnreadImage("a DICOM image")),
        (0, b"SIMPLE  =", UnreadImage("a FITS image")),
        (0, b"v/1\x01", UnreadImage("an OpenEXR image")),
        (0, b"#?RADIANCE", UnreadImage("a Radiance HDR image")),
        (0, b"#?RGBE", UnreadImage("a Radiance HDR image")),
        (0, b"DDS ", UnreadImage("a DDS texture")),
        (0, b"\xabKTX ", UnreadImage("a KTX texture")),
        (0, b"qoif", UnreadImage("a QOI image")),
        (0, b"farbfeld", UnreadImage("a farbfeld image")),
        (0, b"Pf\n", UnreadImage("a portable float map (PFM)")),
        (0, b"PF\n", UnreadImage("a portable float map (PFM)")),
        (0, b"\0\0\x01\0", UnreadImage("a Windows icon (ICO)")),
        (0, b"\0\0\x02\0", UnreadImage("a Windows cursor")),
        (0, b"icns", UnreadImage("a macOS icon (ICNS)")),
        (0, b"BPG\xfb", UnreadImage("a BPG image")),
        (0, b"FLIF", UnreadImage("a FLIF image")),
        (0, b"AT&TFORM", UnreadImage("a DjVu document")),
        (0, b"\xd7\xcd\xc6\x9a", UnreadImage("a Windows metafile (WMF)")),
        (40, b" EMF", UnreadImage("a Windows metafile (EMF)")),
        (0, b"FUJIFILMCCD-RAW", UnreadImage("a camera's raw file (RAF)")),
        (0, b"IIRO", UnreadImage("a camera's raw file (ORF)")),
        (0, b"IIRS", UnreadImage("a camera's raw file (ORF)")),
        (0, b"IIU\0", UnreadImage("a camera's raw file (RW2)")),
        (0, b"FOVb", UnreadImage("a camera's raw file (X3F)")),
        (344, b"n+1\0", UnreadImage("a NIfTI volume")),
        (0, b"%PDF", UnreadImage("a PDF document")),
        (0, b"%!PS", UnreadImage("a PostScript document")),
        (0, b"\x1a\x45\xdf\xa3", Other("a Matroska or WebM video")),
        (0, b"\0\0\x01\xba", Other("an MPEG video")),
        (0, b"\0\0\x01\xb3", Other("an MPEG video")),
        (0, b"FLV\x01", Other("a Flash video")),
        (0, b"OggS", Other("an Ogg file")),
        (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Other("a Windows Media file")),
        (0, b"\x93NUMPY", Other("a NumPy array")),
        (0, b"\x89HDF\r\n\x1a\n", Other("an HDF5 file")),
        (0, b"PK\x03\x04", Other("a ZIP archive")),
        (0, b"\x1f\x8b", Other("a gzip archive")),
        (0, b"7z\xbc\xaf\x27\x1c", Other("a 7z archive")),
        (0, b"Rar!\x1a\x07", Other("a RAR archive")),
        (257, b"ustar", Other("a tar archive")),
        (0, b"\0\x05\x16\x07", Other("what macOS keeps beside a file (AppleDouble)")),
        (
            0,
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            Other("a file of Windows or Office, such as Thumbs.db"),
        ),
        (0, b"version https://git-lfs.github.com/spec", Other("a pointer of Git LFS")),
        (0, b"/annex/objects/", Other("a pointer of git-annex")),
    ]
};

/// The content by the brand of an ISO base media file (ISO 14496-12, section 4.3).
fn of_brand(brand: &[u8]) -> Content {
    use Content::{Other, UnreadImage};
    match brand.get(..4) {
        Some(b"avif" | b"avis") => UnreadImage("an AVIF image"),
        Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx") => {
            UnreadImage("a HEIC image")
        }
        // Several kinds of image; a more precise brand may follow.
        Some(b"mif1" | b"msf1") if brand.windows(4).any(|four| four == b"avif") => {
            UnreadImage("an AVIF image")
        }
        Some(b"mif1" | b"msf1") => UnreadImage("a HEIF image"),
        Some(b"crx ") => UnreadImage("a camera's raw file (CR3)"),
        Some(b"jxl ") => UnreadImage("a JPEG XL image"),
        Some(b"jp2 " | b"jpx ") => UnreadImage("a JPEG 2000 image"),
        Some(b"qt  ") => Other("a QuickTime video"),
        Some(b"M4A ") => Other("a sound file"),
        _ => Other("an MP4 video"),
    }
}

/// The content by the beginning of a text.
fn of_text(bytes: &[u8]) -> Content {
    use Content::{Other, Unknown, UnreadImage};
    let head = &bytes[..bytes.len().min(SNIFFED_BYTES)];
    if !head.is_empty() && head.iter().all(|&byte| byte == 0) {
        return Other("a file of zeros, such as an unfinished download leaves");
    }
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let lower = head.to_ascii_lowercase();
    let has = |tag: &[u8]| lower.windows(tag.len()).any(|some| some == tag);
    if !lower.starts_with(b"<") {
        return Unknown;
    }
    match () {
        () if has(b"<svg") => UnreadImage("an SVG drawing"),
        () if has(b"<!doctype html") || has(b"<html") => Other("an HTML page"),
        () if lower.starts_with(b"<?xml") => Other("an XML file"),
        () => Unknown,
    }
}

/// Whether a file that begins with `BM` is a bitmap: its header must have a valid size. A file too
/// short for this check may be a truncated bitmap.
fn is_bitmap(bytes: &[u8]) -> bool {
    let size =
        bytes.get(14..18).map(|size| u32::from_le_bytes([size[0], size[1], size[2], size[3]]));
    size.is_none_or(|size| matches!(size, 12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_told_from_their_first_bytes() {
        use Content::{Image, Other, Unknown, UnreadImage};
        let cases: [(&[u8], Content); 26] = [
            (b"\xff\xd8\xff\xdb", Image(Format::Jpeg)),
            (b"\xff\xd8\xff\xf7", UnreadImage("a JPEG-LS image")),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Image(Format::Png)),
            (b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI", UnreadImage("a PNG in Apple's own form")),
            (b"GIF89a", Image(Format::Gif)),
            (b"RIFF\0\0\0\0WEBPVP8 ", Image(Format::WebP)),
            (b"RIFF\0\0\0\0AVI LIST", Other("an AVI video")),
            (b"P5\n# made by hand\n", Image(Format::Pnm)),
            (b"P500 is no image", Unknown),
            (b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", Image(Format::Bmp)),
            (b"BMW is a make of cars", Unknown),
            (b"II*\0\x08\0\0\0\x0f\0", Image(Format::Tiff)),
            (b"MM\0*\0\0\0\x08", Image(Format::Tiff)),
            (b"II+\0\x08\0\0\0", Image(Format::Tiff)),
            (b"II*\0\x10\0\0\0CR\x02\0", UnreadImage("a camera's raw file (CR2)")),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", UnreadImage("an AVIF image")),
            (b"\0\0\0\x18ftypheic", UnreadImage("a HEIC image")),
            (b"\0\0\0\x20ftypisom", Other("an MP4 video")),
            (b"\xff\x0a\xfa\x1f", UnreadImage("a JPEG XL image")),
            (b"\n<?xml version=\"1.0\"?>\n<!-- x --><SVG>", UnreadImage("an SVG drawing")),
            (b"<!DOCTYPE html><html>", Other("an HTML page")),
            (b"version https://git-lfs.github.com/spec/v1\n", Other("a pointer of Git LFS")),
            (&[0; 50], Other("a file of zeros, such as an unfinished download leaves")),
            (b"", Unknown),
            (b"P", Unknown),
            (b"file,label\n", Unknown),
        ];
        for (bytes, content) in cases {
            assert_eq!(sniff(bytes), content, "{:?}", String::from_utf8_lossy(bytes));
        }
        let mut dicom = vec![0; 128];
        dicom.extend_from_slice(b"DICM");
        assert_eq!(sniff(&dicom), UnreadImage("a DICOM image"));
    }

    #[test]
    fn names_have_an_article() {
        for (_, _, content) in KNOWN {
            let (Content::UnreadImage(name) | Content::Other(name)) = content else {
                panic!("{content:?}")
            };
            assert!(["a ", "an ", "what "].iter().any(|a| name.starts_with(a)), "{name}");
        }
    }
}
