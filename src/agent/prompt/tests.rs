use super::*;
use crate::model::template::Template;

fn state(steps: usize) -> State {
    State {
        task: "put a mug on the shelf.".into(),
        observation:
            "-= Welcome =-\n\nThe room has a shelf 1.\n\nYour errand: put a mug on the shelf."
                .into(),
        history: (0..steps)
            .map(|i| (format!("walk to shelf {i}"), "You reach it.".to_string()))
            .collect(),
    }
}

#[test]
fn a_state_is_a_prefix_of_the_next_one_and_old_steps_go_first() {
    let tokenizer =
        Tokenizer::train(&["walk to shelf 1 You reach it. The room has".into()], 290).unwrap();
    let framing = Framing::new(&tokenizer).unwrap();
    let short = framing.state(&state(2), 4096).unwrap();
    let long = framing.state(&state(3), 4096).unwrap();
    assert_eq!(long[..short.len()], short[..]);
    let text = tokenizer.decode(&framing.opening(&state(0)).unwrap()).unwrap();
    assert_eq!(text, "put a mug on the shelf.The room has a shelf 1.");
    let opening = framing.opening(&state(0)).unwrap().len();
    let cut = framing.state(&state(9), opening + 30).unwrap();
    assert!(cut.len() <= opening + 30 && cut.len() > opening);
    assert!(framing.state(&state(0), 3).is_err());
}

/// The tokenizer of a model of others: none of our marks but the end, which has a name of theirs.
fn of_others(own: &str) -> Tokenizer {
    let names = ["task", "obs", "act", "think"];
    let marked = names.iter().fold(own.to_string(), |json, name| {
        json.replace(&format!("<|{name}|>"), &format!("[{name}]"))
    });
    Tokenizer::parse(marked.replace("<|end|>", "</s>").as_bytes()).unwrap()
}

#[test]
fn in_words_the_space_belongs_to_the_text_and_outside_text_is_no_control_token() {
    let texts: Vec<String> =
        (0..40).map(|i| format!("Action: go to shelf {i}\nObservation: You see a go.")).collect();
    let own = Tokenizer::train(&texts, 330).unwrap().to_json().unwrap();
    let foreign = of_others(&own);
    let framing = Framing::new(&foreign).unwrap();
    assert_eq!(
        foreign.decode(&framing.acted("go to shelf 2").unwrap()).unwrap(),
        "\nAction: go to shelf 2"
    );
    let natural = foreign.encode("\nAction: go to shelf 2").unwrap();
    assert_eq!(
        framing.acted("go to shelf 2").unwrap()[..natural.len()],
        natural,
        "tokenized as a whole"
    );
    for (tokenizer, ends) in [
        (&foreign, ["</s>", "[obs]", "[act]"]),
        (&Tokenizer::parse(own.as_bytes()).unwrap(), ["<|end|>", "<|obs|>", "<|act|>"]),
    ] {
        let framing = Framing::new(tokenizer).unwrap();
        for literal in ends {
            let special = tokenizer.encode(literal).unwrap();
            assert_eq!(special.len(), 1, "{literal}");
            let said = framing.observation(&format!("You see {literal}{literal} here")).unwrap();
            let (end, body) = said.split_last().unwrap();
            assert_eq!(*end, tokenizer.end);
            assert!(!body.contains(&special[0]), "{literal} in {body:?}");
        }
    }
}

#[test]
fn a_persons_own_system_message_stands_first_and_only_where_there_are_turns() {
    let own = Tokenizer::train(&["user assistant system Act. go".into()], 330).unwrap();
    let own = own.to_json().unwrap();
    let foreign = || of_others(&own);
    let source = "{% for m in messages %}[{{ m.role }}]{{ m.content }}</s>{% endfor %}\
                  {% if add_generation_prompt %}[assistant]{% endif %}";
    let files = [("chat_template.jinja".to_string(), source.as_bytes().to_vec())];
    let template = Template::find(&files).unwrap().unwrap();
    let told = |tokenizer: &Tokenizer| {
        let framing = Framing::new(tokenizer).unwrap();
        tokenizer.decode_all(&framing.opening(&state(0)).unwrap()).unwrap()
    };
    let speaking = foreign().speaking(&template);
    assert!(
        told(&speaking).starts_with(&format!("[system]{}</s>[user]Task: put", dialect::SYSTEM))
    );
    let briefly = || Some("Act briefly.</s>".to_string());
    let other = told(&speaking.told_first(briefly()).unwrap());
    assert!(other.starts_with("[system]Act briefly.<\u{200b}/s></s>[user]Task: put"), "{other}");
    // A model that is told nothing first does not have a person's words dropped in silence.
    let error = foreign().told_first(briefly()).unwrap_err();
    assert!(error.message().contains("system.txt"), "{error}");
}
