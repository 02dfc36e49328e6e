//! Local sources and targets.

use super::*;

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
    // A bad archive leaves existing folders unchanged.
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

/// Where folders cannot be locked, none counts as left over.
#[cfg(unix)]
#[test]
fn what_a_killed_fetch_left_is_put_right() {
    let mut bench = Bench::new();
    let root = bench.options.root.clone();
    fs::create_dir_all(root.join(".nn-draft-1/a")).unwrap();
    fs::write(root.join(".nn-draft-1/a/a_1.jpg"), "half").unwrap();
    // Simulates a kill, on a system that cannot exchange folders, between moving the old folder away and
    // the new one in.
    fs::create_dir_all(root.join(".nn-replaced-1/leaky")).unwrap();
    fs::write(root.join(".nn-replaced-1/leaky/mine.jpg"), "mine").unwrap();
    let archive = bench.small.tar_gz();
    let error = bench.fetch_bytes(&archive).unwrap_err().to_string();
    assert!(error.contains("leaky: exists already") && error.contains("--overwrite"), "{error}");
    assert_eq!(bench.listing(), ["leaky"]);
    assert_eq!(fs::read(root.join("leaky/mine.jpg")).unwrap(), b"mine");
    bench.options.overwrite = true;
    assert_eq!(
        outcomes(&bench.fetch_bytes(&archive).unwrap()),
        [Outcome::Fetched, Outcome::Replaced]
    );
    bench.assert_complete();
}

#[test]
fn two_fetches_at_once_are_kept_apart() {
    let mut bench = Bench::new();
    let archive = bench.small.tar_gz();
    let first = FetchFolder::open(&bench.options.root).unwrap();
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
    let options = FetchOptions { source, ..FetchOptions::new(dir.path().join("data")) };
    let report = fetch(manifest, &options, &mut |_| Ok(())).unwrap();
    assert_eq!(outcomes(&report), [Outcome::Fetched; 3]);
    assert!(verify(manifest, &options.root).unwrap().is_complete());

    let copy =
        FetchOptions { source: Source::Path(root), ..FetchOptions::new(dir.path().join("copy")) };
    fetch(manifest, &copy, &mut |_| Ok(())).unwrap();
    assert!(verify(manifest, &copy.root).unwrap().is_complete());
}
