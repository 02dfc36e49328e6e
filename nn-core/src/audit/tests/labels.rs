//! Labels that mean nothing, and ones that the border gives away.

use crate::audit::file_facts::{Encoding, FileFacts};
use crate::audit::{Listing, label_leak, survey};
use crate::data::photographs;
use crate::rng::Rng;
use std::collections::HashSet;

/// Draws of labels. At the level of the test, an alarm in a hundred is due.
const DRAWS: u64 = 200;
/// Alarms among them that are still chance: five in a hundred.
const MOST: usize = 10;

/// Facts that have nothing to do with anything.
fn facts(rng: &mut Rng) -> FileFacts {
    let mut byte = || rng.below(256) as f64;
    FileFacts {
        width: 100 + byte() as usize,
        height: 100 + byte() as usize,
        bytes: 1000 + byte() as usize,
        encoding: Encoding { quality: byte() as u32 / 64, ..Encoding::default() },
        mean: [byte(), byte(), byte()],
        ring: [byte(), byte(), byte(), byte(), byte(), byte()],
    }
}

#[test]
fn permuted_labels_raise_no_alarm_and_a_telling_border_does() {
    let mut rng = Rng::new(5, 0);
    let mut all: Vec<FileFacts> = (0..60).map(|_| facts(&mut rng)).collect();
    let classes = ["a".to_string(), "b".to_string()];
    let mut labels: Vec<usize> = (0..60).map(|i| i % 2).collect();
    let run = |all: &[FileFacts], labels: &[usize], seed| {
        label_leak::test(&all.iter().collect::<Vec<_>>(), labels, &classes, seed)
    };
    let alarms = alarms_of_shuffled(&all, &mut labels, &classes);
    assert!(alarms <= MOST, "{alarms} alarms in {DRAWS} draws");

    for (facts, &label) in all.iter_mut().zip(&labels) {
        facts.ring[1] = facts.ring[1] / 4.0 + 100.0 * label as f64;
    }
    let leaks = run(&all, &labels, 1);
    let alarms: Vec<_> = leaks.iter().filter(|leak| leak.alarm).map(|leak| leak.group).collect();
    assert_eq!(alarms, ["border"]);
    assert!(
        leaks.iter().any(|leak| leak.reason.starts_with("green of the border: a")),
        "{leaks:?}"
    );
}

/// In how many draws of the labels there is any alarm.
fn alarms_of_shuffled(all: &[FileFacts], labels: &mut [usize], classes: &[String]) -> usize {
    let facts: Vec<&FileFacts> = all.iter().collect();
    let mut rng = Rng::new(7, 0);
    let mut alarm = |draw| {
        rng.shuffle(labels);
        label_leak::test(&facts, labels, classes, draw).iter().any(|leak| leak.alarm)
    };
    (0..DRAWS).filter(|&draw| alarm(draw)).count()
}

#[test]
fn permuted_labels_of_the_photographs_raise_no_alarm() {
    let Some(root) = photographs() else {
        println!("skipped: the published photographs are not here");
        return;
    };
    for set in ["same_backgrounds", "different_backgrounds", "background_swap"] {
        let listing = Listing::scan(&root.join(set), 0.125, 27).unwrap();
        let (mut hashes, mut all, mut labels) = (HashSet::new(), Vec::new(), Vec::new());
        for item in &listing.items {
            let seen = survey::look(&item.path, None, Default::default()).unwrap();
            if hashes.insert(seen.picture_hash) {
                all.push(seen.facts);
                labels.extend(item.label);
            }
        }
        let alarms = alarms_of_shuffled(&all, &mut labels, &listing.classes);
        println!("{set}: {alarms} alarms in {DRAWS} draws");
        assert!(alarms <= MOST, "{set}: {alarms} alarms in {DRAWS} draws");
    }
}
