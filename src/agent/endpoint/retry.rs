//! What is asked again, and when.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use crate::error::{Error, Kind};

/// The first wait is up to this long, each next one up to twice as long as the one before.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(20);

/// A server that asks for a longer wait is not waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// An attempt that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: Error,
    /// How long the server asked to be left alone.
    pub after: Option<Duration>,
    /// What it answered, where it did.
    pub status: Option<u16>,
    /// Whether this program may ask again, if the server may.
    pub again: bool,
}

impl Failure {
    /// The same may go well another time.
    pub fn passing(what: impl Into<String>) -> Self {
        Self::of(what, true)
    }

    /// The same would fail again.
    pub fn lasting(what: impl Into<String>) -> Self {
        Self::of(what, false)
    }

    fn of(what: impl Into<String>, retry: bool) -> Self {
        Error::new(what).of(Kind::Remote { retry }).into()
    }

    /// Whether to ask again.
    pub fn may_pass(&self) -> bool {
        self.again && self.error.kind() == (Kind::Remote { retry: true })
    }

    /// Whether the server may have refused to give several answers: llama.cpp did that with a 500.
    pub fn is_about_n(&self) -> bool {
        self.again && matches!(self.status, Some(400 | 422 | 500 | 501))
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { error: self.error.hint(hint), ..self }
    }

    /// How long to wait before attempt `next`, the first of which is 1; none if it is not to be.
    pub fn wait(&self, next: u32) -> Option<Duration> {
        if !self.may_pass() || self.after.is_some_and(|after| after > PATIENCE) {
            return None;
        }
        let most = FIRST.saturating_mul(1 << (next - 1).min(16)).min(LONGEST);
        // Full jitter: questions that failed together do not come back together.
        let jitter = most.mul_f64(RandomState::new().hash_one(next) as f64 / u64::MAX as f64);
        Some(self.after.map_or(jitter, |after| after + jitter.min(FIRST)))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, after: None, status: None, again: true }
    }
}

/// Whether a status says that the same may go well later.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429 | 500 | 502 | 503 | 504 | 529)
}

/// What `Retry-After` says: seconds, or a date.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// What is added to the error of a server that asks for more patience than there is.
pub(super) fn too_long(after: Option<Duration>) -> Option<String> {
    let after = after.filter(|after| *after > PATIENCE)?;
    Some(format!(
        " (it asks to be left alone for {}, which is more than {} s)",
        crate::control::seconds(after.as_secs_f64()),
        PATIENCE.as_secs()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("0.5", now), Some(Duration::from_millis(500)));
        let date = "Sun, 09 Sep 2001 01:47:10 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(30)));
        let past = now + Duration::from_mins(1);
        assert_eq!(retry_after(date, past), Some(Duration::ZERO));
        for bad in ["", "-1", "soon", "nan", "1e400"] {
            assert_eq!(retry_after(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn waits_grow_and_have_an_end() {
        let failure = Failure::passing("x");
        for next in 1..30 {
            let most = FIRST * (1 << (next - 1).min(16));
            assert!(failure.wait(next).unwrap() <= most.min(LONGEST));
        }
        assert_eq!(Failure::lasting("x").wait(1), None);
        let at = |seconds| Failure {
            after: Some(Duration::from_secs(seconds)),
            ..Failure::passing("x")
        };
        assert!(at(60).wait(1).unwrap() >= PATIENCE);
        assert_eq!(at(61).wait(1), None);
        assert!(too_long(at(61).after).unwrap().contains("1m01s"));
        assert_eq!(too_long(at(60).after), None);
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        assert!([408, 425, 429, 500, 502, 503, 504].into_iter().all(is_passing));
        assert!(![400, 401, 403, 404, 413, 422, 501].into_iter().any(is_passing));
    }
}
