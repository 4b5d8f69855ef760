use std::sync::Arc;

use super::*;
use crate::env::Suite;
use crate::env::household::Household;
use crate::explore::Session;

fn session(task: &str, asked: &str) -> Session {
    let suite: Arc<dyn Suite> = Arc::new(Household);
    Session::open(&suite, "train", task, Some(asked)).unwrap()
}

/// Says of a view that the policy finds this action likeliest.
fn score(game: &mut Game, view: &View, action: &str) {
    game.score(&view.state, &[action.to_string()], &[1.0]);
}

#[test]
fn agreement_is_counted_over_all_states_on_the_way_and_says_where_it_is_not_known() {
    let mut session = session("train/3", "fair");
    let mut game = Game::default();
    let mut views = Vec::new();
    loop {
        let view = session.view().unwrap();
        game.see(&view);
        let advice = view.expert.clone();
        views.push(view);
        let Some((name, advice)) = advice else { break };
        session.step(&advice.action, &name).unwrap();
    }
    let (last, passed) = views.split_last().unwrap();
    assert!(last.done);
    let all = passed.len();
    assert_eq!(game.agreed(last), Agreed { same: 0, of: 0, unknown: all });
    for (i, view) in passed.iter().enumerate().skip(1) {
        let advised = view.expert.as_ref().unwrap().1.action.as_str();
        score(&mut game, view, if i == 1 { "help" } else { advised });
    }
    let expected = Agreed { same: all - 2, of: all - 1, unknown: 1 };
    assert_eq!(game.agreed(last), expected);
    let (state, actions) = game.unscored(last).unwrap();
    assert_eq!((&state, &actions), (&passed[0].state, &passed[0].admissible));
    // Neither alternatives chosen in another way nor a second look changes it.
    let mut memory = Memory { game, ..Memory::default() };
    memory.forget_alternatives();
    score(&mut memory.game, &passed[1], &passed[1].expert.as_ref().unwrap().1.action);
    assert_eq!(memory.game.agreed(last), expected);
    memory.forget_policy();
    assert_eq!(memory.game.agreed(last), Agreed { same: 0, of: 0, unknown: all });
}

#[test]
fn a_game_comes_back_as_it_was_left_unless_many_were_opened_since() {
    let mut memory = Memory::default();
    let start = session("train/3", "fair").view().unwrap();
    assert!(memory.turn_to(&start));
    memory.game.tried.insert(start.state.clone(), Vec::new());
    let mut at = |task: usize| {
        let view = session(&format!("train/{task}"), "fair").view().unwrap();
        let another = memory.turn_to(&view);
        (another, memory.game.tried.contains_key(&start.state))
    };
    assert_eq!(at(3), (false, true));
    assert_eq!(at(4), (true, false));
    assert_eq!(at(3), (true, true));
    for task in 4..4 + GAMES {
        assert_eq!(at(task), (true, false));
    }
    assert_eq!(at(3), (true, true));
    for task in 4..6 + GAMES {
        at(task);
    }
    assert_eq!(at(3), (true, false), "the game that was left longest ago is forgotten");
}
