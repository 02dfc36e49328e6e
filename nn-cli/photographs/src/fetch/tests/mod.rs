//! Fetching from a server on loopback, from folders and from archives, good and hostile.

mod archives;
mod downloads;
mod folders;

use std::time::{Duration, Instant};

use tar::EntryType;

use super::*;
use crate::testing::{Reply, Server, Small, TarEntry, gzip, photographs, small_set, tar as pack};
use crate::verify::verify;

/// A data root in a temporary folder, and how to fetch the small set into it.
struct Bench {
    small: Small,
    dir: tempfile::TempDir,
    options: FetchOptions,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = FetchOptions::new(dir.path().join("data"));
        options.limits.stall = Duration::from_secs(5);
        Self { small: small_set(), dir, options }
    }

    fn fetch(&self) -> Result<FetchReport> {
        fetch(&self.small.manifest, &self.options, &mut |_| Ok(()))
    }

    fn fetch_url(&mut self, server: &Server) -> Result<FetchReport> {
        self.options.source = Source::Url(server.url.clone());
        self.fetch()
    }

    fn fetch_bytes(&mut self, archive: &[u8]) -> Result<FetchReport> {
        let path = self.dir.path().join("archive");
        fs::write(&path, archive).unwrap();
        self.options.source = Source::Path(path);
        self.fetch()
    }

    /// What lies in the data root.
    fn listing(&self) -> Vec<String> {
        let Ok(listing) = fs::read_dir(&self.options.root) else { return Vec::new() };
        let mut names: Vec<_> =
            listing.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn assert_complete(&self) {
        assert!(verify(&self.small.manifest, &self.options.root).unwrap().is_complete());
        assert_eq!(self.listing(), ["leaky", "swap"], "and nothing else");
    }

    fn assert_nothing_left(&self) {
        assert!(!self.options.root.exists(), "left behind: {:?}", self.listing());
    }

    /// Writes the state of an earlier, unfinished download.
    fn write_part(&self, url: &str, part: &[u8], total: usize, validator: &str) {
        let dir = self.options.root.join(".fetch");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("archive.part"), part).unwrap();
        let state = serde_json::json!({
            "url": url, "validator": validator, "total": total, "complete": false
        });
        fs::write(dir.join("archive.json"), state.to_string()).unwrap();
    }
}

fn outcomes(report: &FetchReport) -> Vec<Outcome> {
    report.sets.iter().map(|set| set.outcome).collect()
}

fn partial(archive: &[u8], from: usize) -> Reply {
    let range = format!("Content-Range: bytes {from}-{}/{}", archive.len() - 1, archive.len());
    Reply { status: "206 Partial Content", ..Reply::ok(&archive[from..]) }
        .header(range)
        .header("ETag: \"v1\"")
}
