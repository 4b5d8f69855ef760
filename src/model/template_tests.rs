use std::time::{Duration, Instant};

use super::*;

fn template(source: &str) -> Template {
    let config =
        json!({"chat_template": source, "bos_token": "<s>", "eos_token": {"content": "</s>"}});
    let beside = [("tokenizer_config.json".to_string(), config.to_string().into_bytes())];
    Template::find(&beside).unwrap().unwrap()
}

const CHATML: &str = "{%- for message in messages %}\n  {{- '<|im_start|>' + message.role + '\\n' + \
                      message['content'].strip() + '<|im_end|>\\n' }}\n{%- endfor %}\n\
                      {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

#[test]
fn turns_are_what_stands_between_messages() {
    let turns = Turns::of(&template(CHATML)).unwrap();
    assert_eq!(turns.opening, "<|im_start|>system\n");
    assert_eq!(turns.after_system, "<|im_end|>\n<|im_start|>user\n");
    assert_eq!(turns.to_assistant, "<|im_end|>\n<|im_start|>assistant\n");
    assert_eq!(turns.to_user, "<|im_end|>\n<|im_start|>user\n");
}

#[test]
fn a_template_that_has_the_system_in_the_first_turn_has_turns_as_well() {
    let source = "{{ bos_token }}{% set system = messages[0].content + '\\n\\n' %}\
                  {% for m in messages[1:] %}{% set role = 'model' if m.role == 'assistant' else m.role %}\
                  <start_of_turn>{{ role }}\n{{ system if loop.first else '' }}{% generation %}\
                  {{ m.content | trim }}{% endgeneration %}<end_of_turn>\n{% endfor %}\
                  {% if add_generation_prompt %}<start_of_turn>model\n{% endif %}";
    let turns = Turns::of(&template(source)).unwrap();
    assert_eq!(turns.opening, "<s><start_of_turn>user\n");
    assert_eq!(turns.after_system, "\n\n");
    assert_eq!(turns.to_assistant, "<end_of_turn>\n<start_of_turn>model\n");
}

#[test]
fn what_has_no_turns_that_look_alike_is_said() {
    for (source, said) in [
        ("{{ messages[-1].content }}", "leaves out a message"),
        (
            "{% for m in messages %}{{ loop.index }}:{{ m.content }}{% endfor %}",
            "do not look alike",
        ),
        ("{{ raise_exception('no system here') }}", "no system here"),
        ("{% for m in messages %}", "cannot be used"),
        (&CHATML.replace("message['content'].strip()", "message['content'][:20]"), "changes what"),
    ] {
        let error = Turns::of(&template(source)).unwrap_err();
        assert!(error.message().contains(said), "{source}: {error}");
    }
}

#[test]
fn a_hostile_template_ends() {
    let begun = Instant::now();
    for source in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 100000000000 }}",
        "{% for a in range(90000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set a=('a'*100000).replace('a','b'*100000) %}",
        "{% set a=('a'*100000)|replace('a','b'*100000) %}",
        "{{ (range(100000)|join('x'*1000000))|length }}",
        "{{ '{:>2000000000}'.format('a') }}",
        "{{ '%1000000000s'|format('a') }}",
        "{{ [1]|tojson(indent=1000000000) }}",
    ] {
        let error = template(source).render(&[("user", "a")], false).unwrap_err();
        assert!(error.message().contains("cannot be used"), "{source}: {error}");
    }
    // Past the stack of any thread but one of its own; some of them are programs, of no use.
    for source in [
        format!("{{{{ {}1 }}}}", "-".repeat(30_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(15_000)),
        format!("{{{{ a{} }}}}", ".a".repeat(30_000)),
        format!("{{{{ 1{} }}}}", "|int".repeat(15_000)),
        format!("{{{{ f{} }}}}", "()".repeat(30_000)),
    ] {
        _ = template(&source).render(&[("user", "a")], false);
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
    let long = "x".repeat(SOURCE + 1);
    let beside = [("chat_template.jinja".to_string(), long.into_bytes())];
    assert!(Template::find(&beside).unwrap_err().message().contains("bytes"));
}

#[test]
fn the_date_is_always_the_same_and_the_default_of_several_is_taken() {
    let dated = template("{{ strftime_now('%d %b %Y') }}{{ messages[0].content }}");
    assert_eq!(dated.render(&[("user", "!")], false).unwrap(), "26 Jul 2024!");
    let several = json!({"chat_template": [{"name": "tool_use", "template": "t"},
        {"name": "default", "template": "d"}]});
    let beside = [("tokenizer_config.json".to_string(), several.to_string().into_bytes())];
    let found = Template::find(&beside).unwrap().unwrap();
    assert_eq!(found.render(&[], false).unwrap(), "d");
}

#[test]
fn a_model_that_may_think_is_asked_to_answer_at_once() {
    let thinking = CHATML.replace(
        "{{ '<|im_start|>assistant\\n' }}",
        "{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is false %}{{ '<think></think>\\n' }}{% endif %}",
    );
    let turns = Turns::of(&template(&thinking)).unwrap();
    assert_eq!(turns.to_assistant, "<|im_end|>\n<|im_start|>assistant\n<think></think>\n");
}
