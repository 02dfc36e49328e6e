//! What the metadata of an ONNX file say: the names of the classes, and how pixels are scaled. The first byte chooses
//! how many classes there are, the rest is lines of `key=value`, in which `\n` stands for a line end.

use nn_cli::fuzz_entry;
use nn_core::Tensor;
use nn_core::layers::{Dense, Flatten};
use nn_core::model::{Model, Sequential};
use std::collections::{BTreeMap, BTreeSet};

pub fn run(data: &[u8]) {
    let Some((&classes, text)) = data.split_first() else { return };
    let classes = usize::from(classes) % 12;
    let text = String::from_utf8_lossy(text);
    let entries = text.lines().filter_map(|line| line.split_once('='));
    let metadata: BTreeMap<_, _> =
        entries.map(|(key, value)| (key.to_owned(), value.replace("\\n", "\n"))).collect();
    let Ok((names, preprocessing)) = fuzz_entry::metadata(&metadata, classes) else { return };
    if let Some(names) = names {
        assert_eq!(names.len(), classes);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), classes, "{names:?}");
    }
    if let Some(preprocessing) = preprocessing {
        assert!(!preprocessing.to_string().is_empty());
        for channels in [1, 3] {
            let bare: Model = Sequential::builder([2, 1, channels])
                .layer(Flatten::new())
                .layer(Dense::new(2))
                .build(27)
                .expect("a network");
            if let Ok(model) = preprocessing.in_front_of(bare) {
                let x = Tensor::full([1, 2, 1, channels], 128.0);
                assert_eq!(model.predict(x).expect("it was checked").dims(), [1, 2]);
            }
        }
    }
}
