use super::*;

#[test]
fn text_from_outside_cannot_drive_the_terminal() {
    assert_eq!(clean("a\u{1b}[2Jb\r\u{7}\u{202e}c\u{9b}d\te\nf"), "a␛[2Jb···c·d e\nf");
    assert_eq!(
        clean("e\u{301} 日本 👩\u{200d}🚀"),
        "e\u{301} 日本 👩\u{200d}🚀",
        "letters stay as they are"
    );
    for piece in ["\u{301}", "\u{1f3fd}", "\u{200d}👩", "\u{1100}", "\u{e0067}"] {
        assert!(clean(&format!("👩{}", piece.repeat(200_000))).chars().count() < 30, "{piece:?}");
    }
    let family = "👨🏽\u{200d}👩🏽\u{200d}👧🏽\u{200d}👦🏽";
    assert_eq!(clean(family), family);
}

#[test]
fn json_means_the_same_and_is_plain() {
    let value = serde_json::json!({"a\u{9b}": "x\u{202e}\u{1b}\u{7f}\"\n日"});
    let line = json(&value);
    assert!(!line.chars().any(drives), "{line}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
}

#[test]
fn a_line_comes_apart_into_the_words_that_it_was_made_of() {
    let said = words(r#"train  --from 'run 3 step 40' "a \"b\"" c\ d ''"#).unwrap();
    assert_eq!(said, ["train", "--from", "run 3 step 40", "a \"b\"", "c d", ""]);
    assert!(words("edit 3 'it is").is_none() && words("ends with \\").is_none());
    for word in ["plain", "", "it's", "a b", "\"", "\\", "two\nlines", "$HOME; rm", "日本"] {
        let line = format!("one {} two", quoted(word));
        assert_eq!(words(&line).unwrap(), ["one", word, "two"], "{line}");
    }
}

#[test]
fn one_is_one_and_all_else_is_many() {
    assert_eq!(counted(1, "game"), "1 game");
    let two = |one: &str| counted(2, one);
    assert_eq!(
        [two("process"), two("trajectory"), two("key")],
        ["2 processes", "2 trajectories", "2 keys"]
    );
    assert_eq!((counted(0, "game"), counted(2, "game")), ("0 games".into(), "2 games".into()));
}

#[test]
fn things_are_one_or_several() {
    for (one, several) in [
        ("box", "boxes"),
        ("potato", "potatoes"),
        ("mug", "mugs"),
        ("knife", "knives"),
        ("brush", "brushes"),
    ] {
        assert_eq!((plural(one).as_str(), singular(several).as_str()), (several, one));
    }
}
