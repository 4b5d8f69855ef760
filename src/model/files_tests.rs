use super::*;

fn file(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

fn said(bytes: &[u8]) -> String {
    Tensors::from_bytes(bytes, "m").unwrap_err().message().to_string()
}

#[test]
fn hostile_headers_are_refused_by_name() {
    let entry = |name: &str, shape: &str, from: u64, to: u64| {
        format!(r#""{name}": {{"dtype": "F32", "shape": {shape}, "data_offsets": [{from}, {to}]}}"#)
    };
    let one = |shape: &str, from, to| file(&format!("{{{}}}", entry("a", shape, from, to)), 64);
    assert!(Tensors::from_bytes(&one("[16]", 0, 64), "m").is_ok());
    assert!(said(&one("[17]", 0, 68)).contains("`a` does not lie within"));
    assert!(said(&one("[17]", 0, 64)).contains("`a` of shape [17]"));
    assert!(said(&one("[4294967296, 4294967296, 4]", 0, 64)).contains("`a` of shape"));
    assert!(said(&one("[2]", 8, 0)).contains("`a` does not lie"));
    let two = format!("{{{}, {}}}", entry("a", "[8]", 0, 32), entry("b", "[8]", 28, 60));
    assert!(said(&file(&two, 64)).contains("`a` and `b` overlap"));
    assert!(said(&file("{", 0)).contains("header"));
    assert!(said(&u64::MAX.to_le_bytes()).contains("does not fit"));
    assert!(said(&[1, 2]).contains("no header"));
    let odd = file(r#"{"a": {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]}}"#, 16);
    let odd = Tensors::from_bytes(&odd, "m").unwrap().numbers("a", &[2]).unwrap_err();
    assert!(odd.message().contains("`a` has type I64"));
}

#[test]
fn what_is_written_is_read_from_memory_from_disk_and_from_shards() {
    let dir = tempfile::tempdir().unwrap();
    let tensor =
        |name: &str, data: &[f32]| (name.to_string(), data.to_vec(), vec![data.len() / 2, 2]);
    let a = tensor("a", &[1.0, -2.5]);
    let b = tensor("b", &[0.5, 3.0, 4.0, -8.0]);
    for half in [false, true] {
        let bytes = serialize(&[a.clone(), b.clone()], half).unwrap();
        std::fs::write(dir.path().join("model.safetensors"), &bytes).unwrap();
        for tensors in
            [Tensors::from_bytes(&bytes, "m").unwrap(), Tensors::from_folder(dir.path()).unwrap()]
        {
            assert_eq!(tensors.names().collect::<Vec<_>>(), ["a", "b"]);
            assert_eq!(tensors.numbers("b", &[2, 2]).unwrap(), b.1);
            assert!(tensors.numbers("b", &[4]).unwrap_err().message().contains("expected [4]"));
            assert!(tensors.numbers("c", &[4]).unwrap_err().message().contains("`c` is missing"));
        }
    }
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let index = dir.path().join("model.safetensors.index.json");
    for (name, tensor) in [("one", &a), ("two", &b)] {
        std::fs::write(
            dir.path().join(name),
            serialize(std::slice::from_ref(tensor), false).unwrap(),
        )
        .unwrap();
    }
    std::fs::write(&index, r#"{"weight_map": {"a": "one", "b": "two"}}"#).unwrap();
    let tensors = Tensors::from_folder(dir.path()).unwrap();
    assert_eq!(
        (tensors.numbers("a", &[1, 2]).unwrap(), tensors.numbers("b", &[2, 2]).unwrap()),
        (a.1, b.1)
    );
    std::fs::write(&index, r#"{"weight_map": {"a": "../one"}}"#).unwrap();
    assert!(Tensors::from_folder(dir.path()).unwrap_err().message().contains("../one"));
    let poisoned = serialize(&[tensor("a", &[1.0, f32::NAN])], false).unwrap();
    let read = Tensors::from_bytes(&poisoned, "m").unwrap().numbers("a", &[1, 2]);
    assert!(read.unwrap_err().message().contains("not finite"));
}
