use super::*;
use proptest::prelude::*;

#[test]
fn reads_nested_lists_and_drops_comments() {
    let parsed = Sexpr::parse("(Define ; a comment\n (X ?a - b))").unwrap();
    assert_eq!(parsed.to_string(), "(define (x ?a - b))");
}

#[test]
fn says_where_a_parenthesis_is_missing() {
    assert_eq!(Sexpr::parse("(a\n (b)").unwrap_err().message(), "line 1: this `(` is never closed");
    assert_eq!(
        Sexpr::parse("(a))").unwrap_err().message(),
        "line 1: `)` stands after the closing parenthesis"
    );
    assert!(Sexpr::parse("").is_err());
    assert!(Sexpr::parse(&"(".repeat(100_000)).is_err());
}

proptest! {
    #[test]
    fn never_panics_and_prints_back(text in "[()a-z;\\n ?-]{0,60}") {
        if let Ok(parsed) = Sexpr::parse(&text) {
            let again = Sexpr::parse(&parsed.to_string()).unwrap();
            prop_assert_eq!(again.to_string(), parsed.to_string());
        }
    }
}
