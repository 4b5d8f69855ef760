use super::*;
use crate::control::Cancel;

fn shop() -> WebShop {
    WebShop::open(None).unwrap()
}

/// What an expert's episodes come to: bought, won, the sum of rewards, and of steps.
fn played(shop: &WebShop, split: &str, games: usize, expert: &str) -> (usize, usize, f64, usize) {
    let (mut bought, mut won, mut worth, mut steps) = (0, 0, 0.0, 0);
    for task in shop.tasks(split).unwrap().iter().take(games) {
        let mut opened = shop.open(&task.id).unwrap();
        let expert = opened.experts.get(Some(expert)).unwrap();
        for _ in 0..opened.limit {
            let Ok(advice) = expert.advise(opened.env.as_ref(), &Cancel::default()) else { break };
            assert!(opened.env.turn().admits(&advice.action), "{} in {task:?}", advice.action);
            opened.env.step(&advice.action).unwrap();
            steps += 1;
        }
        let turn = opened.env.turn();
        bought += usize::from(turn.done);
        won += usize::from(turn.success);
        worth += turn.reward;
    }
    (bought, won, worth, steps)
}

#[test]
fn the_shop_opens_with_nothing_downloaded_and_its_experts_buy() {
    let shop = shop();
    assert_eq!(shop.splits(), ["train", "dev", "test"]);
    assert!(shop.tasks("train").unwrap().len() > 2000);
    assert_eq!(shop.tasks("test").unwrap().len(), 500);
    let (bought, won, worth, steps) = played(&shop, "test", 100, "planner");
    println!("planner: bought {bought}, won {won}, worth {worth}, steps {steps}");
    assert!(bought == 100 && won > 85, "{bought} {won} {worth}");
    let (bought, won, worth, steps) = played(&shop, "test", 100, "fair");
    println!("fair: bought {bought}, won {won}, worth {worth}, steps {steps}");
    assert!(bought > 95 && worth > 70.0, "{bought} {won} {worth}");
}

#[test]
fn a_fork_goes_its_own_way_and_what_cannot_be_done_changes_nothing() {
    let shop = shop();
    let mut visit = shop.open("3").unwrap().env;
    let start = visit.fingerprint();
    for odd in ["look around", "click[search]", "click[nothing]", "search[]", "search[<a> soap]"] {
        visit.step(odd).unwrap();
        assert_eq!((visit.fingerprint(), visit.turn().done), (start, false), "{odd}");
    }
    visit.step("search[hand soap]").unwrap();
    let mut fork = visit.fork().unwrap();
    assert_eq!(fork.fingerprint(), visit.fingerprint());
    fork.step("click[next >]").unwrap();
    assert_ne!(fork.fingerprint(), visit.fingerprint());
    visit.step("click[next >]").unwrap();
    assert_eq!(fork.fingerprint(), visit.fingerprint());
    assert_eq!(fork.turn(), visit.turn());
}
