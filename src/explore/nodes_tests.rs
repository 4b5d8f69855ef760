use std::sync::Arc;

use super::*;
use crate::env::Suite;
use crate::env::household::Household;

#[test]
fn nodes_are_named_compared_taken_out_and_put_back_and_all_of_it_is_remembered() {
    let suite: Arc<dyn Suite> = Arc::new(Household);
    let mut session = Session::open(&suite, "train", "train/3", None).unwrap();
    let actions = session.view().unwrap().admissible;
    session.step(&actions[0], "human").unwrap();
    session.goto(0).unwrap();
    session.step(&actions[1], "human").unwrap();
    session.name(1, "  the\nfirst  way ").unwrap();
    assert_eq!(session.view().unwrap().trunk[1].name, "the first way");
    let said = session.compare(1, 2).unwrap().join("\n");
    assert!(
        said.contains("share the first 0 of 1 and 1 steps") && said.contains(&actions[0]),
        "{said}"
    );
    assert!(session.remove(2).is_err(), "one stands there");
    session.remove(1).unwrap();
    let again = Session::restore(&suite, &session.remember(), None).unwrap();
    for mut session in [session, again] {
        assert_eq!(session.view().unwrap().trunk.len(), 2);
        assert!(session.put_back());
        assert_eq!(session.view().unwrap().trunk[1].name, "the first way");
        session.remove(1).unwrap();
        session.goto(0).unwrap();
        session.step(&actions[0], "human").unwrap();
        assert_eq!(session.view().unwrap().trunk.len(), 3, "walked again, it is back");
    }
}
