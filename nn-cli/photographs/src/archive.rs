//! Reads the files of a folder, a `.tar`, a `.tar.gz` or a `.zip` from an untrusted source.
//!
//! Nothing is written here: each file's name and content are passed to a visitor, which decides by checksum
//! what to keep. An archive that contains a path leading out of it, a link, a device or more data than the
//! limits allow is rejected as a whole, because it cannot be the published one. The format is recognised by
//! the first bytes, not by the name, which a download does not have.

use std::cell::Cell;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::rc::Rc;

use nn_core::{Error, Result};
use tar::EntryType;

use crate::limits::Limits;

/// The most bytes of a tar archive between two files: headers, which can contain names of any length.
const MAX_HEADER_BYTES: u64 = 1 << 16;

/// Called with the name and the content of a file.
pub type Visit<'a> = dyn FnMut(&str, Vec<u8>) -> Result<()> + 'a;

/// Decides by its name whether a file's content is read.
pub type Wanted<'a> = dyn Fn(&str) -> bool + 'a;

/// A file format, recognised by a file's first bytes.
#[derive(Debug, PartialEq, Eq)]
enum Format {
    Gzip,
    Tar,
    Zip,
}

/// Calls `visit` for every wanted file in `path`, a folder or an archive; errors name `origin`.
///
/// # Errors
/// If an archive cannot be read, has another format or is damaged; if an entry is a link or a device, or
/// its path leads out of the archive; if there is more data than `limits` allow; and any error of `visit`.
pub fn read_files(
    path: &Path,
    origin: &Path,
    limits: &Limits,
    wanted: &Wanted,
    visit: &mut Visit,
) -> Result<()> {
    if path.is_dir() {
        return walk(path, limits, wanted, visit);
    }
    let file = File::open(path).map_err(Error::io("open", path))?;
    read_archive(BufReader::new(file), origin, limits, wanted, visit)
}

/// Calls `visit` for every wanted file in an open archive; errors name `origin`.
///
/// # Errors
/// If the archive cannot be read, has another format or is damaged; if an entry is a link or a device, or
/// its path leads out of the archive; if there is more data than `limits` allow; and any error of `visit`.
pub fn read_archive(
    mut archive: impl BufRead + Seek,
    origin: &Path,
    limits: &Limits,
    wanted: &Wanted,
    visit: &mut Visit,
) -> Result<()> {
    let mut head = Vec::new();
    let rewound = (&mut archive).take(512).read_to_end(&mut head).and_then(|_| archive.rewind());
    rewound.map_err(Error::io("read", origin))?;
    let reader = Reader { origin, limits, wanted };
    match format(&head) {
        Some(Format::Gzip) => reader.tar(flate2::bufread::MultiGzDecoder::new(archive), visit),
        Some(Format::Tar) => reader.tar(archive, visit),
        Some(Format::Zip) => reader.zip(archive, visit),
        None if head.trim_ascii_start().starts_with(b"<") => {
            Err(unusable(origin, "is a web page, not an archive"))
        }
        None => Err(unusable(origin, "is not a .tar.gz, .tar or .zip archive")),
    }
}

fn format(head: &[u8]) -> Option<Format> {
    if head.starts_with(&[0x1f, 0x8b]) {
        Some(Format::Gzip)
    } else if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        Some(Format::Zip)
    } else if head.get(257..262) == Some(b"ustar") {
        Some(Format::Tar)
    } else {
        None
    }
}

/// The error for an archive that cannot be used, with general advice.
pub fn unusable(origin: &Path, problem: impl Display) -> Error {
    let remedy = "get the archive again, or give a folder or archive that holds the photographs \
                  with --from";
    Error::file(origin, problem, remedy)
}

/// What an archive is read with.
struct Reader<'a> {
    origin: &'a Path,
    limits: &'a Limits,
    wanted: &'a Wanted<'a>,
}

impl Reader<'_> {
    fn tar(&self, stream: impl Read, visit: &mut Visit) -> Result<()> {
        let exceeded = Rc::new(Cell::new(false));
        let ahead = Rc::new(Cell::new(u64::MAX));
        let left = self.limits.unpacked_bytes;
        let stream = Limited { stream, left, exceeded: exceeded.clone(), ahead: ahead.clone() };
        let mut archive = tar::Archive::new(stream);
        let damaged = |error: io::Error| {
            if exceeded.get() {
                self.too_much_data()
            } else {
                unusable(self.origin, format_args!("is damaged or incomplete ({error})"))
            }
        };
        let mut entries = archive.entries().map_err(damaged)?;
        let mut unread = 0;
        for count in 0.. {
            // The unread rest of the last entry is skipped. Names are kept in memory, so their size is
            // limited.
            ahead.set(MAX_HEADER_BYTES.saturating_add(unread));
            let Some(entry) = entries.next() else { break };
            let entry = entry.map_err(damaged)?;
            ahead.set(u64::MAX);
            unread = entry.size();
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            self.check_count(count)?;
            match entry.header().entry_type() {
                // A global header, in which git stores the commit.
                EntryType::XGlobalHeader => continue,
                EntryType::Directory => self.check_name(&name)?,
                EntryType::Regular | EntryType::Continuous => {
                    self.check_name(&name)?;
                    if (self.wanted)(&name) {
                        let content = self.content(&name, entry).map_err(|e| e.or(damaged))?;
                        unread = 0;
                        visit(&name, content)?;
                    }
                }
                EntryType::Symlink => return Err(self.refused(&name, "is a symbolic link")),
                EntryType::Link => return Err(self.refused(&name, "is a hard link")),
                EntryType::Char | EntryType::Block | EntryType::Fifo => {
                    return Err(self.refused(&name, "is a device or pipe"));
                }
                _ => return Err(self.refused(&name, "is neither a file nor a folder")),
            }
        }
        ahead.set(u64::MAX);
        // The checksum of a gzip stream is at its very end.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
        Ok(())
    }

    fn zip(&self, stream: impl Read + Seek, visit: &mut Visit) -> Result<()> {
        let damaged = |error: &dyn Display| {
            unusable(self.origin, format_args!("is damaged or incomplete ({error})"))
        };
        let mut archive = zip::ZipArchive::new(stream).map_err(|e| damaged(&e))?;
        let mut left = self.limits.unpacked_bytes;
        for index in 0..archive.len() {
            self.check_count(index)?;
            let entry = archive.by_index(index).map_err(|e| damaged(&e))?;
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            self.check_name(&name)?;
            if entry.is_symlink() {
                return Err(self.refused(&name, "is a symbolic link"));
            }
            // Entries of archives made on other systems than Unix have no file type here.
            let file_type = entry.unix_mode().map_or(0, |mode| mode & 0o170_000);
            if !matches!(file_type, 0 | 0o100_000 | 0o040_000) {
                return Err(self.refused(&name, "is a device or pipe"));
            }
            if entry.is_file() && (self.wanted)(&name) {
                let content = self.content(&name, entry);
                let content = content.map_err(|e| e.or(|error| damaged(&error)))?;
                let rest = left.checked_sub(content.len() as u64);
                left = rest.ok_or_else(|| self.too_much_data())?;
                visit(&name, content)?;
            }
        }
        Ok(())
    }

    /// Reads one file, never more than the limit, whatever size the archive states.
    fn content(&self, name: &str, entry: impl Read) -> Result<Vec<u8>, Unread> {
        let limit = self.limits.file_bytes;
        let mut content = Vec::new();
        entry.take(limit + 1).read_to_end(&mut content).map_err(Unread::Io)?;
        if content.len() as u64 > limit {
            let problem = format!("is larger than {} MB", limit >> 20);
            return Err(Unread::Refused(self.refused(name, &problem)));
        }
        Ok(content)
    }

    fn check_name(&self, name: &str) -> Result<()> {
        let bytes = name.as_bytes();
        let drive = bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
        if name.starts_with(['/', '\\']) || drive {
            return Err(self.refused(name, "has an absolute path"));
        }
        if name.split(['/', '\\']).any(|part| part == "..") {
            return Err(self.refused(name, "leads out of the archive"));
        }
        if name.contains('\0') {
            return Err(self.refused(name, "has a zero byte in its name"));
        }
        Ok(())
    }

    fn check_count(&self, index: usize) -> Result<()> {
        let limit = self.limits.entries;
        if index < limit {
            return Ok(());
        }
        Err(unusable(self.origin, format_args!("holds more than {limit} entries")))
    }

    fn too_much_data(&self) -> Error {
        let limit = self.limits.unpacked_bytes >> 20;
        unusable(self.origin, format_args!("unpacks to more than {limit} MB"))
    }

    fn refused(&self, name: &str, problem: &str) -> Error {
        unusable(self.origin, format_args!("refused, because its entry {name:?} {problem}"))
    }
}

/// Why an entry was not read.
enum Unread {
    Io(io::Error),
    Refused(Error),
}

impl Unread {
    fn or(self, damaged: impl FnOnce(io::Error) -> Error) -> Error {
        match self {
            Self::Io(error) => damaged(error),
            Self::Refused(error) => error,
        }
    }
}

/// Limits the bytes read: fails after more than `left` bytes in total, and notes that in `exceeded`,
/// because the error itself may come out wrapped. Also fails after more than `ahead` bytes, a limit that is
/// set anew for each entry.
struct Limited<R> {
    stream: R,
    left: u64,
    exceeded: Rc<Cell<bool>>,
    ahead: Rc<Cell<u64>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        let ahead = self.ahead.get().checked_sub(count as u64);
        self.ahead.set(ahead.ok_or_else(|| io::Error::other("a file's name is too long"))?);
        match self.left.checked_sub(count as u64) {
            Some(left) => {
                self.left = left;
                Ok(count)
            }
            None => {
                self.exceeded.set(true);
                Err(io::Error::other("too much data"))
            }
        }
    }
}

/// Visits the files of a folder in sorted order. Hidden folders and links to folders are not entered. Files
/// too large to be a photograph are skipped, not refused, because a user's own folder may contain anything.
fn walk(root: &Path, limits: &Limits, wanted: &Wanted, visit: &mut Visit) -> Result<()> {
    let mut waiting = vec![root.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        let listing = fs::read_dir(&dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut listing = listing.map_err(Error::io("read", &dir))?;
        listing.sort_by_key(fs::DirEntry::file_name);
        for item in listing {
            let path = item.path();
            let file_type = item.file_type().map_err(Error::io("read", &path))?;
            if file_type.is_dir() {
                if !item.file_name().as_encoded_bytes().starts_with(b".") {
                    waiting.push(path);
                }
                continue;
            }
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
            let name = parts.join("/");
            let small = |path: &Path| {
                fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= limits.file_bytes)
            };
            if wanted(&name) && small(&path) {
                let content = fs::read(&path).map_err(Error::io("read", &path))?;
                visit(&name, content)?;
            }
        }
    }
    Ok(())
}
