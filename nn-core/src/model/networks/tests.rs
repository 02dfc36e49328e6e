use super::*;
use crate::model::Model;
use crate::tensor::Tensor;

fn build(name: &str, side: usize, classes: usize) -> Model {
    let (graph, logits) = graph(name, [side, side, 3], classes).unwrap();
    graph.build(logits, 27).unwrap()
}

#[test]
fn they_have_the_sizes_of_the_literature() {
    for (name, side, classes, trainable) in [
        ("resnet18", 64, 1000, 11_689_512),
        ("resnet34", 64, 1000, 21_797_672),
        ("resnet50", 64, 1000, 25_557_032),
        ("mobilenetv2", 96, 1000, 3_504_872),
        ("efficientnet_b0", 64, 1000, 5_288_548),
        ("tf_efficientnet_b0", 64, 1000, 5_288_548),
        ("efficientnet_lite0", 64, 1000, 4_652_008),
        ("tf_efficientnet_lite0", 64, 1000, 4_652_008),
        ("lenet", 28, 10, 61_706 + 2 * 150), // three channels instead of one
        ("reference", 256, 2, 7_596_226),
        ("cnn-small", 32, 9, 220_833),
        ("vgg-small", 32, 9, 305_129),
    ] {
        let summary = build(name, side, classes).summary();
        assert_eq!(summary.trainable, trainable, "{name}");
    }
    let summary = build("resnet18", 224, 1000).summary();
    assert_eq!(summary.multiply_adds, 1_814_073_344);
}

#[test]
fn each_answers_and_names_its_parameters() {
    for (name, _) in NAMES {
        let model = build(name, 32, 3);
        let y = model.predict(Tensor::full([2, 32, 32, 3], 90.0)).unwrap();
        assert_eq!(y.dims(), [2, 3], "{name}");
        for i in 0..2 {
            assert!((y.row(i).iter().sum::<f32>() - 1.0).abs() < 1e-5, "{name}");
        }
    }
    let resnet = build("resnet18", 32, 3);
    for name in
        ["conv1.weight", "bn1.running_var", "layer2.0.downsample.1.bias", "layer4.1.bn2.weight"]
    {
        assert!(resnet.get(name).is_some(), "{name}");
    }
    assert!(resnet.get("conv1.bias").is_none());
    let mobilenet = build("mobilenetv2", 32, 3);
    for name in ["features.1.conv.0.0.weight", "features.17.conv.3.bias", "classifier.1.weight"] {
        assert!(mobilenet.get(name).is_some(), "{name}");
    }
}

#[test]
fn unknown_names_are_told_the_known_ones() {
    let message = graph::<f32>("resnet19", [64, 64, 3], 2).unwrap_err().to_string();
    assert!(message.contains("resnet18") && message.contains("resnet19"), "{message}");
    assert!(graph::<f32>("lenet", [64, 64, 3], 1).unwrap_err().to_string().contains("classes"));
}
