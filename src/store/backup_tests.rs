use super::*;

#[test]
fn a_backup_is_one_file_and_comes_back_in_the_place_of_a_damaged_store() {
    let dir = tempfile::tempdir().unwrap();
    let away = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let identity = store.identity().unwrap();
    store.set_setting("k", "before").unwrap();
    let file = away.path().join("b.sqlite");
    assert!(store.backup(&file).unwrap() > 0);
    assert!(store.backup(&file).unwrap_err().message().contains("is there already"));
    store.set_setting("k", "after").unwrap();
    let error = Store::restore(dir.path(), &file).unwrap_err();
    assert!(error.message().contains("has the store"), "{error}");
    drop(store);
    std::fs::write(dir.path().join(FILE), vec![7; 9000]).unwrap();
    std::fs::write(dir.path().join(FILES[1]), vec![7; 900]).unwrap();
    let restored = Store::restore(dir.path(), &file).unwrap();
    assert_eq!((restored.set_aside.len(), restored.without_weights), (2, 0));
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(
        (store.setting("k").unwrap().as_deref(), store.identity().unwrap()),
        (Some("before"), identity)
    );
    drop(store);
    std::fs::write(away.path().join("no"), "nothing").unwrap();
    assert!(Store::restore(dir.path(), &away.path().join("no")).is_err());
    assert_eq!(
        Store::open(dir.path()).unwrap().setting("k").unwrap().as_deref(),
        Some("before"),
        "still there"
    );
}
