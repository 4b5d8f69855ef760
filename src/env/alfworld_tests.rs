use super::*;

/// A data folder with one game of a split.
fn data(split: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let game =
        dir.path().join(format!("json_2.1.1/{split}/{}-Mug-None-Desk-301/trial_1", KINDS[0]));
    std::fs::create_dir_all(&game).unwrap();
    std::fs::write(game.join("game.tw-pddl"), "{}").unwrap();
    dir
}

#[test]
fn a_split_without_games_is_an_error_that_says_where_it_looked() {
    let dir = data("valid_seen");
    std::fs::create_dir_all(dir.path().join("json_2.1.1/train")).unwrap();
    std::fs::create_dir_all(dir.path().join("json_2.1.1/logs")).unwrap();
    let suite = AlfWorld::open(Some(dir.path())).unwrap();
    assert_eq!(suite.splits(), ["train", "valid_seen"], "a stray folder is no split");
    assert_eq!(suite.tasks("valid_seen").unwrap().len(), 1);
    let said = suite.tasks("train").unwrap_err();
    assert!(said.message().contains("no game.tw-pddl under") && said.next_step().is_some());
    assert!(said.message().ends_with("json_2.1.1/train"), "{}", said.message());
}

#[test]
fn a_folder_one_level_off_is_told_which_one_is_meant() {
    let dir = data("train");
    let said = |path: &Path| {
        let error = AlfWorld::open(Some(path)).unwrap_err();
        error.next_step().unwrap().to_string()
    };
    let meant = dir.path().join("json_2.1.1");
    assert!(said(&meant.join("train")).contains(&format!("name {} with", meant.display())));
    let above = tempfile::tempdir().unwrap();
    let moved = above.path().join("alfworld");
    std::fs::rename(dir.path(), &moved).unwrap();
    assert!(said(above.path()).contains(&format!("name {} with", moved.display())));
    let empty = tempfile::tempdir().unwrap();
    assert!(said(empty.path()).contains("ALFWORLD_DATA"));
}
