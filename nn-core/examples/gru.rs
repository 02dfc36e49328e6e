//! A recurrent network (GRU, Cho et al. 2014) over a batch of sequences: it learns to add the two numbers of
//! each sequence that are marked.
//!
//! `cargo run --release -p nn-core --example gru`

use nn_core::layers::Parameter;
use nn_core::optim::{Gradients, OptimizerConfig};
use nn_core::rng::Rng;
use nn_core::{Result, Tape, Tensor, Var};

const BATCH: usize = 32;
const TIME: usize = 8;
const HIDDEN: usize = 16;

/// The last state, `[batch, hidden]`, after the sequences `x [batch, time, inputs]`. The weights hold the
/// update gate, the reset gate and the candidate side by side: `input [inputs, 3 hidden]`,
/// `state [hidden, 3 hidden]`, `bias [3 hidden]`.
fn gru(tape: &Tape, x: &Var, [input, state, bias]: [&Var; 3]) -> Result<Var> {
    let inputs = (tape.expr(x).matmul(input) + bias).var()?; // of all steps at once
    let mut h = tape.constant(Tensor::zeros([BATCH, HIDDEN]));
    for t in 0..TIME {
        let step = tape.expr(&inputs).slice(1, t..t + 1).reshape([BATCH, 3 * HIDDEN]).var()?;
        let x = tape.split(&step, 1, &[HIDDEN; 3])?;
        let s = tape.split(&tape.matmul(&h, state)?, 1, &[HIDDEN; 3])?;
        let update = (tape.expr(&x[0]) + &s[0]).sigmoid().var()?;
        let reset = (tape.expr(&x[1]) + &s[1]).sigmoid();
        let candidate = (&x[2] + reset * &s[2]).tanh();
        h = (&update * tape.expr(&h) + (1.0 - tape.expr(&update)) * candidate).var()?;
    }
    Ok(h)
}

/// Sequences of numbers, two of them marked in a second column, and the sums of these two.
fn draw(rng: &mut Rng) -> Result<(Tensor, Tensor)> {
    let (mut x, mut sums) = (Vec::new(), Vec::new());
    for _ in 0..BATCH {
        let (first, second) = (rng.below(TIME / 2), TIME / 2 + rng.below(TIME / 2));
        let numbers: Vec<_> = (0..TIME).map(|_| rng.uniform_in(0.0, 1.0) as f32).collect();
        sums.push(numbers[first] + numbers[second]);
        for (t, number) in numbers.into_iter().enumerate() {
            x.extend([number, if t == first || t == second { 1.0 } else { 0.0 }]);
        }
    }
    Ok((Tensor::from_vec([BATCH, TIME, 2], x)?, Tensor::from_vec([BATCH, 1], sums)?))
}

fn main() -> Result<()> {
    let mut rng = Rng::new(27, 0);
    let mut parameter = |name: &str, shape: &[usize]| {
        let value = Tensor::from_fn(shape, |_| rng.uniform_in(-0.3, 0.3) as f32);
        Parameter::new(name, value)
    };
    let mut parameters = [
        parameter("gru.input", &[2, 3 * HIDDEN]),
        parameter("gru.state", &[HIDDEN, 3 * HIDDEN]),
        parameter("gru.bias", &[3 * HIDDEN]),
        parameter("sum.weight", &[1, HIDDEN]),
        parameter("sum.bias", &[1]),
    ];
    let mut optimizer = OptimizerConfig::adam().build()?;
    let (mut tape, mut recent) = (Tape::new(), 0.0);
    for step in 1..=800 {
        tape.clear();
        let (x, sums) = draw(&mut rng)?;
        let leaves: Vec<_> = parameters.iter().map(|p| tape.leaf(p.value.clone())).collect();
        let [input, state, bias, weight, shift] = &leaves[..] else { unreachable!() };
        let state = gru(&tape, &tape.constant(x), [input, state, bias])?;
        let output = tape.linear(&state, weight, Some(shift))?;
        let loss = tape.mean_squared_error(&output, &tape.constant(sums))?;
        tape.backward(&loss)?;
        recent += (loss.value().item()? - recent) * 0.05;
        optimizer.step(&mut parameters, &Gradients::take(&mut tape, &leaves), 0.01)?;
        if step % 200 == 0 {
            println!("step {step}: mean squared error {recent:.4}");
        }
    }
    assert!(recent < 0.02, "guessing the mean gives 0.17");
    Ok(())
}
