use super::*;

fn task(id: &str, kind: &str) -> TaskRef {
    TaskRef { id: id.into(), kind: kind.into() }
}

fn chooser() -> Chooser {
    let mut chooser = Chooser::open().0;
    chooser.take(Games {
        suite: "household".into(),
        suites: vec!["household".into(), "alfworld".into()],
        split: "train".into(),
        splits: vec!["train".into(), "unseen".into()],
        tasks: vec![task("train/0", "heat"), task("train/1", "cool"), task("train/12", "heat")],
        experts: vec!["fair".into()],
        why: None,
    });
    chooser
}

fn press(chooser: &mut Chooser, code: KeyCode) -> Vec<Effect> {
    match chooser.key(code.into()) {
        Chosen::Stays(effects) | Chosen::Done(effects) => effects,
    }
}

#[test]
fn words_narrow_the_list_and_enter_opens_what_is_in_front() {
    let mut chooser = chooser();
    "HEAT 1".chars().for_each(|c| _ = press(&mut chooser, KeyCode::Char(c)));
    let opened = press(&mut chooser, KeyCode::Enter);
    assert!(
        matches!(&opened[..], [Effect::World(WorldCmd::Open(suite, split, id))]
            if suite == "household" && split == "train" && id == "train/12"),
        "{opened:?}"
    );
    "nothing".chars().for_each(|c| _ = press(&mut chooser, KeyCode::Char(c)));
    assert!(press(&mut chooser, KeyCode::Enter).is_empty(), "there is nothing to open");
}

#[test]
fn arrows_list_another_split_and_tab_another_suite() {
    let mut chooser = chooser();
    let split = press(&mut chooser, KeyCode::Right);
    assert!(
        matches!(&split[..], [Effect::World(WorldCmd::Games(Some(suite), Some(split)))]
            if suite == "household" && split == "unseen"),
        "{split:?}"
    );
    let suite = press(&mut chooser, KeyCode::Tab);
    assert!(
        matches!(&suite[..], [Effect::World(WorldCmd::Games(Some(suite), None))]
            if suite == "alfworld"),
        "{suite:?}"
    );
}
