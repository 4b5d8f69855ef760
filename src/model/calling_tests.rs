use super::*;

fn template(source: &str) -> Template {
    let config = json!({"chat_template": source, "bos_token": "<s>", "eos_token": "</s>"});
    let beside = [("tokenizer_config.json".to_string(), config.to_string().into_bytes())];
    Template::find(&beside).unwrap().unwrap()
}

/// Calls behind a mark, each with its own, as many models have it.
const MARKED: &str = "{% if tools %}<|im_start|>system\nTools:{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}<|im_end|>\n{% endif %}\
    {% for m in messages %}<|im_start|>{{ 'user' if m.role == 'tool' else m.role }}\n\
    {% if m.role == 'tool' %}<tool_response>\n{{ m.content }}\n</tool_response>{% else %}{{ m.content }}{% endif %}\
    {% for call in m.tool_calls or [] %}<tool_call>\n{\"name\": \"{{ call.function.name }}\", \"arguments\": {{ call.function.arguments | tojson }}}\n</tool_call>{% endfor %}\
    <|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// A list behind one mark.
const LISTED: &str = "<s>{% if tools %}[AVAILABLE_TOOLS] {{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}\
    {% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]\
    {% elif m.role == 'tool' %}[TOOL_RESULTS] {{ m.content }}[/TOOL_RESULTS]\
    {% elif m.tool_calls %}[TOOL_CALLS] [{% for call in m.tool_calls %}{{ call.function | tojson }}{% if not loop.last %}, {% endif %}{% endfor %}]</s>\
    {% else %} {{ m.content }}</s>{% endif %}{% endfor %}";

/// Alone, with another name of the arguments.
const ALONE: &str = "{% for m in messages %}<|{{ m.role }}|>\n{% if loop.first and tools %}{% for tool in tools %}{{ tool | tojson(indent=4) }}\n{% endfor %}{% endif %}\
    {% if m.tool_calls %}{% for call in m.tool_calls %}{\"name\": \"{{ call.function.name }}\", \"parameters\": {{ call.function.arguments | tojson }}}{{ '' if loop.last else '; ' }}{% endfor %}\
    {% else %}{{ m.content }}{% endif %}<|eot|>{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}";

fn tools() -> Vec<String> {
    ["act", "look"].map(str::to_string).to_vec()
}

fn call(name: &str, arguments: Value) -> Call {
    Call { name: name.into(), arguments }
}

#[test]
fn a_template_says_how_calls_are_written() {
    for (source, named, text) in [
        (
            MARKED,
            "<tool_call>\n{\"name\": \"act\", \"arguments\": ",
            "I go.\n<tool_call>\n{\"name\": \"act\", \"arguments\": {\"command\": \"go\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"look\"}\n</tool_call>",
        ),
        (
            LISTED,
            "[TOOL_CALLS] [{\"name\": \"act\", \"arguments\": ",
            "I go.[TOOL_CALLS][{\"name\": \"act\", \"arguments\": {\"command\": \"go\"}}, {\"name\": \"look\", \"arguments\": {}}]",
        ),
        (
            ALONE,
            "{\"name\": \"act\", \"parameters\": ",
            "{\"name\": \"act\", \"parameters\": {\"command\": \"go\"}}; {\"name\": \"look\", \"parameters\": {}}",
        ),
    ] {
        let calling = Calling::of(&template(source)).unwrap();
        assert_eq!(calling.begun(Some("act")), named);
        assert!(named.starts_with(&calling.begun(None)));
        let read = reply(Some((&calling, &tools())), "", text);
        let wanted = [call("act", json!({"command": "go"})), call("look", json!({}))];
        assert_eq!(read.calls, wanted, "{source}");
        assert_eq!(read.content, if source == ALONE { "" } else { "I go." });
    }
}

#[test]
fn what_is_no_call_is_said() {
    let calling = Calling::of(&template(MARKED)).unwrap();
    for text in [
        "I would go.",
        "<tool_call>\n{\"name\": \"act\", \"arguments\": {\"comm",
        "<tool_call>\n{\"name\": 3}\n</tool_call>",
        "<tool_call>\n{\"name\": \"act\", \"arguments\": [1]}\n</tool_call>",
        "{\"name\": \"act\", \"arguments\": {}}",
    ] {
        assert_eq!(
            reply(Some((&calling, &tools())), "", text),
            Reply { content: text.into(), ..Reply::default() }
        );
    }
    let whole = "<tool_call>\n{\"name\": \"act\", \"arguments\": {}}\n</tool_call>";
    let other = whole.replace("act", "rm");
    assert_eq!(
        reply(Some((&calling, &tools())), "", &other).content,
        other,
        "no tool of this request"
    );
    assert_eq!(reply(None, "", whole).calls, [], "nobody gave it tools");
    let alone = Calling::of(&template(ALONE)).unwrap();
    assert_eq!(reply(Some((&alone, &tools())), "", "{\"answer\": 3}").content, "{\"answer\": 3}");
}

#[test]
fn what_stands_beside_calls_is_not_lost() {
    let calling = Calling::of(&template(MARKED)).unwrap();
    let act =
        "<tool_call>\n{\"name\": \"act\", \"arguments\": {\"command\": \"go\"}}\n</tool_call>";
    let read = |text: &str| {
        let read = reply(Some((&calling, &tools())), "", text);
        (read.content, read.calls.len())
    };
    assert_eq!(read(&format!("First. {act} Then. {act}")), ("First.  Then.".into(), 2));
    assert_eq!(
        read(&format!("I write <tool_call> then {{1}}: {act}")),
        ("I write <tool_call> then {1}:".into(), 1)
    );
    assert_eq!(read(&format!("{act}\n<tool_call>\n{{\"name\": \"ac")).1, 1);
    let twice = act.replace("{\"command\": \"go\"}", "\"{\\\"command\\\": \\\"go\\\"}\"");
    assert_eq!(read(&twice), (String::new(), 1));
    // A draft in a thought is none.
    let drafted = format!("Hm. <think>maybe {act}</think>{act}");
    let drafted = reply(Some((&calling, &tools())), "", &drafted);
    assert_eq!((drafted.content.as_str(), drafted.calls.len()), ("Hm.", 1));
    let alone = Calling::of(&template(ALONE)).unwrap();
    let text = "{\"name\": \"act\", \"age\": 3}";
    assert_eq!(reply(Some((&alone, &tools())), "", text).content, text, "no arguments, no call");
}

#[test]
fn a_template_that_opens_a_thought_marks_calls_whole() {
    let opens = MARKED.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}");
    let calling = Calling::of(&template(&opens)).unwrap();
    assert!(calling.begun(None).starts_with("<tool_call>"), "{calling:?}");
    let one = ALONE.replace(
        "{% if m.tool_calls %}",
        "{% if m.tool_calls %}{{ raise_exception('one') if m.tool_calls | length > 1 }}",
    );
    let calling = Calling::of(&template(&one)).unwrap();
    let two = "{\"name\": \"act\", \"parameters\": {}}; {\"name\": \"look\", \"parameters\": {}}";
    assert_eq!(reply(Some((&calling, &tools())), "", two).calls.len(), 1, "it takes no two");
}

#[test]
fn a_thought_is_apart() {
    let said = |prompt: &str, text: &str| reply(None, prompt, text);
    let whole = said("", "<think>\nHm.\n</think>\n\nYes.");
    assert_eq!((whole.thought.as_deref(), whole.content.as_str()), (Some("Hm."), "Yes."));
    let begun = said("<|assistant|>\n<think>\n", "Hm.\n</think>\n\nYes.");
    assert_eq!((begun.thought.as_deref(), begun.content.as_str()), (Some("Hm."), "Yes."));
    let open = said("", "<think>\nHm, hm");
    assert_eq!((open.thought.as_deref(), open.content.as_str()), (Some("Hm, hm"), ""));
    let none = said("<think>\n\n</think>\n\n", "Yes.");
    assert_eq!((none.thought, none.content.as_str()), (None, "Yes."));
}

#[test]
fn a_template_without_tools_says_so() {
    let chat = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";
    let tagged = MARKED.replace("{\\\"name\\\"", "<function=").replace(
        "{\"name\": \"{{ call.function.name }}\", \"arguments\": {{ call.function.arguments | tojson }}}",
        "<function={{ call.function.name }}>",
    );
    for (source, said) in [
        (chat, "no tools"),
        (&MARKED.replace("{{ m.content }}\n</tool_response>", "</tool_response>"), "no results"),
        (&tagged, "objects of JSON"),
    ] {
        let error = Calling::of(&template(source)).unwrap_err();
        assert!(error.message().contains(said), "{error}");
    }
}
