//! Times the flagship training step in candle, or with `--forward` its forward pass, and prints one JSON
//! line. `RAYON_NUM_THREADS` sets the threads.

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{
    AdamW, Conv2d, Linear, Optimizer, ParamsAdamW, VarBuilder, VarMap, conv2d, linear, loss,
};
use std::time::Instant;

const BATCH: usize = 4;
const SIZE: usize = 256;
const CLASSES: usize = 2;
const WARM_UP: usize = 2;
const STEPS: usize = 10;

struct Network {
    convolutions: [Conv2d; 3],
    dense: [Linear; 2],
}

impl Network {
    fn new(vars: VarBuilder<'_>) -> Result<Self> {
        let side = (((SIZE - 2) / 2 - 2) / 2 - 2) / 2;
        let conv = |name: &str, from, to| conv2d(from, to, 3, Default::default(), vars.pp(name));
        Ok(Self {
            convolutions: [conv("c1", 3, 64)?, conv("c2", 64, 128)?, conv("c3", 128, 128)?],
            dense: [
                linear(128 * side * side, 64, vars.pp("d1"))?,
                linear(64, CLASSES, vars.pp("d2"))?,
            ],
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = (x / 255.0)?;
        for convolution in &self.convolutions {
            x = convolution.forward(&x)?.relu()?.max_pool2d(2)?;
        }
        let x = self.dense[0].forward(&x.flatten_from(1)?)?.relu()?;
        self.dense[1].forward(&x)
    }
}

fn main() -> Result<()> {
    let forward_only = std::env::args().any(|arg| arg == "--forward");
    let vars = VarMap::new();
    let network = Network::new(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
    let settings = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..Default::default() };
    let mut adam = AdamW::new(vars.all_vars(), settings)?;
    let x = Tensor::rand(0f32, 255f32, (BATCH, 3, SIZE, SIZE), &Device::Cpu)?;
    let labels = Tensor::new(&[0u32, 1, 0, 1], &Device::Cpu)?;
    let mut times = Vec::new();
    for step in 0..WARM_UP + STEPS {
        let started = Instant::now();
        let logits = network.forward(&x)?;
        if !forward_only {
            adam.backward_step(&loss::cross_entropy(&logits, &labels)?)?;
        }
        if step >= WARM_UP {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let (median, min) = (times[STEPS / 2], times[0]);
    println!("{}", serde_json::json!({"name": "candle", "median_ms": median, "min_ms": min}));
    Ok(())
}
