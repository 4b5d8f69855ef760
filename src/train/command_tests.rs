use super::*;
use crate::train::Objective;

#[test]
fn what_is_usual_of_a_run_that_ends_by_its_tokens_is_not_what_is_usual_of_others() {
    let of = |tokens: Option<u64>, tuning: Tuning| {
        let mut plan = Plan { tuning, ..Plan::new(Objective::Rl, 60, 1) };
        plan.rl.as_mut().unwrap().tokens = tokens;
        command(&plan, "novice")
    };
    let (falling, steady) = (Tuning::default(), Tuning::steady());
    let says = |said: &str| (said.contains("--schedule"), said.contains("--warmup"));
    assert_eq!(says(&of(None, falling)), (false, false));
    assert_eq!(says(&of(Some(9), steady)), (false, false));
    assert_eq!(says(&of(Some(9), falling)), (true, true));
    assert_eq!(says(&of(None, steady)), (true, true));
}
