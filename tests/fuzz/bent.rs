//! Random bytes and mutated real files, to every reader of the engine, and what is accepted is
//! played.
//!
//! Nothing may panic, hang, or take more than a gigabyte. The seeds below run in CI; for longer:
//! `FORETASTE_FUZZ_SECONDS=600 cargo test --release --test fuzz -- --nocapture`;
//! FORETASTE_FUZZ_FROM=SEED starts elsewhere.

use std::time::{Duration, Instant};

use foretaste::bench::peak_rss_mb;
use foretaste::control::Cancel;
use foretaste::env::Environment;
use foretaste::env::household::{Difficulty, generate};
use foretaste::env::tw_pddl::TwPddl;
use foretaste::env::tw_pddl::game::{Game, GameFile};
use foretaste::env::tw_pddl::grammar::Grammar;
use foretaste::env::tw_pddl::pddl::Domain;
use foretaste::env::tw_pddl::problem::Problem;
use foretaste::model::files;
use foretaste::model::gguf::Header;
use foretaste::rng::Rng;

use crate::common;

/// One input may take this long: real ones take milliseconds.
const SLOW: Duration = Duration::from_secs(5);

fn originals() -> Vec<GameFile> {
    let mut files: Vec<GameFile> =
        (0..4).map(|i| generate("train", i, &Difficulty::default()).unwrap().file).collect();
    if let Some(root) = common::shared() {
        let group = std::fs::read_dir(root.join("json_2.1.1/valid_unseen"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let trial = std::fs::read_dir(group).unwrap().next().unwrap().unwrap().path();
        files.push(
            serde_json::from_slice(&std::fs::read(trial.join("game.tw-pddl")).unwrap()).unwrap(),
        );
    }
    files
}

/// A few cuts, repeats, swaps of words, and odd characters.
fn mutated(text: &str, rng: &mut Rng) -> String {
    const ODD: [&str; 14] =
        ["(", ")", "?", "-", ";", "\"", "{", "}", "#", "|", "\u{0}", "é", "or", "not"];
    let mut words: Vec<String> =
        text.split_inclusive([' ', '\n', '(', ')', '{', '}']).map(str::to_string).collect();
    for _ in 0..rng.between(1, 4) {
        if words.is_empty() {
            break;
        }
        let a = rng.below(words.len());
        let b = rng.below(words.len());
        match rng.below(6) {
            0 => _ = words.remove(a),
            1 => words.swap(a, b),
            2 => {
                let copy: Vec<String> = words[a..(a + rng.below(40)).min(words.len())].to_vec();
                words.splice(b..b, copy);
            }
            3 => words.truncate(a.max(1)),
            4 => {
                let copy = words[b].clone();
                words[a] = copy;
            }
            _ => words[a].push_str(ODD[rng.below(ODD.len())]),
        }
    }
    words.concat()
}

fn noise(rng: &mut Rng) -> String {
    let bytes: Vec<u8> = (0..rng.below(400)).map(|_| rng.below(256) as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Everything that reads text from a game file, and then the game.
fn feed(file: &GameFile, rng: &mut Rng) -> bool {
    let text = serde_json::to_string(file).unwrap();
    _ = serde_json::from_str::<GameFile>(&mutated(&text, rng));
    if let Ok(domain) = Domain::parse(&file.pddl_domain) {
        _ = Grammar::parse(&file.grammar, &domain);
        _ = Problem::parse(&file.pddl_problem, &domain);
    }
    let Ok(game) = Game::new(file) else { return false };
    let Ok(mut env) = TwPddl::new(&game) else { return false };
    let experts = foretaste::env::tw_pddl::experts(&game);
    for _ in 0..3 {
        if let Ok(experts) = &experts {
            _ = experts.advise(None, &env, &Cancel::default());
        }
        let Some(action) = rng.pick(env.turn().actions.list()).cloned() else { break };
        if env.step(&action).is_err() {
            break;
        }
    }
    true
}

/// Bytes with a few flips, cuts and copies.
fn bent(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.between(1, 6) {
        let at = rng.below(bytes.len());
        match rng.below(5) {
            0 => bytes[at] = rng.below(256) as u8,
            1 => bytes[at] = bytes[at].wrapping_add(1),
            2 => bytes.truncate(at.max(1)),
            3 => {
                let end = (at + 8).min(bytes.len());
                bytes[at..end].fill([0, 255, 127][rng.below(3)]);
            }
            _ => {
                let copy = bytes[at..(at + rng.below(30)).min(bytes.len())].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

/// A small GGUF file: two settings, a list, and tensors of three encodings.
fn gguf() -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let number = |n: u32| n.to_le_bytes().to_vec();
    let setting = |name: &str, value: u32| [text(name), number(4), number(value)].concat();
    let list =
        [text("tokens"), number(9), number(8), 2u64.to_le_bytes().to_vec(), text("a"), text("bc")]
            .concat();
    let tensor = |name: &str, kind: u32, at: u64| {
        [
            text(name),
            number(2),
            64u64.to_le_bytes().to_vec(),
            4u64.to_le_bytes().to_vec(),
            number(kind),
            at.to_le_bytes().to_vec(),
        ]
        .concat()
    };
    let tensors = [
        tensor("token_embd.weight", 0, 0),
        tensor("blk.0.attn_q.weight", 8, 1024),
        tensor("output.weight", 2, 1312),
    ];
    let head =
        [b"GGUF".to_vec(), number(3), 3u64.to_le_bytes().to_vec(), 4u64.to_le_bytes().to_vec()]
            .concat();
    let name = [text("general.architecture"), number(8), text("llama")].concat();
    let settings =
        [name, setting("llama.block_count", 1), setting("general.alignment", 32), list].concat();
    let mut bytes = [head, settings, tensors.concat()].concat();
    bytes.resize(bytes.len().next_multiple_of(32) + 1500, 0);
    bytes
}

#[test]
fn headers_of_model_files_are_read_or_refused() {
    let tensor = |name: &str| (name.to_string(), vec![0.5; 64], vec![4, 16]);
    let safe =
        files::serialize(&[tensor("model.norm.weight"), tensor("lm_head.weight")], true).unwrap();
    let gguf = gguf();
    assert!(files::Tensors::from_bytes(&safe, "m").is_ok());
    assert!(Header::read(&gguf[..], gguf.len() as u64).is_ok());
    let mut accepted = 0;
    let mut refused = 0;
    let started = Instant::now();
    for seed in 0..60_000 {
        let mut rng = Rng::stream(seed, "headers");
        let bytes = bent(if seed % 2 == 0 { &safe } else { &gguf }, &mut rng);
        let read = if seed % 2 == 0 {
            files::Tensors::from_bytes(&bytes, "m").map(|tensors| {
                let names: Vec<String> = tensors.names().map(str::to_string).collect();
                for name in &names {
                    _ = tensors.numbers(name, &[4, 16]);
                }
            })
        } else {
            Header::read(&bytes[..], bytes.len() as u64).map(|header| _ = header.config())
        };
        if read.is_ok() { accepted += 1 } else { refused += 1 }
    }
    assert!(
        started.elapsed() < 12 * SLOW && accepted > 100 && refused > 100,
        "{accepted} accepted, {refused} refused"
    );
    assert!(peak_rss_mb().is_none_or(|mb| mb < 1024.0));
}

#[test]
fn nothing_panics_hangs_or_grows_without_bound() {
    let seconds =
        std::env::var("FORETASTE_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(8);
    let originals = originals();
    let started = Instant::now();
    let first =
        std::env::var("FORETASTE_FUZZ_FROM").ok().and_then(|s| s.parse().ok()).unwrap_or(0_u64);
    let mut seed = first;
    let mut played = 0;
    while started.elapsed() < Duration::from_secs(seconds) {
        let mut rng = Rng::stream(seed, "fuzz");
        let mut file = rng.pick(&originals).unwrap().clone();
        let part = match rng.below(3) {
            0 => &mut file.pddl_domain,
            1 => &mut file.grammar,
            _ => &mut file.pddl_problem,
        };
        *part = if rng.below(10) == 0 { noise(&mut rng) } else { mutated(part, &mut rng) };
        let one = Instant::now();
        played += u64::from(feed(&file, &mut rng));
        assert!(one.elapsed() < SLOW, "seed {seed} took {:?}", one.elapsed());
        seed += 1;
    }
    eprintln!(
        "{} inputs in {seconds} s, {played} of them accepted and played; peak {:?} MB",
        seed - first,
        peak_rss_mb()
    );
    let fed = seed - first;
    assert!(
        played > 10 && fed - played > 10,
        "{played} of {fed} accepted: the mutations are too tame or too wild"
    );
    assert!(peak_rss_mb().is_none_or(|mb| mb < 1024.0));
}
