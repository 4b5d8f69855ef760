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
    let by_room = BY_ROOM.map(str::to_string);
    assert_eq!(suite.splits()[..2], ["train", "valid_seen"], "a stray folder is no split");
    assert_eq!(suite.splits()[2..], by_room, "the training games by their rooms");
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

#[test]
fn the_training_games_part_by_rooms_which_no_two_parts_share() {
    let dir = tempfile::tempdir().unwrap();
    for (n, room) in ["5", "3", "1", "15", "405", "430", "402"].iter().enumerate() {
        let game =
            dir.path().join(format!("json_2.1.1/train/{}-Mug-None-Shelf-{room}/t_{n}", KINDS[0]));
        std::fs::create_dir_all(&game).unwrap();
        std::fs::write(game.join("game.tw-pddl"), "{}").unwrap();
    }
    let suite = AlfWorld::open(Some(dir.path())).unwrap();
    assert_eq!(suite.splits(), ["train", "new_rooms", "tuning_rooms", "other_rooms"]);
    let rooms = |split: &str| {
        let room = |task: TaskRef| task.id.split('/').nth(1).unwrap().to_string();
        let mut rooms: Vec<String> = suite.tasks(split).unwrap().into_iter().map(room).collect();
        for room in &mut rooms {
            *room = room.rsplit('-').next().unwrap().to_string();
        }
        rooms.sort_unstable();
        rooms
    };
    assert_eq!(rooms("new_rooms"), ["405", "5"]);
    assert_eq!(rooms("tuning_rooms"), ["3", "430"]);
    assert_eq!(rooms("other_rooms"), ["1", "15", "402"], "15 does not end on the room 5");
    assert_eq!(rooms("train").len(), 7);
    // A game is the same one whichever part it is listed in.
    let id = suite.tasks("new_rooms").unwrap().remove(0).id;
    assert!(id.starts_with("train/"), "{id}");
    assert_eq!(suite.evaluated_on().as_deref(), Some("train"), "no split is there but train");
}
