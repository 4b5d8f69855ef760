use foretaste::agent::endpoint::{Key, SystemTo};
use serde_json::json;

use super::*;

const KEY: &str = "sk-very-secret-0123456789";

/// A file with a key in it, and the profile that names it.
fn keyed(stub: &Stub) -> (tempfile::TempDir, Profile) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key");
    std::fs::write(&path, format!("{KEY}\n")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    (place, Profile { key: Key::File(path), ..profile(stub) })
}

#[test]
fn the_key_goes_into_one_header_and_nowhere_else() {
    let stub = Stub::new(As::Vllm);
    let (_place, profile) = keyed(&stub);
    let endpoint = Endpoint::open(profile).unwrap();
    ask(&endpoint, Draw::default()).unwrap();
    endpoint.probe(&Cancel::default()).unwrap();
    assert!(!stub.asked().is_empty());
    for asked in stub.asked() {
        assert_eq!(asked.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        assert!(!asked.text.contains(KEY) && !asked.path.contains(KEY));
        let others = asked.headers.iter().filter(|(name, _)| name != "authorization");
        assert!(others.into_iter().all(|(_, value)| !value.contains(KEY)));
    }
    assert!(!format!("{endpoint:?}").contains(KEY));
}

#[test]
fn without_a_key_there_is_no_header() {
    let stub = Stub::new(As::Vllm);
    ask(&open(&stub), Draw::default()).unwrap();
    assert_eq!(stub.chats()[0].header("authorization"), None);
}

#[test]
fn a_key_that_the_server_repeats_is_not_shown() {
    let long = format!("{}{KEY}", "x".repeat(290));
    let faults = [
        Fault::status(
            "401 Unauthorized",
            &format!("{{\"error\":{{\"message\":\"bad key {KEY}\"}}}}"),
        ),
        Fault::status("400 Bad Request", &format!("no JSON {KEY}")),
        Fault::status("422 Unprocessable Entity", &format!("{{\"detail\":\"{long}\"}}")),
        Fault::Status(
            "302 Found",
            vec![("location", format!("https://elsewhere/{KEY}"))],
            String::new(),
        ),
        Fault::json(&format!("not json {KEY}")),
        Fault::json(&format!("{{\"error\":\"{KEY}\"}}")),
        Fault::stream(&format!("data: {{\"error\":\"{KEY}\"}}\n\n")),
        Fault::stream(&format!("data: {KEY}\n\n")),
        Fault::stream(&format!("event: error\ndata: {{\"message\":\"{KEY}\"}}\n\n")),
    ];
    for fault in faults {
        let stub = Stub::new(As::Hosted);
        stub.then([fault.clone()]);
        let (_place, profile) = keyed(&stub);
        let endpoint = Endpoint::open(profile).unwrap();
        let error = ask(&endpoint, Draw::default()).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains("sk-very"), "{fault:?}: {shown}");
        }
    }
    let stub = Stub::new(As::Hosted);
    let text =
        format!("{{\"choices\":[{{\"text\":\"a\",\"finish_reason\":\"stop\"}}],\"k\":\"{KEY}\"}}");
    stub.then([Fault::json(&text)]);
    let (_place, profile) = keyed(&stub);
    let reply = ask(&Endpoint::open(profile).unwrap(), Draw::default()).unwrap();
    assert!(reply.raw.contains("[the key]") && !reply.raw.contains(KEY));
}

#[test]
fn a_key_from_the_environment_must_be_there() {
    let stub = Stub::new(As::Vllm);
    let key = Key::Env("FORETASTE_NO_SUCH_KEY".into());
    let error = Endpoint::open(Profile { key, ..profile(&stub) }).unwrap_err();
    assert!(error.message().contains("FORETASTE_NO_SUCH_KEY"), "{error}");
    // Any variable that could be one.
    let is_key = |value: &str| value.len() > 3 && value.bytes().all(|byte| byte.is_ascii_graphic());
    let (name, value) = std::env::vars().find(|(_, value)| is_key(value)).expect("PATH");
    let key = Key::Env(name);
    ask(&Endpoint::open(Profile { key, ..profile(&stub) }).unwrap(), Draw::default()).unwrap();
    let sent = format!("Bearer {value}");
    assert_eq!(stub.chats()[0].header("authorization"), Some(sent.as_str()));
}

#[test]
fn a_question_says_all_that_was_asked() {
    let stub = Stub::new(As::Vllm);
    let mut asking = profile(&stub);
    asking.extra.insert("chat_template_kwargs".into(), json!({ "enable_thinking": false }));
    asking.system = SystemTo::User;
    asking.max_reply_tokens = 50;
    let endpoint = Endpoint::open(asking).unwrap();
    let draw = Draw {
        max_tokens: 99,
        temperature: 0.7,
        top_p: 0.95,
        seed: Some(3),
        stop: vec!["\n".into()],
        ..streamed()
    };
    let mut messages = vec![Message { role: Role::System, content: "brief".into() }];
    messages.extend(user("hi"));
    let requests = vec![ChatRequest { messages, draw }];
    let (_, error) = endpoint.chat(requests, &Cancel::default(), &mut |_, _, _| {});
    assert_eq!(error, None);
    assert_eq!(
        stub.chats()[0].body,
        json!({
            "model": "toy", "max_tokens": 50, "temperature": 0.7, "top_p": 0.95, "stop": ["\n"],
            "stream": true, "stream_options": { "include_usage": true },
            "chat_template_kwargs": { "enable_thinking": false },
            "messages": [{ "role": "user", "content": "brief\n\nhi" }], "seed": 3,
        })
    );
}

#[test]
fn the_limit_may_have_its_new_name() {
    let stub = Stub::new(As::Hosted);
    let complaint = "{\"error\":{\"message\":\"use max_completion_tokens instead\"}}";
    stub.then([Fault::status("400 Bad Request", complaint)]);
    let error = ask(&open(&stub), Draw::default()).unwrap_err();
    assert!(error.next_step().unwrap().contains("completion_limit = true"));
    let endpoint = Endpoint::open(Profile { completion_limit: true, ..profile(&stub) }).unwrap();
    ask(&endpoint, Draw::default()).unwrap();
    let body = &stub.chats()[1].body;
    assert!(body["max_completion_tokens"].is_u64() && body["max_tokens"].is_null());
}

#[test]
fn a_proxy_is_not_used_for_this_machine() {
    // Only a process of its own can have another environment.
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "answers::the_limit_of_an_answer_is_said"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, "http://127.0.0.1:1");
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_machine_without_certificates_may_ask_without_encryption() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "answers::the_limit_of_an_answer_is_said"]);
    child.env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", "/nowhere");
    assert!(child.output().unwrap().status.success());
}

#[test]
fn a_key_that_others_can_read_on_the_way_is_said() {
    let stub = Stub::new(As::Vllm);
    let (_place, keyed) = keyed(&stub);
    let far = Profile { url: "http://192.0.2.1/v1".into(), ..keyed.clone() };
    assert!(Endpoint::open(far).unwrap().surprise().unwrap().contains("not encrypted"));
    assert_eq!(Endpoint::open(keyed).unwrap().surprise(), None);
}
