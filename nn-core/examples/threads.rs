//! Inference from several threads: they share the model, and each has its own predictor, which
//! keeps buffers and packed weights between predictions.
//!
//! `cargo run --release -p nn-core --example threads`

use nn_core::model::{ReferenceCnn, Sequential};
use nn_core::{Error, Result, Tensor};
use std::thread;

/// A synthetic image, different for each number.
fn image(number: usize) -> Tensor {
    Tensor::from_fn([1, 64, 64, 3], |i| ((i * (number + 7)) % 256) as f32)
}

fn main() -> Result<()> {
    let model: Sequential = ReferenceCnn::new(2, 64).filters([8, 16, 16]).build(27)?;
    let (workers, images) = (4, 20);

    let by_worker: Vec<Vec<Tensor>> = thread::scope(|scope| {
        let work = |worker: usize| {
            let mut predictor = model.predictor();
            let mine = (worker..images).step_by(workers);
            mine.map(|number| predictor.predict(image(number))).collect::<Result<Vec<_>>>()
        };
        let threads: Vec<_> = (0..workers).map(|w| scope.spawn(move || work(w))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err(Error::Interrupted)))
            .collect::<Result<_>>()
    })?;

    // The bits do not depend on the thread.
    for number in 0..images {
        let parallel = &by_worker[number % workers][number / workers];
        assert_eq!(*parallel, model.predict(image(number))?);
        println!("image {number}: {parallel:.4}");
    }
    Ok(())
}
