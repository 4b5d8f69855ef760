//! The expert that plays fair: it knows what the texts of this episode have told, and nothing else.
//!
//! What it has not been told is left out of the facts it plans on: things that no text named,
//! contents that no text listed. If a plan exists on what is left, it follows it. If not, something
//! that the task needs has not been seen yet, and it looks for it: of all places whose contents
//! were never listed, it goes to the one where finding it is likeliest for the steps that looking
//! takes ([`Prior`]), opens it if it must, and remembers what it saw. This is what a sensible
//! person would do, so a policy that sees the same texts can learn it.

use std::sync::Arc;

use super::experts::engine;
use super::facts::{FactSet, Object, arg, pack, pred_of};
use super::game::Game;
use super::pddl::{Pred, Term};
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
        Ok(Self { planner, roles, prior: Prior::of(&game.domain), wanted })
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
        let game = world.game();
        let wanted = match (there, self.shut(world, place)) {
            (false, _) => Some(self.roles.at),
            (true, true) => Some(self.roles.open),
            (true, false) => None,
        };
        let operators = game.operators();
        let about = |id: &u32| {
            let operator = operators.get(*id);
            let action = &game.domain.actions[usize::from(operator.action)];
            let matters = |pred: Pred| game.matters[usize::from(pred)];
            let does = match wanted {
                Some(pred) => action.effects.iter().any(|e| !e.delete && e.atom.pred == pred),
                None => !action.effects.iter().any(|e| matters(e.atom.pred)),
            };
            does && operator.vars[..action.params.len()].contains(&place)
        };
        let menu = world.menu();
        let mut found = menu.commands.iter().zip(&menu.operators).filter(|(_, id)| about(id));
        found.next().map(|(command, _)| Arc::clone(command))
    }
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
        let action = self.look(world).map(|command| command.to_string());
        let action = action.ok_or_else(|| {
            NoAdvice::Other("every place was looked into and what was seen does not do".into())
        })?;
        Ok(Advice { action, steps_left: None })
    }
}
