//! What stands beside a model and says how images are brought to it. The first byte chooses the file: `model.toml`,
//! `model.json`, `preprocessor_config.json` or `config.json`. The same file says the same each time, in words.

use super::files::folder;
use nn_cli::fuzz_entry;

const NAMES: [&str; 4] = ["model.toml", "model.json", "preprocessor_config.json", "config.json"];

pub fn run(data: &[u8]) {
    let Some((&first, content)) = data.split_first() else { return };
    let folder = folder();
    let name = NAMES[usize::from(first) % NAMES.len()];
    std::fs::write(folder.path().join(name), content).expect("it can be written");
    let model = folder.path().join("model.onnx");
    let said = fuzz_entry::beside(&model);
    if let Ok((pixels, resize, classes)) = &said {
        assert!(!pixels.is_empty() && !resize.is_empty());
        // Each name takes some bytes of the file.
        assert!(*classes <= content.len());
    }
    assert_eq!(fuzz_entry::beside(&model), said);
}
