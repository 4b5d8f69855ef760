//! Readers with every kind of defect: the watch over the others is tested on them.

use std::time::Duration;

use crate::grow::Target;
use crate::supervise::run;

const fn sick(name: &'static str, feed: fn(&[u8]) -> bool) -> Target {
    Target {
        name,
        weight: 0,
        chunk: 3,
        slow: Duration::from_millis(300),
        make: |_| b"input".to_vec(),
        feed,
    }
}

/// A recursion that no optimiser turns into a loop.
fn deep(n: u64) -> u64 {
    let taken = std::hint::black_box([n; 128]);
    if n == u64::MAX { 0 } else { deep(n + 1).wrapping_add(taken[1]) }
}

/// Them, and a sound one.
pub static SICK: [Target; 5] = [
    sick("panics", |bytes| panic!("{} bytes", bytes.len())),
    sick("spins", |bytes| {
        (0..u64::MAX).all(|i| std::hint::black_box(i) != u64::MAX - 1) && bytes.is_empty()
    }),
    // Half a gigabyte is asked of a busy system: it is not to be too slow before it is too large.
    Target {
        slow: Duration::from_secs(20),
        ..sick("swells", |bytes| {
            // Piece by piece: what is copied as it grows takes longer than the memory itself.
            let mut all: Vec<Vec<u8>> = Vec::new();
            while all.len() < 1 << 12 {
                all.push(std::hint::black_box(vec![7; 1 << 20]));
            }
            all.concat() == bytes
        })
    },
    sick("overflows", |bytes| deep(bytes.len() as u64) == 0),
    sick("sound", |bytes| !bytes.is_empty()),
];

#[test]
fn whatever_goes_wrong_is_reported_with_its_seed_and_the_rest_goes_on() {
    for (target, said) in
        SICK.iter().zip(["5 bytes", "no end after 0.", "grew by ", "has overflowed its stack", ""])
    {
        let outcome = run(target, 40, 2, false);
        if target.name == "sound" {
            assert_eq!((outcome.done, outcome.accepted, outcome.findings.len()), (2, 2, 0));
            continue;
        }
        assert_eq!(outcome.done, 0, "{outcome:?}");
        let words = outcome.findings[0].to_string();
        assert!(
            words.contains(said) && words.contains(&format!("{} seed 40 ", target.name)),
            "{words}"
        );
    }
}
