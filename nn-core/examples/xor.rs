//! XOR, with tensors and a tape only: a hidden layer of eight units, trained by gradient descent.
//!
//! `cargo run --release -p nn-core --example xor`

use nn_core::rng::Rng;
use nn_core::{Result, Tape, Tensor};

fn main() -> Result<()> {
    let x = Tensor::<f32>::from_vec([4, 2], vec![0., 0., 0., 1., 1., 0., 1., 1.])?;
    let y = Tensor::from_vec([4, 1], vec![0., 1., 1., 0.])?;

    let mut rng = Rng::new(27, 0);
    let mut random =
        |shape: [usize; 2]| Tensor::<f32>::from_fn(shape, |_| rng.uniform_in(-1.0, 1.0) as f32);
    // Weights are [outputs, inputs]; each is followed by its bias.
    let mut parameters = [random([8, 2]), Tensor::zeros([8]), random([1, 8]), Tensor::zeros([1])];

    let mut tape = Tape::new();
    for step in 0..=3000 {
        tape.clear();
        let [w1, b1, w2, b2] = parameters.each_ref().map(|p| tape.leaf(p.clone()));
        let hidden = tape.tanh(tape.linear(&tape.constant(x.clone()), &w1, Some(&b1))?);
        let output = tape.sigmoid(tape.linear(&hidden, &w2, Some(&b2))?);
        let loss = tape.mean_squared_error(&output, &tape.constant(y.clone()))?;
        tape.backward(&loss)?;
        for (parameter, leaf) in parameters.iter_mut().zip([&w1, &b1, &w2, &b2]) {
            if let Some(gradient) = tape.grad(leaf) {
                for (p, g) in parameter.as_mut_slice().iter_mut().zip(gradient.as_slice()) {
                    *p -= 1.0 * g;
                }
            }
        }
        if step % 1000 == 0 {
            println!("step {step}: loss {:.4}", loss.value().item()?);
        }
        if step == 3000 {
            println!("{:.2}", output.value());
            let right = output.value().as_slice().iter().zip(y.as_slice());
            assert!(right.into_iter().all(|(o, y)| (o - y).abs() < 0.3), "it learns XOR");
        }
    }
    Ok(())
}
