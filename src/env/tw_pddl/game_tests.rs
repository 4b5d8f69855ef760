use super::*;

#[test]
fn numbers_run_downwards_and_basins_are_named() {
    let ids = ["agent1", "desk_bar_1", "desk_bar_2", "sink_bar_1_bar_sinkbasin"].map(String::from);
    assert_eq!(display_names(&ids, &[true; 4]), ["agent1 ", "desk 2", "desk 1", "sinkbasin 1"]);
}

#[test]
fn the_task_is_cut_out_as_plain_text() {
    let (rest, task) = split_task(r#"{"task": [ { "rhs": "Do {this} \"now\"." } ], "b": 1}"#);
    assert_eq!(task.as_deref(), Some("Do {this} \"now\"."));
    assert_eq!(rest, r#"{"task": [ { "rhs": "" } ], "b": 1}"#);
    assert_eq!(split_task("no such rule").1, None);
}

#[test]
fn a_missing_or_huge_or_broken_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("game.tw-pddl");
    assert!(Game::load(&path).unwrap_err().message().contains("game.tw-pddl"));
    std::fs::write(&path, "{\"pddl_domain\": \"(").unwrap();
    assert!(Game::load(&path).unwrap_err().message().contains("not a game file"));
    std::fs::File::create(&path).unwrap().set_len(200 << 20).unwrap();
    assert!(Game::load(&path).unwrap_err().message().contains("too large"));
}
