use super::*;

#[test]
fn a_url_may_end_in_v1_or_not() {
    for (text, api, root, is_local) in [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1", "http://127.0.0.1:8080", true),
        ("http://localhost:1/v1/", "http://localhost:1/v1", "http://localhost:1", true),
        ("http://[::1]:1/", "http://[::1]:1/v1", "http://[::1]:1", true),
        ("https://host/api/v1", "https://host/api/v1", "https://host/api", false),
        ("https://host/openai", "https://host/openai/v1", "https://host/openai", false),
        ("https://host/v1beta", "https://host/v1beta", "https://host", false),
        ("https://host/vllm", "https://host/vllm/v1", "https://host/vllm", false),
        (
            "https://127.0.0.1.example/",
            "https://127.0.0.1.example/v1",
            "https://127.0.0.1.example",
            false,
        ),
    ] {
        let found = base(text).unwrap();
        assert_eq!(
            (found.api.as_str(), found.root.as_str(), found.is_local),
            (api, root, is_local)
        );
    }
}

#[test]
fn other_urls_are_refused_and_passwords_not_repeated() {
    for (text, why) in [
        ("", "is none"),
        ("127.0.0.1:8080", "is none"),
        ("ftp://host/v1", "http://"),
        ("http://me:sk-secret@host/v1", "a password"),
        ("http://host/v1?key=sk-secret", "a query"),
        ("http://host/v1/chat/completions", "/chat/completions"),
    ] {
        let error = base(text).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("sk-secret"));
    }
}

#[test]
fn a_profile_is_a_table_of_toml() {
    let text = "url = 'http://h/v1'\nkey = { env = 'K' }\nbudget_tokens = 5\nsystem = 'user'\n\
                [extra.chat_template_kwargs]\nenable_thinking = false\n";
    let profile: Profile = toml::from_str(text).unwrap();
    assert_eq!(profile.key, Key::Env("K".into()));
    assert_eq!(profile.system, SystemTo::User);
    assert_eq!(profile.extra["chat_template_kwargs"]["enable_thinking"], false);
    profile.check().unwrap();
    let unknown = toml::from_str::<Profile>("url = 'http://h'\nsped = 1").unwrap_err();
    assert!(unknown.to_string().contains("sped"));
    assert!(toml::from_str::<Profile>("url = 'http://h'\nkey = 'sk-secret'").is_err());
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    for (text, why) in [
        ("timeout_s = 0.0", "timeout_s"),
        ("timeout_s = nan", "timeout_s"),
        ("idle_timeout_s = -1.0", "idle_timeout_s"),
        ("connect_timeout_s = 1e9", "connect_timeout_s"),
        ("concurrency = 0", "concurrency"),
        ("retries = 21", "retries"),
        ("max_reply_tokens = 0", "max_reply_tokens"),
        ("price_in = -1.0", "price_in"),
        ("extra = { model = 'x' }", "extra.model"),
        ("extra = { stream = true }", "extra.stream"),
    ] {
        let profile: Profile = toml::from_str(&format!("url = 'http://h'\n{text}")).unwrap();
        let error = profile.check().unwrap_err();
        assert!(error.message().contains(why), "{error}");
    }
}
