//! Who may ask, and for which session.

use axum::http::{HeaderMap, header};

use super::Refused;
use crate::text;

/// How a key begins.
pub(super) const PREFIX: &str = "fk-";

/// Characters of a session's or an agent's name at most.
const LONGEST: usize = 128;

/// Headers by which harnesses name a session of their own.
const SESSION: [&str; 3] = ["x-session-id", "proxy_x_session_id", "x-parent-session-id"];

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    /// The session: that of the key, or one below it that the path or a header names.
    pub session: String,
    /// The agent, where the key names it.
    pub agent: Option<String>,
}

/// Whether a session or an agent may be called so.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= LONGEST && text::is_name(name)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Refuses what a web page sends, and what was sent to another name than ours: a page that a
/// person looks at must not be able to ask in their place.
pub(super) fn hosted(headers: &HeaderMap, own: &[String], open: bool) -> Result<(), Refused> {
    if headers.contains_key(header::ORIGIN) {
        return Err(Refused::with(403, "web pages are not answered (Origin)"));
    }
    let host = header(headers, header::HOST.as_str()).unwrap_or_default();
    if own.iter().any(|name| name.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    // A page has a name, and could have that name mean this machine; a number it cannot.
    let numbered = host.parse::<std::net::SocketAddr>().is_ok()
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    if open && numbered {
        return Ok(());
    }
    Err(Refused::with(
        403,
        "asked under another name than this gateway's (Host): --allow-host names more",
    ))
}

/// Who asks by a key in one of the two headers that are in use, for the session that `below` or a
/// header names.
pub(super) fn who(
    headers: &HeaderMap,
    below: Option<&str>,
    known: impl Fn(&str) -> bool,
) -> Result<Who, Refused> {
    let unknown = || Refused::with(401, "no key of this gateway: fk-SESSION or fk-SESSION.AGENT");
    let bearer = header(headers, header::AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key);
    let key = bearer.or_else(|| header(headers, "x-api-key")).ok_or_else(unknown)?;
    let key = key.trim().strip_prefix(PREFIX).ok_or_else(unknown)?;
    let (session, agent) = match key.split_once('.') {
        Some((session, agent)) if is_name(agent) => (session, Some(agent.to_string())),
        Some(_) => return Err(unknown()),
        None => (key, None),
    };
    if !is_name(session) || !known(session) {
        return Err(unknown());
    }
    // A path names it by its parts; a header by one name.
    let by_header = || SESSION.iter().find_map(|name| header(headers, name));
    let (named, parts) = match below {
        Some(below) => (Some(below), below.split('/').all(is_name)),
        None => by_header().map_or((None, true), |named| (Some(named), is_name(named))),
    };
    if !parts {
        return Err(Refused::bad("a session's name has letters, digits, - and _"));
    }
    let whole = named.map_or_else(|| session.to_string(), |below| format!("{session}/{below}"));
    Ok(Who { session: whole, agent })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_key_names_a_session_and_may_name_an_agent() {
        let known = |name: &str| name == "s1";
        let asked = |headers: HeaderMap, below| who(&headers, below, known);
        let found = asked(headers(&[("authorization", "Bearer fk-s1.planner")]), None).unwrap();
        assert_eq!((found.session.as_str(), found.agent.as_deref()), ("s1", Some("planner")));
        let found = asked(headers(&[("x-api-key", "fk-s1")]), Some("ep3")).unwrap();
        assert_eq!(found.session, "s1/ep3");
        let by_header = headers(&[("x-api-key", "fk-s1"), ("x-session-id", "run-7")]);
        assert_eq!(asked(by_header, None).unwrap().session, "s1/run-7");
        for bad in [
            "Bearer fk-s2",
            "Bearer s1",
            "fk-s1",
            "Bearer fk-s1.a b",
            "Bearer fk-",
            "Bearer fk-s1.",
        ] {
            assert_eq!(
                asked(headers(&[("authorization", bad)]), None).unwrap_err().status,
                401,
                "{bad}"
            );
        }
        for odd in ["../x", "a/b", ""] {
            let odd = headers(&[("x-api-key", "fk-s1"), ("x-session-id", odd)]);
            assert_eq!(asked(odd, None).unwrap_err().status, 400);
        }
        let parts = asked(headers(&[("x-api-key", "fk-s1")]), Some("r1/a2")).unwrap();
        assert_eq!(parts.session, "s1/r1/a2");
    }

    #[test]
    fn a_web_page_and_another_name_are_refused() {
        let own = ["127.0.0.1:8712".to_string(), "localhost:8712".to_string()];
        assert!(hosted(&headers(&[("host", "LOCALHOST:8712")]), &own, false).is_ok());
        let page = headers(&[("host", "localhost:8712"), ("origin", "https://evil.example")]);
        assert_eq!(hosted(&page, &own, true).unwrap_err().status, 403);
        for host in ["evil.example:8712", "127.0.0.1", ""] {
            assert_eq!(
                hosted(&headers(&[("host", host)]), &own, false).unwrap_err().status,
                403,
                "{host}"
            );
        }
    }
}
