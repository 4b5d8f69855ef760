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
