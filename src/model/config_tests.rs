use super::*;

#[test]
fn round_trips_and_refuses_by_name() {
    let config = Config::small(2, 64, 100).unwrap();
    let mut json = config.to_json(3);
    assert_eq!(Config::parse(json.to_string().as_bytes()).unwrap(), config);
    json["rope_scaling"] = json!({"factor": 8.0});
    assert!(
        Config::parse(json.to_string().as_bytes()).unwrap_err().message().contains("rope_scaling")
    );
    json["rope_scaling"] = Value::Null;
    json["num_attention_heads"] = json!(7);
    assert!(Config::parse(json.to_string().as_bytes()).is_err());
    json["num_attention_heads"] = json!(2);
    for (field, value) in [
        ("rms_norm_eps", json!(-1)),
        ("rms_norm_eps", json!(0)),
        ("rope_theta", json!(-5.0)),
        ("rope_theta", json!(0)),
    ] {
        let mut json = json.clone();
        json[field] = value;
        assert!(Config::parse(json.to_string().as_bytes()).unwrap_err().message().contains(field));
    }
    json["hidden_size"] = json!(u64::MAX);
    assert!(Config::parse(json.to_string().as_bytes()).is_err());
}
