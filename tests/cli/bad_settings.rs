//! Invalid settings: all are usage errors, with exit status 2.

use super::support::Sandbox;

#[test]
fn settings_of_the_training() {
    let sandbox = Sandbox::with_set();
    let base = ["train", "--data", "set", "--out", "runs/run"];
    let small = ["--image-size", "22", "--epochs", "1"];
    for (option, value, says) in [
        ("--batch-size", "0", "'--batch-size <N>': expected a whole number, 1 or more, such as 4"),
        ("--batch-size", "-4", "--batch-size"),
        ("--batch-size", "four", "such as 4"),
        ("--learning-rate", "0", "with 0 nothing is learned"),
        ("--learning-rate", "NaN", "expected a number above 0, such as 0.001"),
        ("--learning-rate", "-0.1", "expected a number above 0"),
        ("--learning-rate", "inf", "expected a number above 0"),
        ("--learning-rate", "-inf", "expected a number above 0"),
        ("--learning-rate", "fast", "'--learning-rate <RATE>'"),
        ("--learning-rate", "0,01", "write 0.01"),
        ("--validation-split", "1", "expected a share from 0 to below 1, such as 0.125"),
        ("--validation-split", "20%", "write 0.2"),
        ("--validation-split", "-0.5", "expected a share"),
        ("--validation-split", "NaN", "expected a share"),
        ("--seed", "-1", "--seed"),
        // More than config.toml can hold.
        ("--seed", "18446744073709551615", "--seed"),
        ("--schedule", "sometimes", "constant, step, cosine"),
        ("--optimizer", "hope", "adam, adamw, sgd"),
    ] {
        let args = [&base[..], &small, &[option, value]].concat();
        sandbox.refuses(args, 2, &[says, value]);
    }
    for (epochs, says) in
        [("0", "1 or more, such as 10"), ("1.5", "--epochs"), ("ten", "such as 10")]
    {
        sandbox.refuses([&base[..], &["--epochs", epochs]].concat(), 2, &[says]);
    }
    for size in ["0", "1", "21", "5000", "99999999999"] {
        let says = ["'--image-size <PIXELS>'", "from 22 to 1024", size, "256"];
        sandbox.refuses([&base[..], &["--image-size", size]].concat(), 2, &says);
    }
    // The synthetic set would have to be rendered first; a bad setting is reported before that.
    let args = ["train", "--data", "same_backgrounds", "--image-size", "21", "--out", "runs/run"];
    let ended = sandbox.refuses(args, 2, &["--image-size"]);
    assert!(!ended.err.contains("STAND-IN"), "{ended:?}");
}

#[test]
fn missing_and_unknown_arguments() {
    let sandbox = Sandbox::with_set();
    sandbox.refuses(["train"], 2, &["--data", "same_backgrounds"]);
    sandbox.refuses(["train", "--data", ""], 2, &["--data"]);
    sandbox.refuses(["train", "--data", "set", "--out", ""], 2, &["--out"]);
    sandbox.refuses(["evaluate", "--data", "set"], 2, &["--model"]);
    sandbox.refuses(["evaluate", "--model", "x"], 2, &["there is no model x"]);
    sandbox.train(&["--data", "set", "--out", "run"]).ok();
    let model = sandbox.bytes("run/model.safetensors");
    sandbox.write("model.safetensors", model);
    let says = ["no images to evaluate on", "--data"];
    sandbox.refuses(["evaluate", "--model", "model.safetensors"], 2, &says);
    sandbox.refuses(["predict", "--model", "x"], 2, &["IMAGE", "--help"]);
    sandbox.refuses(["train", "--rotate", "3"], 2, &["unexpected argument '--rotate'"]);
    sandbox.refuses(["fly"], 2, &["fly", "--help"]);
    sandbox.refuses(["data", "list", "set"], 2, &["set"]);
    sandbox.refuses(["summary", "--classes", "1"], 2, &["classes", "2 or more", "'1'"]);
    sandbox.refuses(["summary", "--image-size", "21"], 2, &["--image-size", "from 22"]);
}

#[test]
fn settings_of_the_evaluation() {
    let sandbox = Sandbox::with_run();
    let base = ["evaluate", "--model", "run", "--data", "set"];
    let refuses = |args: &[&str], status, says: &[&str]| {
        sandbox.refuses([&base[..], args].concat(), status, says);
    };
    refuses(&["--batch-size", "0"], 2, &["--batch-size", "1 or more"]);
    let split = ["--split", "validation", "--validation-split", "1.5"];
    refuses(&split, 2, &["--validation-split", "for 1.5 % write 0.015"]);
    refuses(&["--split", "none"], 2, &["--split", "train, validation, test, all"]);
    refuses(&["--image-size", "64"], 2, &["image size must be 22x22", "received 64"]);
    let empty = ["--split", "validation", "--validation-split", "0"];
    refuses(&empty, 2, &["no validation images in set", "--split", "--validation-split than 0"]);
}

#[test]
fn a_configuration_that_is_none() {
    let sandbox = Sandbox::with_set();
    let refuses = |config: &str, status, says: &[&str]| {
        let args = ["train", "--config", "config.toml", "--out", "runs/run"];
        sandbox.write("config.toml", config);
        sandbox.refuses(args, status, &[says, &["config.toml"]].concat());
    };
    refuses("epochs", 1, &["is not a run's configuration", "config.toml of a run folder"]);
    refuses("epoch = 3", 1, &["unknown field `epoch`"]);
    refuses("image_size = \"big\"", 1, &["image_size"]);
    let args = ["train", "--config", "nowhere.toml", "--out", "runs/run"];
    sandbox.refuses(args, 1, &["cannot read nowhere.toml", "check the path"]);
    // Settings from a file are checked as those from the command line.
    let args = ["train", "--config", "config.toml", "--out", "runs/run"];
    sandbox.write("config.toml", "data = \"set\"\nimage_size = 3\n");
    sandbox.refuses(args, 2, &["image size must be from 22"]);
    sandbox.train(&["--data", "set", "--out", "run"]).ok();
    let config = sandbox.text("run/config.toml");
    sandbox.write("config.toml", config.replace("learning_rate = 0.001", "learning_rate = 0.0"));
    sandbox.refuses(args, 2, &["learning rate must be above 0", "nothing is learned"]);
}

#[test]
fn a_loss_that_is_no_number_stops_the_run() {
    let sandbox = Sandbox::with_set();
    let args = ["--data", "set", "--out", "runs/run", "--learning-rate", "1e30"];
    let says = ["the loss became", "at step 2 of epoch 1", "lower the learning rate"];
    sandbox.refuses_to_train(&args, 1, &says);
    // The only step makes the weights useless, which the evaluation after it shows. The run was
    // saved by then.
    for more in [&["--batch-size", "8", "--validation-split", "0"][..], &["--batch-size", "7"]] {
        let ended = sandbox.train(&[&args[..], more, &["--overwrite"]].concat());
        assert_eq!((ended.status, ended.out.as_str()), (1, ""), "{}", ended.err);
        ended.says(&[], &["error: ", "loss", "lower --learning-rate"]);
        assert_eq!(sandbox.names("runs/run"), ["checkpoint.safetensors", "config.toml"]);
    }
}
