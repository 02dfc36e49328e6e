//! The `nn-cli` program.
fn main() {}
