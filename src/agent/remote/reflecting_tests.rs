use super::*;
use crate::experience::State;

fn case() -> Case {
    Case {
        state: State {
            task: "put a {now} mug on the shelf".into(),
            observation: "You see a desk 1.".into(),
            history: vec![("look".into(), "A desk 1.".into())],
        },
        action: "go to desk 1".into(),
        outcome: "On the desk 1, you see a mug 1.".into(),
        alternatives: Vec::new(),
        others: Vec::new(),
        admissible: vec!["go to desk 1".into(), "look".into()],
    }
}

#[test]
fn slots_are_filled_once() {
    let said = &Profile::default().messages(&case())[0].content;
    assert!(said.contains("Task: put a {now} mug on the shelf"), "{said}");
    assert!(said.contains("go to desk 1 → On the desk 1, you see a mug 1."));
    assert!(said.contains("> look\nA desk 1."));
    let dir = tempfile::tempdir().unwrap();
    let faithful = Profile::named(dir.path(), "paper-faithful").unwrap();
    let said = &faithful.messages(&case())[0].content;
    assert!(said.contains("Expected outcome: On the desk 1, you see a mug 1."), "{said}");
    assert!(!said.contains("{outcomes}") && !said.contains("go to desk 1 → On"));
}

#[test]
fn a_profile_of_a_persons_own_goes_first_and_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        Profile::named(dir.path(), "mine").unwrap_err().message().contains("no profile `mine`")
    );
    assert!(Profile::named(dir.path(), "../x").is_err());
    std::fs::create_dir(dir.path().join("profiles")).unwrap();
    let write =
        |text: &str| std::fs::write(dir.path().join("profiles/leak-safe.txt"), text).unwrap();
    write("{now} {taken} {outcomes}");
    let own = Profile::named(dir.path(), "leak-safe").unwrap();
    assert_ne!(own.name(), Profile::default().name(), "another version");
    assert!(own.name().starts_with("leak-safe#"));
    write("{now} {taken} {outcomes} {expert}");
    assert!(Profile::named(dir.path(), "leak-safe").unwrap_err().message().contains("{expert}"));
    write("{now} {taken}");
    assert!(Profile::named(dir.path(), "leak-safe").unwrap_err().message().contains("{outcomes}"));
}
