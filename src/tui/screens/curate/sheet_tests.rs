use super::*;

#[test]
fn what_stands_below_the_line_is_not_the_text_and_what_begins_with_a_hash_above_it_is() {
    let text = "# I look.\n\nSo I go to shelf 1.";
    let file = sheet(text, None);
    assert!(file.starts_with(text) && file.contains(SCISSORS));
    assert!(file.lines().skip_while(|line| *line != SCISSORS).all(|line| line.starts_with('#')));
    assert_eq!(text_of(&file), text);
    assert_eq!(text_of(&format!("{file} Late.\n")), format!("{text}\nLate."), "nothing is lost");
    assert_eq!(text_of(&file.replace("shelf 1", "shelf 2")), text.replace("shelf 1", "shelf 2"));
}

#[test]
fn without_the_line_comments_at_the_end_are_left_out_all_the_same() {
    let file = sheet("So I go.", None);
    assert_eq!(text_of(&file.replace(&format!("{SCISSORS}\n"), "")), "So I go.");
    assert_eq!(text_of("# one\nSo I go.\n# two\n"), "# one\nSo I go.");
    assert_eq!(text_of(""), "");
}
