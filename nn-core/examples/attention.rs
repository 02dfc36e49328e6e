//! Attention with several heads (Vaswani et al. 2017) over a batch: a network reads pairs of a key and a value,
//! up to six of them, and learns to tell the value of the key that it is asked for.
//!
//! `cargo run --release -p nn-core --example attention`

use nn_core::layers::Parameter;
use nn_core::optim::{Gradients, OptimizerConfig};
use nn_core::rng::Rng;
use nn_core::{Result, Tape, Tensor, Var};

const BATCH: usize = 32;
const PAIRS: usize = 6;
const HEADS: usize = 2;
const WIDTH: usize = 16;
const SYMBOLS: usize = 10;

/// Keys and values of all pairs, minus infinity for hidden ones (else 0), keys asked for, answers.
#[derive(Default)]
struct Questions {
    keys: Vec<usize>,
    values: Vec<usize>,
    hidden: Vec<f32>,
    asked: Vec<usize>,
    answers: Vec<usize>,
}

fn draw(rng: &mut Rng) -> Questions {
    let mut q = Questions::default();
    for _ in 0..BATCH {
        let (first, count) = (rng.below(SYMBOLS), 2 + rng.below(PAIRS - 1));
        let place = q.keys.len() + rng.below(count);
        q.keys.extend((0..PAIRS).map(|i| (first + 3 * i) % SYMBOLS)); // all different
        q.values.extend((0..PAIRS).map(|_| rng.below(SYMBOLS)));
        q.hidden.extend((0..PAIRS).map(|i| if i < count { 0.0 } else { f32::NEG_INFINITY }));
        q.asked.push(q.keys[place]);
        q.answers.push(q.values[place]);
    }
    q
}

/// The logits `[batch, symbols]` of the answers.
fn answer(tape: &Tape, p: &[Var], q: &Questions) -> Result<Var> {
    let [table, to_query, to_key, to_value, to_logits] = p else { unreachable!() };
    // Embeddings, times weights: [batch, heads, length, width of a head].
    let project = |indices: &[usize], weight: &Var| {
        let shape = [BATCH, indices.len() / BATCH, HEADS, WIDTH / HEADS];
        let rows = tape.expr(table).gather(0, indices).matmul(weight);
        rows.reshape(shape).permute(&[0, 2, 1, 3])
    };
    let (query, key) = (project(&q.asked, to_query), project(&q.keys, to_key));
    let scores = query.matmul(key.permute(&[0, 1, 3, 2])) / ((WIDTH / HEADS) as f64).sqrt();
    let hidden = tape.constant(Tensor::from_vec([BATCH, 1, 1, PAIRS], q.hidden.clone())?);
    let found = (scores + &hidden).softmax().matmul(project(&q.values, to_value));
    found.permute(&[0, 2, 1, 3]).reshape([BATCH, WIDTH]).matmul(to_logits).var()
}

fn main() -> Result<()> {
    let mut rng = Rng::new(27, 0);
    let shapes = [[SYMBOLS, WIDTH], [WIDTH; 2], [WIDTH; 2], [WIDTH; 2], [WIDTH, SYMBOLS]];
    let mut parameters = shapes.map(|shape| {
        let value = Tensor::from_fn(shape, |_| rng.uniform_in(-0.5, 0.5) as f32);
        Parameter::new(format!("{shape:?}"), value)
    });
    let mut optimizer = OptimizerConfig::adam().build()?;
    let (mut tape, mut right) = (Tape::new(), 0);
    for _ in 0..500 {
        tape.clear();
        let questions = draw(&mut rng);
        let leaves: Vec<_> = parameters.iter().map(|p| tape.leaf(p.value.clone())).collect();
        let logits = answer(&tape, &leaves, &questions)?;
        let answers = tape.argmax(&logits, 1)?;
        right = answers.iter().zip(&questions.answers).filter(|(a, b)| a == b).count();
        tape.backward(&tape.softmax_cross_entropy(&logits, &questions.answers)?)?;
        optimizer.step(&mut parameters, &Gradients::take(&mut tape, &leaves), 0.01)?;
    }
    println!("{right} of the last {BATCH} answers are right");
    assert!(right > BATCH - 2);
    Ok(())
}
