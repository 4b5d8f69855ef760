//! The expert that plays fair: it knows what the texts of this episode have told, and nothing else.
//!
//! What it has not been told is left out of the facts it plans on: things that no text named,
//! contents that no text listed. If a plan exists on what is left, it follows it. If not, something
//! that the task needs has not been seen yet. What it needs and sees before it, it takes along with
//! free hands; the first of two it brings to its place, so that they are free for the second; then
//! it looks for the rest: of all places whose contents were never listed, it goes
//! to the one where finding it is likeliest for the steps that looking takes ([`Prior`]), opens it
//! if it must, and remembers what it saw. This is what a sensible person would do, so a policy that
//! sees the same texts can learn it.

use std::sync::Arc;

use super::experts::engine;
use super::facts::{FactSet, Object, arg, pack, pred_of};
use super::game::Game;
use super::pddl::{Effect, Pred, Term};
use super::plan::{Limits, Planner, Solution};
use super::prior::Prior;
use super::roles::{Roles, kind_name};
use super::world::World;
use crate::control::Cancel;
use crate::env::{Advice, Environment, Expert, NoAdvice};
use crate::error::{Error, Result};

/// The fair expert of one game.
#[derive(Debug)]
pub struct Fair {
    planner: Arc<Planner>,
    roles: Roles,
    prior: &'static Prior,
    /// Kinds of things that the goal asks for, and how many of each.
    wanted: Vec<(Object, usize)>,
    /// Kinds of things that the goal wants held, or somewhere else.
    carried: Vec<Object>,
    /// Kinds of places where it wants them.
    places: Vec<Object>,
}

impl Fair {
    /// For a game; fails for a domain whose words it does not know.
    pub fn new(planner: Arc<Planner>, game: &Game) -> Result<Self> {
        let roles = Roles::of(&game.domain).ok_or_else(|| {
            Error::new("the fair expert does not know this domain's words for places and things")
                .hint("use --expert planner or walkthrough")
        })?;
        let mut wanted: Vec<(Object, usize)> = Vec::new();
        for clause in &game.goal {
            let mut vars: Vec<(Object, u8)> = Vec::new();
            for atom in clause.literals.iter().filter(|l| !l.negated).map(|l| &l.atom) {
                let [Term::Var(v), Term::Const(c)] = atom.args[..] else { continue };
                if let Some(kind) =
                    game.goal_constants[usize::from(c)].filter(|_| atom.pred == roles.thing_kind)
                    && !vars.contains(&(kind, v))
                {
                    vars.push((kind, v));
                }
            }
            // A thing that must be able to do something, like a lamp in the household's goal, has
            // no kind there.
            for literal in clause.literals.iter().filter(|l| !l.negated && l.atom.args.len() == 1) {
                let Term::Var(v) = literal.atom.args[0] else { continue };
                let able = game.fixed.of(literal.atom.pred, None).first().map(|fact| arg(*fact, 0));
                let kind = able.and_then(|thing| Roles::kind(game, roles.thing_kind, thing));
                if let Some(kind) = kind.filter(|_| !vars.iter().any(|(_, known)| *known == v)) {
                    vars.push((kind, v));
                }
            }
            for (kind, _) in &vars {
                let count = vars.iter().filter(|(other, _)| other == kind).count();
                match wanted.iter_mut().find(|(known, _)| known == kind) {
                    Some((_, most)) => *most = count.max(*most),
                    None => wanted.push((*kind, count)),
                }
            }
        }
        let (carried, places) = moved(game, roles);
        Ok(Self { planner, roles, prior: Prior::of(&game.domain), wanted, carried, places })
    }

    /// The changeable facts that the texts have told.
    fn believed(&self, world: &World) -> FactSet {
        let game = world.game();
        let seen = world.seen();
        let told = |fact: &u64| {
            let pred = pred_of(*fact);
            // What the agent did itself is known, and where it stands; of what was there before,
            // only what was listed.
            !game.start.has(*fact)
                || pred == self.roles.at
                || (pred == self.roles.within
                    && seen.named(arg(*fact, 0))
                    && seen.listed(arg(*fact, 1)))
        };
        FactSet::new(world.fluents().all().iter().copied().filter(told).collect())
    }

    /// Kinds of things of which too few have been seen.
    fn missing(&self, world: &World) -> Vec<Object> {
        let game = world.game();
        let things = game.fixed.of(self.roles.thing_kind, None);
        let seen = |kind: Object| {
            things.iter().filter(|f| arg(**f, 1) == kind && world.seen().named(arg(**f, 0))).count()
        };
        let few: Vec<Object> = self
            .wanted
            .iter()
            .filter(|(kind, count)| seen(*kind) < *count)
            .map(|(kind, _)| *kind)
            .collect();
        if few.is_empty() { self.wanted.iter().map(|(kind, _)| *kind).collect() } else { few }
    }

    /// The command that takes something along that the goal wants moved, with free hands.
    fn take(&self, world: &World) -> Option<Arc<str>> {
        let game = world.game();
        let roles = self.roles;
        let fluents = world.fluents();
        if !fluents.of(roles.holds, None).is_empty() {
            return None;
        }
        let kind = |pred, object| Roles::kind(game, pred, object);
        let is_left = |thing: Object| {
            let place = fluents.of(roles.within, Some(thing)).first().map(|fact| arg(*fact, 1));
            let there = place.and_then(|place| kind(roles.place_kind, place));
            world.seen().named(thing)
                && kind(roles.thing_kind, thing).is_some_and(|kind| self.carried.contains(&kind))
                && there.is_none_or(|kind| !self.places.contains(&kind))
        };
        command(world, |effects, objects| {
            effects.iter().any(|e| !e.delete && e.atom.pred == roles.holds)
                && objects.iter().any(|object| is_left(*object))
        })
    }

    /// The command that brings the first of several to where they are to be, the second still
    /// unseen: whatever it takes to find it, hands are free then.
    fn deliver(&self, world: &World) -> Option<Arc<str>> {
        let game = world.game();
        let roles = self.roles;
        let fluents = world.fluents();
        let thing = fluents.of(roles.holds, None).first().map(|fact| arg(*fact, 1))?;
        let kind_of = |thing| Roles::kind(game, roles.thing_kind, thing);
        let kind = kind_of(thing)?;
        if !self.wanted.iter().any(|(wanted, count)| *wanted == kind && *count > 1) {
            return None;
        }
        let has_one = |place: Object| {
            fluents.of(roles.within, None).iter().any(|fact| {
                let there = arg(*fact, 0);
                arg(*fact, 1) == place && kind_of(there) == Some(kind) && world.seen().named(there)
            })
        };
        let spots =
            game.fixed.of(roles.spot, None).iter().map(|fact| (arg(*fact, 0), arg(*fact, 1)));
        let fits = spots.filter(|(place, _)| {
            Roles::kind(game, roles.place_kind, *place).is_some_and(|k| self.places.contains(&k))
        });
        // Where one is already, or the first by name.
        let (place, location) = fits.min_by_key(|(place, _)| {
            let name = &game.names[usize::from(*place)];
            (!has_one(*place), name.len(), name)
        })?;
        let there =
            fluents.of(roles.at, None).first().is_some_and(|fact| arg(*fact, 1) == location);
        if !there || self.shut(world, place) {
            return self.towards(world, place, there);
        }
        command(world, |effects, objects| {
            effects.iter().any(|e| !e.delete && e.atom.pred == roles.within)
                && objects.contains(&place)
                && objects.contains(&thing)
        })
    }

    /// Where to look next, and the command that brings one nearer to having looked there.
    fn look(&self, world: &World) -> Option<Arc<str>> {
        let game = world.game();
        let roles = self.roles;
        let here = world.fluents().of(roles.at, None).first().map(|fact| arg(*fact, 1))?;
        let wanted: Vec<&str> =
            self.missing(world).iter().map(|kind| kind_name(game, *kind)).collect();
        let mut best: Option<(f64, &str, Object, bool)> = None;
        for fact in game.fixed.of(roles.spot, None) {
            let place = arg(*fact, 0);
            let location = arg(*fact, 1);
            if world.seen().listed(place) {
                continue;
            }
            let shut = self.shut(world, place);
            let steps = 1 + usize::from(shut && location != here);
            let kind =
                Roles::kind(game, roles.place_kind, place).map_or("", |kind| kind_name(game, kind));
            let value = self.prior.chance(&wanted, kind) / steps as f64;
            let name = game.names[usize::from(place)].as_str();
            // By length first: "drawer 2" before "drawer 10".
            let earlier = |known: &str| (name.len(), name) < (known.len(), known);
            if best
                .is_none_or(|(most, known, _, _)| value > most || (value >= most && earlier(known)))
            {
                best = Some((value, name, place, location == here));
            }
        }
        let (_, _, place, there) = best?;
        self.towards(world, place, there)
    }

    fn shut(&self, world: &World, place: Object) -> bool {
        let fact = |pred| pack(pred, &[place]);
        world.game().fixed.has(fact(self.roles.shuts))
            && !world.fluents().has(fact(self.roles.open))
    }

    /// The command about a place that goes there, opens it, or looks at it.
    fn towards(&self, world: &World, place: Object, there: bool) -> Option<Arc<str>> {
        let matters = |pred: Pred| world.game().matters[usize::from(pred)];
        let wanted = match (there, self.shut(world, place)) {
            (false, _) => Some(self.roles.at),
            (true, true) => Some(self.roles.open),
            (true, false) => None,
        };
        command(world, |effects, objects| {
            let does = match wanted {
                Some(pred) => effects.iter().any(|e| !e.delete && e.atom.pred == pred),
                None => !effects.iter().any(|e| matters(e.atom.pred)),
            };
            does && objects.contains(&place)
        })
    }
}

/// The first admissible command whose effects and objects are as asked.
fn command(world: &World, is_asked: impl Fn(&[Effect], &[Object]) -> bool) -> Option<Arc<str>> {
    let game = world.game();
    let operators = game.operators();
    let about = |id: &u32| {
        let operator = operators.get(*id);
        let action = &game.domain.actions[usize::from(operator.action)];
        is_asked(&action.effects, &operator.vars[..action.params.len()])
    };
    let menu = world.menu();
    let mut found = menu.commands.iter().zip(&menu.operators).filter(|(_, id)| about(id));
    found.next().map(|(command, _)| Arc::clone(command))
}

/// Kinds of things that a goal wants held or within something, and kinds of places where.
fn moved(game: &Game, roles: Roles) -> (Vec<Object>, Vec<Object>) {
    let (mut things, mut places) = (Vec::new(), Vec::new());
    for clause in &game.goal {
        let atoms = || clause.literals.iter().filter(|l| !l.negated).map(|l| &l.atom);
        let is_moved = |var: u8| {
            atoms().any(|atom| {
                let thing = match atom.pred {
                    pred if pred == roles.holds => atom.args.get(1),
                    pred if pred == roles.within => atom.args.first(),
                    _ => None,
                };
                thing == Some(&Term::Var(var))
            })
        };
        for atom in atoms() {
            let [Term::Var(var), Term::Const(constant)] = atom.args[..] else { continue };
            let kind = game.goal_constants[usize::from(constant)];
            if atom.pred == roles.thing_kind && is_moved(var) {
                things.extend(kind);
            } else if atom.pred == roles.place_kind {
                places.extend(kind);
            }
        }
    }
    (things, places)
}

impl Expert for Fair {
    fn name(&self) -> &'static str {
        "fair"
    }

    fn advise(&self, env: &dyn Environment, cancel: &Cancel) -> Result<Advice, NoAdvice> {
        let world = engine(env)?.world();
        let limits = Limits { cancel: Some(cancel.clone()), ..Limits::default() };
        match self.planner.plan_from(world, &self.believed(world), false, &limits)? {
            Solution::Found { steps, .. } if !steps.is_empty() => {
                return Ok(Advice {
                    action: steps[0].1.to_string(),
                    steps_left: Some(steps.len()),
                });
            }
            Solution::Cancelled => return Err(NoAdvice::Cancelled),
            _ => {}
        }
        let action = self.deliver(world).or_else(|| self.take(world));
        let action = action.or_else(|| self.look(world));
        let action = action.map(|command| command.to_string());
        let action = action.ok_or_else(|| {
            NoAdvice::Other("every place was looked into and what was seen does not do".into())
        })?;
        Ok(Advice { action, steps_left: None })
    }
}
