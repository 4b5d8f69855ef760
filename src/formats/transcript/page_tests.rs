use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::formats::transcript::Transcript;
use crate::formats::transcript::tests::told;

/// The elements that the page is made of; those without an end stand in the second list.
const ELEMENTS: &str = "html head title style body header h1 h2 h3 h4 dl div dt dd button kbd nav ol li a \
                        span main section p b small pre del ins details summary blockquote dialog form \
                        script";
const VOID: [&str; 2] = ["meta", "link"];

/// The tags of a page in order: the name, and whether it ends one. The page's own style and script
/// are left out.
fn tags(page: &str) -> Vec<(String, bool)> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').expect("a tag has an end");
        rest = after;
        let tag = tag.trim();
        let end = tag.starts_with('/');
        let name: String =
            tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        if !end && ["script", "style"].contains(&name.as_str()) {
            let close = rest.find(&format!("</{name}>")).expect("it is closed");
            rest = &rest[close..];
        }
        if !tag.starts_with('!') {
            tags.push((name, end));
        }
    }
    tags
}

/// Refuses a page with elements that are not the page's own, or that do not nest.
fn check(page: &str) {
    let known: BTreeSet<&str> = ELEMENTS.split_whitespace().chain(VOID).collect();
    let mut open: Vec<String> = Vec::new();
    for (name, end) in tags(page) {
        assert!(known.contains(name.as_str()), "<{name}> is not the page's own");
        if end {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "</{name}>");
        } else if !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} is not closed");
    assert_eq!(page.matches("<script").count(), 1);
}

/// Texts that would like to be more than texts.
const HOSTILE: [&str; 8] = [
    "</pre><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' autofocus onfocus='x",
    "</title><style>*{display:none}</style>",
    "<!-- ",
    "&lt;b&gt; &#60;i&#62; &",
    "\u{1b}[2J\u{202e}]]>",
];

#[test]
fn a_page_is_whole_and_asks_for_nothing_else() {
    let page = Transcript::Html.tell(&told(None));
    check(&page);
    assert!(page.contains("open &lt;box&gt;") && !page.contains("<box>"));
    assert!(page.contains("<del>coffee.</del>"), "{page}");
    let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|p| p.split('"').next()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each id stands once");
    for target in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let inside = target.strip_prefix('#').is_some_and(|id| ids.contains(&id));
        assert!(inside || target == "data:,", "{target}");
    }
    for loaded in ["http:", "https:", "@import", "url(", "src=", "fetch("] {
        assert!(!page.contains(loaded), "{loaded}");
    }
}

proptest! {
    #[test]
    fn no_tag_and_no_attribute_comes_from_data(
        parts in proptest::collection::vec((0..HOSTILE.len(), "[<>\"'&/a-z= \n\u{0}-\u{1f}]{0,12}"), 1..4)
    ) {
        let text: String = parts.iter().map(|(i, more)| format!("{}{more}", HOSTILE[*i])).collect();
        let page = Transcript::Html.tell(&told(Some(&text)));
        check(&page);
        // Every tag has as many quotes as its attributes, all of which are the page's own.
        for tag in page.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            for evil in ["onerror", "onmouseover", "onfocus", "autofocus"] {
                prop_assert!(!tag.contains(evil), "<{tag}>");
            }
        }
        prop_assert_eq!(page.matches("<style").count(), 1);
        prop_assert!(!page.contains(['\u{1b}', '\u{202e}']), "nothing drives a reader");
    }
}
