//! Games that a person writes and games that somebody sends: small files that multiply something
//! out are refused by the name of their limit, in time and memory that nobody notices; what is
//! unusual and right is played.

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{failure, json, run};
use serde_json::json as object;

const GRAMMAR: &str =
    r#"grammar :: """{"intro": [{"rhs": "A room."}], "task": [{"rhs": "go there"}]}""";"#;

/// A game's file with a domain, a problem and a grammar of its own.
fn game(
    folder: &Path,
    domain: &str,
    problem: &str,
    grammar: &str,
    walkthrough: &[&str],
) -> PathBuf {
    let path = folder.join("game.tw-pddl");
    let file = object!({
        "pddl_domain": format!("(define (domain d) {domain})"),
        "pddl_problem": format!("(define (problem p) (:domain d) {problem})"),
        "grammar": format!("{GRAMMAR}\n{grammar}"),
        "walkthrough": walkthrough,
    });
    std::fs::write(&path, file.to_string()).unwrap();
    path
}

const GO: &str = "(:action go :parameters (?x) :precondition (p ?x) :effect (q ?x))";
const TOLD: &str = r#"action go { template :: "go {x}"; feedback :: "ok"; }"#;

#[test]
fn what_multiplies_something_out_is_refused_by_the_name_of_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let many = |item: &str, n: usize| vec![item; n].join(" ");
    let predicates = "(:predicates (p ?x) (q ?x))";
    let plain = format!("{predicates} {GO}");
    let problem = "(:objects a b) (:init (p a)) (:goal (q a))".to_string();
    let objects: String = (0..138).map(|i| format!(" {}{i:03}", "n".repeat(40))).collect();
    let all: String = (0..138).map(|i| format!(" (p {}{i:03})", "n".repeat(40))).collect();
    let pairs = format!(
        "{predicates} (:action go :parameters (?x ?y) :precondition (and (p ?x) (p ?y)) :effect \
         (and (q ?x) (q ?y)))"
    );
    let long = format!(
        r#"action go {{ template :: "go {{x}} {{y}} {}"; feedback :: "ok"; }}"#,
        "{x}".repeat(60)
    );
    let typed = format!(
        "(:objects {} - {}) (:init (p a)) (:goal (q a))",
        many("a", 50_000),
        "t".repeat(100_000)
    );
    let names = format!(
        "{predicates} (:action {} :parameters (?x) :precondition (p ?x) :effect (q ?x))",
        "n".repeat(1 << 20)
    );
    let atoms = format!(
        r#"grammar :: """{{"x": [{{"condition": "{}", "rhs": "a"}}]}}""";"#,
        vec!["p(x:object)"; 14_000].join(" & ")
    );
    let effects = format!(
        "{predicates} (:action go :parameters (?x) :precondition (p ?x) :effect (and {}))",
        many("(q ?x)", 8000)
    );
    let goal = format!("(:objects a b) (:init (p a)) (:goal (and {}))", many("(q a)", 8000));
    let sum = format!(
        r#"action go {{ template :: "go {{{}}}"; feedback :: "ok"; }}"#,
        vec!["x"; 400_000].join(" + ")
    );
    let empty = vec![""; 300_000];
    let cases: [(&str, PathBuf); 8] = [
        ("a word of", game(&mkdir(dir.path(), "typed"), &plain, &typed, TOLD, &[])),
        ("a word of", game(&mkdir(dir.path(), "names"), &names, &problem, TOLD, &[])),
        (
            "bytes of text",
            game(
                &mkdir(dir.path(), "wide"),
                &pairs,
                &format!("(:objects{objects}) (:init{all}) (:goal (q {}000))", "n".repeat(40)),
                &long,
                &[],
            ),
        ),
        (
            "more than 32 atoms",
            game(&mkdir(dir.path(), "atoms"), &plain, &problem, &format!("{atoms}\n{TOLD}"), &[]),
        ),
        (
            "more than 512 effects",
            game(&mkdir(dir.path(), "effects"), &effects, &problem, TOLD, &[]),
        ),
        ("more than 512 literals", game(&mkdir(dir.path(), "goal"), &plain, &goal, TOLD, &[])),
        ("bytes at once", game(&mkdir(dir.path(), "sum"), &plain, &problem, &sum, &[])),
        (
            "walkthrough: 300000 commands",
            game(&mkdir(dir.path(), "walk"), &plain, &problem, TOLD, &empty),
        ),
    ];
    for (limit, path) in cases {
        let started = Instant::now();
        let said = failure(&run(dir.path(), &["env", "expert", "--game", path.to_str().unwrap()]));
        assert!(said.contains(limit), "{limit}: {said}");
        assert!(said.len() < 4000, "{limit}: a message of {} bytes", said.len());
        assert!(started.elapsed() < Duration::from_secs(5), "{limit}: {:?}", started.elapsed());
    }
}

fn mkdir(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir(&path).unwrap();
    path
}

#[test]
fn a_command_that_ends_with_a_blank_is_one_that_can_be_sent() {
    // A thing without a number is named with a blank behind it, as the original does.
    let dir = tempfile::tempdir().unwrap();
    let domain = format!("(:predicates (p ?x) (q ?x)) {GO}");
    let path =
        game(dir.path(), &domain, "(:objects a b) (:init (p a) (p b)) (:goal (q a))", TOLD, &[]);
    let path = path.to_str().unwrap();
    let actions = json(dir.path(), &["env", "actions", "--game", path]);
    assert!(actions.iter().any(|row| row.to_string().contains("go a ")), "{actions:?}");
    let played = json(dir.path(), &["env", "expert", "--game", path, "--expert", "planner"]);
    assert!(played.last().unwrap()["success"] == true, "{played:?}");
}

#[test]
fn a_line_without_an_end_is_refused_at_its_limit() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    for args in [&["env", "step", "--task", "train/1"][..], &["curate", "apply"]] {
        let mut child = common::foretaste(dir.path(), args)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The program may be gone before it has all.
        let line = vec![b'a'; 1 << 20];
        let written = std::thread::spawn(move || (0..64).all(|_| stdin.write_all(&line).is_ok()));
        let said = failure(&child.wait_with_output().unwrap());
        assert!(said.contains("a line of more than 1048576 bytes"), "{args:?}: {said}");
        assert!(!written.join().unwrap(), "it is not read on");
    }
}
