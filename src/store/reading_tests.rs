use crate::env::household::Household;
use crate::episode::Episode;
use crate::experience::Purpose;
use crate::store::Store;

#[test]
fn what_is_not_understood_in_a_row_is_named_and_never_a_default() {
    let mut episode =
        Episode::open(&Household, "train", "train/3", Purpose::Demonstration, 1).unwrap();
    let first = episode.trajectory.listed_at(0)[0].clone();
    episode.act(&first, "human").unwrap();
    for (change, says) in [
        ("UPDATE trajectories SET purpose = 'odd'", "`odd` as purpose"),
        ("UPDATE trajectories SET admissible = '[\"a'", "`[\"a` as admissible"),
        ("UPDATE steps SET free = 'x'", "`x` as free"),
        ("UPDATE trajectories SET world = 'zz'", "`zz` as world"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let id = store.add_trajectory(&episode.trajectory).unwrap();
        store.trajectory(id).unwrap();
        store.db.execute(change, []).unwrap();
        let error = store.trajectory(id).unwrap_err();
        assert!(error.message().contains(says), "{error}");
    }
}
