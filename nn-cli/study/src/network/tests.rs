use super::*;
use nn_core::model::Architecture;

fn parse(text: &str) -> Result<Network, StudyError> {
    Network::parse(text, Path::new("net.toml"))
}

/// Two branches that meet, with names left out.
const TWO: &str = r#"name = "two"

[[layers]]
name = "stem"
kind = "Conv2D"
filters = 4
kernel_size = 3
padding = "same"
activation = "relu"

[[layers]]
kind = "Conv2D"
filters = 4
kernel_size = [3, 3]
padding = 1

[[layers]]
kind = "Add"
inputs = ["stem", "conv1"]

[[layers]]
kind = "GlobalAveragePool2D"

[[layers]]
kind = "Dense"
units = "classes"
"#;

#[test]
fn a_file_describes_a_graph() {
    let network = parse(TWO).unwrap();
    let model = network.classifier([8, 8, 3], 5, 27).unwrap();
    let names: Vec<_> = model.layers().map(|(name, _)| name).collect();
    assert_eq!(names, ["stem", "conv1", "add1", "pool1", "dense1"]);
    assert_eq!(model.layer_inputs("add1").unwrap(), ["stem", "conv1"]);
    assert_eq!((model.classes(), model.output_kind()), (5, OutputKind::Softmax));
    assert_eq!((network.name(), network.fixed_input()), ("two", None));
    // The same numbers as when it is written in a program.
    let again = network.classifier([8, 8, 3], 5, 27).unwrap();
    assert_eq!(model.get("conv1.weight").unwrap().value, again.get("conv1.weight").unwrap().value);
}

#[test]
fn a_softmax_at_the_end_is_the_output() {
    let with = |end: &str| {
        let text = format!("{TWO}{end}");
        parse(&text).and_then(|network| network.build([8, 8, 3], 3, 0))
    };
    let last = |model: &Sequential| model.architecture().unwrap().layers.pop().unwrap().layer;
    let linear = with("").unwrap();
    for (end, kind) in [
        ("activation = \"softmax\"", OutputKind::Softmax),
        ("activation = \"sigmoid\"", OutputKind::Sigmoid),
    ] {
        let model = with(end).unwrap();
        assert_eq!(model.output_kind(), kind);
        assert_eq!(last(&model), last(&linear));
    }
    let text = TWO.replacen("name = \"two\"", "output = \"sigmoid\"", 1);
    let error = parse(&format!("{text}activation = \"softmax\"")).unwrap_err().to_string();
    for part in ["net.toml", "line 27", "dense1 (Dense)", "activation is softmax", "sigmoid"] {
        let known =
            error.contains(part) || part.starts_with("dense1") && error.contains("5 (Dense)");
        assert!(known, "{part:?} is missing: {error}");
    }
}

#[test]
fn a_softmax_that_other_layers_take_stays() {
    let text = |p: &str| {
        format!(
            "outputs = [\"p\", \"aux\"]\n[[layers]]\nkind = \"GlobalAveragePool2D\"\n{p}\n[[layers]]\n\
             name = \"aux\"\nkind = \"Dense\"\nunits = 2\ninputs = [\"p\"]\n"
        )
    };
    let dense = "[[layers]]\nname = \"p\"\nkind = \"Dense\"\nunits = \"classes\"\n";
    let error = parse(&text(&format!("{dense}activation = \"softmax\""))).unwrap_err().to_string();
    assert!(error.contains("a layer of its own") && error.contains("line 8"), "{error}");
    let own = format!(
        "{}\n[[layers]]\nname = \"p\"\nkind = \"Activation\"\nfunction = \"softmax\"",
        dense.replace("\"p\"", "\"logits\"")
    );
    let model = parse(&text(&own)).unwrap().build([8, 8, 3], 3, 0).unwrap();
    assert_eq!(model.output_kind(), OutputKind::Softmax);
    assert_eq!(model.outputs().collect::<Vec<_>>(), ["logits", "aux"]);
    assert_eq!(model.layers().count(), 4);
}

#[test]
fn a_softmax_before_an_average_is_no_output() {
    let text = "[[layers]]\nkind = \"Conv2D\"\nfilters = \"classes\"\nkernel_size = 1\n\
                activation = \"softmax\"\n[[layers]]\nkind = \"GlobalAveragePool2D\"\n";
    let error = parse(text).unwrap_err().to_string();
    assert!(error.contains("comes after a softmax") && error.contains("line 6"), "{error}");
}

#[test]
fn what_is_wrong_is_told_with_line_and_key() {
    let edit = |from: &str, to: &str| {
        assert!(TWO.contains(from), "{from}");
        TWO.replacen(from, to, 1)
    };
    for (text, says) in [
        (
            edit("name = \"two\"", "nam = \"two\""),
            &["line 1", "unknown key nam", "did you mean name?"][..],
        ),
        (
            edit("name = \"two\"", "input = [8, 8]"),
            &["line 1", "[height, width, channels]", "[8, 8]"],
        ),
        (
            edit("name = \"two\"", "output = \"max\""),
            &["line 1", "softmax, sigmoid or linear", "max"],
        ),
        (
            edit("filters = 4", "filter = 4"),
            &["line 6", "stem (Conv2D)", "unknown key filter", "mean filters?"],
        ),
        (
            edit("filters = 4", "filters = \"many\""),
            &["line 6", "filters: expected a whole number", "many"],
        ),
        (edit("filters = 4", "filters = -4"), &["line 6", "filters:", "-4"]),
        (edit("filters = 4\n", ""), &["line 3", "stem (Conv2D)", "missing field filters"]),
        (
            edit("kernel_size = 3\n", "kernel_size = \"3\"\n"),
            &["line 7", "kernel_size:", "[vertical, horizontal]"],
        ),
        (edit("\"same\"", "\"sam\""), &["line 8", "padding:", "same", "sam"]),
        (edit("\"relu\"", "\"rely\""), &["line 9", "activation", "relu", "rely"]),
        (edit("kind = \"Conv2D\"\n", ""), &["line 3", "stem", "no kind"]),
        (
            edit("\"Conv2D\"", "\"Conv2d\""),
            &["line 5", "no kind \"Conv2d\"", "mean Conv2D?", "Dense"],
        ),
        (edit("\"Conv2D\"", "7"), &["line 5", "kind must be a text", "7"]),
        (
            edit("\"stem\", \"conv1\"", "\"sten\", \"conv1\""),
            &["line 19", "no layer sten", "mean stem?"],
        ),
        (
            edit("\"stem\", \"conv1\"", "\"stem\", \"dense1\""),
            &["line 19", "dense1 stands here or below"],
        ),
        (edit("[\"stem\", \"conv1\"]", "[]"), &["line 19", "inputs", "empty"]),
        (edit("[\"stem\", \"conv1\"]", "3"), &["line 19", "inputs must be a list", "3"]),
        (
            edit("kind = \"Add\"", "kind = \"Add\"\nname = \"stem\""),
            &["line 19", "another layer is named stem"],
        ),
        (edit("name = \"stem\"", "name = \"input\""), &["line 4", "name of the network's input"]),
        (edit("name = \"stem\"", "name = \"stem"), &["line 4", "is not TOML"]),
        ("name = \"none\"".into(), &["expected layers", "[[layers]]", "none"]),
        ("layers = 3".into(), &["line 1", "expected layers", "layers = 3"]),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        for part in says.iter().chain(&["net.toml"]) {
            assert!(error.contains(part), "{part:?} is missing: {error}");
        }
    }
}

#[test]
fn layers_that_do_not_fit_are_told_with_their_line() {
    let build = |text: &str, input, classes| {
        let network = parse(text).unwrap();
        network.classifier(input, classes, 0).unwrap_err().to_string()
    };
    let strided = TWO.replacen("padding = 1", "stride = 2", 1);
    let few = TWO.replacen("\"classes\"", "7", 1);
    let valid = TWO.replacen("\"same\"", "\"valid\"", 1);
    for (error, says) in [
        (build(&strided, [8, 8, 3], 2), ["line 17", "add1 (Add)", "equal shapes"]),
        (build(&few, [8, 8, 3], 3), ["line 26", "[7]", "3 classes"]),
        (build(&valid, [2, 2, 3], 3), ["line 3", "stem (Conv2D)", "at least 3x3"]),
    ] {
        for part in says.iter().chain(&["net.toml"]) {
            assert!(error.contains(part), "{part:?} is missing: {error}");
        }
    }
    let error = parse(TWO).unwrap().classifier([8, 8, 3], 1, 0).unwrap_err().to_string();
    assert!(error.contains("2 or more"), "{error}");
}

#[test]
fn what_is_written_builds_the_same_network() {
    let described = parse(TWO).unwrap().build([8, 8, 3], 3, 27).unwrap();
    let built_in =
        built_in().map(|name| Network::find(name).unwrap().build([64, 64, 3], 3, 27).unwrap());
    for model in built_in.chain([described]) {
        let architecture: Architecture = model.architecture().unwrap();
        let text = to_toml(&architecture, Purpose::ThisNetwork).unwrap();
        let read = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let again = read.build([1, 1, 1], 9, 27).unwrap();
        assert_eq!(again.architecture().unwrap(), architecture);
        for (a, b) in model.parameters().iter().zip(again.parameters()) {
            assert!(a.name == b.name && a.value == b.value, "{}", a.name);
        }
        // For other images and classes.
        let text = to_toml(&architecture, Purpose::AnyData { classes: 3 }).unwrap();
        let other = parse(&text).unwrap().classifier([64, 64, 3], 5, 0);
        assert_eq!(other.map(|model| model.classes()).unwrap_or_default(), 5, "{text}");
    }
}

#[test]
fn settings_keep_what_a_file_said() {
    let network = parse(TWO).unwrap();
    let toml = toml::to_string(&std::collections::BTreeMap::from([("architecture", &network)]));
    let read: std::collections::BTreeMap<String, Network> = toml::from_str(&toml.unwrap()).unwrap();
    assert_eq!(read["architecture"], network);
    let json = serde_json::to_string(&network).unwrap();
    assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network);
    assert_eq!(serde_json::to_string(&Network::default()).unwrap(), "\"reference\"");
    for wrong in ["\"resnet\"", "3", "{\"layers\": [{\"kind\": \"Conv\"}]}", "{\"layers\": []}"] {
        assert!(serde_json::from_str::<Network>(wrong).is_err(), "{wrong}");
    }
    // Only settings count, not the lines in which they stood.
    assert_eq!(parse(&format!("# A remark\n\n{TWO}")).unwrap(), network);
    assert_ne!(parse(&TWO.replace("filters = 4", "filters = 5")).unwrap(), network);
}

#[test]
fn a_name_that_leads_nowhere() {
    let error = Network::find("resnet19").unwrap_err().to_string();
    for part in ["--architecture resnet19", "reference", "mobilenetv2", "did you mean resnet1"] {
        assert!(error.contains(part), "{part:?} is missing: {error}");
    }
    assert!(Network::find(".").unwrap_err().to_string().contains("is a folder"));
}
