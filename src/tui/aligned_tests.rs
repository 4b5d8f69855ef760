use super::*;
use crate::tui::caps::Caps;
use crate::tui::theme::Palette;

fn set(above: &str, below: &str, width: usize) -> Vec<[String; 2]> {
    let theme = Theme::new(Caps::FULL, Palette::default());
    let text = |row: Vec<Span<'static>>| row.iter().map(|span| span.content.as_ref()).collect();
    aligned(above, below, width, theme).into_iter().map(|pair| pair.map(text)).collect()
}

#[test]
fn what_both_say_stands_in_the_same_columns_and_both_break_at_the_same_word() {
    let rows = set(
        "You reach the shelf 1. It holds a vase 1.",
        "You pull the drawer 1 open. It is open and holds a card 1, and a pen 1.",
        34,
    );
    assert_eq!(
        rows,
        [
            ["You [reach] the [shelf 1.]", "You {pull}  the {drawer 1 open.}"],
            ["It               holds a [vase]", "It {is open and} holds a {card 1,"],
            ["           1.", "and a pen} 1."],
        ]
        .map(|pair| pair.map(str::to_string))
    );
}

#[test]
fn every_word_is_there_once_in_each_text_whatever_the_width() {
    let above = "On the desk 日本語日本語 you see a mug 1.";
    let below = "On the desk you see a bowl-with-a-very-long-name 日本語日本語 and nothing else.";
    let words = |text: &str| text.replace(['[', ']', '{', '}', ' '], "");
    for width in 1..80 {
        let rows = set(above, below, width);
        let [upper, lower] = [0, 1].map(|side| {
            assert!(rows.iter().all(|pair| pair[side].width() <= width.max(2)), "{rows:?}");
            rows.iter().map(|pair| pair[side].as_str()).collect::<String>()
        });
        assert_eq!((words(&upper), words(&lower)), (words(above), words(below)), "{width}");
    }
    assert_eq!(set("", "", 10), [[String::new(), String::new()]]);
}
