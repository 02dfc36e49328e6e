//! `nn-cli summary`: prints the table of layers, or the network as a file; draws its graph.

use crate::args::SummaryArgs;
use crate::config::{channels, image_size};
use crate::failure::Failure;
use crate::model;
use crate::ui::Console;
use crate::ui::lines::width;
use nn_core::data::Channels;
use nn_core::files::write_atomically;
use nn_core::model::{Sequential, Summary};
use nn_figures::graph::{self, GraphNode};
use nn_study::network::{Purpose, to_toml};
use nn_study::{Network, format};
use std::path::Path;

pub fn run(args: &SummaryArgs, console: &Console) -> Result<(), Failure> {
    let (network, purpose) = match &args.model {
        Some(path) => {
            let architecture = args.network.architecture.as_deref();
            let opened = model::open(path, architecture, args.image_size.map(|size| (size, size)))?;
            for note in opened.onnx.iter().flat_map(|onnx| &onnx.notes) {
                console.note(note);
            }
            (opened.model, Purpose::ThisNetwork)
        }
        None => asked_for(args)?,
    };
    let summary = network.summary();
    if let Some(path) = &args.svg {
        draw(&summary, path)?;
    }
    if args.toml {
        console.raw(&to_toml(&network.architecture()?, purpose)?)?;
    } else {
        print(&summary, console)?;
    }
    if let Some(path) = &args.svg {
        console.note(&format!("drawn in {}", path.display()));
    }
    console.json(&summary)?;
    Ok(())
}

/// The network that `--architecture` names, and what it is printed for.
fn asked_for(args: &SummaryArgs) -> Result<(Sequential, Purpose), Failure> {
    let network = args.network.architecture.as_deref().map(Network::find).transpose()?;
    let network = network.unwrap_or_default();
    let size = image_size(&network, args.image_size, model::DEFAULT_IMAGE_SIZE)?;
    network.check_image_size(size)?;
    let channels = channels(&network, args.network.channels, Channels::Rgb)?;
    let input = network.input(size, channels);
    // The seed of the weights does not matter here.
    let built = network.build(input, args.classes, 0)?;
    let purpose = match network.fixed_input() {
        Some(_) => Purpose::ThisNetwork,
        None => Purpose::AnyData { classes: args.classes },
    };
    Ok((built, purpose))
}

fn print(summary: &Summary, console: &Console) -> Result<(), Failure> {
    let framed = summary.to_string();
    let fits = |most: usize| framed.lines().all(|line| width(line) <= most);
    if console.columns().is_none_or(fits) {
        console.text(&framed)?;
    } else {
        let shown = if summary.is_chain() { 4 } else { 5 };
        let header = ["layer", "kind", "output", "parameters", "takes"].map(String::from);
        let rows = summary.layers.iter().map(|layer| {
            let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
            let parameters = format::count(layer.parameters as u64);
            let mut row =
                vec![layer.name.clone(), layer.kind.to_string(), shape.join(" x "), parameters];
            row.push(layer.connected_to.join(", "));
            row.truncate(shown);
            row
        });
        console.table(&header[..shown], rows, 3)?;
        console.text(&format!("\n{} parameters", format::count(summary.parameters as u64)))?;
    }
    console.text(&format!(
        " Multiply-adds: {} for an image\n Memory: parameters {}; values of an image {} in training, {} \
         in inference",
        format::count(summary.multiply_adds),
        summary.memory(summary.parameters),
        summary.memory(summary.activations),
        summary.memory(summary.widest_cut),
    ))?;
    Ok(())
}

/// Draws the graph into a file.
fn draw(summary: &Summary, path: &Path) -> Result<(), Failure> {
    let index = |name: &String| summary.layers.iter().position(|layer| layer.name == *name);
    let nodes = summary.layers.iter().map(|layer| {
        let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
        GraphNode {
            name: layer.name.clone(),
            kind: layer.kind.to_string(),
            detail: shape.join("\u{d7}"),
            // `None` is the network's input.
            inputs: layer.connected_to.iter().map(index).collect(),
        }
    });
    let input: Vec<String> = summary.input_shape.iter().map(usize::to_string).collect();
    let svg = graph::draw(&summary.name, &input.join("\u{d7}"), &nodes.collect::<Vec<_>>());
    Ok(write_atomically(path, |file| file.write_all(svg.as_bytes()))?)
}
