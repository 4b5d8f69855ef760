use super::*;

fn item() -> Reflection {
    Reflection {
        id: 2,
        trajectory: 1,
        t: 0,
        generator: "template".into(),
        cites: vec![],
        versions: vec!["One.".into()],
        verdict: Verdict::Pending,
        reason: None,
        flagged: false,
        draft: None,
        written: 1,
        version: 1,
        author: "template".into(),
        written_ms: 0,
        decided_ms: None,
        decided_by: None,
        note: None,
        kind: "heat".into(),
        action: "go to shelf 1".into(),
    }
}

#[test]
fn the_title_names_who_wrote_the_version_that_is_shown() {
    let generated = item();
    assert_eq!(provenance(&generated), "by template");
    let mine = Reflection { version: 2, written: 3, author: "you".into(), ..item() };
    assert_eq!(provenance(&mine), "v2 of 3 by you · from template");
    let model = "rationale-only by step 3200".to_string();
    let again = Reflection { version: 3, written: 3, author: model, ..item() };
    assert_eq!(provenance(&again), "v3 of 3 by model step 3200 (rationale) · from template");
    let withheld = Reflection { author: String::new(), written: 3, ..item() };
    assert_eq!(provenance(&withheld), "from template", "a second opinion does not know of edits");
}

#[test]
fn how_it_stands_says_by_whom_and_since_when() {
    assert_eq!(standing(&item(), 0), "pending");
    let decided = Reflection {
        verdict: Verdict::Rejected,
        reason: Some("GENERIC".into()),
        decided_ms: Some(0),
        decided_by: Some("you".into()),
        ..item()
    };
    assert_eq!(standing(&decided, 59_999), "rejected: GENERIC · by you, just now");
    assert_eq!(standing(&decided, 7_200_000), "rejected: GENERIC · by you, 2h ago");
    let mine = Reflection { author: "you".into(), ..item() };
    assert_eq!(standing(&mine, 0), "pending: your edit · a approves it");
    assert_eq!(age(1, 0), "now", "clocks differ");
}
