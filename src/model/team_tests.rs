use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

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
