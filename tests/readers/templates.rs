//! Chat templates, as transformers writes them.

use foretaste::model::template::{Conversation, Template};
use serde_json::{Value, json};

use crate::{python, read_by};

/// Templates in the ways that others write them: calls behind marks, a list of them, dates and lists.
const TEMPLATES: [(&str, &str); 3] = [
    (
        "marked",
        "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n    {%- for tool in tools %}\n        {{- \"\\n\" }}{{- tool | tojson }}\n    {%- endfor %}\n    {{- '<|im_end|>\\n' }}\n{%- endif %}\n\
         {%- for message in messages %}\n    {%- if message.role == 'assistant' and message.tool_calls %}\n        {%- for call in message.tool_calls %}\n            {{- '<tool_call>\\n{\"name\": \"' + call.function.name + '\", \"arguments\": ' + (call.function.arguments | tojson) + '}\\n</tool_call>' }}\n        {%- endfor %}\n    {%- else %}\n        {{- '<|im_start|>' + message.role + '\\n' + message.content.strip() + '<|im_end|>\\n' }}\n    {%- endif %}\n{%- endfor %}\n\
         {%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n    {%- if enable_thinking is defined and enable_thinking is false %}\n        {{- '<think>\\n\\n</think>\\n\\n' }}\n    {%- endif %}\n{%- endif %}",
    ),
    (
        "listed",
        "{{ bos_token }}{% set ns = namespace(seen=0) %}{% for m in messages %}{% if m['role'] == 'user' %}{% set ns.seen = ns.seen + 1 %}[INST {{ ns.seen }}] {{ m['content'] | trim }} [/INST]\
         {% elif m['tool_calls'] is defined and m['tool_calls'] is not none %}[TOOL_CALLS] [{% for call in m.tool_calls %}{{ call.function | tojson }}{% if not loop.last %}, {% endif %}{% endfor %}]{{ eos_token }}\
         {% else %} {{ m['content'][:200] }}{{ eos_token }}{% endif %}{% endfor %}{% if tools is not none %}[TOOLS] {{ tools | tojson(indent=4) }}{% endif %}",
    ),
    (
        "dated",
        "{%- if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}Today: {{ date_string }}\n\
         {% for m in messages %}{% for part in m.content.split(' ') %}{{ loop.index0 }}:{{ part }}|{% endfor %}\n{% endfor %}{{ tools is none }}",
    ),
];

#[test]
fn chat_templates_are_written_as_transformers_writes_them() {
    let Some(python) = python("FORETASTE_PYTHON", "trl, datasets") else { return };
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    for (name, text) in TEMPLATES {
        std::fs::write(place(&format!("{name}.jinja")), text).unwrap();
    }
    // Others' own, where a person has some.
    for entry in
        std::env::var("FORETASTE_TEMPLATES").iter().flat_map(|of| std::fs::read_dir(of).unwrap())
    {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "jinja") {
            std::fs::copy(&path, place(path.file_name().unwrap().to_str().unwrap())).unwrap();
        }
    }
    let tool = |name: &str| {
        json!({"type": "function", "function": {"name": name, "description": "Does \"what\" it is told: ä <b>.",
            "parameters": {"type": "object", "properties": {"command": {"type": "string"}, "n": {"type": "number", "default": 1e-7}}, "required": ["command"]}}})
    };
    let [system, user] = [("system", "You play."), ("user", " Go to it.\n")]
        .map(|(role, content)| json!({"role": role, "content": content}));
    let call = json!({"role": "assistant", "content": "", "tool_calls": [{"id": "q12345678", "type": "function",
        "function": {"name": "act", "arguments": {"command": "go to \"desk\" 1", "n": 2.5}}}]});
    let seen = json!({"role": "tool", "tool_call_id": "q12345678", "name": "act", "content": "You see a mug."});
    let said = json!({"role": "assistant", "content": "Done."});
    let all = [
        (vec![&user], Value::Null, true),
        (vec![&system, &user], json!([tool("act"), tool("look")]), true),
        (vec![&user, &call, &seen], json!([tool("act")]), true),
        (vec![&user, &call, &seen, &said, &user], json!([tool("act")]), true),
        (vec![&user, &call], json!([tool("act")]), false),
    ];
    let rows: Vec<Value> = all
        .iter()
        .map(|(messages, tools, answer)| json!({"messages": messages, "tools": tools, "answer": answer}))
        .collect();
    std::fs::write(place("conversations.json"), json!(rows).to_string()).unwrap();
    let theirs = read_by(&python, "templates.py", dir.path());
    let (mut same, mut wrong) = (0, Vec::new());
    for (name, texts) in theirs.as_object().unwrap() {
        let source = std::fs::read(place(&format!("{name}.jinja"))).unwrap();
        let special = json!({"bos_token": "<s>", "eos_token": "</s>"}).to_string().into_bytes();
        let beside =
            [("chat_template.jinja".into(), source), ("tokenizer_config.json".into(), special)];
        let template = match Template::find(&beside) {
            Ok(template) => template.unwrap(),
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for ((messages, tools, answer), text) in all.iter().zip(texts.as_array().unwrap()) {
            // A template may refuse a conversation.
            let Some(text) = text.as_str() else { continue };
            let conversation = Conversation {
                messages: messages.iter().map(|one| (*one).clone()).collect(),
                tools: tools.as_array().cloned().unwrap_or_default(),
                answer: *answer,
                thinks: false,
            };
            match template.converse(&conversation) {
                Ok(own) if own == text => same += 1,
                Ok(own) => {
                    let at = own.chars().zip(text.chars()).take_while(|(a, b)| a == b).count();
                    let from = |of: &str| {
                        of.chars().skip(at.saturating_sub(30)).take(90).collect::<String>()
                    };
                    wrong.push(format!("{name}: {:?} for {:?}", from(&own), from(text)));
                }
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
        }
    }
    eprintln!("{same} renderings are the same");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(same >= TEMPLATES.len() * all.len(), "{theirs}");
}
