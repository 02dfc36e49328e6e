//! The event files of TensorBoard, with the metrics of each epoch under the names that Keras gives them.
//!
//! A file is a sequence of records, each with the checksums of its length and of its content; a record holds an
//! event (TensorFlow: `tsl/lib/io/record_writer.h`, `core/util/event.proto`).

use crate::StudyError;
use nn_core::Error;
use nn_core::train::EpochRecord;
use nn_staging::StagedFolder;
use prost::Message;
use std::fs;
use std::path::Path;

/// The folder in that of a run.
pub const FOLDER: &str = "tensorboard";

/// TensorBoard takes files for its own whose names contain `tfevents`.
const FILE: &str = "events.out.tfevents.nn";

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// Writes `tensorboard/train` and `tensorboard/validation` into the folder of a run with these epochs. Times are those
/// since its beginning.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &StagedFolder, history: &[EpochRecord]) -> Result<(), StudyError> {
    let all = folder.folder(FOLDER)?;
    all.folder("train")?.write(FILE, file(history, |epoch| (Some(epoch.loss), epoch.accuracy)))?;
    if history.iter().any(|epoch| epoch.val_loss.is_some()) {
        let own = |epoch: &EpochRecord| (epoch.val_loss, epoch.val_accuracy);
        all.folder("validation")?.write(FILE, file(history, own))?;
    }
    Ok(())
}

/// Removes the files of an earlier run from the folder of a run, which would tell of epochs that are no longer its.
///
/// # Errors
/// If one cannot be removed.
pub fn remove(run: &Path) -> Result<(), StudyError> {
    let all = run.join(FOLDER);
    for part in ["train", "validation"] {
        let file = all.join(part).join(FILE);
        if file.exists() {
            fs::remove_file(&file).map_err(Error::io("remove", &file))?;
            // What else lies there stays.
            let _ = fs::remove_dir(all.join(part));
        }
    }
    let _ = fs::remove_dir(&all);
    Ok(())
}

/// A file with the loss and the accuracy of each epoch, as `of` says them.
fn file(
    history: &[EpochRecord],
    of: impl Fn(&EpochRecord) -> (Option<f64>, Option<f64>),
) -> Vec<u8> {
    let version = Some("brain.Event:2".into());
    let mut out = record(&Event { file_version: version, ..Event::default() });
    let mut wall_time = 0.0;
    for epoch in history {
        wall_time += epoch.seconds;
        let (loss, accuracy) = of(epoch);
        let value = [("epoch_loss", loss), ("epoch_accuracy", accuracy)].into_iter();
        let value = value.filter_map(|(tag, value)| {
            Some(Value { tag: tag.into(), simple_value: Some(value? as f32) })
        });
        let summary = Some(Summary { value: value.collect() });
        // Keras counts epochs from 0.
        let step = epoch.epoch as i64 - 1;
        out.extend(record(&Event { wall_time, step, summary, file_version: None }));
    }
    out
}

fn record(event: &Event) -> Vec<u8> {
    let content = event.encode_to_vec();
    let length = (content.len() as u64).to_le_bytes();
    let sums = [&length[..], &content].map(|bytes| masked(crc32c(bytes)).to_le_bytes());
    [&length[..], &sums[0], &content, &sums[1]].concat()
}

/// Checksums are stored in another form, as those of records that hold checksums would be weak.
fn masked(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The cyclic redundancy check of Castagnoli's polynomial (RFC 3720), bit by bit: files have a few kilobytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let shifted = |sum: u32| (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg());
    let with = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), |sum, _| shifted(sum));
    !bytes.iter().fold(!0, with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn records_hold_the_epochs() {
        let epoch = |epoch| EpochRecord {
            epoch,
            loss: 0.5 / epoch as f64,
            accuracy: Some(0.25),
            val_loss: None,
            val_accuracy: None,
            seconds: 2.0,
        };
        let mut bytes =
            &file(&[epoch(1), epoch(2)], |epoch| (Some(epoch.loss), epoch.accuracy))[..];
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let content = &bytes[12..12 + length];
            events.push(Event::decode(content).unwrap());
            bytes = &bytes[16 + length..];
        }
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        let told = events[1..].iter().map(|event| {
            let values = &event.summary.as_ref().unwrap().value;
            (event.step, event.wall_time, values[0].simple_value, values[1].tag.as_str())
        });
        let expected =
            [(0, 2.0, Some(0.5), "epoch_accuracy"), (1, 4.0, Some(0.25), "epoch_accuracy")];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}
