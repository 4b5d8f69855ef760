use super::*;

#[test]
fn a_thread_goes_on_after_a_command_that_breaks_off_and_says_so() {
    let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
    let (done, seen) = mpsc::channel();
    let worker = Worker::start("the test", &Mailbox(tx), move |n: u32| {
        assert!(n != 1, "one is too few");
        done.send(n).map_err(|e| Error::new(e.to_string()))
    });
    (0..3).for_each(|n| worker.send(n));
    assert!(worker.wait(Duration::from_secs(20)));
    assert_eq!(seen.iter().collect::<Vec<u32>>(), [0, 2]);
    let Ok(Msg::Notice(notice)) = rx.try_recv() else { panic!("nothing was said") };
    assert!(
        notice.bad && notice.text.contains("the test broke off: one is too few"),
        "{}",
        notice.text
    );
}
