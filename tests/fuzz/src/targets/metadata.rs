//! What the metadata of an ONNX file say: the names of the classes, and how pixels are scaled. The first byte chooses
//! how many classes there are, the rest is lines of `key=value`, in which `\n` stands for a line end.

use nn_cli::fuzz_entry;
use nn_core::Tensor;
use nn_core::layers::{Dense, Flatten};
use nn_core::model::{Model, Sequential};
use nn_onnx::{Export, read_bytes};
use std::collections::BTreeSet;

pub fn run(data: &[u8]) {
    let Some((&classes, text)) = data.split_first() else { return };
    let classes = usize::from(classes) % 12 + 1;
    let text = String::from_utf8_lossy(text);
    let mut file = Export::new(&network(1, classes)).to_bytes().expect("it can be written");
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        file.extend(entry(key, &value.replace("\\n", "\n")));
    }
    let Ok(read) = read_bytes(file, &Default::default()) else { return };
    if let Some(names) = read.class_names {
        let names = fuzz_entry::told_apart(names);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }
    if let Some(preprocessing) = read.preprocessing {
        assert!(!preprocessing.to_string().is_empty());
        for channels in [1, 3] {
            if let Ok(model) = preprocessing.in_front_of(network(channels, 2)) {
                let x = Tensor::full([1, 2, 1, channels], 128.0);
                assert_eq!(model.predict(x).expect("it was checked").dims(), [1, 2]);
            }
        }
    }
}

fn network(channels: usize, classes: usize) -> Model {
    let layers = Sequential::builder([2, 1, channels]).layer(Flatten::new());
    layers.layer(Dense::new(classes)).build(27).expect("a network")
}

/// An entry of the metadata. In protobuf a message may go on after its end, so it can be appended to a file.
fn entry(key: &str, value: &str) -> Vec<u8> {
    // `key` is field 1 of the entry and `value` field 2; the entry is field 14 of the model.
    let content = [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
    field(14, &content)
}

/// A field of bytes: number and kind, length, content.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 127 {
        field.push(length as u8 | 128);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend(content);
    field
}
