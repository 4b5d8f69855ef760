use super::*;
use crate::experience::Trajectory;

#[test]
fn pages_of_a_list_make_up_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    for i in 0..100u64 {
        let trajectory = Trajectory {
            id: 0,
            suite: "household".into(),
            split: "train".into(),
            task_id: format!("train/{i}"),
            kind: "place".into(),
            task: format!("Put away cup {i}."),
            purpose: if i % 4 == 0 { Purpose::Evaluation } else { Purpose::Demonstration },
            actor: "fair".into(),
            seed: i,
            observation: "A room.".into(),
            admissible: None,
            free: vec![],
            steps: vec![],
            created_ms: 0,
            world: None,
        };
        store.add_trajectory(&trajectory).unwrap();
    }
    store.set_deleted(100, true).unwrap();
    let all = Listing::default();
    let whole = store.list(&all, Near::Position(0), 1000).unwrap();
    assert_eq!((whole.total, whole.from, whole.rows.len(), whole.rows[0].id), (99, 0, 99, 99));
    for position in [0, 1, 7, 50, 93, 98, 5000] {
        let page = store.list(&all, Near::Position(position), 10).unwrap();
        assert_eq!(page.rows, whole.rows[page.from..page.from + 10], "{position}");
        assert!((page.from..page.from + 10).contains(&position.min(98)), "{position}");
    }
    let page = store.list(&all, Near::Row(40), 10).unwrap();
    assert!(page.rows.iter().any(|row| row.id == 40));
    let few = Listing { words: "CUP 7".into(), ..Listing::purpose(Some(Purpose::Evaluation)) };
    let found = store.list(&few, Near::Position(0), 10).unwrap();
    assert_eq!(found.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [77, 73], "cups 76 and 72");
    let won = Listing { success: Some(true), ..Listing::default() };
    assert_eq!(store.list(&won, Near::Row(5), 10).unwrap(), Page::default());
}
