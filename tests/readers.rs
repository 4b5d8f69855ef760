//! Exported files as those whom they are for read them: TRL, datasets, parquet. Needs a Python that has
//! these: `FORETASTE_PYTHON` names it.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{failure, json, run};
use foretaste::model::template::{Conversation, Template};
use serde_json::{Value, json};

/// Exports a set under a name.
fn export(data: &Path, folder: &Path, name: &str, how: &[&str]) -> u64 {
    let file = folder.join(name);
    let args = [&["data", "export", "--out", file.to_str().unwrap(), "--held-out", "0"], how];
    let said = json(data, &args.concat());
    assert_eq!(said[0]["bytes"].as_u64().unwrap(), std::fs::metadata(&file).unwrap().len());
    let manifest = std::fs::read(folder.join(format!("{name}.manifest.json"))).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["lines"], said[0]["examples"], "{name}");
    said[0]["examples"].as_u64().unwrap()
}

#[test]
fn other_trainers_read_what_is_exported() {
    let dir = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    let (data, folder) = (dir.path(), out.path());
    json(data, &["collect", "demos", "--suite", "household", "--games", "12"]);
    json(data, &["collect", "branches", "--suite", "household", "-k", "3"]);
    let set = |name: &str| ["--set".to_string(), name.to_string()];
    let order = |name: &str, set_of: &str, more: &[&str]| {
        let own = set(set_of);
        let own: Vec<&str> = own.iter().map(String::as_str).chain(more.iter().copied()).collect();
        export(data, folder, name, &own)
    };
    let messages = order("messages.jsonl", "imitation", &[]);
    let pairs = order("pairs.jsonl", "world-model", &["--format", "prompt-completion"]);
    let preferred = order("preference.jsonl", "preference", &[]);
    let tokens = order("tokens.jsonl", "imitation", &["--format", "tokens", "--model", "novice"]);
    let sft = order("sft.parquet", "imitation", &["--format", "verl"]);
    let rl = order("rl.parquet", "imitation", &["--format", "verl-rl"]);
    assert!(messages > 30 && pairs > messages && preferred > 10);
    assert_eq!([tokens, sft, rl], [messages; 3]);
    // Parquet comes in as it went out; tasks have no answers.
    let to = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.join(name).display().to_string();
    let taken = &json(to.path(), &["data", "import", &file("sft.parquet"), "--suite", "shop1"])[0];
    assert_eq!(taken["trajectories"].as_u64(), Some(sft), "{taken}");
    let tasks = failure(&run(to.path(), &["data", "import", &file("rl.parquet")]));
    assert!(tasks.contains("row 1") && tasks.contains("nobody has answered"), "{tasks}");
    for odd in [
        &["--set", "preference", "--format", "tokens", "--model", "novice"][..],
        &["--set", "imitation", "--format", "tokens"],
        &["--set", "imitation", "--model", "novice"],
        &["--set", "world-model", "--format", "verl-rl", "--check"],
        &["--set", "imitation", "--format", "verl"],
    ] {
        assert!(!run(data, &[&["data", "export"], odd].concat()).status.success(), "{odd:?}");
    }

    // What an update over all of it costs here.
    let all = ["train", "--objective", "imitation", "--from", "novice", "--batch", "12"];
    let how = ["--steps", "1", "--rate", "1e-12", "--held-out", "0"];
    let said = json(data, &[&all[..], &how].concat());
    let loss = said.iter().find_map(|row| row["loss"].as_f64()).unwrap();
    std::fs::rename(data.join("checkpoints/run-1-step-1"), folder.join("model")).unwrap();
    recipes(data, folder, messages);
    let Some(python) = python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers.py");
    let read = Command::new(python).arg(script).arg(folder).output().unwrap();
    let told = String::from_utf8_lossy(&read.stderr).to_string();
    assert!(read.status.success(), "{told}");
    let lines = String::from_utf8_lossy(&read.stdout).to_string();
    let found: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(found["messages"]["rows"], json!(messages));
    assert_eq!(found["messages"]["chat"], json!(true), "{found}");
    assert_eq!(found["pairs"]["columns"], json!(["prompt", "completion"]));
    assert_eq!(found["preference"]["columns"], json!(["prompt", "chosen", "rejected"]));
    assert_eq!(found["sft"]["rows"], json!(messages));
    let roles = |name: &str, field: &str| -> Vec<String> {
        let all = found[name]["first"][field].as_array().unwrap().iter();
        all.map(|turn| turn["role"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(roles("sft", "messages").last().unwrap(), "assistant");
    assert_eq!(roles("rl", "prompt").last().unwrap(), "user");
    let task = &found["rl"]["first"];
    assert_eq!((&task["data_source"], &task["ability"]), (&json!("household"), &json!("agent")));
    assert!(!task["reward_model"]["ground_truth"].as_str().unwrap().is_empty());
    other_recipes_teach_the_answer(folder, &found, messages);
    // TRL's trainer finds the same loss on the same tokens.
    let other = found["tokens"]["loss"].as_f64().unwrap();
    assert!((loss - other).abs() < 1e-4, "{loss} here, {other} by TRL");
}

fn how<'a>(format: &'a str, model: &'a str) -> [&'a str; 6] {
    ["--set", "imitation", "--format", format, "--model", model]
}

/// Settings of other trainers, for models that were trained on conversations: a turn ends with what ends a
/// text, or with a mark of its own.
fn recipes(data: &Path, folder: &Path, lines: u64) {
    let file = |name: &str| folder.join(name).display().to_string();
    for (name, end) in [("plain", "<|im_end|>"), ("other", "<|eot|>")] {
        chat_model(&folder.join("model"), &folder.join(name), end);
        for format in ["llamafactory", "axolotl"] {
            let to = format!("{name}-{format}.jsonl");
            assert_eq!(export(data, folder, &to, &how(format, &file(name))), lines);
        }
    }
    let refused = |name: &str, model: &str| {
        let to = ["data", "export", "--held-out", "0", "--out", &file(name)];
        let output = run(data, &[&to[..], &how("llamafactory", model)].concat());
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).to_string()
    };
    let plain = file("plain");
    for (name, model, says) in [
        ("plain-llamafactory.jsonl", &plain, "already there"),
        ("own.jsonl", &file("model"), "a form of its own"),
        ("a.txt", &plain, "end of their name"),
        ("dataset_info.json", &plain, "names datasets"),
        ("b.jsonl", &file("plan"), "nothing is there"),
    ] {
        let said = refused(name, model);
        assert!(said.contains(says), "{name}: {said}");
    }
    // What stands in the way is known before anything is written.
    let info = folder.join("dataset_info.json");
    let known = std::fs::read_to_string(&info).unwrap();
    std::fs::write(&info, "{broken").unwrap();
    assert!(refused("c.jsonl", &plain).contains("dataset_info.json"));
    assert!(!folder.join("c.jsonl").exists() && !folder.join("c.jsonl.manifest.json").exists());
    std::fs::write(&info, known).unwrap();
}

/// They read their settings, and learn the last answer of a line and what ends it.
fn other_recipes_teach_the_answer(folder: &Path, found: &Value, messages: u64) {
    let lines = std::fs::read_to_string(folder.join("messages.jsonl")).unwrap();
    let answers: Vec<String> = lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["messages"].as_array().unwrap().last().unwrap()["content"]
                .as_str()
                .unwrap()
                .to_string()
        })
        .collect();
    for trainer in ["llamafactory", "axolotl"] {
        if let Some(missing) = found[trainer]["missing"].as_str() {
            eprintln!("\n!!! NOT CHECKED: {trainer} is not there: {missing} !!!\n");
            continue;
        }
        for model in ["plain", "other"] {
            let read = &found[trainer][model];
            assert_eq!(read["rows"], json!(messages), "{read}");
            for (place, answer) in [("first", answers.first()), ("last", answers.last())] {
                let learnt = read[place].as_str().unwrap().trim_end();
                assert_eq!(learnt, format!("{}<|im_end|>", answer.unwrap()), "{trainer}, {model}");
            }
            assert!(read["unknown"].as_array().is_none_or(Vec::is_empty), "{read}");
        }
    }
}

/// A model of others: our own under other marks, with a template by which conversations are written. `end` is
/// what ends its texts; a turn ends with `<|im_end|>`.
fn chat_model(from: &Path, to: &Path, end: &str) {
    std::fs::create_dir(to).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let marks =
        [("task", "im_start"), ("end", "im_end"), ("obs", "eot"), ("act", "one"), ("think", "two")];
    let tokenizer = std::fs::read_to_string(from.join("tokenizer.json")).unwrap();
    let renamed = marks.iter().fold(tokenizer, |text, (own, other)| {
        text.replace(&format!("<|{own}|>"), &format!("<|{other}|>"))
    });
    std::fs::write(to.join("tokenizer.json"), renamed).unwrap();
    let template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    let said = json!({"eos_token": end, "pad_token": "<|two|>", "chat_template": template});
    std::fs::write(to.join("tokenizer_config.json"), said.to_string()).unwrap();
}

/// The Python, where it has what is needed; said loudly where not.
fn python() -> Option<String> {
    let python = std::env::var("FORETASTE_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut asked = Command::new(&python);
    asked.args(["-c", "import trl, datasets"]).stderr(Stdio::null());
    if asked.status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!("\n!!! NOT CHECKED: {python} has no trl, datasets. Set FORETASTE_PYTHON. !!!\n");
    None
}

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
    let Some(python) = python() else { return };
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
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates.py");
    let read = Command::new(python).arg(script).arg(dir.path()).output().unwrap();
    let told = String::from_utf8_lossy(&read.stderr).to_string();
    assert!(read.status.success(), "{told}");
    let theirs: Value = serde_json::from_slice(&read.stdout).unwrap();
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
    assert!(same >= TEMPLATES.len() * all.len(), "{told}");
}
