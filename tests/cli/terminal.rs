//! Output on a terminal: lines fit its width, and misspelt names get suggestions.

use super::support::{Ended, Sandbox};
use std::fs;

/// The number of columns of a line; East Asian characters take two.
fn columns(line: &str) -> usize {
    line.chars()
        .map(|c| if ('\u{1100}'..'\u{ffe0}').contains(&c) && c > '\u{2e80}' { 2 } else { 1 })
        .sum()
}

/// Runs the program on a terminal of this width; every line it prints must fit.
#[track_caller]
fn fits(sandbox: &Sandbox, width: usize, args: &[&str]) -> Ended {
    let mut command = sandbox.command(args);
    command.env("COLUMNS", width.to_string());
    let ended = Ended::from(command.output().unwrap());
    for line in ended.out.lines().chain(ended.err.lines()) {
        assert!(columns(line) <= width, "{} columns: {line}\n{args:?}", columns(line));
    }
    ended
}

#[test]
fn everything_fits_eighty_columns() {
    let sandbox = Sandbox::new();
    let long = "a_husky_of_the_far_north_with_a_long_name"; // 41 letters
    let wide = "犬の名前はとても長いですから切ります";
    for class in [long, wide, "light"] {
        sandbox.images(format!("set/train/{class}"), 4);
        sandbox.images(format!("set/test/{class}"), 2);
    }
    let short = ["--image-size", "22", "--epochs", "1"];
    let train = ["train", "--data", "set", "--out", "runs/of_the_winter"];
    for width in [80, 60] {
        let again = ["--overwrite"];
        fits(&sandbox, width, &[&train[..], &short, &again[..usize::from(width == 60)]].concat())
            .ok();
        let model = "runs/of_the_winter";
        let commands: [&[&str]; 12] = [
            &["evaluate", "--model", model],
            &["evaluate", "--model", model, "--split", "all"],
            &["predict", "--model", model, "set/test"],
            &["gradcam", "--model", model, "set/test", "--out", "heat", "--overwrite"],
            &["summary", "--model", model],
            &["runs"],
            &["runs", model, model],
            &["data", "list"],
            &["train", "--resume", "--out", model],
            &["data", "render", "background_swap", "--size", "32", "--out", "drawn"],
            &["bench", "--image-size", "22", "--steps", "1"],
            &["train", "--data", "same_backgrounds", "--image-size", "22", "--epochs", "1"],
        ];
        for args in commands {
            let _ = fs::remove_dir_all(sandbox.path("drawn"));
            fits(&sandbox, width, args).ok();
        }
        let refused: [&[&str]; 8] = [
            &["train", "--data", "same_background"],
            &["train", "--data", "set", "--epochs", "ten"],
            &["train", "--data", "set", "--out", model],
            &["evaluate", "--model", "runs/of_the_sumer"],
            &["gradcam", "--model", model, "set/test", "--out", "h", "--class", "a_husky"],
            &["gradcam", "--model", model, "set/test", "--out", "h", "--layer", "con3"],
            &["predict", "--model", model, "~/photographs of the winter/*.jpg"],
            &["tarin"],
        ];
        for args in refused {
            assert_ne!(fits(&sandbox, width, args).status, 0);
        }
    }
    // What is asked for with --help keeps to 80 columns in a pipe, too.
    for command in ["train", "experiment", "evaluate", "predict", "gradcam", "audit", "runs", "man"]
    {
        let ended = sandbox.run([command, "--help"]).ok();
        assert!(ended.out.lines().all(|line| columns(line) <= 80), "{}", ended.out);
    }
    for command in ["check", "export"] {
        let ended = sandbox.run(["model", command, "--help"]).ok();
        assert!(ended.out.lines().all(|line| columns(line) <= 80), "{}", ended.out);
    }
    assert!(sandbox.run(["--help"]).ok().out.lines().all(|line| columns(line) <= 80));
}

#[test]
fn lines_stay_whole_where_no_terminal_is() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(["train", "--data", "a-folder-that-is-not-there"]);
    assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
}

#[test]
fn what_was_meant_is_suggested() {
    let sandbox = Sandbox::with_run();
    sandbox.write("set.zip", "PK");
    sandbox.write("model.pth", "x");
    fs::create_dir_all(sandbox.path("runs")).unwrap();
    fs::rename(sandbox.path("run"), sandbox.path("runs/winter")).unwrap();
    let run = "runs/winter";
    let cases: [(&[&str], &[&str]); 21] = [
        (&["train", "--data", "same-backgrounds"], &["did you mean same_backgrounds?"]),
        (&["train", "--data", "Set"], &["did you mean set?"]),
        (&["train", "--data", "set/tran"], &["did you mean set/train?"]),
        (&["train", "--data", "data/same_backgrounds"], &["pass the name alone, same_backgrounds"]),
        (&["train", "--data", "~/photos"], &["\"$HOME/photos\""]),
        (&["train", "--data", "https://example.org/photos.zip"], &["download it first"]),
        (&["train", "--data", "photos/*"], &["pattern"]),
        (&["train", "--data", "set.zip"], &["archive", "unzip set.zip"]),
        (&["audit", "same_background"], &["did you mean same_backgrounds?"]),
        (&["evaluate", "--model", "winter"], &["did you mean runs/winter?"]),
        (&["evaluate", "--model", "runs/wintre"], &["did you mean runs/winter?"]),
        (&["evaluate", "--model", "runs"], &["it holds runs", "runs/winter"]),
        (&["evaluate", "--model", "model.pth"], &["PyTorch", "save_file"]),
        (&["predict", "--model", run, "https://example.org/a.jpg"], &["download it first"]),
        (&["predict", "--model", run, "backgroundswap"], &["did you mean background_swap?"]),
        (&["predict", "--model", run, "set.zip"], &["archive", "unzip set.zip"]),
        (&["gradcam", "--model", run, "set", "--out", "h", "--class", "darc"], &["mean dark?"]),
        (&["gradcam", "--model", run, "set", "--out", "h", "--layer", "con2"], &["mean conv2"]),
        (&["data", "render", "same"], &["did you mean same_backgrounds?"]),
        (&["runs", "wintr"], &["did you mean runs/winter?"]),
        (&["summary", "--kernel", "avx51"], &["did you mean avx512"]),
    ];
    for (args, says) in cases {
        sandbox.refuses(args, 2, says);
    }
    sandbox.refuses(["evalute", "--model", run], 2, &["similar subcommand", "evaluate"]);
    sandbox.refuses(["train", "--epoch", "3"], 2, &["similar argument", "--epochs"]);
    #[cfg(unix)]
    sandbox.refuses(["train", "--data", "C:\\photos\\train"], 2, &["as on Windows"]);
}

#[test]
fn a_taken_name_is_told() {
    let sandbox = Sandbox::with_set();
    let first = sandbox.train(&["--data", "set"]).ok();
    assert!(!first.err.contains("taken"), "{first:?}");
    let second = sandbox.train(&["--data", "set"]).ok();
    second.says(
        &[],
        &["runs/set was taken, so the results go to runs/set-2", "written to runs/set-2, "],
    );
}

#[test]
fn sets_have_names_in_predict_and_gradcam_too() {
    let sandbox = Sandbox::with_sets();
    let train = ["train", "--data", "same_backgrounds", "--out", "run", "--image-size", "22"];
    sandbox.run([&train[..], &["--epochs", "1"]].concat()).ok();
    let predict = ["predict", "--model", "run", "background_swap", "--json"];
    let here = sandbox.run(predict).json();
    assert_eq!(here[0]["file"], "data/background_swap/dark/0.png");
    assert!(here[0].get("kind").is_none(), "a folder like any other");
    // Without photographs, drawings stand in, and every answer says so.
    fs::remove_dir_all(sandbox.path("data")).unwrap();
    let ended = sandbox.run(predict).ok();
    let drawn = ended.says(&[], &["background_swap (STAND-IN"]).json();
    assert_eq!(drawn.as_array().unwrap().len(), 40);
    assert_eq!(drawn[0]["kind"], "stand-in");
    assert_eq!(drawn[0]["file"], "background_swap/husky/husky_1.png");
    let heat = ["gradcam", "--model", "run", "background_swap", "--out", "heat", "--json"];
    let heat = sandbox.run(heat).json();
    assert_eq!((&heat[0]["kind"], &heat[0]["file"]), (&drawn[0]["kind"], &drawn[0]["file"]));
    sandbox.is_clean();
}

#[test]
fn a_run_knows_its_data() {
    let sandbox = Sandbox::with_set();
    // Class folders themselves: which images were the test follows from the run's seed.
    for class in ["dark", "light"] {
        sandbox.images(format!("bare/{class}"), 12);
    }
    for (data, seed) in [("set", "27"), ("bare", "5")] {
        sandbox.train(&["--data", data, "--out", data.trim_end(), "--overwrite"]);
        let out = format!("run-{data}");
        let trained =
            sandbox.train(&["--data", data, "--seed", seed, "--out", &out, "--json"]).json();
        let split = ["evaluate", "--model", &out, "--split", "test", "--json"];
        let ended = sandbox.run(split).ok();
        let told = format!("on {data}, which the run in {out} was trained on");
        let evaluated = ended.says(&[], &[&told]).json();
        for field in ["loss", "n", "correct", "confusion"] {
            assert_eq!(evaluated[field], trained["test"][field], "{data}, {field}");
        }
    }
    fs::rename(sandbox.path("set"), sandbox.path("elsewhere")).unwrap();
    let says = ["was trained on set, which is not here", "--data"];
    sandbox.refuses(["evaluate", "--model", "run-set"], 2, &says);
    sandbox.run(["evaluate", "--model", "run-set", "--data", "elsewhere"]).ok();
}
