//! Fetching from a server on loopback, from folders and from archives, good and hostile.

use std::time::Instant;

use tar::EntryType;

use super::super::testing::{
    Reply, Server, Small, TarEntry, gzip, photographs, small_set, tar as pack,
};
use super::super::verify::verify;
use super::*;

/// A data root in a temporary folder, and how to fetch the small set into it.
struct Bench {
    small: Small,
    dir: tempfile::TempDir,
    options: Options,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::new(dir.path().join("data"));
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
        assert!(verify(&self.small.manifest, &self.options.root).unwrap().complete());
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

#[test]
fn a_good_download_puts_every_set_in_place() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    let server = Server::new([Reply::ok(&archive)]);
    bench.options.source = Source::Url(server.url.clone());
    let mut seen = Vec::new();
    let report = fetch(&bench.small.manifest, &bench.options, &mut |progress| {
        seen.push(progress);
        Ok(())
    })
    .unwrap();
    bench.assert_complete();
    assert_eq!(outcomes(&report), [Outcome::Fetched; 2]);
    assert_eq!(report.downloaded_bytes, Some(archive.len() as u64));
    assert_eq!(report.resumed_from, None);
    let total = Some(archive.len() as u64);
    assert_eq!(seen[0], Progress::Downloading { bytes: 0, total });
    assert!(seen.contains(&Progress::Downloading { bytes: archive.len() as u64, total }));
    assert_eq!(seen.last(), Some(&Progress::Unpacking { files: 5, total: 5 }));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["sets"][0]["outcome"], "fetched");

    // The server has no second reply, so this must not ask it.
    let again = bench.fetch().unwrap();
    assert_eq!(outcomes(&again), [Outcome::AlreadyThere; 2]);
    assert_eq!(again.source, None);
    bench.assert_complete();
}

#[test]
fn redirects_and_bodies_of_unknown_length_are_followed() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    let target = Server::new([Reply::ok(&archive).header("Transfer-Encoding: chunked")]);
    let moved = Reply { status: "302 Found", ..Reply::default() };
    let server = Server::new([moved.header(format!("Location: {}", target.url))]);
    bench.fetch_url(&server).unwrap();
    bench.assert_complete();
}

#[test]
fn an_interrupted_download_goes_on_where_it_stopped() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    let half = archive.len() / 2;
    let cut = Reply { cut: Some(half), ..Reply::ok(&archive).header("ETag: \"v1\"") };
    let server = Server::new([cut, partial(&archive, half)]);
    let error = bench.fetch_url(&server).unwrap_err().to_string();
    assert!(error.contains("broke off after") && error.contains("goes on from there"), "{error}");
    assert_eq!(bench.listing(), [".fetch"], "the part is kept, and nothing else");
    let part = bench.options.root.join(".fetch/archive.part");
    assert_eq!(fs::read(&part).unwrap(), archive[..half]);

    let report = bench.fetch().unwrap();
    bench.assert_complete();
    assert_eq!(report.resumed_from, Some(half as u64));
    assert_eq!(report.downloaded_bytes, Some(archive.len() as u64));
    let requests = server.requests();
    assert!(!requests[0].contains("range:"), "{}", requests[0]);
    assert!(requests[1].contains(&format!("\nrange: bytes={half}-\n")), "{}", requests[1]);
    assert!(requests[1].contains("\nif-range: \"v1\"\n"), "{}", requests[1]);
}

#[test]
fn a_range_is_asked_for_behind_a_redirect_too() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    let target = Server::new([partial(&archive, 1000)]);
    let moved = Reply { status: "302 Found", ..Reply::default() };
    let server = Server::new([moved.header(format!("Location: {}", target.url))]);
    bench.write_part(&server.url, &archive[..1000], archive.len(), "\"v1\"");
    let report = bench.fetch_url(&server).unwrap();
    bench.assert_complete();
    assert_eq!(report.resumed_from, Some(1000));
}

#[test]
fn a_server_without_ranges_starts_over() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    let server = Server::new([Reply::ok(&archive)]);
    bench.write_part(&server.url, &[7; 1000], archive.len(), "\"v1\"");
    let report = bench.fetch_url(&server).unwrap();
    bench.assert_complete();
    assert_eq!(report.resumed_from, None);
}

#[test]
fn a_download_that_cannot_be_resumed_is_not_kept() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    for reply in [
        Reply::ok(&archive),
        Reply::ok(&archive).header("ETag: W/\"weak\""),
        Reply::ok(&archive).header("Transfer-Encoding: chunked"),
    ] {
        let server = Server::new([Reply { cut: Some(20_000), ..reply }]);
        let error = bench.fetch_url(&server).unwrap_err().to_string();
        assert!(error.contains("broke off after 0.0 MB"), "{error}");
        bench.assert_nothing_left();
    }
}

#[test]
fn a_range_that_does_not_fit_starts_over() {
    let archive = small_set().tar_gz();
    let other_version = partial(&archive, 1000);
    let other_version = Reply {
        headers: vec![other_version.headers[0].clone(), "ETag: \"v2\"".to_owned()],
        ..other_version
    };
    let gone = Reply { status: "416 Range Not Satisfiable", ..Reply::default() };
    for first in [partial(&archive, 900), other_version, gone] {
        let mut bench = Bench::new();
        let server = Server::new([first, Reply::ok(&archive)]);
        bench.write_part(&server.url, &archive[..1000], archive.len(), "\"v1\"");
        let report = bench.fetch_url(&server).unwrap();
        bench.assert_complete();
        assert_eq!(report.resumed_from, None);
        assert!(!server.requests()[1].contains("range:"));
    }
}

#[test]
fn a_stale_part_is_not_used() {
    let archive = small_set().tar_gz();
    type Spoil = fn(&Bench, &str);
    let spoils: [Spoil; 4] = [
        |bench, _| bench.write_part("http://127.0.0.1:1/other", &[7; 1000], 5000, "\"v1\""),
        |bench, url| bench.write_part(url, &[7; 1000], 999, "\"v1\""),
        |bench, url| bench.write_part(url, &[], 5000, "\"v1\""),
        |bench, url| {
            bench.write_part(url, &[7; 1000], 5000, "\"v1\"");
            fs::write(bench.options.root.join(".fetch/archive.json"), "{\"url\": ").unwrap();
        },
    ];
    for spoil in spoils {
        let mut bench = Bench::new();
        let server = Server::new([Reply::ok(&archive)]);
        spoil(&bench, &server.url);
        bench.fetch_url(&server).unwrap();
        bench.assert_complete();
        assert!(!server.requests()[0].contains("range:"), "{}", server.requests()[0]);
    }
}

#[test]
fn a_stop_while_unpacking_does_not_cost_the_download() {
    let mut bench = Bench::new();
    let server = Server::new([Reply::ok(&bench.small.tar_gz())]);
    bench.options.source = Source::Url(server.url.clone());
    let stopped = fetch(&bench.small.manifest, &bench.options, &mut |progress| match progress {
        Progress::Unpacking { files: 2, .. } => Err(Error::Interrupted),
        _ => Ok(()),
    });
    assert!(matches!(stopped, Err(Error::Interrupted)));
    assert_eq!(bench.listing(), [".fetch"]);
    assert!(!bench.options.root.join(".fetch/staging").exists());
    // The server would not answer again.
    bench.fetch().unwrap();
    bench.assert_complete();
}

#[test]
fn a_stop_while_downloading_leaves_nothing_but_the_part() {
    let archive = small_set().tar_gz();
    for (header, left) in [("ETag: \"v1\"", vec![".fetch"]), ("X-Nothing: 1", vec![])] {
        let mut bench = Bench::new();
        let server = Server::new([Reply::ok(&archive).header(header)]);
        bench.options.source = Source::Url(server.url.clone());
        let stopped =
            fetch(&bench.small.manifest, &bench.options, &mut |progress| match progress {
                Progress::Downloading { bytes, .. } if bytes > 0 => Err(Error::Interrupted),
                _ => Ok(()),
            });
        assert!(matches!(stopped, Err(Error::Interrupted)));
        assert_eq!(bench.listing(), left);
    }
}

#[test]
fn answers_other_than_success_are_named() {
    let mut bench = Bench::new();
    let missing = Reply { status: "404 Not Found", ..Reply::ok(b"no such page") };
    let server = Server::new([missing]);
    let error = bench.fetch_url(&server).unwrap_err().to_string();
    assert!(error.contains("404 Not Found") && error.contains("--from"), "{error}");
    bench.assert_nothing_left();
    // That was its only reply, so now the connection is refused.
    let error = bench.fetch().unwrap_err().to_string();
    assert!(error.contains("cannot be reached") && error.contains(&server.url), "{error}");
    bench.assert_nothing_left();

    bench.options.source = Source::Url("ftp://example.org/a".to_owned());
    let error = bench.fetch().unwrap_err().to_string();
    assert!(error.contains("--url must be") && error.contains("ftp://"), "{error}");
    bench.assert_nothing_left();

    let server = Server::new([Reply::ok(b"<!doctype html><p>Please log in")]);
    let error = bench.fetch_url(&server).unwrap_err().to_string();
    assert!(error.contains("is a web page"), "{error}");
    bench.assert_nothing_left();
}

#[test]
fn https_is_never_given_up() {
    let mut bench = Bench::new();
    // It speaks no TLS, so there can be no handshake, and asking without TLS would succeed.
    let server = Server::new([Reply::ok(&bench.small.tar_gz())]);
    let url = server.url.replace("http://", "https://");
    bench.options.source = Source::Url(url.clone());
    let error = bench.fetch().unwrap_err().to_string();
    assert!(error.starts_with(&url) && error.contains("cannot be reached"), "{error}");
    bench.assert_nothing_left();
}

#[test]
fn a_failed_status_does_not_cost_the_part() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    let busy = Reply { status: "503 Service Unavailable", ..Reply::default() };
    let server = Server::new([busy, partial(&archive, 1000)]);
    bench.write_part(&server.url, &archive[..1000], archive.len(), "\"v1\"");
    assert!(bench.fetch_url(&server).unwrap_err().to_string().contains("503"));
    assert_eq!(bench.fetch().unwrap().resumed_from, Some(1000));
    bench.assert_complete();
}

#[test]
fn a_silent_server_is_given_up() {
    let mut bench = Bench::new();
    bench.options.limits.stall = Duration::from_millis(300);
    let archive = bench.small.tar_gz();
    let silent = Reply { cut: Some(20_000), stall: true, ..Reply::ok(&archive) };
    let server = Server::new([silent]);
    let start = Instant::now();
    let error = bench.fetch_url(&server).unwrap_err().to_string();
    assert!(error.contains("broke off"), "{error}");
    assert!(start.elapsed() < Duration::from_millis(1900), "{:?}", start.elapsed());
    bench.assert_nothing_left();
}

#[test]
fn a_download_past_the_limit_is_stopped() {
    let mut bench = Bench::new();
    bench.options.limits.archive_bytes = 50_000;
    let archive = bench.small.tar_gz();
    for reply in [Reply::ok(&archive), Reply::ok(&archive).header("Transfer-Encoding: chunked")] {
        let server = Server::new([reply.header("ETag: \"v1\"")]);
        let error = bench.fetch_url(&server).unwrap_err().to_string();
        assert!(error.contains("sends more than 0.1 MB"), "{error}");
        bench.assert_nothing_left();
    }
}

#[test]
fn a_damaged_download_is_refused_and_not_kept() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    // Whole to the transfer, but cut before it was served; and with one bit of the data flipped.
    let mut flipped = archive.clone();
    flipped[archive.len() / 2] ^= 1;
    let truncated = &archive[..archive.len() - 9];
    for bad in [truncated, &flipped[..], &archive[..15]] {
        let server = Server::new([Reply::ok(bad).header("ETag: \"v1\"")]);
        let error = bench.fetch_url(&server).unwrap_err().to_string();
        assert!(error.contains("is damaged or incomplete"), "{error}");
        assert!(error.starts_with(&server.url), "{error}");
        bench.assert_nothing_left();
    }
}

#[test]
fn a_file_with_another_content_is_refused() {
    let mut bench = Bench::new();
    let mut entries = bench.small.tar_entries();
    entries[7].content[100] ^= 1;
    let error = bench.fetch_bytes(&gzip(&pack(&entries))).unwrap_err().to_string();
    assert!(error.contains("lacks 1 of the 5 photographs"), "{error}");
    assert!(error.contains("1 with another content, such as top-d76e391/leaky/train/a"), "{error}");
    bench.assert_nothing_left();
}

#[test]
fn names_in_the_archive_do_not_matter_only_content_does() {
    let mut bench = Bench::new();
    let entries: Vec<_> = bench
        .small
        .files
        .iter()
        .enumerate()
        // The last is the twin of the third, and found there.
        .take(4)
        .map(|(i, (_, content))| TarEntry::new(EntryType::Regular, &format!("{i}.JPG"), content))
        .collect();
    bench.fetch_bytes(&pack(&entries)).unwrap();
    bench.assert_complete();
}

#[test]
fn entries_that_reach_outside_are_refused() {
    let mut bench = Bench::new();
    let stray = bench.dir.path().join("stray.jpg");
    let absolute = stray.to_str().unwrap().to_owned();
    for (kind, name, says) in [
        (EntryType::Regular, "../stray.jpg", "leads out"),
        (EntryType::Regular, "top/../../stray.jpg", "leads out"),
        (EntryType::Regular, "top\\..\\stray.jpg", "leads out"),
        (EntryType::Directory, "../up/", "leads out"),
        (EntryType::Regular, absolute.as_str(), "absolute path"),
        (EntryType::Regular, "C:\\stray.jpg", "absolute path"),
        (EntryType::Symlink, "top/link.jpg", "symbolic link"),
        (EntryType::Link, "top/link.jpg", "hard link"),
        (EntryType::Char, "top/device", "device"),
        (EntryType::Fifo, "top/pipe", "pipe"),
        (EntryType::new(b'V'), "top/volume", "neither"),
    ] {
        // Behind all that is wanted: a bad entry anywhere spoils the archive.
        let mut entries = bench.small.tar_entries();
        entries.push(TarEntry::new(kind, name, b""));
        let error = bench.fetch_bytes(&gzip(&pack(&entries))).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains(&format!("{name:?}")), "{name}: {error}");
        bench.assert_nothing_left();
        assert!(!stray.exists());
    }
}

#[test]
fn bad_entries_of_a_zip_are_refused() {
    let mut bench = Bench::new();
    let options = zip::write::SimpleFileOptions::default();
    type Spoil = fn(&mut zip::ZipWriter<std::io::Cursor<Vec<u8>>>, zip::write::SimpleFileOptions);
    let spoils: [(Spoil, &str); 3] = [
        (|zip, options| zip.start_file("../stray.jpg", options).unwrap(), "leads out"),
        (|zip, options| zip.start_file("/stray.jpg", options).unwrap(), "absolute path"),
        (|zip, options| zip.add_symlink("l.jpg", "/etc/passwd", options).unwrap(), "symbolic link"),
    ];
    for (spoil, says) in spoils {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        spoil(&mut zip, options);
        let bytes = zip.finish().unwrap().into_inner();
        let error = bench.fetch_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        bench.assert_nothing_left();
    }
}

#[test]
fn archives_that_unpack_to_too_much_are_refused() {
    let mut bench = Bench::new();
    let (gz, zip) = (bench.small.tar_gz(), bench.small.zip());
    let mut refused = |limits: Limits, archive: &[u8], says: &str| {
        bench.options.limits = limits;
        let error = bench.fetch_bytes(archive).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        bench.assert_nothing_left();
    };
    for archive in [&gz, &zip] {
        let limits = Limits { file_bytes: 20_000, ..Limits::default() };
        refused(limits, archive, "a_1.jpg\" is larger than");
        let limits = Limits { unpacked_bytes: 100_000, ..Limits::default() };
        refused(limits, archive, "unpacks to more than");
        let limits = Limits { entries: 3, ..Limits::default() };
        refused(limits, archive, "more than 3 entries");
    }
    // 64 MB of nothing behind the wanted files, in a few kilobytes.
    let mut entries = small_set().tar_entries();
    entries.push(TarEntry::new(EntryType::Regular, "top/bomb.bin", &vec![0; 64 << 20]));
    let bomb = gzip(&pack(&entries));
    assert!(bomb.len() < 1 << 20);
    let limits = Limits { unpacked_bytes: 10 << 20, ..Limits::default() };
    refused(limits, &bomb, "unpacks to more than 10 MB");
}

#[test]
fn folders_and_archives_on_this_machine_serve() {
    let small = small_set();
    let tar = pack(&small.tar_entries());
    for archive in [gzip(&tar), tar, small.zip()] {
        let mut bench = Bench::new();
        let report = bench.fetch_bytes(&archive).unwrap();
        bench.assert_complete();
        assert_eq!(report.downloaded_bytes, None);
        assert!(report.source.unwrap().ends_with("archive"));
    }

    let mut bench = Bench::new();
    let from = bench.dir.path().join("from/deep");
    bench.small.write_to(&from);
    fs::write(from.join("swap/b/notes.txt"), "not an image").unwrap();
    bench.options.source = Source::Path(bench.dir.path().join("from"));
    bench.fetch().unwrap();
    bench.assert_complete();

    let mut bench = Bench::new();
    let error = bench.fetch_bytes(b"neither").unwrap_err().to_string();
    assert!(error.contains("is not a .tar.gz, .tar or .zip archive"), "{error}");
    bench.options.source = Source::Path(bench.dir.path().join("nowhere"));
    let error = bench.fetch().unwrap_err().to_string();
    assert!(error.contains("cannot open") && error.contains("nowhere"), "{error}");
    bench.assert_nothing_left();
}

#[test]
fn a_folder_in_the_way_is_replaced_only_if_told() {
    let mut bench = Bench::new();
    let mine = bench.options.root.join("leaky/mine.jpg");
    fs::create_dir_all(mine.parent().unwrap()).unwrap();
    fs::create_dir(bench.options.root.join("swap")).unwrap();
    fs::write(&mine, "mine").unwrap();
    let archive = bench.small.zip();
    let error = bench.fetch_bytes(&archive).unwrap_err().to_string();
    assert!(error.contains("0 of 3 files match, 3 missing, 0 changed, 1 more"), "{error}");
    assert!(error.contains("--overwrite"), "{error}");
    assert_eq!(fs::read(&mine).unwrap(), b"mine");

    bench.options.overwrite = true;
    // A bad archive costs nothing that was there.
    bench.fetch_bytes(&archive[..archive.len() - 40]).unwrap_err();
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    assert_eq!(bench.listing(), ["leaky", "swap"]);

    let report = bench.fetch_bytes(&archive).unwrap();
    bench.assert_complete();
    assert_eq!(outcomes(&report), [Outcome::Fetched, Outcome::Replaced]);
}

#[test]
fn sets_can_be_fetched_one_by_one() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    bench.options.sets = vec!["swap".to_owned()];
    assert_eq!(outcomes(&bench.fetch_bytes(&archive).unwrap()), [Outcome::Fetched]);
    assert_eq!(bench.listing(), ["swap"]);
    bench.options.sets = vec!["leaks".to_owned()];
    let error = bench.fetch().unwrap_err().to_string();
    assert!(error.contains("one of swap, leaky") && error.contains("leaks"), "{error}");
    bench.options.sets.clear();
    let report = bench.fetch().unwrap();
    assert_eq!(outcomes(&report), [Outcome::AlreadyThere, Outcome::Fetched]);
    bench.assert_complete();
}

#[test]
fn what_a_killed_fetch_left_is_put_right() {
    let mut bench = Bench::new();
    let work = bench.options.root.join(".fetch");
    fs::create_dir_all(work.join("staging/swap/a")).unwrap();
    fs::write(work.join("staging/swap/a/a_1.jpg"), "half").unwrap();
    // It was stopped between moving the old folder away and the new one in.
    fs::create_dir_all(work.join("replaced/leaky")).unwrap();
    fs::write(work.join("replaced/leaky/mine.jpg"), "mine").unwrap();
    let archive = bench.small.tar_gz();
    let error = bench.fetch_bytes(&archive).unwrap_err().to_string();
    assert!(error.contains("is not the published set"), "{error}");
    assert_eq!(bench.listing(), ["leaky"]);
    assert_eq!(fs::read(bench.options.root.join("leaky/mine.jpg")).unwrap(), b"mine");
}

#[test]
fn two_fetches_at_once_are_kept_apart() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    let first = Workshop::open(&bench.options.root).unwrap();
    let error = bench.fetch_bytes(&archive).unwrap_err().to_string();
    assert!(error.contains("another fetch is running"), "{error}");
    drop(first);
    bench.fetch_bytes(&archive).unwrap();
    bench.assert_complete();
}

#[test]
fn the_photographs_come_over_http() {
    let Some(root) = photographs() else { return };
    let manifest = Manifest::published();
    let entries: Vec<_> = manifest
        .entries()
        .iter()
        .map(|entry| {
            let content = fs::read(root.join(&entry.path)).unwrap();
            TarEntry::new(EntryType::Regular, &format!("top/{}", entry.path), &content)
        })
        .collect();
    let server = Server::new([Reply::ok(&gzip(&pack(&entries)))]);
    let dir = tempfile::tempdir().unwrap();
    let source = Source::Url(server.url.clone());
    let options = Options { source, ..Options::new(dir.path().join("data")) };
    let report = fetch(manifest, &options, &mut |_| Ok(())).unwrap();
    assert_eq!(outcomes(&report), [Outcome::Fetched; 3]);
    assert!(verify(manifest, &options.root).unwrap().complete());

    let copy = Options { source: Source::Path(root), ..Options::new(dir.path().join("copy")) };
    fetch(manifest, &copy, &mut |_| Ok(())).unwrap();
    assert!(verify(manifest, &copy.root).unwrap().complete());
}
