use super::*;

fn press(sheet: &mut Sheet, keys: &str) -> Vec<Typed> {
    keys.chars().map(|c| sheet.key(KeyCode::Char(c).into())).collect()
}

fn sheet() -> Sheet {
    Sheet::new(vec![
        Field::new("which", "which", Takes::Choice, &["a", "b"]),
        Field::new("hidden", "hidden", Takes::Number, &["1"]),
        Field::new("rate", "rate", Takes::Number, &["5e-4", "1e-3"]),
        Field::new("name", "name", Takes::Text, &["all"]),
    ])
}

#[test]
fn left_and_right_go_through_choices_and_typing_replaces_them() {
    let mut sheet = sheet();
    sheet.show("hidden", false);
    assert_eq!(press(&mut sheet, "ll"), [Typed::Changed("which"); 2]);
    assert_eq!(sheet.value("which"), "a", "round to the first");
    assert_eq!(press(&mut sheet, "x7"), [Typed::Other; 2], "letters and digits are not its own");
    press(&mut sheet, "j");
    assert_eq!(sheet.field().unwrap().name, "rate", "what is hidden is passed over");
    press(&mut sheet, "2e-3");
    assert_eq!(sheet.value("rate"), "2e-3", "the first character begins anew");
    sheet.key(KeyCode::Backspace.into());
    press(&mut sheet, "5");
    assert_eq!(sheet.value("rate"), "2e-5");
    assert_eq!(sheet.key(KeyCode::Right.into()), Typed::Changed("rate"));
    assert_eq!(sheet.value("rate"), "5e-4", "from a value of one's own to the first choice");
    sheet.key(KeyCode::Down.into());
    press(&mut sheet, "jk lh");
    assert_eq!(sheet.value("name"), "jk lh", "where text is taken, letters are text");
    sheet.paste(" q_proj\n");
    assert_eq!(sheet.value("name"), "jk lh q_proj");
    assert_eq!(sheet.key(KeyCode::Enter.into()), Typed::Done);
    assert_eq!(sheet.key(KeyCode::Esc.into()), Typed::Left);
}
