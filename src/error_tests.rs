use super::*;

#[test]
fn place_comes_first_and_hint_last() {
    let error = Error::new("no such thing").at("line 3").at("game.json").hint("look again");
    assert_eq!(error.to_string(), "game.json: line 3: no such thing\n  next: look again");
    assert_eq!(error.hint("something general").next_step(), Some("look again"));
}

#[test]
fn a_message_is_read_by_a_person() {
    let quoted = Error::new(format!("`{}` is no such thing", "ä".repeat(1_000_000)));
    assert!(
        quoted.message().len() < 2100 && quoted.message().ends_with(" is no such thing"),
        "{quoted}"
    );
}

#[test]
fn what_a_caller_does_follows_from_the_kind() {
    let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
    let io = Error::io("reading", Path::new("x"), &missing).at("line 3");
    assert_eq!((io.kind(), io.kind().exit_code()), (Kind::Io, 1));
    let source = std::error::Error::source(&io).map(ToString::to_string);
    assert_eq!(source, Some(missing.to_string()));
    assert_eq!(Error::usage("no games").kind().exit_code(), 2);
    assert!(Error::cancelled().or_of(Kind::World).is_cancelled(), "what was said stays said");
    assert_eq!(Error::new("it broke").or_of(Kind::World).kind(), Kind::World);
}

#[test]
fn candle_is_told_without_its_way_through_the_code() {
    let error =
        candle_core::Error::Msg("no such device\n   0: candle_core::error::Error::bt".into());
    assert_eq!(Error::from(error).message(), "the model: no such device");
}
