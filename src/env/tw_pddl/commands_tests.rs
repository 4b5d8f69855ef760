use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_menu_is_sorted_bytewise_without_duplicates(texts in proptest::collection::vec("(go to |take )?[ab]{0,2} ?[a-c]{0,24}", 1..20)) {
        let mut operators = Operators::default();
        let mut found = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            found.extend(operators.add((i as u16, 0, [0; 16]), Some(text.clone()), true).unwrap());
        }
        let menu = operators.menu(&found).unwrap();
        let mut want = texts.clone();
        want.sort();
        want.dedup();
        let got: Vec<String> = menu.commands.iter().map(ToString::to_string).collect();
        prop_assert_eq!(&got, &want);
        for text in want {
            let id = menu.operator(&text).unwrap();
            prop_assert_eq!(usize::from(operators.get(id).action),
            texts.iter().position(|t| *t == text).unwrap());
        }
    }
}
