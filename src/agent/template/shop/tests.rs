use super::*;
use crate::experience::State;

const TASK: &str = "show me a table lamp which is easy assembly with color: white, and style: square, \
                    and price lower than 70.00 dollars";
const START: &str = "WebShop\nInstruction: \nx\n[button] Search [button_]\n";
const RESULTS: &str = "Instruction:\nx\n[button] Back to Search [button_]\nPage 1 (Total results: 50)\n\
    [button] Next > [button_]\n\n[button] F1 [button_]\nOakling Easy Assembly Table Lamp\n$60.99\n\n\
    [button] F2 [button_]\nGorsey Usb Port Table Lamp\n$84.99\n\n\
    [button] F3 [button_]\nBrisa Table Lamp\n$65.99 to $77.99\n";
const PRODUCT: &str = "Instruction:\nx\n[button] Back to Search [button_]\n[button] < Prev [button_]\n\
    color\n  [button] black [button_]\n  [clicked button] white [clicked button_]\nstyle\n  \
    [button] round [button_]\n  [button] square [button_]\nOakling Easy Assembly Table Lamp\n\
    Price: $60.99\nRating: N.A.\n[button] Description [button_]\n[button] Buy Now [button_]\n";

fn case(page: &str, expert: &str, alternatives: &[(&str, &str, f64)]) -> Case {
    let branch = |(action, observation, reward): &(&str, &str, f64)| Branch {
        id: 1,
        trajectory: 1,
        t: 1,
        action: (*action).into(),
        source: "uniform".into(),
        observation: (*observation).into(),
        effect: if observation.is_empty() { ActionEffect::NoOp } else { ActionEffect::Changed },
        done: false,
        reward: *reward,
        success: false,
        created_ms: 0,
    };
    Case {
        state: State {
            task: TASK.into(),
            observation: START.into(),
            history: vec![("search[table lamp]".into(), page.into())],
        },
        action: expert.into(),
        outcome: PRODUCT.into(),
        alternatives: alternatives.iter().map(branch).collect(),
        others: vec![],
        admissible: vec![],
    }
}

fn all(case: &Case) -> String {
    assert!(is_shop(case) && has_contrast(case));
    (0..60).map(|seed| write(case, seed) + "\n").collect()
}

#[test]
fn a_page_is_read_as_it_is_written() {
    let page = Page::of(RESULTS);
    assert_eq!(page.products.len(), 3);
    assert_eq!(page.products[2].price, Some((65.99, "$65.99 to $77.99")));
    let page = Page::of(PRODUCT);
    let read = |choice: &Choice<'_>| (choice.group.to_string(), choice.chosen);
    assert_eq!(read(&page.choices[1]), ("color".into(), true));
    assert_eq!(read(&page.choices[3]), ("style".into(), false));
    assert_eq!(
        (page.title, page.price),
        (Some("Oakling Easy Assembly Table Lamp"), Some((60.99, "$60.99")))
    );
    let wish = Wish::of(TASK);
    assert_eq!(wish.limit, Some((70.0, "70.00".into())));
    assert!(wish.names("white") && wish.names("square") && !wish.names("black"));
    let sizes = PRODUCT.replace("black", "large").replace("white", "x-large");
    let wanted = wanted(&Wish::of("a shirt, size: x-large"), &Page::of(&sizes));
    assert_eq!(wanted.iter().map(|choice| choice.value).collect::<Vec<_>>(), ["x-large"]);
    assert_eq!(wish.words_in("Brisa Usb Port Table Lamp"), ["table", "lamp"]);
}

#[test]
fn what_costs_too_much_or_says_less_is_the_reason() {
    let found = case(
        RESULTS,
        "click[f1]",
        &[("click[f2]", "y", 0.0), ("click[f3]", PRODUCT, 0.0), ("click[next >]", "z", 0.0)],
    );
    let text = all(&found);
    for said in [
        "At $84.99 it costs more than the 70.00 dollars that may be spent, so I need not click[f2].",
        "Its title says nothing of easy assembly",
        "within the limit of 70.00 dollars",
        "click[next >]",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert_eq!(missed(&found, &write(&found, 1)), None);
    assert_eq!(missed(&found, "F1 looks nice, so I click[f1]."), Some("what it may cost"));
}

#[test]
fn what_is_asked_for_is_chosen_before_it_is_bought() {
    let found = case(
        PRODUCT,
        "click[square]",
        &[
            ("click[buy now]", "Thank you", 0.5),
            ("click[round]", "r", 0.0),
            ("click[black]", "b", 0.0),
            ("click[white]", "", 0.0),
        ],
    );
    let text = all(&found);
    assert!(text.contains("square would not be chosen yet"), "{text}");
    assert!(text.contains("the style that is asked for is square, not round"), "{text}");
    assert!(text.contains("square is asked for"), "{text}");
    assert_eq!(missed(&found, "So I choose."), Some("the value that is chosen"));
    assert_eq!(missed(&found, "So I click[square]."), Some("the value that is chosen"));
    let bought = case(PRODUCT, "click[buy now]", &[("click[round]", "r", 0.0)]);
    assert!(
        all(&bought).contains("White is chosen, and $60.99 is within the limit of 70.00 dollars")
    );
    assert_eq!(missed(&bought, "White is chosen, so I click[buy now]."), Some("what it may cost"));
}

#[test]
fn what_it_cannot_be_had_in_is_why_it_is_left() {
    let page = PRODUCT.replace("white", "grey").replace("clicked button", "button");
    let found = case(
        &page,
        "click[< prev]",
        &[("click[black]", "b", 0.0), ("click[square]", "s", 0.0), ("click[buy now]", "x", 0.5)],
    );
    let text = all(&found);
    assert!(text.contains("It cannot be had in white"), "{text}");
    assert!(text.contains("it is not white, and that is asked for"), "{text}");
    assert!(!text.contains("click[black]") && !text.contains("click[square]"), "{text}");
}

#[test]
fn nothing_is_said_against_what_is_asked_for_as_well() {
    let found = case(PRODUCT, "click[buy now]", &[("click[square]", "s", 0.0)]);
    assert!(!has_contrast(&found), "square is asked for");
    let found = case(RESULTS, "click[f3]", &[("click[f1]", PRODUCT, 0.0)]);
    assert!(!has_contrast(&found), "the other one's title says more");
}
