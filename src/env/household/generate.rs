//! Drawing a game from a seed.

use std::fmt::Write;

use super::Generated;
use super::catalog::{self, ROOMS, Room, TASKS, Thing};
use crate::env::tw_pddl::game::GameFile;
use crate::error::{Error, Result};
use crate::rng::Rng;

const DOMAIN: &str = include_str!("../../../assets/household/domain.pddl");
const GRAMMAR: &str = include_str!("../../../assets/household/grammar.twl2");

/// The seed of the suite. Changing it changes every game, so it never changes.
const SUITE_SEED: u64 = 20_251_008;

struct Place {
    kind: &'static str,
    number: usize,
    shuts: bool,
}

struct Item {
    thing: &'static Thing,
    number: usize,
    at: usize,
}

struct Draft {
    places: Vec<Place>,
    items: Vec<Item>,
    kind: usize,
    thing: &'static Thing,
    target: &'static str,
    wording: &'static str,
}

/// The kind of task at an index, without drawing the game.
pub fn kind_of(split: &str, index: usize) -> &'static str {
    TASKS[Rng::stream(SUITE_SEED ^ index as u64, &format!("{split}-kind")).below(TASKS.len())].0
}

/// How hard a game is: fewest and most of each.
#[derive(Debug, Clone)]
pub struct Difficulty {
    /// Other things lying around.
    pub distractors: (usize, usize),
    /// Pieces of furniture.
    pub furniture: (usize, usize),
    /// Steps of the walkthrough.
    pub steps: (usize, usize),
}

impl Default for Difficulty {
    /// What the suite's own games are drawn with.
    fn default() -> Self {
        Self { distractors: (4, 9), furniture: (0, usize::MAX), steps: (0, usize::MAX) }
    }
}

impl Difficulty {
    fn admits(&self, draft: &Draft, walkthrough: &[String]) -> bool {
        let within = |range: (usize, usize), count: usize| range.0 <= count && count <= range.1;
        within(self.furniture, draft.places.len()) && within(self.steps, walkthrough.len())
    }
}

/// Drafts looked at before a wished-for difficulty is given up: most drafts fit no split or task.
const MAX_DRAFTS: usize = 200_000;

/// The game at an index of a split; the same on every platform.
pub fn generate(split: &str, index: usize, difficulty: &Difficulty) -> Result<Generated> {
    let mut rng = Rng::stream(SUITE_SEED ^ (index as u64).wrapping_mul(0x9E37_79B9), split);
    let kind =
        TASKS.iter().position(|(name, _)| *name == kind_of(split, index)).unwrap_or_default();
    let drafts =
        (0..MAX_DRAFTS).filter_map(|_| draw(&mut rng, split == "unseen", kind, difficulty));
    let found = drafts
        .map(|draft| (walkthrough(&draft), draft))
        .find(|(plan, draft)| difficulty.admits(draft, plan));
    let (walkthrough, draft) = found.ok_or_else(|| {
        Error::new(format!(
            "household {split}/{index}: no game of that difficulty among {MAX_DRAFTS} drafts"
        ))
        .hint(
            "widen --furniture, --steps or --distractors; rooms have 5 to 13 pieces, errands 3 to \
             30 steps",
        )
    })?;
    let task =
        format!("Your errand: {}", catalog::worded(draft.wording, draft.thing.name, draft.target));
    let file = GameFile {
        pddl_domain: DOMAIN.to_string(),
        grammar: GRAMMAR.replacen("\"rhs\": \"\"", &format!("\"rhs\": \"{task}\""), 1),
        pddl_problem: problem(&draft),
        solvable: Some(true),
        walkthrough,
    };
    Ok(Generated { file, kind: TASKS[kind].0 })
}

/// A stable small hash that sorts layouts and pairs into "kept for the unseen split" and the rest.
fn held_out(what: &str, one_in: u64) -> bool {
    Rng::stream(SUITE_SEED, what).next_u64().is_multiple_of(one_in)
}

fn draw(rng: &mut Rng, unseen: bool, kind: usize, difficulty: &Difficulty) -> Option<Draft> {
    let room = rng.pick(&ROOMS)?;
    let mut places = Vec::new();
    let mut layout = String::new();
    for (name, low, high, shuts) in room.furniture {
        let count = rng.between(*low, *high);
        let _ = write!(layout, "{name}{count} ");
        places.extend((1..=count).map(|number| Place { kind: name, number, shuts: *shuts }));
    }
    if held_out(&layout, 4) != unseen {
        return None;
    }
    let (thing, target) = subject(rng, room, &places, kind)?;
    if TASKS[kind].0 != "light" && held_out(&format!("{}>{target}", thing.name), 5) != unseen {
        return None;
    }
    let items = furnish(rng, room, &places, (kind, thing, target), difficulty.distractors)?;
    let wordings = &TASKS[kind].1;
    let wording = if unseen { wordings[2] } else { wordings[rng.below(2)] };
    Some(Draft { places, items, kind, thing, target, wording })
}

/// What the task is about, and where it ends; none when this room does not allow the kind.
fn subject(
    rng: &mut Rng,
    room: &Room,
    places: &[Place],
    kind: usize,
) -> Option<(&'static Thing, &'static str)> {
    let has = |kind: &str| places.iter().any(|place| place.kind == kind);
    let thing = catalog::find(rng.pick(room.things)?)?;
    let possible = match TASKS[kind].0 {
        "light" => thing.name != "lamp" && room.things.contains(&"lamp"),
        "clean" => thing.care.contains('w') && has("sink"),
        "heat" => thing.care.contains('h') && has("microwave"),
        "cool" => thing.care.contains('c') && has("fridge"),
        _ => thing.name != "lamp",
    };
    let target = *rng.pick(thing.homes)?;
    // The sink, fridge and microwave as targets would let "clean", "cool" and "heat" end where they
    // are done.
    let clear = !matches!((TASKS[kind].0, target), ("clean", "sink") | ("cool", "fridge"));
    (possible && clear && has(target)).then_some((thing, target))
}

fn furnish(
    rng: &mut Rng,
    room: &Room,
    places: &[Place],
    (kind, thing, target): (usize, &'static Thing, &str),
    distractors: (usize, usize),
) -> Option<Vec<Item>> {
    let task = TASKS[kind].0;
    let mut wanted: Vec<&'static Thing> = vec![thing; if task == "two" { 2 } else { 1 }];
    if task == "light" {
        wanted.push(catalog::find("lamp")?);
    }
    for _ in 0..rng.between(distractors.0, distractors.1) {
        // Never a second one of what the task is about: the plan would not know which.
        wanted.extend(
            rng.pick(room.things)
                .and_then(|n| catalog::find(n))
                .filter(|t| t.name != thing.name && t.name != "lamp"),
        );
    }
    let mut items: Vec<Item> = Vec::new();
    for thing_now in wanted {
        let subject = thing_now.name == thing.name;
        let homes: Vec<usize> = (0..places.len())
            .filter(|i| {
                thing_now.homes.contains(&places[*i].kind)
                    && !(subject && task != "light" && places[*i].kind == target)
            })
            .collect();
        // Likelier homes come first in the list; the better of two draws leans towards them.
        let likely = |i: &usize| thing_now.homes.iter().position(|home| *home == places[*i].kind);
        let one = *rng.pick(&homes)?;
        let two = *rng.pick(&homes)?;
        let at = if likely(&one) <= likely(&two) { one } else { two };
        let number = 1 + items.iter().filter(|item| item.thing.name == thing_now.name).count();
        items.push(Item { thing: thing_now, number, at });
    }
    Some(items)
}

/// Identifier whose display name is `name number`: numbers are handed out downwards in identifier
/// order, so the identifier counts the other way.
fn id(name: &str, number: usize) -> String {
    format!("{name}_bar_{:02}", 99 - number)
}

fn problem(draft: &Draft) -> String {
    let mut objects = String::from("agent1 - agent\nstart - place\n");
    let mut init = String::from("(standing agent1 start)\n");
    let kinds = |names: Vec<&str>| {
        let mut names = names;
        names.sort_unstable();
        names.dedup();
        names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>()
    };
    // The three appliances that the domain names must exist as objects even in rooms without them.
    let furniture: Vec<&str> =
        draft.places.iter().map(|p| p.kind).chain(["sink", "microwave", "fridge"]).collect();
    let things: Vec<&str> = draft.items.iter().map(|item| item.thing.name).collect();
    let furniture = kinds(furniture);
    let things = kinds(things);
    for kind in &furniture {
        let _ = writeln!(objects, "{kind}kind - fkind");
    }
    for kind in &things {
        let _ = writeln!(objects, "{kind}sort - tkind");
        for home in catalog::find(kind).map(|thing| thing.homes).unwrap_or_default() {
            if furniture.iter().any(|known| known == home) {
                let _ = writeln!(init, "(suits {home}kind {kind}sort)");
            }
        }
    }
    for place in &draft.places {
        let name = id(place.kind, place.number);
        let _ = writeln!(objects, "{name} - furniture\nplace_{name} - place");
        let _ = writeln!(init, "(spot {name} place_{name}) (fkindof {name} {}kind)", place.kind);
        if place.shuts {
            let _ = writeln!(init, "(shuts {name})");
        }
    }
    for item in &draft.items {
        let name = id(item.thing.name, item.number);
        let _ = writeln!(objects, "{name} - thing");
        let at = &draft.places[item.at];
        let _ = writeln!(
            init,
            "(within {name} {}) (tkindof {name} {}sort)",
            id(at.kind, at.number),
            item.thing.name
        );
        let portable = if item.thing.name == "lamp" { "switchable" } else { "portable" };
        let _ = write!(init, "({portable} {name})");
        for (letter, fact) in [('w', "washable"), ('h', "warmable"), ('c', "chillable")] {
            if item.thing.care.contains(letter) {
                let _ = write!(init, " ({fact} {name})");
            }
        }
        init.push('\n');
    }
    format!(
        "(define (problem errand)\n(:domain \
         household)\n(:objects\n{objects})\n(:init\n{init})\n(:goal {}))\n",
        goal(draft)
    )
}

fn goal(draft: &Draft) -> String {
    let sort = format!("{}sort", draft.thing.name);
    let kind = format!("{}kind", draft.target);
    let placed = format!("(tkindof ?t {sort}) (fkindof ?f {kind}) (within ?t ?f)");
    let one = |extra: &str| format!("(exists (?t - thing ?f - furniture) (and {placed} {extra}))");
    match TASKS[draft.kind].0 {
        "light" => format!(
            "(and (exists (?l - thing ?f - furniture ?p - place ?a - agent) (and (switchable ?l) \
             (lit ?l) (within ?l ?f) \
             (spot ?f ?p) (standing ?a ?p))) (exists (?t - thing ?a - agent) (and (tkindof ?t \
             {sort}) (carries ?a ?t))))"
        ),
        "clean" => one("(rinsed ?t)"),
        "heat" => one("(warmed ?t)"),
        "cool" => one("(chilled ?t)"),
        "two" => format!(
            "(exists (?t - thing ?u - thing ?f - furniture) (and {placed} (tkindof ?u {sort}) \
             (within ?u ?f) (not (= ?t ?u))))"
        ),
        _ => one(""),
    }
}

/// The errand as a person without knowledge of the room runs it.
struct Walker<'a> {
    draft: &'a Draft,
    at: Option<usize>,
    seen: Vec<bool>,
    open: Vec<bool>,
    done: Vec<String>,
}

impl Walker<'_> {
    fn name(&self, place: usize) -> String {
        format!("{} {}", self.draft.places[place].kind, self.draft.places[place].number)
    }

    fn go(&mut self, place: usize) {
        if self.at != Some(place) {
            self.done.push(format!("walk to {}", self.name(place)));
            self.at = Some(place);
        }
    }

    fn open(&mut self, place: usize) {
        if self.draft.places[place].shuts && !self.open[place] {
            self.done.push(format!("open {}", self.name(place)));
            self.open[place] = true;
        }
    }

    /// Goes where such things live, likeliest furniture first, lowest number first, until an item
    /// that `wanted` accepts is in sight; places already looked into are remembered.
    fn find(&mut self, homes: &[&str], wanted: &dyn Fn(usize, &Item) -> bool) -> usize {
        let draft = self.draft;
        let here = |place: usize| {
            draft.items.iter().enumerate().position(|(i, it)| it.at == place && wanted(i, it))
        };
        let remembered = (0..draft.places.len()).find_map(|p| here(p).filter(|_| self.seen[p]));
        if let Some(item) = remembered {
            self.go(draft.items[item].at);
            return item;
        }
        for home in homes {
            for place in (0..draft.places.len()).filter(|p| draft.places[*p].kind == *home) {
                if self.seen[place] {
                    continue;
                }
                self.go(place);
                self.open(place);
                self.seen[place] = true;
                if let Some(item) = here(place) {
                    return item;
                }
            }
        }
        0 // not reached: every item lies in one of its homes
    }

    fn grab(&mut self, item: usize) {
        let thing = &self.draft.items[item];
        let at = self.draft.items[item].at;
        self.done.push(format!(
            "grab {} {} from {}",
            thing.thing.name,
            thing.number,
            self.name(at)
        ));
    }

    fn kind(&self, kind: &str) -> usize {
        self.draft.places.iter().position(|place| place.kind == kind).unwrap_or_default()
    }
}

fn walkthrough(draft: &Draft) -> Vec<String> {
    let count = draft.places.len();
    let mut walker = Walker {
        draft,
        at: None,
        seen: vec![false; count],
        open: vec![false; count],
        done: Vec::new(),
    };
    let task = TASKS[draft.kind].0;
    let mut delivered = Vec::new();
    for _ in 0..if task == "two" { 2 } else { 1 } {
        let item = walker.find(draft.thing.homes, &|i, it| {
            it.thing.name == draft.thing.name && !delivered.contains(&i)
        });
        walker.grab(item);
        let held = format!("{} {}", draft.thing.name, draft.items[item].number);
        if let Some((verb, tool)) = match task {
            "clean" => Some(("rinse", "sink")),
            "heat" => Some(("warm", "microwave")),
            "cool" => Some(("chill", "fridge")),
            _ => None,
        } {
            let tool = walker.kind(tool);
            walker.go(tool);
            walker.done.push(format!("{verb} {held} in {}", walker.name(tool)));
        }
        if task == "light" {
            let homes = catalog::find("lamp").map(|lamp| lamp.homes).unwrap_or_default();
            walker.find(homes, &|_, it| it.thing.name == "lamp");
            walker.done.push("switch on lamp 1".into());
        } else {
            let target = walker.kind(draft.target);
            walker.go(target);
            walker.open(target);
            walker.done.push(format!("leave {held} at {}", walker.name(target)));
            delivered.push(item);
        }
    }
    walker.done
}
