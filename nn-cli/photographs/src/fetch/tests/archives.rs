//! Archives that are damaged, incomplete or hostile.

use super::*;

#[test]
fn a_damaged_download_is_refused_and_not_kept() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    // Transferred completely, but cut before it was served; and with one bit of the data flipped.
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
        // The last file has the same content as the third, so it is found there.
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
        // The bad entry follows all wanted files: a bad entry anywhere makes the archive invalid.
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
    // 64 MB of zeros after the wanted files, compressed to a few kilobytes.
    let mut entries = small_set().tar_entries();
    entries.push(TarEntry::new(EntryType::Regular, "top/bomb.bin", &vec![0; 64 << 20]));
    let bomb = gzip(&pack(&entries));
    assert!(bomb.len() < 1 << 20);
    let limits = Limits { unpacked_bytes: 10 << 20, ..Limits::default() };
    refused(limits, &bomb, "unpacks to more than 10 MB");
}

#[test]
fn a_name_without_end_is_not_read_into_memory() {
    let mut bench = Bench::new();
    // As GNU tar stores a long name: an entry before the file's own.
    for (kind, len, fits) in [
        (EntryType::GNULongName, 1 << 10, true),
        (EntryType::GNULongName, 1 << 20, false),
        (EntryType::XHeader, 1 << 20, false),
    ] {
        let mut entries = bench.small.tar_entries();
        entries.insert(2, TarEntry::new(kind, "././@LongLink", &vec![b'a'; len]));
        let outcome = bench.fetch_bytes(&gzip(&pack(&entries)));
        if fits {
            outcome.unwrap();
            std::fs::remove_dir_all(&bench.options.root).unwrap();
        } else {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("damaged") && error.contains("too long"), "{error}");
            bench.assert_nothing_left();
        }
    }
}
