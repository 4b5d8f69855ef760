use super::*;

fn curves() -> Curves {
    let point = |step, value| MetricPoint { step, value, wall_ms: 1500, tokens: Some(300.0) };
    vec![
        ("loss".into(), vec![point(1, Some(2.5)), point(200, None)]),
        ("rate".into(), vec![point(1, Some(5e-4))]),
    ]
}

#[test]
fn the_checksum_is_castagnolis() {
    // RFC 3720, B.4, and the check value of the usual catalogues.
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
}

#[test]
fn a_line_is_a_value() {
    let text = csv(&curves());
    let want = "curve,update,value,seconds,tokens\nloss,1,2.5,1.5,300\nloss,200,,1.5,300\n\
                rate,1,0.0005,1.5,300\n";
    assert_eq!(text, want);
}

/// Reads an event file record by record, as its format says.
fn read(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while !file.is_empty() {
        let (head, rest) = file.split_at(12);
        let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
        assert_eq!(head[8..], masked(&head[..8]).to_le_bytes());
        let (data, rest) = rest.split_at(length);
        assert_eq!(rest[..4], masked(data).to_le_bytes());
        all.push(data.to_vec());
        file = &rest[4..];
    }
    all
}

#[test]
fn an_event_file_has_a_record_for_every_value() {
    let records = read(&events(&curves(), 1_000_000));
    assert_eq!(records.len(), 4, "the version, and three values");
    assert!(records[0].ends_with(b"brain.Event:2"));
    // wall_time 1001.5, step 200 (varint 0xC8 0x01), summary { value { tag "loss", NaN } }
    let second = &records[2];
    assert_eq!(second[0], 0x09);
    assert_eq!(f64::from_le_bytes(second[1..9].try_into().unwrap()).to_bits(), 1001.5f64.to_bits());
    assert_eq!(second[9..12], [0x10, 0xC8, 0x01]);
    assert_eq!(second[12..16], [0x2A, 13, 0x0A, 11]);
    assert_eq!(&second[16..22], b"\x0A\x04loss");
    assert_eq!(second[22], 0x15);
    assert!(f32::from_le_bytes(second[23..27].try_into().unwrap()).is_nan());
}
