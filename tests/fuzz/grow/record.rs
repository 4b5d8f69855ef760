//! Lines of an import, and the token trees that become of them.

use std::cell::RefCell;
use std::sync::LazyLock;

use foretaste::agent::prompt::Framing;
use foretaste::control::Control;
use foretaste::experience::Verdict;
use foretaste::formats::import::import as take_in;
use foretaste::model::BuiltIn;
use foretaste::model::pack::Packing;
use foretaste::model::tokenizer::Tokenizer;
use foretaste::model::tree::TokenTree;
use foretaste::selection::Chosen;
use foretaste::store::{Approved, Record, Store};
use foretaste::train::Mixture;
use foretaste::train::examples::{Roles, example};
use serde_json::{Value, json};

use super::choices::Choices;

/// A text that is sometimes as long as a book.
fn long(c: &mut Choices<'_>) -> String {
    let text = c.text();
    if c.chance(99) {
        return text;
    }
    let times = 1 << c.below(21);
    text.repeat((times / text.len().max(1)).max(1))
}

/// Texts of a list.
fn texts(c: &mut Choices<'_>, most: usize) -> Vec<String> {
    (0..c.many(most)).map(|_| c.text()).collect()
}

/// A record that holds together.
fn record(c: &mut Choices<'_>) -> Value {
    let steps = c.many(4000);
    let list: Vec<Value> = (0..steps)
        .map(|i| {
            json!({"action": c.text(), "source": "expert", "observation": long(c),
            "admissible": texts(c, 300),
                "done": i + 1 == steps, "success": i + 1 == steps})
        })
        .collect();
    let effects =
        ["changed", "no-op", "error", "same-as-expert", "equally-good", "no-worse", "ends"];
    let mut branches = Vec::new();
    let mut reflections = Vec::new();
    let mut pools = Vec::new();
    for i in 0..if steps > 0 { c.many(2000) } else { 0 } {
        let t = c.below(steps);
        let action = format!("try {i}");
        branches.push(
            json!({"id": i, "trajectory": 1, "t": t, "action": action, "source": "uniform",
            "observation": long(c),
            "effect": c.pick(&effects), "done": false, "success": c.chance(20)}),
        );
        if c.chance(30) {
            pools.push(json!({"t": t, "action": action, "pool": "uniform", "rank": c.below(9),
            "source": "uniform"}));
        }
        if c.chance(30) {
            let versions: Vec<Value> =
                (0..=c.many(200)).map(|_| json!(["template", long(c)])).collect();
            let (verdict, reason) =
                [("pending", None), ("approved", None), ("rejected", Some("GENERIC"))][c.below(3)];
            reflections.push(json!({"t": t, "generator": "template", "cites": [action],
                "version": c.between(1, versions.len()),
                "versions": versions, "verdict": verdict, "reason": reason}));
        }
    }
    let purpose = if c.chance(75) { "demonstration" } else { "exploration" };
    json!({"trajectory": {"id": 0, "suite": "household", "split": "train",
    "task_id": format!("train/{}", c.below(1 << 30)),
        "kind": "put", "task": c.text(), "purpose": purpose, "actor": "walkthrough",
        "seed": c.below(99),
        "observation": long(c), "admissible": texts(c, 300), "steps": list, "created_ms": 0,
        "world": null},
        "branches": branches, "pools": pools, "reflections": reflections})
}

/// Puts something odd in some place of a value.
fn mutate(c: &mut Choices<'_>, value: &mut Value) {
    let deeper = c.chance(80);
    match value {
        Value::Object(fields) if deeper && !fields.is_empty() => {
            let at = c.below(fields.len());
            if c.chance(10) {
                let key = fields.keys().nth(at).cloned().unwrap_or_default();
                fields.remove(&key);
            } else if let Some(field) = fields.values_mut().nth(at) {
                mutate(c, field);
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = c.below(items.len());
            mutate(c, &mut items[at]);
        }
        Value::Number(_) if deeper => {
            *value =
                json!([0u64, 1, 999, 1 << 32, 1 << 62, u64::MAX, u64::from(u32::MAX)][c.below(7)]);
        }
        Value::String(text) if deeper => *text = long(c),
        _ => *value = serde_json::from_str(&c.json()).unwrap_or(Value::Null),
    }
}

/// A file of one to three lines, each whole or with some fields changed.
pub fn import(c: &mut Choices<'_>) -> Vec<u8> {
    let mut lines = Vec::new();
    let flawed = c.chance(50);
    for _ in 0..c.between(1, 3) {
        let mut one = record(c);
        for _ in 0..if flawed { c.between(1, 3) } else { 0 } {
            mutate(c, &mut one);
        }
        lines.push(one.to_string());
    }
    let mut text = lines.join("\n").into_bytes();
    if c.chance(4) {
        text.truncate(c.below(text.len()));
    }
    text
}

/// A store to import into, in a folder of its own.
struct Into {
    folder: tempfile::TempDir,
    store: Store,
    taken: usize,
}

thread_local! {
    static INTO: RefCell<Option<Into>> = const { RefCell::new(None) };
}

/// Reads the lines of a file; one file in so many is also imported, and what came of it is read
/// back. Each import waits for the disk. The store is a new one after so many.
pub fn feed_import(bytes: &[u8]) -> bool {
    if !bytes.len().is_multiple_of(16) {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        return lines.all(|line| {
            serde_json::from_slice::<Record>(line).is_ok_and(|record| record.check().is_ok())
        });
    }
    INTO.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|into| into.taken >= 500) {
            *slot = tempfile::tempdir().ok().and_then(|folder| {
                let store = Store::open(folder.path()).ok()?;
                Some(Into { folder, store, taken: 0 })
            });
        }
        let Some(Into { folder, store, taken }) = slot else { return false };
        *taken += 1;
        let path = folder.path().join("lines.jsonl");
        if std::fs::write(&path, bytes).is_err()
            || take_in(store, (&path, None), true, &Control::default(), &mut |_| ()).is_err()
        {
            return false;
        }
        if let Ok(rows) = store.experiences(None, None) {
            _ = rows.last().map(|row| store.record(row.id));
        }
        true
    })
}

/// A record, the context of a model, and how large a forest may become.
pub fn packing(c: &mut Choices<'_>) -> Vec<u8> {
    let context = if c.chance(50) { 2048 } else { 1 << c.between(6, 20) };
    let budget = if c.chance(50) { 1024 } else { 1 << c.between(6, 15) };
    json!({"record": record(c), "context": context, "budget": budget}).to_string().into_bytes()
}

/// The tokenizer inside the binary.
static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    Tokenizer::parse(&BuiltIn::Household.files().tokenizer)
        .expect("the embedded tokenizer is whole")
});

/// Makes a tree of a record and packs it, under some mixtures.
pub fn feed_packing(bytes: &[u8]) -> bool {
    let Ok(input) = serde_json::from_slice::<Value>(bytes) else { return false };
    let Ok(record) = serde_json::from_value::<Record>(input["record"].clone()) else {
        return false;
    };
    if record.check().is_err() {
        return false;
    }
    let Record { trajectory, branches, reflections, .. } = record;
    let approved = reflections
        .iter()
        .filter(|reflected| reflected.verdict == Verdict::Approved)
        .map(|reflected| {
            let text = reflected.versions.last().map(|(_, text)| text.clone()).unwrap_or_default();
            Approved {
                reflection: 1,
                version: 1,
                t: reflected.t,
                author: reflected.generator.clone(),
                text,
            }
        });
    let reflections = approved.collect();
    let chosen = Chosen { reflections, trajectory, branches, answers: Vec::new() };
    let size = |name: &str| input[name].as_u64().unwrap_or_default() as usize;
    let Ok(framing) = Framing::new(&TOKENIZER) else { return false };
    let Ok(Some(tree)) = example(&framing, &chosen, Roles::DEMONSTRATION, size("context")) else {
        return false;
    };
    for mixture in [Mixture::ALL, Mixture::WORLD, Mixture::REFLECTION] {
        let trees: Vec<TokenTree> =
            tree.weighed(&mixture).map(|weighed| weighed.tree).into_iter().collect();
        let packing = Packing::new(&trees.iter().collect::<Vec<_>>(), size("budget"));
        _ = (packing.passes(), packing.computed);
    }
    _ = tree.targets();
    true
}
