//! `data`, and the names of data sets.

use super::support::Sandbox;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The named sets, and their numbers of images.
const SETS: [(&str, usize); 3] =
    [("same_backgrounds", 100), ("different_backgrounds", 100), ("background_swap", 40)];

/// The entry of a list for the set of this name.
fn about<'a>(sets: &'a Value, name: &str) -> &'a Value {
    let mut sets = sets.as_array().unwrap().iter();
    sets.find(|set| set["name"] == name).expect(name)
}

/// The folder of the published photographs, if they are available.
fn photographs() -> Option<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let places = [
        std::env::var_os("NN_DATA_ROOT").map(PathBuf::from),
        Some(manifest.join("../data")),
        Some(manifest.join("../../shared/data")),
    ];
    let there = |root: &PathBuf| root.join("same_backgrounds/train").is_dir();
    let found = places.into_iter().flatten().find(there);
    if found.is_none() {
        println!("skipped: the published photographs are not here");
    }
    found
}

#[test]
fn a_name_that_is_not_on_disk_is_the_stand_in_and_says_so() {
    let sandbox = Sandbox::new();
    let args = ["--data", "same_backgrounds", "--out", "run", "--json", "--data-root", "none"];
    let small = ["--image-size", "32", "--epochs", "1", "--threads", "2"];
    let ended = sandbox.run([&["train"], &small[..], &args].concat());
    let metrics = ended.says(&[], &["STAND-IN", "data fetch"]).json();
    assert_eq!(metrics["dataset"]["kind"], "stand-in");
    assert_eq!(metrics["dataset"]["name"], "same_backgrounds");
    let counts = ["train", "validation", "test"].map(|part| metrics["dataset"][part].as_u64());
    assert_eq!(counts, [Some(70), Some(10), Some(20)]);
    for picture in ["curves.svg", "confusion.svg"] {
        assert!(sandbox.text(&format!("run/{picture}")).contains("STAND-IN"), "{picture}");
    }
    sandbox.is_clean();
}

#[test]
fn rendered_sets_remain_the_stand_in() {
    let sandbox = Sandbox::new();
    let args = ["data", "render", "--out", "drawings/here", "--size", "32", "--json"];
    let rendered = sandbox.run(args).json();
    for (name, count) in SETS {
        let set = about(&rendered, name);
        assert_eq!(set["kind"], "stand-in");
        assert_eq!((&set["images"], &set["size"]), (&json!(count), &json!(32)));
    }
    assert_eq!(rendered.as_array().unwrap().len(), 3);
    assert_eq!(sandbox.names("drawings/here").len(), 3);

    let root = ["--data-root", "drawings/here"];
    let listed = sandbox.run([&["data", "list", "--json"], &root[..]].concat()).json();
    for (name, count) in SETS {
        let set = about(&listed, name);
        assert_eq!((&set["kind"], &set["images"]), (&json!("stand-in"), &json!(count)));
        assert_eq!(set["path"], format!("drawings/here/{name}"));
    }
    sandbox.run([&["data", "list"], &root[..]].concat()).ok().says(&["STAND-IN"], &[]);

    // By name and by path, in text and in JSON.
    let data = ["--data", "same_backgrounds"];
    let train = sandbox.train(&[&data[..], &root, &["--out", "run"]].concat()).ok();
    train.says(&["STAND-IN"], &["STAND-IN"]);
    let swap = ["--data", "drawings/here/background_swap"];
    let report = sandbox.run([&["evaluate", "--model", "run", "--json"], &swap[..]].concat());
    let report = report.says(&[], &["STAND-IN"]).json();
    assert_eq!((&report["kind"], &report["n"]), (&json!("stand-in"), &json!(40)));

    // They are not the photographs, and not overwritten.
    let verify = sandbox.run([&["data", "verify"], &root[..]].concat());
    assert_eq!(verify.status, 1, "{verify:?}");
    let again = ["data", "render", "background_swap", "--size", "32", "--out", "drawings/here"];
    sandbox.refuses(again, 1, &["background_swap", "exists already", "choose another"]);
}

#[test]
fn the_data_root_is_an_option_or_a_variable() {
    let sandbox = Sandbox::new();
    let args = ["data", "render", "background_swap", "--size", "32"];
    let mut command = sandbox.command(args);
    assert!(command.env("NN_DATA_ROOT", "elsewhere").output().unwrap().status.success());
    assert_eq!(sandbox.names("elsewhere"), ["background_swap"]);
    let listed = |args: &[&str], root: Option<&str>| {
        let mut command = sandbox.command([&["data", "list", "--json"], args].concat());
        command.envs(root.map(|root| ("NN_DATA_ROOT", root)));
        let listed: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        about(&listed, "background_swap")["path"].as_str().map(String::from)
    };
    let there = Some("elsewhere/background_swap".to_string());
    assert_eq!(listed(&[], None), None);
    assert_eq!(listed(&[], Some("elsewhere")), there);
    assert_eq!(listed(&["--data-root", "elsewhere"], Some("nowhere")), there);

    // The option holds for a repeated run as well.
    let args = ["--data", "background_swap", "--data-root", "elsewhere", "--out", "run"];
    sandbox.train(&args).ok();
    std::fs::rename(sandbox.path("elsewhere"), sandbox.path("moved")).unwrap();
    let args = ["--config", "run/config.toml", "--data-root", "moved", "--out", "again"];
    sandbox.train(&args).ok();
    assert_eq!(sandbox.bytes("again/model.safetensors"), sandbox.bytes("run/model.safetensors"));
}

#[test]
fn missing_photographs_are_listed_and_not_verified() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(["data", "list"]).ok();
    for (name, _) in SETS {
        assert!(ended.out.contains(name), "{ended:?}");
    }
    assert!(ended.out.contains("STAND-IN"), "{ended:?}");
    let verify = sandbox.run(["data", "verify", "--json"]);
    assert_eq!(verify.status, 1);
    assert!(verify.err.contains("nn-cli data fetch"), "{verify:?}");
    let report: Value = serde_json::from_str(&verify.out).unwrap();
    assert_eq!(report["sets"][0]["kind"], "stand-in");
    assert_eq!(sandbox.names(""), [""; 0]);
}

#[test]
fn photographs_are_known_by_their_checksums() {
    let Some(root) = photographs() else { return };
    let root = root.canonicalize().unwrap();
    let root = root.to_str().unwrap();
    let sandbox = Sandbox::new();
    let report = sandbox.run(["data", "verify", "--data-root", root, "--json"]).json();
    let listed = sandbox.run(["data", "list", "--data-root", root, "--json"]).json();
    for i in 0..3 {
        assert_eq!(report["sets"][i]["kind"], "published");
        assert_eq!(listed[i]["kind"], "published");
    }
    let args = ["--data", "background_swap", "--data-root", root, "--out", "run", "--json"];
    let metrics = sandbox.train(&[&args[..], &["--batch-size", "28"]].concat()).json();
    assert_eq!(metrics["dataset"]["kind"], "published");
    assert_eq!(metrics["dataset"]["test"], 8);
    // A copy with one image missing is just a folder.
    let copy = sandbox.path("background_swap");
    for class in ["husky", "wolf"] {
        std::fs::create_dir_all(copy.join(class)).unwrap();
        for i in 1..20 {
            let name = format!("background_swap/{class}/{class}_{i}.jpg");
            std::fs::copy(PathBuf::from(root).join(&name), sandbox.path(&name)).unwrap();
        }
    }
    let args = ["evaluate", "--model", "run", "--data", "background_swap", "--json"];
    assert_eq!(sandbox.run(args).json()["kind"], "folder");
}

#[test]
fn a_folder_is_fetched_from_only_if_it_is_the_photographs() {
    let sandbox = Sandbox::with_set();
    let args = ["data", "fetch", "--from", "set", "--data-root", "data"];
    sandbox.refuses(args, 1, &["set"]);
    let args = ["data", "fetch", "--from", "nowhere.tar.gz", "--data-root", "data"];
    sandbox.refuses(args, 1, &["nowhere.tar.gz"]);
    let args = ["data", "fetch", "--from", "a", "--url", "http://127.0.0.1:1/"];
    sandbox.refuses(args, 2, &["--from", "--url"]);
    let args = ["data", "render", "no_backgrounds", "--size", "32"];
    sandbox.refuses(args, 2, &["no_backgrounds", "same_backgrounds"]);
    for size in ["0", "31", "5000", "-3", "x"] {
        sandbox.refuses(["data", "render", "--size", size], 2, &["size", size]);
    }
}
