//! What a small file can make the program take: the bounds that ARCHITECTURE.md states.

use super::support::Sandbox;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

/// A lossless WebP of 13370x13370 pixels of one colour: within the bound by a hair, and the format
/// that takes most while it is decoded.
const LARGEST: [u8; 38] =
    *b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0/\x39\x74\x0e\x0d\x07\x50\x8f\x22\x97\xa7\
    \xff\x81\x88\xe8\x7f\0\0";

/// Where it says its sizes.
const SIZES: std::ops::Range<usize> = 21..25;

/// Runs `predict` on a file, and tells its status and the most memory it ever took, in MiB.
fn predict(sandbox: &Sandbox, image: &[u8]) -> (i32, u64) {
    sandbox.write("image", image);
    let mut command = sandbox.command(["predict", "--model", "run", "image"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = most.max(peak.unwrap_or(0) >> 10);
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code().unwrap(), most);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_image_takes_no_more_than_is_stated() {
    let sandbox = Sandbox::with_run();
    let (status, taken) = predict(&sandbox, &LARGEST);
    println!("{taken} MiB");
    assert_eq!(status, 0);
    // Less than the pixels themselves would mean that nobody looked.
    assert!((512..1280).contains(&taken), "{taken} MiB");

    // 16384x16384: refused by what the header says.
    let mut larger = LARGEST;
    larger[SIZES].copy_from_slice(&[0xff, 0xff, 0xff, 0x0f]);
    let (status, taken) = predict(&sandbox, &larger);
    assert_eq!(status, 1);
    assert!(taken < 64, "{taken} MiB");
}
