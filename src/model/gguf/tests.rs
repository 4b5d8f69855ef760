use super::*;

fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
}

fn tensor(name: &str, shape: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let sides: Vec<u8> = shape.iter().flat_map(|side| side.to_le_bytes()).collect();
    let count = (shape.len() as u32).to_le_bytes();
    [text(name), count.to_vec(), sides, kind.to_le_bytes().to_vec(), offset.to_le_bytes().to_vec()]
        .concat()
}

fn file(tensors: &[Vec<u8>], data: usize) -> Vec<u8> {
    let head = [
        &b"GGUF"[..],
        &3u32.to_le_bytes(),
        &(tensors.len() as u64).to_le_bytes(),
        &1u64.to_le_bytes(),
    ]
    .concat();
    let setting =
        [text("general.architecture"), 8u32.to_le_bytes().to_vec(), text("llama")].concat();
    let mut bytes = [head, setting, tensors.concat()].concat();
    bytes.resize(bytes.len().next_multiple_of(32) + data, 0);
    bytes
}

fn said(bytes: &[u8]) -> String {
    Header::read(bytes, bytes.len() as u64).unwrap_err().message().to_string()
}

#[test]
fn hostile_headers_are_refused_by_name_before_anything_is_allocated() {
    let whole = file(&[tensor("a", &[64, 2], 0, 0), tensor("b", &[32], 8, 512)], 600);
    assert_eq!(Header::read(&whole[..], whole.len() as u64).unwrap().tensors["b"].width, 32);
    for cut in [0, 3, 8, 30, 60, 100] {
        assert!(Header::read(&whole[..cut], cut as u64).is_err(), "{cut}");
    }
    assert!(said(&file(&[tensor("a", &[64, 2], 0, 0)], 500)).contains("`a` does not lie within"));
    assert!(
        said(&file(&[tensor("a", &[64], 0, u64::MAX - 8)], 500))
            .contains("`a` does not lie within")
    );
    assert!(
        said(&file(&[tensor("a", &[64], 0, 0), tensor("b", &[64], 0, 128)], 500))
            .contains("`a` and `b` overlap")
    );
    assert!(said(&file(&[tensor("a", &[1 << 40], 0, 0)], 8)).contains("absurd"));
    assert!(said(&file(&[tensor("a", &[33], 8, 0)], 64)).contains("blocks of 32"));
    assert!(said(&file(&[tensor("a", &[32], 99, 0)], 64)).contains("encoding 99"));
    let mut lies = whole.clone();
    lies[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(said(&lies).contains("too many"));
    let mut long = whole.clone();
    long[24..32].copy_from_slice(&(1u64 << 60).to_le_bytes());
    assert!(said(&long).contains("are left"));
    assert!(said(b"GGML....").contains("not a GGUF"));
}

#[test]
fn interleaved_pairs_become_halves() {
    let data: Vec<f32> = (0..8u8).map(f32::from).collect();
    let Matrix::Full { data, .. } = halves(Matrix::Full { data, width: 1 }, 2) else {
        panic!("a full matrix")
    };
    assert_eq!(data, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
}
