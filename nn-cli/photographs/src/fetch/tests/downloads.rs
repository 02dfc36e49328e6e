//! Failures of a download: redirects, interruptions, stale parts, rejected requests, stalls.

use super::*;

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

    // The server has no second reply, so this must not send a request.
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
    // The server has no further reply.
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
    // The server speaks no TLS, so no handshake can succeed, but a plain request would.
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
