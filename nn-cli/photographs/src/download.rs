//! Downloads one file over HTTP(S) into a working folder, resuming an interrupted download.
//!
//! There are two files: `archive.part`, the bytes so far, and `archive.json`, which records their origin. A
//! download is resumed only if the address is the same and the server sent a validator (a strong `ETag`, or
//! `Last-Modified`), and only with `If-Range`: if the file has changed, the server then sends the whole new
//! one. In all other cases the download starts over. A part that cannot be resumed is deleted.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use nn_core::{Error, Result};
use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, Response, Uri};
use ureq::{Agent, Body};

use crate::limits::Limits;
use crate::progress::Progress;

/// A finished download.
pub struct Download {
    /// Its path.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// How many of these bytes an earlier run had downloaded.
    pub resumed_from: u64,
}

/// The state of a part file. If it is missing or unreadable, the part is stale.
#[derive(Serialize, Deserialize)]
struct State {
    url: String,
    /// The value for `If-Range`; without one the download cannot be resumed.
    validator: Option<String>,
    /// The size of the whole file, if the server stated it.
    total: Option<u64>,
    complete: bool,
}

fn part_path(dir: &Path) -> PathBuf {
    dir.join("archive.part")
}

fn state_path(dir: &Path) -> PathBuf {
    dir.join("archive.json")
}

/// Deletes what was downloaded into `dir`.
pub fn discard(dir: &Path) {
    // A missing file needs no removal, and one that cannot be removed is overwritten by the next download.
    let _ = fs::remove_file(part_path(dir));
    let _ = fs::remove_file(state_path(dir));
}

/// Whether `dir` contains a download that a later run can resume.
pub fn is_kept(dir: &Path) -> bool {
    part_path(dir).exists()
}

/// Checks that `url` is an http or https address and returns it parsed.
///
/// # Errors
/// If it is anything else.
pub fn parse_url(url: &str) -> Result<Uri> {
    let uri = url.parse::<Uri>().ok();
    let web = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
    uri.filter(|uri| web(uri) && uri.host().is_some_and(|host| !host.is_empty())).ok_or_else(|| {
        let remedy = "give a complete address, or a file on this machine with --from";
        Error::setting("--url", "an address that begins with http:// or https://", url, remedy)
    })
}

/// Downloads `url` into `dir`, which exists and is used by nobody else.
///
/// # Errors
/// If the server cannot be reached, answers with another status than success, closes the connection early,
/// stalls or sends too much; if the disk is full; and any error of `progress`. A part that can be resumed
/// is kept.
pub fn download(
    url: &str,
    dir: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<Download> {
    let path = part_path(dir);
    let earlier = earlier_part(url, dir);
    if let Some((state, bytes)) = &earlier
        && state.complete
    {
        return Ok(Download { path, bytes: *bytes, resumed_from: *bytes });
    }
    let uri = parse_url(url)?;
    let agent = agent(&uri, limits);
    let range =
        earlier.as_ref().and_then(|(state, bytes)| Some((state.validator.clone()?, *bytes)));
    let mut response = request(&agent, url, range.as_ref())?;
    let mut resumed_from = 0;
    if let Some((version, have)) = &range
        && matches!(response.status().as_u16(), 206 | 416)
    {
        if response.status() == 206 && continues(response.headers(), version, *have) {
            resumed_from = *have;
        } else {
            response = request(&agent, url, None)?;
        }
    }
    check_status(url, &response, resumed_from > 0)?;

    let rest = content_length(response.headers());
    let version = range.filter(|_| resumed_from > 0).map(|(version, _)| version);
    let state = State {
        url: url.to_owned(),
        validator: version.or_else(|| validator(response.headers())),
        total: rest.map(|rest| rest.saturating_add(resumed_from)),
        complete: false,
    };
    if state.total.is_some_and(|total| total > limits.archive_bytes) {
        discard(dir);
        return Err(too_large(url, limits));
    }
    let result = save_state(dir, &state)
        .map_err(Failure::from)
        .and_then(|()| receive(url, dir, response, &state, resumed_from, limits, progress));
    match result {
        Ok(bytes) => {
            save_state(dir, &State { complete: true, ..state })?;
            Ok(Download { path, bytes, resumed_from })
        }
        Err(Failure { error, resumable }) => {
            if !resumable || state.validator.is_none() {
                discard(dir);
            }
            Err(error)
        }
    }
}

/// Why a transfer stopped, and whether the bytes received so far are usable.
struct Failure {
    error: Error,
    resumable: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, resumable: false }
    }
}

/// Appends the body to the first `have` bytes; returns the size of the whole file.
fn receive(
    url: &str,
    dir: &Path,
    response: Response<Body>,
    state: &State,
    have: u64,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<u64, Failure> {
    let path = part_path(dir);
    let mut options = OpenOptions::new();
    if have > 0 {
        options.append(true)
    } else {
        options.write(true).create(true).truncate(true)
    };
    let mut file: File = options.open(&path).map_err(Error::io("write", &path))?;
    let mut body = response.into_body().into_reader();
    let mut bytes = have;
    let mut buffer = vec![0; 64 << 10];
    let broken = |bytes: u64, why: &dyn Display| {
        let of = state.total.map(|total| format!(" of {}", megabytes(total))).unwrap_or_default();
        let remedy = if state.validator.is_some() {
            "run the same command again, it goes on from there"
        } else {
            "run the same command again, or get the archive by other means and give it with --from"
        };
        let problem = format!("the download broke off after {}{of} ({why})", megabytes(bytes));
        Failure { error: Error::file(Path::new(url), problem, remedy), resumable: bytes > 0 }
    };
    loop {
        progress(Progress::Downloading { bytes, total: state.total })
            .map_err(|error| Failure { error, resumable: bytes > 0 })?;
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Err(broken(bytes, &error)),
        };
        file.write_all(&buffer[..count]).map_err(Error::io("write", &path))?;
        bytes += count as u64;
        if bytes > limits.archive_bytes {
            return Err(too_large(url, limits).into());
        }
    }
    if state.total.is_some_and(|total| bytes < total) {
        return Err(broken(bytes, &"the server closed the connection"));
    }
    file.sync_all().map_err(Error::io("write", &path))?;
    Ok(bytes)
}

/// The part that an earlier run left of the same address, with its size.
fn earlier_part(url: &str, dir: &Path) -> Option<(State, u64)> {
    let state: State = serde_json::from_slice(&fs::read(state_path(dir)).ok()?).ok()?;
    let bytes = fs::metadata(part_path(dir)).ok()?.len();
    let consistent = state.total.is_none_or(|total| bytes <= total) && bytes > 0;
    (state.url == url && consistent).then_some((state, bytes))
}

fn save_state(dir: &Path, state: &State) -> Result<()> {
    let path = state_path(dir);
    let json = serde_json::to_vec(state).map_err(std::io::Error::from);
    json.and_then(|json| fs::write(&path, json)).map_err(Error::io("write", &path))
}

fn agent(uri: &Uri, limits: &Limits) -> Agent {
    let mut config = Agent::config_builder()
        .user_agent(concat!("nn-cli/", env!("CARGO_PKG_VERSION")))
        // The archive's own bytes, not a re-encoding, for which a byte range would have no meaning.
        .accept_encoding("identity")
        .http_status_as_error(false)
        // A redirect must not downgrade from https to http.
        .https_only(uri.scheme_str() == Some("https"))
        .timeout_resolve(Some(limits.stall))
        .timeout_connect(Some(limits.stall))
        .timeout_recv_response(Some(limits.stall))
        // A slow connection may take long for the whole file; only a stall is an error.
        .timeout_per_read(Some(limits.stall));
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    if host == "localhost" || address.is_ok_and(|address| address.is_loopback()) {
        config = config.proxy(None);
    }
    config.build().new_agent()
}

/// Requests the whole file, or the rest after `range`: a validator and the number of bytes present.
fn request(agent: &Agent, url: &str, range: Option<&(String, u64)>) -> Result<Response<Body>> {
    let mut request = agent.get(url);
    if let Some((validator, have)) = range {
        request = request.header("If-Range", validator).header("Range", format!("bytes={have}-"));
    }
    request.call().map_err(|error| {
        let problem = match &error {
            ureq::Error::HostNotFound => "this server's name is not known".to_owned(),
            ureq::Error::Timeout(_) => "the server does not answer".to_owned(),
            ureq::Error::RequireHttpsOnly(to) => format!("leads to {to}, which is not encrypted"),
            error => format!("the server cannot be reached ({error})"),
        };
        unreachable(url, problem)
    })
}

fn check_status(url: &str, response: &Response<Body>, resumed: bool) -> Result<()> {
    let status = response.status();
    if status == if resumed { 206 } else { 200 } {
        return Ok(());
    }
    Err(unreachable(url, format_args!("the server answered {status}")))
}

fn unreachable(url: &str, problem: impl Display) -> Error {
    let remedy = "check the address and the connection, or get the archive by other means and give \
                  it with --from";
    Error::file(Path::new(url), problem, remedy)
}

fn too_large(url: &str, limits: &Limits) -> Error {
    let problem = format_args!("sends more than {}", megabytes(limits.archive_bytes)).to_string();
    Error::file(Path::new(url), problem, "check the address, this is not the published archive")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    header(headers, "content-length")?.trim().parse().ok()
}

/// What `If-Range` may hold: a strong entity tag (RFC 9110, 13.1.5), else a date.
fn validator(headers: &HeaderMap) -> Option<String> {
    let strong = header(headers, "etag").filter(|tag| tag.starts_with('"'));
    strong.or_else(|| header(headers, "last-modified")).map(str::to_owned)
}

/// Whether a partial response is of the same version and begins exactly after the first `have` bytes:
/// `Content-Range: bytes 7-99/100`.
fn continues(headers: &HeaderMap, version: &str, have: u64) -> bool {
    let same = validator(headers).is_none_or(|now| now == version);
    let range = header(headers, "content-range").and_then(|value| value.strip_prefix("bytes "));
    let start = range.and_then(|range| range.split_once('-')).map(|(start, _)| start);
    same && start.is_some_and(|start| start.parse() == Ok(have))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
