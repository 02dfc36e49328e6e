//! Every network by name.

use crate::again::{read_again, stirred};
use crate::runtime::Checked;
use nn_core::model::{Model, networks};

/// A network by name, for small images.
pub fn network(name: &str) -> Model {
    let side = if name == "reference" { 40 } else { 32 };
    let (graph, logits) = networks::graph::<f32>(name, [side, side + 1, 3], 5).unwrap();
    stirred(graph.build(logits, 27).unwrap())
}

fn is_the_same_again(name: &str) {
    let again = read_again(&network(name)).unwrap_or_else(|what| panic!("{name}: {what}"));
    assert!(again.same_bits && again.same_layers, "{name}");
    assert_eq!(again.imported.report.transposes, 0, "{name}");
}

/// A test for each, so that they share the processors.
macro_rules! same_again {
    ($($test:ident: $name:literal),* $(,)?) => {
        const TESTED: &[&str] = &[$($name),*];
        $(
            #[test]
            fn $test() {
                is_the_same_again($name);
            }
        )*
    };
}

same_again!(
    reference: "reference",
    lenet: "lenet",
    cnn_small: "cnn-small",
    vgg_small: "vgg-small",
    resnet10: "resnet10",
    resnet18: "resnet18",
    resnet34: "resnet34",
    resnet50: "resnet50",
    mobilenetv2: "mobilenetv2",
    efficientnet_b0: "efficientnet_b0",
    efficientnet_lite0: "efficientnet_lite0",
    tf_efficientnet_b0: "tf_efficientnet_b0",
    tf_efficientnet_lite0: "tf_efficientnet_lite0",
);

#[test]
fn no_network_is_forgotten() {
    assert!(networks::NAMES.iter().map(|(name, _)| name).eq(TESTED));
}

#[test]
fn every_network_runs_elsewhere() {
    let Some(checked) = Checked::new() else { return };
    TESTED.iter().for_each(|name| checked.add(name, &network(name), 0));
    checked.run();
}
