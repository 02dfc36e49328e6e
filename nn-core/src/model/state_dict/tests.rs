use super::*;
use crate::layers::LayerSpec;
use crate::model::{load, load_as, save};
use ::safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use std::fs;
use std::path::PathBuf;

/// Names as the libraries have them: `make_state_dicts.py` wrote them.
fn published_names() -> Vec<(String, String, Vec<String>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/torch/state_dicts.txt");
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let mut words = line.split(' ').map(String::from);
        (words.next().unwrap(), words.next().unwrap(), words.collect())
    };
    text.lines().map(line).collect()
}

fn build(network: &str, classes: usize, seed: u64) -> Model {
    let (graph, logits) = networks::graph::<f32>(network, [32, 32, 3], classes).unwrap();
    let mut model = graph.build(logits, seed).unwrap();
    // Running variances above 0, everything else different from what a network begins with.
    for (i, parameter) in model.parameters_mut().iter_mut().enumerate() {
        let value = (*parameter.value).clone();
        let moved = value.as_slice().iter().map(|v| v.abs() + 0.01 * (i % 7) as f32).collect();
        parameter.value = Arc::new(Tensor::from_vec(value.shape().clone(), moved).unwrap());
    }
    model
}

/// A tensor in a file: its bytes, type and shape.
type Stored = (Vec<u8>, Dtype, Vec<usize>);

/// What a library would write of a model: `layers` are its names of the layers with parameters.
fn stored(model: &Model, layers: &[String], dtype: Dtype) -> BTreeMap<String, Stored> {
    let layer = |name: &'_ str| name.rsplit_once('.').unwrap().0.to_owned();
    let mut own: Vec<_> = model.parameters().iter().map(|p| layer(&p.name)).collect();
    own.dedup();
    assert_eq!(own.len(), layers.len());
    let theirs: BTreeMap<_, _> = own.into_iter().zip(layers).collect();
    let mut all = BTreeMap::new();
    for parameter in model.parameters() {
        let (layer, part) = parameter.name.rsplit_once('.').unwrap();
        let layer = theirs[layer];
        if part == "running_mean" {
            let tracked = (7i64.to_le_bytes().to_vec(), Dtype::I64, vec![]);
            all.insert(format!("{layer}.num_batches_tracked"), tracked);
        }
        let numbers = parameter.value.as_slice().iter();
        let bytes = match dtype {
            Dtype::BF16 => {
                numbers.flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()).collect()
            }
            Dtype::F64 => numbers.flat_map(|v| f64::from(*v).to_le_bytes()).collect(),
            _ => numbers.flat_map(|v| v.to_le_bytes()).collect(),
        };
        all.insert(format!("{layer}.{part}"), (bytes, dtype, parameter.value.dims().to_vec()));
    }
    all
}

fn write(tensors: &BTreeMap<String, Stored>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let views = tensors.iter().map(|(name, (bytes, dtype, shape))| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    serialize_to_file(views, None, &path).unwrap();
    (folder, path)
}

fn layers_of(network: &str, library: &str) -> Vec<String> {
    let all = published_names();
    all.into_iter().find(|(n, l, _)| (n.as_str(), l.as_str()) == (network, library)).unwrap().2
}

fn f32(bytes: Vec<u8>, shape: &[usize]) -> Stored {
    (bytes, Dtype::F32, shape.to_vec())
}

#[test]
fn every_published_name_is_known_and_leads_back() {
    let names = published_names();
    for published in &PUBLISHED {
        let same = |(network, library, _): &&(String, String, Vec<String>)| {
            network == published.network && published.library.contains(library.as_str())
        };
        let lines: Vec<_> = names.iter().filter(same).collect();
        assert!(!lines.is_empty(), "{published:?}");
        let model = build(published.network, 3, 1);
        for (_, _, layers) in lines {
            let mut ours: Vec<&str> = model.parameters().iter().map(|p| p.name.as_str()).collect();
            ours.retain(|name| name.ends_with(".weight"));
            for (layer, ours) in layers.iter().zip(&ours) {
                let theirs = format!("{layer}.weight");
                assert_eq!(published.ours(&theirs).as_deref(), Some(*ours), "{published:?}");
                assert_eq!(published.theirs(ours), Some(theirs), "{published:?}");
            }
            assert_eq!(layers.last().map(String::as_str), Some(published.classifier.0));
            assert_eq!(layers.len(), ours.len());
        }
    }
}

#[test]
fn weights_are_found_under_the_names_of_both_libraries() {
    for (network, library, dtype) in [
        ("resnet18", "torchvision", Dtype::F32),
        ("mobilenetv2", "torchvision", Dtype::BF16),
        ("mobilenetv2", "timm", Dtype::F64),
        ("efficientnet_b0", "torchvision", Dtype::F32),
    ] {
        let model = build(network, 3, 1);
        let (_folder, path) = write(&stored(&model, &layers_of(network, library), dtype));
        let read = load(&path, Some(48)).unwrap();
        assert_eq!((read.classes, read.model.name()), (None, network));
        assert_eq!(read.model.input_shape().dims(), [48, 48, 3]);
        for (own, read) in model.parameters().iter().zip(read.model.parameters()) {
            let rounded = |v: &f32| match dtype {
                Dtype::BF16 => f32::from_bits(v.to_bits() & 0xffff_0000),
                _ => *v,
            };
            let expected: Vec<_> = own.value.as_slice().iter().map(rounded).collect();
            assert_eq!((&own.name, expected.as_slice()), (&read.name, read.value.as_slice()));
        }
        let mut other = build(network, 3, 2);
        StateDict::open(&path).unwrap().load_into(&mut other).unwrap();
        assert_eq!(other.parameters()[0].value, read.model.parameters()[0].value);
    }
}

#[test]
fn pixels_are_normalised_and_the_model_is_stored_like_others() {
    let model = build("resnet18", 3, 1);
    let (folder, path) = write(&stored(&model, &layers_of("resnet18", "torchvision"), Dtype::F32));
    let read = StateDict::open(&path).unwrap().model(None, None).unwrap();
    let layer = read.layers().next().unwrap();
    assert_eq!(
        (layer, read.input_shape().dims()),
        (("normalization", "Normalization"), &[224, 224, 3][..])
    );
    let own = folder.path().join("model.safetensors");
    save(&own, &read, None).unwrap();
    let again = load(&own, None).unwrap().model;
    assert_eq!(again.architecture().unwrap(), read.architecture().unwrap());
    let told = load_as(&own, "resnet18", None).unwrap_err().to_string();
    assert!(told.contains("leave the network's name away"), "{told}");
}

#[test]
fn all_that_does_not_fit_is_listed_at_once() {
    let model = build("resnet18", 3, 1);
    let mut tensors = stored(&model, &layers_of("resnet18", "torchvision"), Dtype::F32);
    tensors.remove("layer1.0.bn1.bias");
    tensors.remove("layer4.1.conv2.weight");
    tensors.insert("head.weight".into(), f32(vec![0; 8], &[2]));
    tensors.insert("layer2.0.bn1.running_var".into(), f32(vec![0; 4], &[1, 1]));
    let (_folder, path) = write(&tensors);
    let told = load(&path, None).unwrap_err().to_string();
    for part in [
        "not those of resnet18 of torchvision and timm",
        "or say which other network it holds\n",
        "missing: layer1.0.bn1.bias, layer4.1.conv2.weight\n",
        "unexpected: head.weight\n",
        "layer2.0.bn1.running_var is [1, 1] in the file, [128] in the network",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = load_as(&path, "resnet50", None).unwrap_err().to_string();
    assert!(told.contains("layer3.5.bn3.running_var") || told.contains("in all"), "{told}");
    assert!(told.ends_with(" more"), "{told}");
    for (name, says) in [("resnet19", "one of resnet18"), ("lenet", "no library publishes")] {
        let told = load_as(&path, name, None).unwrap_err().to_string();
        assert!(told.contains(says), "{told}");
    }
    let few: BTreeMap<_, _> =
        tensors.into_iter().filter(|(name, _)| name.contains("layer2.0.bn1")).collect();
    let told = load(&write(&few).1, None).unwrap_err().to_string();
    assert!(told.contains("known by name (resnet18, resnet34"), "{told}");
}

#[test]
fn names_that_are_two_of_one_are_unexpected() {
    let model = build("mobilenetv2", 3, 1);
    let mut tensors = stored(&model, &layers_of("mobilenetv2", "timm"), Dtype::F32);
    // It would be the block that blocks.2.0 is.
    tensors.insert("blocks.1.2.bn3.bias".into(), f32(vec![0; 128], &[32]));
    tensors.insert("blocks.1.01.bn3.bias".into(), f32(vec![0; 96], &[24]));
    tensors.insert("blocks.1.18446744073709551615.bn3.bias".into(), f32(vec![0; 4], &[1]));
    let (_folder, path) = write(&tensors);
    let told = load_as(&path, "mobilenetv2", None).unwrap_err().to_string();
    assert!(told.contains("unexpected: blocks.1.01.bn3.bias, blocks.1.1844"), "{told}");
    assert!(told.contains("blocks.2.0.bn3.bias") && !told.contains("missing"), "{told}");
}

#[test]
fn another_number_of_classes_is_named() {
    let model = build("resnet18", 3, 1);
    let (_folder, path) = write(&stored(&model, &layers_of("resnet18", "torchvision"), Dtype::F32));
    let mut other = build("resnet18", 5, 2);
    let before = other.clone();
    let told = StateDict::open(&path).unwrap().load_into(&mut other).unwrap_err().to_string();
    assert!(told.contains("classes: 3 in the file, 5 in the network"), "{told}");
    assert!(told.contains("replace and train its classifier"), "{told}");
    // As many classes as nothing takes memory for.
    let mut tensors = stored(&model, &layers_of("resnet18", "torchvision"), Dtype::F32);
    tensors.insert("fc.weight".into(), f32(vec![], &[1 << 40, 0]));
    let told = load(&write(&tensors).1, None).unwrap_err().to_string();
    assert!(told.contains("fc.weight is [1099511627776, 0] in the file"), "{told}");
    let told = load_as(&path, "resnet34", None).unwrap_err().to_string();
    assert!(told.contains("they are those of resnet18\n"), "{told}");
    assert_eq!(other.parameters()[0].value, before.parameters()[0].value);
}

#[test]
fn settings_that_no_name_tells_must_be_said() {
    let model = build("efficientnet_lite0", 3, 1);
    let (_folder, path) =
        write(&stored(&model, &layers_of("efficientnet_lite0", "timm"), Dtype::F32));
    let told = load(&path, None).unwrap_err().to_string();
    assert!(told.contains("several networks: efficientnet_lite0, tf_efficientnet_lite0"), "{told}");
    let read = load_as(&path, "tf_efficientnet_lite0", None).unwrap().model;
    let first = read.architecture().unwrap().layers.remove(0);
    let expected = Normalization::new([127.5; 3], [127.5; 3]);
    assert_eq!(Some(first.layer), LayerSpec::config(&expected));
}

#[test]
fn numbers_that_cannot_be_used_are_refused() {
    let model = build("resnet18", 3, 1);
    let layers = layers_of("resnet18", "torchvision");
    let mut tensors = stored(&model, &layers, Dtype::F32);
    tensors
        .insert("fc.bias".into(), f32([0.0, f32::NAN, 1.0].map(f32::to_le_bytes).concat(), &[3]));
    let told = load(&write(&tensors).1, None).unwrap_err().to_string();
    assert!(told.contains("fc.bias holds NaN"), "{told}");
    let whole = stored(&model, &layers, Dtype::I32);
    let told = load(&write(&whole).1, None).unwrap_err().to_string();
    assert!(told.contains("of type I32, not F32"), "{told}");
}
