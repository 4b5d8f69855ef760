//! The way of a tree through the layers and back, part after part.

use std::ops::Range;

use super::{Loss, Net, Saved, Step};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::model::kernels::scale;
use crate::model::params::Buffers;
use crate::model::parts::Parts;
use crate::model::workspace::Scratch;

/// What the parts of a tree share of a layer: keys and values of the first part, `[P, kv]`, and
/// what they cost the parts below.
pub(super) struct Shared<'a> {
    pub k: Scratch<'a>,
    pub v: Scratch<'a>,
    pub dk: Scratch<'a>,
    pub dv: Scratch<'a>,
}

/// A part that went through the layers and is to go back.
struct Pass<'a> {
    step: Step<'a>,
    /// What each layer keeps for the way back.
    saved: Vec<Saved<'a>>,
    /// What went into each layer, where it is computed again instead.
    inputs: Vec<Scratch<'a>>,
    /// The gradient of what the last layer gave, `[T, h]`.
    dx: Scratch<'a>,
}

/// Loss of a tree's targets; with `grads` (in the order of [`Net::shapes`]), the gradients are
/// added to them.
pub fn step(
    net: Net<'_>,
    parts: &Parts,
    mut grads: Option<&mut Buffers>,
    cancel: &Cancel,
) -> Result<Loss> {
    check(net, parts)?;
    let mut loss = Loss::default();
    let mut shared = Vec::new();
    cancel.check()?;
    let first = 0..parts.shared();
    let first = Pass::forward(net, parts, first, &mut shared, grads.as_deref_mut(), &mut loss);
    for part in parts.below() {
        cancel.check()?;
        let pass = Pass::forward(net, parts, part, &mut shared, grads.as_deref_mut(), &mut loss);
        if let Some(grads) = &mut grads {
            pass.back(parts, &mut shared, grads);
        }
    }
    if let Some(grads) = grads {
        first.back(parts, &mut shared, grads);
    }
    Ok(loss)
}

/// Refuses what no step can be made of.
pub(in crate::model) fn check(net: Net<'_>, parts: &Parts) -> Result<()> {
    let vocab = net.config.vocab;
    if let Some(token) = parts.tree.tokens.iter().find(|token| **token as usize >= vocab) {
        return Err(Error::new(format!(
            "token {token} is outside the model's vocabulary of {vocab}"
        )));
    }
    if parts.computed() == 0 {
        return Err(Error::new("a training example without any target token"));
    }
    net.config.trains()
}

impl<'a> Pass<'a> {
    /// Through the layers and the head: what the targets of its tokens cost goes into `loss`. The
    /// first of several parts makes what they share.
    fn forward(
        net: Net<'a>,
        parts: &Parts,
        own: Range<usize>,
        shared: &mut Vec<Shared<'a>>,
        grads: Option<&mut Buffers>,
        loss: &mut Loss,
    ) -> Self {
        let h = net.config.hidden;
        let space = net.workspace;
        let is_shared = own.start == 0 && parts.below().len() > 0;
        let step = Step::new(net, parts, own.clone());
        let mut x = space.take(own.len() * h);
        for (token, row) in parts.tree.tokens[own].iter().zip(x.chunks_exact_mut(h)) {
            let at = *token as usize * h;
            row.copy_from_slice(&net.weights[0][at..at + h]);
        }
        scale(&mut x, net.config.scales.embedding);
        let mut saved = Vec::new();
        let mut inputs = Vec::new();
        for layer in 0..net.config.layers {
            let input = (grads.is_some() && net.recompute).then(|| space.copy(&x));
            let kept = step.layer(layer, &mut x, shared.get(layer));
            if is_shared {
                let cost = || space.zeros(if grads.is_some() { kept.attended.k.len() } else { 0 });
                shared.push(Shared {
                    k: space.copy(&kept.attended.k),
                    v: space.copy(&kept.attended.v),
                    dk: cost(),
                    dv: cost(),
                });
            }
            match (&grads, input) {
                (Some(_), None) => saved.push(kept),
                (_, input) => inputs.extend(input),
            }
        }
        let dx = step.head(&parts.tree, &x, grads, loss);
        Self { step, saved, inputs, dx }
    }

    /// The way back: adds the gradients of its tokens, and to `shared` what the tokens above cost
    /// it. The first part goes last, when all others have.
    fn back(self, parts: &Parts, shared: &mut [Shared<'_>], grads: &mut Buffers) {
        let Self { step, mut saved, mut inputs, mut dx } = self;
        for layer in (0..step.config.layers).rev() {
            let kept = match inputs.pop() {
                Some(mut input) => Some(step.layer(layer, &mut input, shared.get(layer))),
                None => saved.pop(),
            };
            if let Some(kept) = kept {
                step.layer_back(layer, kept, &mut dx, shared.get_mut(layer), grads);
            }
        }
        let h = step.config.hidden;
        if step.adapter.is_none() {
            scale(&mut dx, step.config.scales.embedding);
            for (token, d) in parts.tree.tokens[step.own].iter().zip(dx.chunks_exact(h)) {
                let at = *token as usize * h;
                grads[0][at..at + h].iter_mut().zip(d).for_each(|(g, d)| *g += d);
            }
        }
    }
}
