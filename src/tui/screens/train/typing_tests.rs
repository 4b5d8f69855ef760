use super::*;

fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    let pressed = keys.chars().map(|c| state.type_key(KeyCode::Char(c).into()));
    pressed.flatten().flatten().collect()
}

#[test]
fn what_the_form_says_is_what_the_command_says() {
    let saved = Checkpoint { id: 9, run: 3, step: 40, folder: String::new(), digest: None };
    let mut state = State {
        suite: Some("household".into()),
        checkpoints: vec![saved],
        form: Some(Form::default()),
        ..State::default()
    };
    let said = |state: &State| {
        let form = state.form.as_ref().unwrap();
        command(&state.plan(form), &form.start)
    };
    let usual = "foretaste train --objective imitation --steps 200 --from embedded --rate \
                 0.0005 --suite household";
    assert_eq!(said(&state), usual);
    let copied = press(&mut state, "y");
    assert!(matches!(&copied[..], [Effect::Copy(text)] if text == usual), "{copied:?}");
    press(&mut state, "2ssrtadnb+");
    assert_eq!(
        said(&state),
        "foretaste train --objective world-model --steps 250 --from 'run 3 step 40' --rate \
         0.001 --suite household --batch 16 --lora 4 --seed 2 -k 0 --match total"
    );
    press(&mut state, "s");
    assert_eq!(state.form.unwrap().start, "embedded", "round to the first");
}
