use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::model::at_hand::EAGER;

#[test]
fn background_work_stands_still_while_somebody_waits() {
    let guard = interactive();
    let passed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            yield_to_interactive();
            passed.store(true, Ordering::SeqCst);
        });
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert!(!passed.load(Ordering::SeqCst));
        drop(guard);
    });
    assert!(passed.load(Ordering::SeqCst));
}

#[test]
#[cfg(target_os = "linux")]
fn a_background_team_has_the_lowest_priority() {
    let nice = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
    assert_eq!(Team::new(2, Priority::Background).unwrap().run(nice), 19);
    assert_eq!(Team::new(2, Priority::Interactive).unwrap().run(nice), nice());
}

#[test]
fn work_after_a_long_pause_is_shared_and_a_panic_leaves_the_team_as_it_was() {
    use rayon::prelude::*;

    for priority in [Priority::Interactive, Priority::Background] {
        let team = Team::new(3, priority).unwrap();
        let all = || {
            std::thread::sleep(3 * EAGER);
            (0..1000u64).into_par_iter().sum::<u64>()
        };
        assert_eq!(team.run(all), 499_500);
        let broken = std::panic::AssertUnwindSafe(|| team.run(|| std::panic::panic_any("broken")));
        assert!(std::panic::catch_unwind(broken).is_err());
        assert_eq!(team.run(all), 499_500);
    }
}

#[test]
fn who_comes_after_work_has_begun_does_not_stay() {
    let who = Mutex::new(AtHand::Awaited(0));
    assert!(AtHand::come(&who));
    AtHand::wait(&who, 1);
    assert!(!AtHand::come(&who));
    let nobody = Mutex::new(AtHand::Awaited(0));
    AtHand::wait(&nobody, 1);
    assert!(!AtHand::come(&nobody), "and those who did not come are not waited for");
}

#[test]
fn work_that_is_dealt_out_right_after_other_work_never_waits_for_who_stays_at_hand() {
    use rayon::prelude::*;

    // A thread that was still looking for the last run's work may take a piece of the next before
    // it is asked to stay at hand: it must not, in the middle of that piece.
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let ended = done.clone();
    let runs = std::thread::spawn(move || {
        let team = Team::new(3, Priority::Interactive).unwrap();
        for round in 0..5_000 {
            let piece = |i: usize| (0..2 + i % 3).into_par_iter().with_max_len(1).sum::<usize>();
            let sum: usize =
                team.run(|| (0..6usize).into_par_iter().with_max_len(1).map(piece).sum());
            assert_eq!(sum, 20, "{round}");
        }
        ended.store(true, Ordering::SeqCst);
    });
    let begun = Instant::now();
    while !runs.is_finished() {
        assert!(begun.elapsed() < Duration::from_mins(2), "a run waits for ever");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(runs.join().is_ok() && done.load(Ordering::SeqCst));
}
