use super::*;
use crate::model::safetensors::{TensorFile, write};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn classes() -> Vec<String> {
    ["dingo", "husky", "wölf \"x\""].map(String::from).to_vec()
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    (folder, path)
}

fn assert_same(a: &Sequential, b: &Sequential) {
    assert_eq!(a.architecture().unwrap(), b.architecture().unwrap());
    for (a, b) in a.parameters().iter().zip(b.parameters()) {
        assert_eq!((&a.name, &a.value, a.trainable), (&b.name, &b.value, b.trainable));
    }
}

/// The parameters of a model as a map, to be written unchanged or modified.
fn tensors(model: &Sequential) -> BTreeMap<String, Tensor> {
    model.parameters().iter().map(|p| (p.name.clone(), (*p.value).clone())).collect()
}

fn write_plain(path: &Path, tensors: &BTreeMap<String, Tensor>) {
    write(path, tensors.iter().map(|(n, t)| (n.as_str(), t)), &BTreeMap::new()).unwrap();
}

#[test]
fn a_model_comes_back_as_it_went() {
    let (_folder, path) = scratch();
    let model = small();
    save(&path, &model, Some(&classes())).unwrap();
    let read = load(&path, None).unwrap();
    assert_same(&read.model, &model);
    assert_eq!(read.classes, Some(classes()));
    assert_same(&load(&path, Some(26)).unwrap().model, &model);
    let refused = load(&path, Some(30)).unwrap_err().to_string();
    assert!(refused.contains("26x26"), "{refused}");
    save(&path, &model, None).unwrap();
    assert_eq!(load(&path, None).unwrap().classes, None);
    let plain: Sequential =
        Sequential::builder([3]).name("plain").layer(Dense::new(2)).build(1).unwrap();
    save(&path, &plain, None).unwrap();
    let read = load(&path, None).unwrap().model;
    assert_same(&read, &plain);
    assert_eq!(read.name(), "plain");
}

#[test]
fn the_same_model_is_the_same_bytes_and_the_contract_is_kept() {
    let (_folder, path) = scratch();
    let mut seen: Option<Vec<u8>> = None;
    for _ in 0..8 {
        save(&path, &small(), Some(&classes())).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(*seen.get_or_insert_with(|| bytes.clone()), bytes);
    }
    let file = TensorFile::open(&path).unwrap();
    assert_eq!(file.metadata("format"), Some("pt"));
    assert_eq!(file.metadata("nn.image_size"), Some("26x26"));
    assert_eq!(file.metadata("nn.version"), Some("1"));
    assert_eq!(file.shape("conv2.weight"), Some(&[3, 2, 3, 3][..]));
    assert_eq!(file.shape("dense1.weight"), Some(&[5, 4][..]));
    let parsed: Vec<String> = serde_json::from_str(file.metadata("nn.classes").unwrap()).unwrap();
    assert_eq!(parsed, classes());
}

#[test]
fn without_metadata_it_is_the_built_in_network() {
    let (_folder, path) = scratch();
    let model = small();
    write_plain(&path, &tensors(&model));
    let read = load(&path, Some(26)).unwrap();
    assert_same(&read.model, &model);
    assert_eq!(read.classes, None);
    // 256 is the default; these weights are for smaller images.
    let message = load(&path, None).unwrap_err().to_string();
    assert!(message.contains("size 256") && message.contains("from 22 to 29"), "{message}");
    let usual: Sequential = ReferenceCnn::new(2, 256).filters([1, 1, 1]).units(2).build(1).unwrap();
    write_plain(&path, &tensors(&usual));
    assert_same(&load(&path, None).unwrap().model, &usual);
}

#[test]
fn weights_that_are_no_numbers_replace_no_file() {
    let (_folder, path) = scratch();
    let mut model = small();
    save(&path, &model, None).unwrap();
    let before = std::fs::read(&path).unwrap();
    model.parameters_mut()[1].value =
        Tensor::full(model.parameters()[1].value.shape(), f32::NAN).into();
    let message = save(&path, &model, None).unwrap_err().to_string();
    assert!(message.contains(&model.parameters()[1].name) && message.contains("NaN"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_layer_called_as_the_input_is_one_of_a_plain_chain_only() {
    let chain = |also: bool| {
        let mut graph = GraphBuilder::<f32>::new([3]);
        if also {
            graph.also_output(graph.input());
        }
        let last = graph.named("input", Dense::new(3), graph.input());
        graph.build(last, 1)
    };
    let (_folder, path) = scratch();
    let model = chain(false).unwrap();
    save(&path, &model, None).unwrap();
    assert_same(&load(&path, None).unwrap().model, &model);
    let message = chain(true).unwrap_err().to_string();
    assert!(message.contains("input is the model's input"), "{message}");
}

#[test]
fn files_that_do_not_fit_are_refused_by_name() {
    let (_folder, path) = scratch();
    let model = small();
    let refuse = |what: &str, change: &dyn Fn(&mut BTreeMap<String, Tensor>), words: &[&str]| {
        // With metadata, and as a plain file of the built-in network.
        for described in [true, false] {
            let mut changed = tensors(&model);
            change(&mut changed);
            save(&path, &model, Some(&classes())).unwrap();
            let file = TensorFile::open(&path).unwrap();
            let keys = ["nn.version", "nn.architecture", "nn.classes"];
            let metadata = keys
                .iter()
                .filter(|_| described)
                .map(|&key| (key.to_owned(), file.metadata(key).unwrap().to_owned()));
            let metadata = metadata.collect();
            write(&path, changed.iter().map(|(n, t)| (n.as_str(), t)), &metadata).unwrap();
            let message = load(&path, Some(26)).expect_err(what).to_string();
            assert!(message.contains("model.safetensors: "), "{what}: {message}");
            for word in words {
                assert!(message.contains(word), "{what}: {message}");
            }
        }
    };
    refuse("missing", &|t| drop(t.remove("conv2.bias")), &["no tensor conv2.bias", "conv1.bias"]);
    refuse("left over", &|t| drop(t.insert("extra".into(), Tensor::scalar(1.0))), &["extra"]);
    refuse(
        "wrong shape",
        &|t| drop(t.insert("conv2.bias".into(), Tensor::zeros([7]))),
        &["conv2.bias has shape [7]", "needs [3]"],
    );
    refuse(
        "not a number",
        &|t| drop(t.insert("dense2.bias".into(), Tensor::full([3], f32::NAN))),
        &["dense2.bias holds NaN"],
    );
    refuse("empty", &|t| t.clear(), &["conv1.weight", "none"]);
    refuse(
        "foreign",
        &|t| *t = BTreeMap::from([("layer1.0.weight".into(), Tensor::zeros([2, 2]))]),
        &["conv1.weight", "layer1.0.weight"],
    );
}

#[test]
fn wrong_types_and_odd_ranks_are_refused() {
    let (_folder, path) = scratch();
    let double: BTreeMap<_, Tensor<f64>> =
        tensors(&small()).into_iter().map(|(n, t)| (n, t.cast())).collect();
    write(&path, double.iter().map(|(n, t)| (n.as_str(), t)), &BTreeMap::new()).unwrap();
    let message = load(&path, Some(26)).unwrap_err().to_string();
    assert!(message.contains("conv1.weight is of type F64, not F32"), "{message}");
    for (name, shape) in [
        ("conv1.weight", vec![2, 27]),
        ("conv1.weight", vec![0, 3, 3, 3]),
        ("conv1.weight", vec![2, 3, 0, 3]),
        ("dense1.weight", vec![20]),
        ("dense2.weight", vec![0, 5]),
        ("conv3.weight", vec![0, 3, 1 << 50, 3]),
        ("dense1.weight", vec![0, usize::MAX / 16]),
    ] {
        let mut changed = tensors(&small());
        if Shape::from(shape.as_slice()).checked_len() == Some(0) {
            changed.insert(name.into(), Tensor::zeros(shape));
        } else {
            let len = shape.iter().product();
            changed.insert(name.into(), Tensor::from_vec(shape, vec![0.0; len]).unwrap());
        }
        write_plain(&path, &changed);
        let message = load(&path, Some(26)).unwrap_err().to_string();
        assert!(message.contains("model.safetensors: "), "{message}");
    }
}

#[test]
fn descriptions_that_make_no_sense_are_refused() {
    let (_folder, path) = scratch();
    let model = small();
    save(&path, &model, Some(&classes())).unwrap();
    let architecture =
        TensorFile::open(&path).unwrap().metadata("nn.architecture").unwrap().to_owned();
    let entry = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    for (version, architecture, classes, word) in [
        (Some("3"), architecture.clone(), "[]", "nn.version is 3"),
        (None, architecture.clone(), "[]", "nn.version is missing"),
        (Some("1"), "{".into(), "[]", "nn.architecture cannot be understood"),
        (Some("1"), architecture.clone(), "[1]", "nn.classes cannot be understood"),
        (Some("1"), architecture.clone(), "[\"a\"]", "1 classes for outputs [3]"),
        (Some("1"), architecture.replace("Conv2D", "Conv9D"), "[]", "Conv9D"),
        (Some("1"), architecture.replace("\"filters\":2", "\"filters\":0"), "[]", "filters"),
        (Some("1"), architecture.replace("\"filters\":2", "\"filters\":9"), "[]", "conv1.weight"),
        (
            Some("1"),
            architecture.replace("\"filters\":2", "\"filters\":99999999999999"),
            "[]",
            "cannot be built",
        ),
        (Some("1"), architecture.replace("\"filters\":2", "\"filters\":-2"), "[]", "-2"),
        (Some("1"), architecture.replace("[26,26,3]", "[8,8,3]"), "[]", "at least 22x22"),
        (Some("1"), architecture.replace("[26,26,3]", "[]"), "[]", "at least one dimension"),
    ] {
        let mut metadata = BTreeMap::from([entry("nn.architecture", &architecture)]);
        metadata.extend([entry("nn.classes", classes)]);
        metadata.extend(version.map(|version| entry("nn.version", version)));
        let tensors = tensors(&model);
        write(&path, tensors.iter().map(|(n, t)| (n.as_str(), t)), &metadata).unwrap();
        let message = load(&path, None).expect_err(word).to_string();
        assert!(message.contains("model.safetensors: ") && message.contains(word), "{message}");
    }
}

#[test]
fn every_cut_and_many_flips_are_errors_or_models_never_panics() {
    let (_folder, path) = scratch();
    save(&path, &small(), Some(&classes())).unwrap();
    let whole = fs::read(&path).unwrap();
    for len in (0..whole.len()).step_by(37) {
        fs::write(&path, &whole[..len]).unwrap();
        assert!(load(&path, None).is_err(), "{len}");
    }
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut rng = Rng::new(5, 0);
    for i in 0..header {
        let mut damaged = whole.clone();
        damaged[i] = rng.next_u32() as u8;
        fs::write(&path, damaged).unwrap();
        // A file with a changed class name is still valid; there must be no panic.
        let _ = load(&path, None);
    }
}

#[test]
fn what_cannot_be_saved_leaves_the_old_file() {
    let (folder, path) = scratch();
    save(&path, &small(), None).unwrap();
    let before = fs::read(&path).unwrap();
    let custom = Sequential::builder([3]).layer(super::build::Offset).build(0).unwrap();
    assert!(save(&path, &custom, None).unwrap_err().to_string().contains("offset1"));
    let two = ["a".to_owned(), "b".to_owned()];
    assert!(save(&path, &small(), Some(&two)).unwrap_err().to_string().contains("classes"));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let missing = folder.path().join("nowhere/model.safetensors");
    assert!(save(&missing, &small(), None).unwrap_err().to_string().contains("nowhere"));
    assert!(load(&missing, None).unwrap_err().to_string().contains("cannot read"));
}
