use super::*;

#[test]
fn work_ends_at_its_limit_inside_and_outside() {
    assert!(spend(1 << 40), "without a limit there is none");
    let inner = within(10, "a thing", || {
        assert!(spend(10) && !spend(1));
        Ok(())
    });
    assert!(inner.unwrap_err().message().contains("a thing takes more than 10 steps"));
    let outer = within(100, "outside", || {
        _ = within(1000, "inside", || work(60));
        work(60).map_err(|e| e.at("line 3"))
    });
    assert_eq!(
        outer.unwrap_err().message(),
        "line 3: outside takes more than 100 steps of work, which is the limit"
    );
    assert_eq!(within(5, "enough", || work(4).map(|()| 7)).unwrap(), 7);
}

#[test]
fn a_cancel_ends_it_and_the_next_work_is_free() {
    let cancel = Cancel::default();
    let ended = under(&cancel, || {
        cancel.cancel();
        while spend(1) {}
        within(50, "more", || Ok(()))
    });
    assert!(ended.unwrap_err().is_cancelled());
    assert!(under(&Cancel::default(), || within(50, "more", || work(20))).is_ok());
}
