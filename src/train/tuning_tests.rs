use super::*;

#[test]
fn a_rate_rises_then_falls_as_its_schedule_says() {
    let of = |schedule, warmup, floor| {
        let tuning = Tuning { schedule, warmup, floor, ..Tuning::default() };
        (0..100).map(|step| tuning.share_at(step, 100)).collect::<Vec<_>>()
    };
    let cosine = of(Schedule::Cosine, 0.1, 0.1);
    assert!((cosine[0] - 0.1).abs() < 1e-12 && (cosine[9] - 1.0).abs() < 1e-12, "ten updates");
    assert!((cosine[55] - 0.55).abs() < 1e-12 && cosine[99] < 0.101, "half way down, then 0.1");
    let linear = of(Schedule::Linear, 0.0, 0.0);
    assert!((linear[0] - 1.0).abs() < 1e-12 && (linear[51] - 49.0 / 99.0).abs() < 1e-12);
    assert!(of(Schedule::Constant, 0.05, 0.1)[5..].iter().all(|share| *share >= 1.0));
    for share in cosine.iter().chain(&linear) {
        assert!((0.0..=1.0).contains(share));
    }
}

#[test]
fn what_means_nothing_is_refused_by_name() {
    Tuning::default().check().unwrap();
    let usual = Tuning::default();
    for (bad, word) in [
        (Tuning { warmup: 1.5, ..usual }, "warm-up"),
        (Tuning { floor: -0.1, ..usual }, "floor"),
        (Tuning { decay: f64::NAN, ..usual }, "decay"),
        (Tuning { clip: 0.0, ..usual }, "clipping"),
        (Tuning { schedule: Schedule::Constant, floor: 0.5, ..usual }, "constant"),
    ] {
        let said = bad.check().unwrap_err();
        assert!(said.message().contains(word), "{}", said.message());
    }
}
