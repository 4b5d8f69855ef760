//! The house as `ARCHITECTURE.md` draws it: a room imports only rooms below it, and no file grows
//! past what one reads.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms from the ground up: each may import those before it.
const ROOMS: [&str; 34] = [
    // ground
    "error",
    "place",
    "experience",
    "rng",
    "digest",
    "text",
    "control",
    "paths",
    "console",
    "ends",
    "guard",
    "budget",
    // memory, worlds, minds
    "store",
    "env",
    "model",
    "agent",
    "episode",
    // work
    "gateway",
    "selection",
    "collect",
    "curation",
    "explore",
    "eval",
    "train",
    "formats",
    "agreement",
    "surprise",
    "prompts",
    "bench",
    "study",
    // faces
    "tui",
    "cli",
    "lib",
    "main",
];

/// Lines of a file at most, and of the one in the middle.
const LONGEST: usize = 450;
const MEDIAN: usize = 150;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, others): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let rust =
        others.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    rust.chain(folders.iter().flat_map(|folder| files(folder))).collect()
}

/// The rooms that a text imports, its tests left out.
fn imports(text: &str) -> BTreeSet<&str> {
    let shipped = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let code = shipped.lines().filter(|line| !line.trim_start().starts_with("//"));
    let named = code.flat_map(|line| line.split("crate::").skip(1));
    named
        .map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
        })
        .collect()
}

#[test]
fn a_room_imports_only_rooms_below_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let floor = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut seen = BTreeSet::new();
    for path in files(&source) {
        let name = path.strip_prefix(&source).unwrap();
        let first = name.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let room = first.trim_end_matches(".rs").to_string();
        if path.to_string_lossy().ends_with("tests.rs") {
            continue;
        }
        let own = floor(&room)
            .unwrap_or_else(|| panic!("{}: a room that has no floor yet", name.display()));
        let text = std::fs::read_to_string(&path).unwrap();
        for other in imports(&text)
            .into_iter()
            .filter(|other| *other != room && other.starts_with(char::is_lowercase))
        {
            let below = floor(other).unwrap_or_else(|| {
                panic!("{}: imports `{other}`, which has no floor", name.display())
            });
            assert!(
                below < own,
                "{} imports `{other}`, which does not lie below `{room}`",
                name.display()
            );
        }
        seen.insert(room);
    }
    assert_eq!(seen.len(), ROOMS.len(), "every floor is lived on: {seen:?}");
}

fn length(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn no_file_is_longer_than_one_reads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in ["src", "tests"].iter().flat_map(|folder| files(&root.join(folder))) {
        let lines = length(&path);
        assert!(
            lines <= LONGEST,
            "{} has {lines} lines: find the idea, and part it",
            path.display()
        );
    }
    let mut lengths: Vec<usize> =
        files(&root.join("src")).iter().map(|path| length(path)).collect();
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= MEDIAN, "half of the files of src have more than {median} lines");
}

/// What a page's links lead to, other sites left out: `[words](path)` outside of code.
fn links(text: &str) -> Vec<String> {
    let code = |i: usize| i % 2 == 1;
    let fences = text.split("```").enumerate().filter(|(i, _)| !code(*i)).map(|(_, part)| part);
    let prose: String = fences
        .flat_map(|part| part.split('`').enumerate().filter(|(i, _)| !code(*i)))
        .map(|(_, part)| part)
        .collect();
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let here = |target: &&str| !target.contains("://") && !target.starts_with('#');
    targets.filter(here).map(|target| target.split('#').next().unwrap_or(target).into()).collect()
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "ENVIRONMENTS.md", "MODEL.md"]
        .map(|name| root.join(name))
        .into();
    for folder in ["docs", "docs/results"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        pages.extend(entries.map(|entry| entry.unwrap().path()));
    }
    pages.retain(|page| page.extension().is_some_and(|ending| ending == "md"));
    let mut count = 0;
    for page in &pages {
        for target in links(&std::fs::read_to_string(page).unwrap()) {
            let there = page.parent().unwrap().join(&target);
            assert!(there.exists(), "{} links to {target}, and nothing is there", page.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count} links");
    let linked = |name: &str| {
        let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
        links(&readme).iter().any(|target| target.ends_with(name))
    };
    for page in pages.iter().filter(|page| page.parent() == Some(&root.join("docs"))) {
        let name = page.file_name().unwrap().to_string_lossy();
        assert!(linked(&name), "docs/{name}: the README does not say that it is there");
    }
}
