use super::*;
use crate::store::Checkpoint;

fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    let pressed = keys.chars().map(|c| state.type_key(KeyCode::Char(c).into()));
    pressed.flatten().flatten().collect()
}

/// Moves to a field and sets it.
fn set(state: &mut State, name: &str, keys: &str) -> Vec<Effect> {
    for _ in 0..40 {
        if state.form.as_ref().unwrap().sheet.field().unwrap().name == name {
            return press(state, keys);
        }
        state.type_key(KeyCode::Down.into());
    }
    panic!("no field {name} is shown");
}

fn opened() -> State {
    let saved = Checkpoint {
        id: 9,
        run: 3,
        step: 40,
        folder: String::new(),
        digest: None,
        label: None,
        note: String::new(),
        created_ms: 0,
        deleted_ms: None,
    };
    let mut state =
        State { suite: Some("household".into()), checkpoints: vec![saved], ..State::default() };
    state.open_form(false, None);
    state
}

#[test]
fn what_the_form_says_is_what_the_command_says() {
    let mut state = opened();
    let usual = "foretaste train --objective imitation --steps 200 --from embedded --rate 0.0005 \
                 --suite household";
    let said = |state: &State| state.form.as_ref().unwrap().command().unwrap();
    assert_eq!(said(&state), usual);
    let copied = press(&mut state, "y");
    assert!(
        matches!(&copied[..], [Effect::Say(_), Effect::Copy(text)] if text == usual),
        "{copied:?}"
    );
    set(&mut state, "objective", "l");
    set(&mut state, "start", "run 3 step 40");
    set(&mut state, "rate", "0.001");
    set(&mut state, "batch", "16");
    set(&mut state, "lora", "4");
    set(&mut state, "alpha", "32");
    set(&mut state, "seed", "7");
    set(&mut state, "k", "0");
    set(&mut state, "epochs", "3");
    assert_eq!(
        said(&state),
        "foretaste train --objective world-model --epochs 3 --from 'run 3 step 40' --rate 0.001 \
         --suite household -k 0 --batch 16 --seed 7 --lora 4 --alpha 32"
    );
    set(&mut state, "start", "");
    state.type_key(KeyCode::Right.into());
    assert_eq!(state.form.unwrap().start(), "embedded", "round to the first");
}

#[test]
fn what_cannot_start_stays_and_says_why_and_another_suite_brings_its_split() {
    let mut state = opened();
    set(&mut state, "rate", "0.5");
    assert!(state.type_key(KeyCode::Enter.into()).unwrap().is_empty());
    let said = state.form.as_ref().unwrap().forecast.clone().unwrap().unwrap_err();
    assert!(said.contains("would ruin"), "{said}");
    state.choices.origins = vec![
        ("alfworld".into(), "valid_train".into(), 22),
        ("household".into(), "train".into(), 7),
    ];
    state.offer();
    set(&mut state, "suite", "h");
    let sheet = &state.form.as_ref().unwrap().sheet;
    assert_eq!((sheet.value("suite"), sheet.value("split")), ("alfworld", "valid_train"));
    let asked = set(&mut state, "rate", "1e-4");
    assert!(
        asked.iter().any(|effect| matches!(
            effect,
            Effect::Store(StoreCmd::Run(RunCmd::Forecast(plan, _)))
                if plan.data.split.as_deref() == Some("valid_train")
        )),
        "{asked:?}"
    );
    let begun = state.type_key(KeyCode::Enter.into()).unwrap();
    assert!(matches!(&begun[..], [Effect::Job(JobCmd::Train(..))]) && state.form.is_none());
}
