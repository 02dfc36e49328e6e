//! The memory that a small file can make the program allocate: the bounds in ARCHITECTURE.md.

use super::support::Sandbox;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

/// A lossless WebP of 13370x13370 pixels of one colour: just within the bound, in the format that
/// takes most memory during decoding.
const LARGEST: [u8; 38] =
    *b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0/\x39\x74\x0e\x0d\x07\x50\x8f\x22\x97\xa7\
    \xff\x81\x88\xe8\x7f\0\0";

/// The byte offsets of its size.
const SIZES: std::ops::Range<usize> = 21..25;

/// The maximum memory for a file that is rejected, in MiB: the program itself, and what it reads to
/// detect the size.
const REFUSED: u64 = 64;

/// Runs the program, and returns its status and its peak memory, in MiB.
fn run(sandbox: &Sandbox, args: &[&str]) -> (i32, u64) {
    let mut command = sandbox.command(args);
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
    let predict = |image: &[u8]| {
        sandbox.write("image", image);
        run(&sandbox, &["predict", "--model", "run", "image"])
    };
    let (status, taken) = predict(&LARGEST);
    println!("{taken} MiB");
    assert_eq!(status, 0);
    // Less than the size of the pixels would mean that they were not decoded.
    assert!((512..1280).contains(&taken), "{taken} MiB");

    // 16384x16384: rejected after reading the header.
    let mut larger = LARGEST;
    larger[SIZES].copy_from_slice(&[0xff, 0xff, 0xff, 0x0f]);
    let (status, taken) = predict(&larger);
    assert_eq!(status, 1);
    assert!(taken < REFUSED, "{taken} MiB");
}

#[test]
fn a_model_takes_no_more_than_its_file() {
    let sandbox = Sandbox::new();
    let describing = |input: &str, layer: &str| {
        let network = format!(
            r#"{{"name":"m","input":{input},"output":"linear","layers":[{{"name":"l","layer":{layer}}}]}}"#
        );
        let metadata = serde_json::json!({ "nn.version": "1", "nn.architecture": network });
        serde_json::json!({ "__metadata__": metadata }).to_string()
    };
    let dense = r#"{"kind":"Dense","units":1048576,"activation":"linear","initializer":"zeros"}"#;
    let vast = r#"{"w":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}"#;
    for (header, says, longer) in [
        (vast.into(), "describes 4398046511104 bytes", 0),
        (vast.into(), "claim a header of", 1u64 << 62),
        (describing("[1048576]", dense), "at most 1073741824 parameters", 0),
        (describing("[32768,32768,3]", r#"{"kind":"Flatten"}"#), "at most 134217728 numbers", 0),
    ] {
        let len = (header.len() as u64 + longer).to_le_bytes();
        sandbox.write("model.safetensors", [&len[..], header.as_bytes()].concat());
        let summary = ["summary", "--model", "model.safetensors"];
        sandbox.refuses(summary, 1, &[says]);
        let (_, taken) = run(&sandbox, &summary);
        assert!(taken < REFUSED, "{header}: {taken} MiB");
    }
}
