//! When a span began, however that is written.

use chrono::DateTime;
use serde_json::Value;

/// Nanoseconds since 1970: of a number of seconds, or of as many milli-, micro- or nanoseconds as only a time of
/// these years has; of a date. Others are before all.
pub(super) fn nanoseconds(said: &Value) -> i128 {
    let text = match said {
        Value::String(text) => text.trim(),
        Value::Number(number) => {
            return scaled(number.as_f64().unwrap_or_default(), number.as_i128());
        }
        _ => return 0,
    };
    if let Ok(whole) = text.parse::<i128>() {
        return scaled(whole as f64, Some(whole));
    }
    if let Ok(number) = text.parse::<f64>() {
        return scaled(number, None);
    }
    // Without an offset it is that of the others.
    let date = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")));
    date.map_or(0, |date| {
        i128::from(date.timestamp()) * 1_000_000_000 + i128::from(date.timestamp_subsec_nanos())
    })
}

fn scaled(number: f64, whole: Option<i128>) -> i128 {
    let unit: i128 = match number.abs() {
        x if x < 1e11 => 1_000_000_000,
        x if x < 1e14 => 1_000_000,
        x if x < 1e17 => 1_000,
        _ => 1,
    };
    whole.map_or((number * unit as f64) as i128, |whole| whole.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_in_order_however_they_are_written() {
        let times = [
            json!("2026-11-30T14:00:01+02:00"),
            json!("2026-11-30T12:00:02Z"),
            json!("2026-11-30T12:00:02.12Z"),
            json!("2026-11-30T12:00:02.123456Z"),
            json!("2026-11-30T12:00:03"),
            json!(1_796_040_004),
            json!(1_796_040_005.5),
            json!("1796040006000"),
            json!("1796040007000000000"),
            json!(1_796_040_008_000_000_000_u64),
        ];
        let read: Vec<i128> = times.iter().map(nanoseconds).collect();
        assert!(read.is_sorted_by(|a, b| a < b), "{read:?}");
        for odd in [json!(null), json!("soon"), json!([1]), json!("")] {
            assert_eq!(nanoseconds(&odd), 0);
        }
    }
}
