//! For the tests of this crate: a small set of "photographs", archives of it, valid and invalid, and an
//! HTTP server on loopback with prepared replies.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};
use tar::EntryType;

use crate::manifest::Manifest;

/// A small data root: the set `swap` of two files, and `leaky` of three, two of them identical.
pub struct Small {
    pub manifest: Manifest,
    pub files: Vec<(String, Vec<u8>)>,
}

pub fn small_set() -> Small {
    // Noise does not compress, so an archive of it is long enough to be cut anywhere.
    let noise = |seed: u32| -> Vec<u8> {
        let step = |x: &u32| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        std::iter::successors(Some(seed), step)
            .skip(1)
            .map(|x| (x >> 24) as u8)
            .take(30_000)
            .collect()
    };
    let files: Vec<(String, Vec<u8>)> = [
        ("swap/a/a_1.jpg", 1),
        ("swap/b/b_1.jpg", 2),
        ("leaky/test/a/a_1.jpg", 4),
        ("leaky/train/a/a_1.jpg", 3),
        ("leaky/train/b/b_1.jpg", 4),
    ]
    .map(|(path, seed)| (path.to_owned(), noise(seed)))
    .into();
    let line = |(path, content): &(String, Vec<u8>)| {
        let hex: String =
            Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}  {path}\n")
    };
    let text: String = files.iter().map(line).collect();
    Small { manifest: Manifest::parse(&text, Path::new("small")).unwrap(), files }
}

impl Small {
    /// Writes the files below `root`.
    pub fn write_to(&self, root: &Path) {
        for (path, content) in &self.files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    /// The files as a hosting site packs them: a comment, a top folder, and files of other types.
    pub fn tar_entries(&self) -> Vec<TarEntry> {
        let mut entries = vec![
            TarEntry::new(EntryType::XGlobalHeader, "pax_global_header", b"19 comment=d76e391\n"),
            TarEntry::new(EntryType::Directory, "top-d76e391/", b""),
            TarEntry::new(EntryType::Regular, "top-d76e391/README.md", b"# Photographs"),
            TarEntry::new(EntryType::Regular, "top-d76e391/assets/figure.jpg", b"another"),
        ];
        entries.extend(self.files.iter().map(|(path, content)| {
            TarEntry::new(EntryType::Regular, &format!("top-d76e391/{path}"), content)
        }));
        entries
    }

    pub fn tar_gz(&self) -> Vec<u8> {
        gzip(&tar(&self.tar_entries()))
    }

    pub fn zip(&self) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        writer.add_directory("top", options).unwrap();
        for (path, content) in &self.files {
            writer.start_file(format!("top/{path}"), options).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }
}

#[derive(Clone)]
pub struct TarEntry {
    kind: EntryType,
    name: String,
    pub content: Vec<u8>,
}

impl TarEntry {
    pub fn new(kind: EntryType, name: &str, content: &[u8]) -> Self {
        Self { kind, name: name.to_owned(), content: content.to_vec() }
    }
}

/// Packs a tar archive without the checks of a packing library, so that hostile archives can be made.
pub fn tar(entries: &[TarEntry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..entry.name.len()].copy_from_slice(entry.name.as_bytes());
        header.set_entry_type(entry.kind);
        header.set_size(entry.content.len() as u64);
        header.set_mode(0o644);
        if matches!(entry.kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&entry.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The root of the published photographs, where this machine has them.
pub fn photographs() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("NN_DATA_ROOT").map(PathBuf::from);
    let places = [named, Some(here.join("../data")), Some(here.join("../../shared/data"))];
    let found = places.into_iter().flatten().find(|root| root.join("same_backgrounds").is_dir());
    if found.is_none() {
        println!("skipped: the published photographs are not here (see data/README.md)");
    }
    found
}

/// One reply of the server.
#[derive(Clone, Default)]
pub struct Reply {
    /// Such as `200 OK`.
    pub status: &'static str,
    /// Whole lines without their ends. `Content-Length` is added unless there is `chunked`.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    /// Close the connection after this many bytes of the body.
    pub cut: Option<usize>,
    /// Keep the connection open afterwards, without sending anything, until the server ends.
    pub stall: bool,
}

impl Reply {
    pub fn ok(body: &[u8]) -> Self {
        Self { status: "200 OK", body: body.to_vec(), ..Self::default() }
    }

    pub fn header(mut self, line: impl Into<String>) -> Self {
        self.headers.push(line.into());
        self
    }
}

/// A server on loopback that sends its prepared replies in order, one for each request. It ends after the
/// last one, so that a further request is refused.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn new(replies: impl Into<VecDeque<Reply>>) -> Self {
        let mut replies = replies.into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/archive.tar.gz", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        thread::spawn(move || {
            let mut stalled = Vec::new();
            while let Some(reply) = replies.pop_front() {
                let (stream, _) = listener.accept().unwrap();
                log.lock().unwrap().push(read_request(&stream));
                // A client that stops reading is part of some tests.
                let _ = answer(&stream, &reply);
                if reply.stall {
                    stalled.push(stream);
                    thread::sleep(std::time::Duration::from_secs(2));
                }
            }
        });
        Self { url, requests }
    }

    /// The requests so far: request line and headers, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_request(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines
        .take_while(|line| !line.is_empty())
        .fold(String::new(), |text, line| text + &line.to_ascii_lowercase() + "\n")
}

fn answer(mut stream: &TcpStream, reply: &Reply) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {}\r\nConnection: close\r\n", reply.status)?;
    let chunked = reply.headers.iter().any(|line| line.contains("chunked"));
    if !chunked {
        write!(stream, "Content-Length: {}\r\n", reply.body.len())?;
    }
    for line in &reply.headers {
        write!(stream, "{line}\r\n")?;
    }
    write!(stream, "\r\n")?;
    let body = &reply.body[..reply.cut.unwrap_or(reply.body.len())];
    if !chunked {
        return stream.write_all(body);
    }
    for chunk in body.chunks(5000) {
        write!(stream, "{:x}\r\n", chunk.len())?;
        stream.write_all(chunk)?;
        write!(stream, "\r\n")?;
    }
    if reply.cut.is_none() { write!(stream, "0\r\n\r\n") } else { Ok(()) }
}
