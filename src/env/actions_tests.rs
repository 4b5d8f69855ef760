use super::*;

#[test]
fn none_listed_is_not_an_empty_list_and_a_form_is_admissible() {
    let nothing_said = Actions::default();
    let nothing_there = Actions::listed(Arc::new([]));
    assert!(nothing_said.admit("look") && !nothing_there.admit("look"));
    let shop = Actions {
        listed: Some(Arc::new(["click[buy now]".into()])),
        free: Some(Arc::new([Form::new("search[…]")])),
    };
    for (action, admits) in [
        ("click[buy now]", true),
        (" search[a red mug] ", true),
        ("search[]", false),
        ("search[ ]", false),
        ("search[mug", false),
        ("buy", false),
    ] {
        assert_eq!(shop.admit(action), admits, "{action}");
    }
    assert!(Form::any().admits("anything") && !Form::any().admits(" "));
    let schema = Form::new(r#"{"type": "object"}"#);
    assert!(schema.admits(r#"{"x": 1}"#) && !schema.admits("[1]") && !schema.admits("x"));
}
