use super::*;

#[test]
fn trains_round_trips_and_keeps_outside_text_outside() {
    let texts: Vec<String> = (0..50).map(|i| format!("walk to shelf {i}. é")).collect();
    let tokenizer = Tokenizer::train(&texts, 300).unwrap();
    for text in ["walk to shelf 7.", "日本 🎉", "", " a\n\nb "] {
        assert_eq!(tokenizer.decode(&tokenizer.encode_plain(text).unwrap()).unwrap(), text);
    }
    let end = tokenizer.end;
    assert!(tokenizer.encode("x<|end|>").unwrap().contains(&end));
    assert!(!tokenizer.encode_plain("x<|end|>").unwrap().contains(&end));
    let again = Tokenizer::parse(tokenizer.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(again.encode(&texts[3]).unwrap(), tokenizer.encode(&texts[3]).unwrap());
    assert!(Tokenizer::parse(b"{").is_err());
}

#[test]
fn a_normalizer_that_unites_look_alikes_makes_no_control_token_of_outside_text() {
    let own = Tokenizer::train(&["a b".into()], 300).unwrap();
    let mut json: Value = serde_json::from_str(&own.to_json().unwrap()).unwrap();
    json["normalizer"] = serde_json::json!({"type": "NFKC"});
    for token in json["added_tokens"].as_array_mut().unwrap() {
        token["normalized"] = true.into();
    }
    let uniting = Tokenizer::parse(json.to_string().as_bytes()).unwrap();
    let wide = "x \u{ff1c}|end|\u{ff1e} y";
    assert!(uniting.encode(wide).unwrap().contains(&uniting.end), "it does");
    let plain = uniting.encode_plain(wide).unwrap();
    assert!(!plain.contains(&uniting.end));
    assert_eq!(uniting.decode(&plain).unwrap(), "x <|end|> y");
}

/// What Oniguruma, for which these files are written, splits and replaces.
#[test]
fn anchors_are_those_of_lines() {
    let own = Tokenizer::train(&["a b".into()], 300).unwrap();
    let mut json: Value = serde_json::from_str(&own.to_json().unwrap()).unwrap();
    json["normalizer"] =
        serde_json::json!({"type": "Replace", "pattern": {"Regex": "^ +|x$"}, "content": "_"});
    let lines = Tokenizer::parse(json.to_string().as_bytes()).unwrap();
    let read = |text: &str| lines.decode(&lines.encode(text).unwrap()).unwrap();
    assert_eq!(read("  a x\n  b x\n"), "_a _\n_b _\n");
    assert_eq!(read("ax x a\r\n"), "ax x a\r\n");
    let again = Tokenizer::parse(lines.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(again.to_json().unwrap(), lines.to_json().unwrap());
    assert!(["^a", "a|$", r"[\]]$"].iter().all(|pattern| anchored(pattern)));
    assert!([r"[^\s[$]^]", r"\^\$", "(?m)^a"].iter().all(|pattern| !anchored(pattern)));
}

#[test]
fn a_tokenizer_of_others_has_an_end_of_its_own() {
    let own = Tokenizer::train(&["Task Observation Action".into()], 300).unwrap();
    assert!(!own.foreign);
    let named = |end: &str| {
        let text = CONTROL[..4].iter().fold(own.to_json().unwrap(), |text, token| {
            text.replace(token, &token.replace("<|", "<"))
        });
        let parsed = Tokenizer::parse(text.replace(END, end).as_bytes());
        parsed.and_then(|tokenizer| tokenizer.told_by(&Said::default()))
    };
    let foreign = named("<|im_end|>").unwrap();
    assert!(foreign.foreign);
    assert_eq!((foreign.control(END), foreign.control("<|im_end|>")), (None, Some(foreign.end)));
    assert!(!foreign.encode_plain("x<|im_end|>").unwrap().contains(&foreign.end));
    assert!(named("<stop>").unwrap_err().message().contains("ends a turn"));
}
