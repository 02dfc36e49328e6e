//! Models written as ONNX files and read again: the same outputs, gradients, parameters and names, for every network by
//! name, every kind of layer, and the files of others that are there.

#[path = "onnx_export/again.rs"]
mod again;
#[path = "onnx_export/files.rs"]
mod files;
#[path = "onnx_export/kinds.rs"]
mod kinds;
#[path = "onnx_export/networks.rs"]
mod networks;
#[path = "onnx_export/runtime.rs"]
mod runtime;
#[path = "onnx_export/settings.rs"]
mod settings;
