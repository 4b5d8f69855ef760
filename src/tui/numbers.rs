//! Numbers as screens write them: as short as their size allows, and as long as it takes to tell
//! them apart.

/// A number with as many digits as tell it from others that are `apart` away: of large and of small
/// numbers in powers of ten.
pub fn number(value: f64, apart: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { value.to_string() };
    }
    let size = value.abs().log10().floor();
    let digits = |of: f64| of.clamp(0.0, 15.0) as usize;
    let apart = if apart > 0.0 && apart.is_finite() { apart } else { value.abs() };
    // Digits behind the point in plain writing.
    let places = (-apart.log10()).ceil();
    if (-4.0..6.0).contains(&size) {
        return trimmed(&format!("{value:.*}", digits(places)));
    }
    let text = format!("{value:.*e}", digits(size + places));
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{power}", trimmed(mantissa))
}

/// To four digits.
pub fn short(value: f64) -> String {
    number(value, 10f64.powf(value.abs().log10().floor() - 3.0))
}

/// Without zeros at the end of what stands behind the point.
fn trimmed(text: &str) -> String {
    match text.split_once('.') {
        Some(_) => {
            let text = text.trim_end_matches('0').trim_end_matches('.');
            if text == "-0" { "0".into() } else { text.into() }
        }
        None => text.into(),
    }
}

/// What a metric is counted in, behind its value; nothing where it has no unit.
pub fn unit(metric: &str) -> &'static str {
    match metric {
        "tokens_per_s" => " tokens/s",
        "rate"
        | "norm"
        | "epochs"
        | "valid_success"
        | "valid_lost"
        | "valid_preferred"
        | "valid_list_agreement" => "",
        "valid_list" => " nats/state",
        "valid_pairs" => " nats/pair",
        _ if metric.starts_with("loss") || metric.starts_with("valid") => " nats/token",
        _ if metric.starts_with("tokens") || metric.starts_with("targets") => " tokens",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_what_it_was_as_near_as_was_asked(
            mantissa in -9.99f64..9.99,
            power in -12i32..12,
            share in 1e-6f64..1.0,
        ) {
            let value = mantissa * 10f64.powi(power);
            let apart = share * 10f64.powi(power);
            let text = number(value, apart);
            let read: f64 = text.parse().unwrap();
            prop_assert!((read - value).abs() <= apart * 0.500_000_1, "{value} ± {apart}: {text}");
        }
    }

    #[test]
    fn numbers_are_as_short_as_their_size_allows() {
        for (value, apart, want) in [
            (5e-4, 5e-6, "0.0005"),
            (2.5e-5, 1e-6, "2.5e-5"),
            (798_175_397_111_409.0, 1e10, "7.9818e14"),
            (228_946.0, 1.0, "228946"),
            (0.126, 0.01, "0.13"),
            (-3.0, 0.001, "-3"),
            (0.0, 1.0, "0"),
            (1e-9, 1.0, "1e-9"),
        ] {
            assert_eq!(number(value, apart), want);
        }
        assert_eq!(short(6_327.981), "6328");
        assert_eq!(short(0.000_123_456), "0.0001235");
        assert_eq!(short(f64::NAN), "NaN");
    }
}
