//! Models that cannot be used at all, or not on these images.

use super::support::Sandbox;
use std::fs;

fn commands(model: &str) -> [Vec<String>; 4] {
    let words = |line: String| line.split(' ').map(String::from).collect();
    [
        words(format!("evaluate --model {model} --data set")),
        words(format!("predict --model {model} set/test")),
        words(format!("gradcam --model {model} set/test --out heat")),
        words(format!("summary --model {model}")),
    ]
}

#[test]
fn files_that_are_no_model() {
    let sandbox = Sandbox::with_run();
    let whole = sandbox.bytes("run/model.safetensors");
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let cut_header = &whole[..8 + header / 2];
    let mut garbled = whole.clone();
    garbled[20..60].fill(b'#');
    let mut not_finite = whole.clone();
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let renamed = String::from_utf8(whole[8..8 + header].to_vec()).unwrap();
    let renamed = renamed.replacen("\"conv2.bias\"", "\"conv9.bias\"", 1);
    let renamed = [&whole[..8], renamed.as_bytes(), &whole[8 + header..]].concat();
    let text = "a letter to a wolf, which is not a model".as_bytes();
    let foreign = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let foreign = [&(foreign.len() as u64).to_le_bytes()[..], foreign, &[0; 4]].concat();
    for (name, content, says) in [
        ("empty", &[][..], "only 0 bytes"),
        ("short", &whole[..5], "only 5 bytes"),
        ("cut", &whole[..whole.len() - 1], "numbers, but"),
        ("cut_header", cut_header, "claim a header"),
        ("garbled", &garbled, "header"),
        ("longer", &[&whole[..], b"x"].concat(), "numbers, but"),
        ("not_finite", &not_finite, "NaN or infinity"),
        ("renamed", &renamed, "conv2.bias"),
        ("text", text, "claim a header"),
        ("foreign", &foreign, "conv1.weight"),
    ] {
        let name = format!("{name}.safetensors");
        sandbox.write(&name, content);
        for command in commands(&name) {
            sandbox.refuses(&command, 1, &[&name, says]);
        }
    }
}

#[test]
fn places_without_a_model() {
    let sandbox = Sandbox::with_set();
    for model in ["nowhere", "nowhere/model.safetensors", "set/train/dark/0.png/x"] {
        for command in commands(model) {
            sandbox.refuses(&command, 2, &[&format!("there is no model {model}")]);
        }
    }
    for command in commands("set") {
        sandbox.refuses(&command, 2, &["set: no model.safetensors in this folder"]);
    }
}

#[test]
fn models_of_other_classes() {
    let sandbox = Sandbox::with_run();
    fs::rename(sandbox.path("set/test/dark"), sandbox.path("set/test/black")).unwrap();
    fs::rename(sandbox.path("set/train/dark"), sandbox.path("set/train/black")).unwrap();
    let args = ["evaluate", "--model", "run", "--data", "set"];
    let says = ["run", "classes dark, light", "black, light", "folders of the same names"];
    sandbox.refuses(args, 1, &says);
    for class in ["dark", "light", "medium"] {
        sandbox.images(format!("three/{class}"), 3);
    }
    let args = ["evaluate", "--model", "run", "--data", "three"];
    sandbox.refuses(args, 1, &["classes dark, light", "dark, light, medium"]);
}

#[test]
fn images_that_are_not_there() {
    let sandbox = Sandbox::with_run();
    let refuses = |images: &[&str], says: &[&str]| {
        sandbox.refuses([&["predict", "--model", "run"], images].concat(), 1, says);
    };
    let predict = ["predict", "--model", "run", "set/test/dark/0.png"];
    for (gone, says) in [
        ("gone.jpg", "check the path"),
        ("set/test/dark/00.png", "did you mean set/test/dark/0.png"),
        ("set/tst/dark/0.png", "did you mean set/test/dark/0.png?"),
    ] {
        let told = format!("there is no image {gone}; ");
        sandbox.refuses([&predict[..], &[gone]].concat(), 2, &[&told, says]);
    }
    fs::create_dir(sandbox.path("none")).unwrap();
    refuses(&["none"], &["none", "no image in this folder", "jpg"]);
    sandbox.write("bad/x.png", "no image");
    refuses(&["bad", "--skip-unreadable"], &["none of the 1 image could be read", "x.png"]);
}
