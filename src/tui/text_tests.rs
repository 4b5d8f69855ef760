use super::*;
use crate::tui::caps::Caps;
use crate::tui::theme::Palette;

#[test]
fn fuzzy_finds_scattered_letters_and_keeps_order_for_nothing() {
    let texts = ["go to shelf 1", "take mug 1 from desk 1", "go to desk 2"];
    assert_eq!(fuzzy("", texts.into_iter()), [0, 1, 2]);
    assert_eq!(fuzzy("godsk", texts.into_iter())[0], 2);
    assert_eq!(fuzzy("mug desk", texts.into_iter()), [1]);
    assert!(fuzzy("zzz", texts.into_iter()).is_empty());
}

#[test]
fn the_caret_is_in_view_wherever_it_stands_in_a_line_of_any_length() {
    let theme = Theme::new(Caps::FULL, Palette::default());
    let line = |text: &str, caret: usize, width: usize| {
        let input = Input::new(text.into()).with_cursor(caret);
        let line = typed_line(&input, width, theme);
        let parts: Vec<String> = line.spans.iter().map(|span| span.content.to_string()).collect();
        assert!(line.width() <= width.max(3), "{parts:?} in {width}");
        parts
    };
    assert_eq!(line("abc", 3, 20), ["> ", "abc", " ", ""]);
    assert_eq!(line("abc", 1, 20), ["> ", "a", "b", "c"]);
    let long = "take the mug from the desk";
    assert_eq!(line(long, 26, 13), ["> ", "… the desk", " ", ""]);
    assert_eq!(line(long, 0, 13), ["> ", "", "t", "ake the m…"]);
    let middle = line(long, 13, 13);
    let [_, before, under, after] = &middle[..] else { panic!("{middle:?}") };
    assert!(before.starts_with('…') && under == "f" && after.ends_with('…'), "{before} {after}");
    let wide = "日本語のテキスト";
    for caret in 0..=8 {
        let under = wide.chars().nth(caret).map_or(" ".to_string(), String::from);
        assert_eq!(line(wide, caret, 9)[2], under);
    }
}

#[test]
fn pasted_lines_stand_at_the_caret_with_a_blank_between_them() {
    for (pasted_text, expected) in [
        ("lot of text.\nPasted line two\n", "a lot of text. Pasted line two|b"),
        (" x ", "a  x |b"),
        ("\n", "a |b"),
    ] {
        let mut input = Input::new("a b".into()).with_cursor(2);
        pasted(&mut input, pasted_text);
        let (before, after): (Vec<char>, Vec<char>) = {
            let all: Vec<char> = input.value().chars().collect();
            (all[..input.cursor()].to_vec(), all[input.cursor()..].to_vec())
        };
        let shown = format!("{}|{}", String::from_iter(before), String::from_iter(after));
        assert_eq!(shown, expected, "{pasted_text:?}");
    }
}

#[test]
fn words_are_wrapped_and_long_ones_broken() {
    assert_eq!(wrapped("a bb ccc", 4), ["a bb", "ccc"]);
    assert_eq!(wrapped("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
    assert_eq!(wrapped("", 3), [""]);
    assert_eq!(wrapped("日本語", 4), ["日本", "語"]);
}
