//! What a world tells, for the grammar, and what of it an agent has heard of afterwards.

use std::cell::RefCell;

use super::derive::{Binding, TextFacts};
use super::facts::Object;
use super::grammar::Pattern;
use super::pddl::Pred;
use super::seen::Seen;
use super::world::World;

/// A world telling something, and a note of what it told.
pub(super) struct Teller<'a> {
    world: &'a World,
    told: RefCell<(Vec<Object>, Vec<Object>)>,
}

impl<'a> Teller<'a> {
    /// Nothing told yet.
    pub fn new(world: &'a World) -> Self {
        Self { world, told: RefCell::default() }
    }

    /// What is seen once this was told.
    pub fn seen(self) -> Seen {
        let (named, listed) = self.told.into_inner();
        self.world.seen().with(&named, &listed)
    }
}

impl TextFacts for Teller<'_> {
    fn matches(
        &self,
        query: &[Pattern],
        bound: &mut Vec<Binding>,
        found: &mut dyn FnMut(&mut Vec<Binding>) -> bool,
    ) {
        self.world.query(query, bound, found);
    }

    fn name(&self, object: Object) -> &str {
        self.told.borrow_mut().0.push(object);
        &self.world.game().names[usize::from(object)]
    }

    fn id(&self, object: Object) -> &str {
        &self.world.game().ids[usize::from(object)]
    }

    fn task(&self) -> Option<&str> {
        self.world.game().task.as_deref()
    }

    fn listed(&self, pred: Pred, object: Object) {
        if !self.world.game().domain.is_static[usize::from(pred)] {
            self.told.borrow_mut().1.push(object);
        }
    }
}
