use super::*;

#[test]
fn names_of_the_hub_are_told_from_paths_and_words() {
    let parsed = |name: &str| HubName::parse(name).map(|n| (n.repo, n.file, n.revision));
    let some = |repo: &str, file: Option<&str>, revision: &str| {
        Some((repo.to_string(), file.map(str::to_string), revision.to_string()))
    };
    assert_eq!(parsed("Qwen/Qwen3-0.6B"), some("Qwen/Qwen3-0.6B", None, "main"));
    assert_eq!(parsed("a/b@v1.0"), some("a/b", None, "v1.0"));
    assert_eq!(parsed("a/b/c-Q4.gguf"), some("a/b", Some("c-Q4.gguf"), "main"));
    for other in
        ["embedded", "./a/b", "/a/b", "a/b/c", "../a/b", "a/..", "a/b@../x", "a//b", "a/b "]
    {
        assert_eq!(parsed(other), None, "{other}");
    }
}

#[test]
fn only_what_a_model_needs_is_fetched_and_what_it_lacks_is_named() {
    let name = HubName::parse("a/b").unwrap();
    let all =
        |names: &[&str]| name.wanted(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
    let wanted = all(&[
        "README.md",
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "original/consolidated.safetensors",
        "pytorch_model.bin",
        "chat_template.jinja",
        "../../escape.safetensors",
    ]);
    assert_eq!(
        wanted.unwrap(),
        ["model.safetensors", "chat_template.jinja", "tokenizer.json", "config.json"]
    );
    let refused = |names: &[&str]| all(names).unwrap_err().to_string();
    assert!(refused(&["config.json", "model.safetensors"]).contains("has no tokenizer.json"));
    assert!(refused(&["config.json", "pytorch_model.bin"]).contains("has no safetensors"));
    let gguf = all(&["b-Q4.gguf"]).unwrap_err();
    assert_eq!(gguf.next_step(), Some("name a file: a/b/b-Q4.gguf"));
}
