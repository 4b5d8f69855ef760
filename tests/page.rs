//! The web page of a trajectory in a real browser, where there is one: its keys, its folds and its
//! links. Names one with `CHROMIUM=PATH`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use foretaste::agent::template::Template;
use foretaste::collect::{self, Contrast, Draw};
use foretaste::control::{Control, Progress};
use foretaste::env::household::Household;
use foretaste::episode::{Scope, Teacher};
use foretaste::formats::transcript::Transcript;
use foretaste::store::{Prediction, Store};

const NAMES: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome-headless-shell",
    "chromium-headless-shell",
];

/// A browser without a window, if this machine has one; says it where it has none, past what the
/// test runner holds back.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| {
        std::env::split_paths(&path)
            .flat_map(|folder| NAMES.map(|name| folder.join(name)))
            .find(|file| file.is_file())
    });
    if found.is_none() {
        let mut stderr = std::io::stderr();
        _ = writeln!(
            stderr,
            "NO BROWSER: the web page of a trajectory was not opened; install chromium, or set \
             CHROMIUM=PATH"
        );
    }
    found
}

/// A demonstration with alternatives, reflections and a prediction of every action, as a page.
fn page() -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let scope = Scope { split: "train".into(), games: 1, seed: 1, share: None };
    let control = Control::default();
    let quiet = &mut |_: serde_json::Value, _: Progress| {};
    let teacher = Teacher::Suite(Some("walkthrough"));
    collect::demonstrations(&mut store, &Household, &scope, teacher, &control, quiet).unwrap();
    collect::branches(&mut store, &Household, &scope, Draw::uniform(3), &control, quiet).unwrap();
    let contrast = Contrast::default();
    let (writer, suite) = (&mut Template, &Household);
    collect::reflections(
        &mut store,
        suite,
        &scope,
        &contrast,
        collect::Writing::once(writer),
        &control,
        quiet,
    )
    .unwrap();
    let predictions: Vec<Prediction> = (0..store.trajectory(1).unwrap().steps.len())
        .map(|t| Prediction {
            trajectory: 1,
            t,
            action: store.trajectory(1).unwrap().steps[t].action.clone(),
            model: "embedded".into(),
            text: "You reach the shelf 1. It holds a <vase> 1.".into(),
            created_ms: 0,
        })
        .collect();
    store.add_predictions(&predictions).unwrap();
    Transcript::Html.tell(&store.told(1).unwrap())
}

/// What the browser makes of a page at a place in it, after these lines of script.
fn opened(browser: &Path, page: &str, place: &str, script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("page.html");
    let script = format!("<script>\n{script}\n</script>\n</body>");
    std::fs::write(&file, page.replace("</body>", &script)).unwrap();
    let dump = dir.path().join("dump");
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .arg(format!("file://{}{place}", file.display()))
        .env("HOME", dir.path())
        .stdout(Stdio::from(File::create(&dump).unwrap()))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_mins(2);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{} did not come to an end", browser.display());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::read_to_string(&dump).unwrap()
}

/// Presses keys one after the other.
fn pressing(keys: &[&str]) -> String {
    let press = |key: &&str| {
        format!(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', \
             bubbles: true, cancelable: true}}));"
        )
    };
    keys.iter().map(press).collect::<Vec<_>>().join("\n")
}

/// The step in front, as the list of steps says it.
fn current(dom: &str) -> &str {
    let link = dom.split("<a ").find(|link| link.contains("aria-current=\"step\"")).unwrap();
    link.split("href=\"#").nth(1).unwrap().split('"').next().unwrap()
}

/// How many folds there are in a part of a page, and how many are open.
fn folds(dom: &str) -> (usize, usize) {
    let all: Vec<&str> = dom.split("<details").skip(1).collect();
    let open = |fold: &&&str| fold.split('>').next().is_some_and(|tag| tag.contains("open"));
    (all.len(), all.iter().filter(open).count())
}

/// The part of a page that is this step.
fn step(dom: &str, t: usize) -> &str {
    let from = dom.find(&format!("id=\"step-{t}\"")).unwrap();
    dom[from..].split("</section>").next().unwrap()
}

#[test]
fn a_browser_goes_through_it_by_keys_and_by_links() {
    let Some(browser) = browser() else { return };
    let page = page();

    let dom = opened(&browser, &page, "", "");
    assert_eq!(current(&dom), "step-0", "it begins at the start");
    assert!(!dom.contains("id=\"hint\" type=\"button\" hidden"), "keys are offered");
    let dom = opened(&browser, &page, "#step-3", "");
    assert_eq!(current(&dom), "step-3", "a link goes to its step");

    let dom = opened(&browser, &page, "", &pressing(&["j", "j", "ArrowRight", "k"]));
    assert_eq!(current(&dom), "step-2");
    let dom = opened(&browser, &page, "", &pressing(&["G", "j"]));
    let end = page.matches("<section class=\"step\"").count() - 1;
    assert_eq!(current(&dom), format!("step-{end}"), "nothing lies behind the end");

    let both = |t: &usize| folds(step(&page, *t)).1 > 0 && folds(step(&page, *t)).0 > 1;
    let at = (1..end).find(both).expect("a state with alternatives and a reflection");
    let (all, open) = folds(step(&page, at));
    assert!(open < all, "alternatives are folded, reflections are not");
    let place = format!("#step-{at}");
    let dom = opened(&browser, &page, &place, &pressing(&["Enter"]));
    assert_eq!(folds(step(&dom, at)), (all, all));
    assert_eq!(folds(step(&dom, at - 1)), folds(step(&page, at - 1)), "others stay as they were");
    let dom = opened(&browser, &page, &place, &pressing(&["Enter", " "]));
    assert_eq!(folds(step(&dom, at)), (all, 0));

    let (all, _) = folds(&page);
    assert_eq!(folds(&opened(&browser, &page, "", &pressing(&["e"]))), (all, all));
    assert_eq!(folds(&opened(&browser, &page, "", &pressing(&["e", "e"]))), (all, 0));

    let helped = |keys: &[&str]| {
        let dom = opened(&browser, &page, "", &pressing(keys));
        let tag = dom.split("<dialog ").nth(1).unwrap().split('>').next().unwrap().to_string();
        (tag.contains("open"), current(&dom).to_string())
    };
    assert_eq!(helped(&["?", "j"]), (true, "step-0".into()), "the box takes the keys");
    assert_eq!(helped(&["?", "?", "j"]), (false, "step-1".into()));
}
