//! What a study's file says.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bridge::Bridge;
use crate::error::{Error, Result};
use crate::model::config::Config;
use crate::selection::Share;
use crate::train::{Budget, Objective};

/// A way of training that is compared with others. Names follow the paper, with what is not the
/// paper's said in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Arm {
    /// Imitation of the expert's actions: the baseline (paper, section 3).
    IL,
    /// A control: world modelling of the expert's own next states only, then imitation. What it
    /// gains over IL is due to more text, not to alternatives.
    K0,
    /// Implicit world modelling: next states of the executed alternatives and the expert's, then
    /// imitation (paper, section 4.2).
    IWM,
    /// A control: the same texts as IWM, dealt out among the alternatives of their game, so that
    /// they teach words and not what follows from what.
    SHUF,
    /// Self-reflection with texts of the template, which has seen the outcomes of executed
    /// alternatives: imitation mixed with these (paper, section 4.3, but written by a rule).
    #[serde(rename = "SR-template")]
    SrTemplate,
    /// A control: texts of the same length before the same actions, without any alternative.
    #[serde(rename = "RAT-template")]
    RatTemplate,
    /// World modelling as IWM, then SR-template on the same weights; not in the paper.
    BOTH,
    /// A control: cross-entropy over the admissible list. Contrast without outcomes; not in the
    /// paper.
    LIST,
    /// An upper reference, not a rival: half of the demonstrations, and as many answers of the
    /// expert again in states that a policy trained on that half came through on the other half's
    /// games (DAgger). It needs an expert that can be asked anywhere.
    DAgger,
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IL => "IL",
            Self::K0 => "K0",
            Self::IWM => "IWM",
            Self::SHUF => "SHUF",
            Self::SrTemplate => "SR-template",
            Self::RatTemplate => "RAT-template",
            Self::BOTH => "BOTH",
            Self::LIST => "LIST",
            Self::DAgger => "DAgger",
        })
    }
}

impl Arm {
    /// What it optimises.
    pub fn objective(self) -> Objective {
        match self {
            Self::IL | Self::DAgger => Objective::Imitation,
            Self::K0 | Self::IWM | Self::SHUF => Objective::WorldModel,
            Self::SrTemplate | Self::RatTemplate => Objective::Reflection,
            Self::BOTH => Objective::Both,
            Self::LIST => Objective::List,
        }
    }

    /// Whether the number of alternatives a state makes a difference to it.
    pub fn uses_k(self) -> bool {
        matches!(self, Self::IWM | Self::SHUF | Self::BOTH)
    }

    /// Whether it learns to predict.
    pub fn predicts(self) -> bool {
        self.objective().foresees_first()
    }
}

/// How large a share of the training games, and how many updates each arm's last stage gets on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Share of the instances of the training split.
    pub share: f64,
    /// Updates of imitation (of reflection); world modelling comes on top, as `match` says.
    pub updates: Vec<u64>,
}

/// The model that every arm starts from, fresh for each seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Layers.
    pub layers: usize,
    /// Width.
    pub hidden: usize,
    /// Tokens of the vocabulary, which is trained on the training data alone.
    pub vocab: usize,
}

/// How every arm is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Making {
    /// Trajectories an update.
    #[serde(default = "eight")]
    pub batch: usize,
    /// Peak learning rate.
    pub rate: f64,
    /// Passes over the data of world modelling.
    #[serde(default = "one")]
    pub world_epochs: f64,
    /// How world modelling is set off against the other arms.
    #[serde(default, rename = "match")]
    pub matched: Budget,
    /// Whether products are in bf16.
    #[serde(default)]
    pub bf16: bool,
}

/// Games that are played to compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestSet {
    /// What it goes by.
    pub name: String,
    /// The split.
    pub split: String,
    /// Games at most, drawn by `draw`.
    pub games: usize,
    /// The seed that chooses them.
    #[serde(default = "first")]
    pub draw: u64,
    /// Temperature; the paper's is 0.4.
    #[serde(default = "usual_temperature")]
    pub temperature: f64,
    /// Whether arms that were trained to think before they act do so.
    #[serde(default = "yes")]
    pub thinking: bool,
    /// Whether an action that was taken in a state is left out there from then on.
    #[serde(default)]
    pub no_repeat: bool,
    /// Only these arms; all if none is named.
    #[serde(default)]
    pub arms: Vec<Arm>,
    /// Games on whose transitions predictions are measured, of arms that predict; 0 for none.
    #[serde(default)]
    pub predict: usize,
}

/// A comparison that was decided on beforehand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The arm that is expected to be better.
    pub arm: Arm,
    /// The arm that it is compared with.
    pub over: Arm,
    /// On which test set.
    pub test: String,
    /// At which share of the data.
    pub share: f64,
    /// With how many alternatives a state, where the study has several numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
    /// After how many updates, where that share has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<u64>,
    /// By which expert, where the study has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert: Option<String>,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arm, over, test, share, .. } = self;
        write!(f, "{arm} - {over} on {test} at {}", Share::name(*share))
    }
}

/// A study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// What it goes by, also as a folder's name.
    pub name: String,
    /// What it is to find out.
    #[serde(default)]
    pub about: String,
    /// The suite.
    pub suite: String,
    /// The split that is trained on.
    pub train: String,
    /// Whose demonstrations; each by itself.
    pub experts: Vec<String>,
    /// Each draws the share, the weights and the order of the data anew.
    pub seeds: Vec<u64>,
    /// What is compared.
    pub arms: Vec<Arm>,
    /// Alternatives a state of world modelling, each by itself.
    #[serde(default = "four")]
    pub k: Vec<usize>,
    /// Alternatives a state that reflections are written from.
    #[serde(default = "three")]
    pub reflect_k: usize,
    /// The model.
    pub model: Shape,
    /// Training.
    pub training: Making,
    /// Amounts of data.
    pub data: Vec<Amount>,
    /// What every arm's model goes on with, tested again after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rl: Vec<Bridge>,
    /// Test sets.
    pub test: Vec<TestSet>,
    /// Comparisons fixed beforehand; every other one is exploratory.
    #[serde(default)]
    pub primary: Vec<Claim>,
}

fn eight() -> usize {
    8
}

fn one() -> f64 {
    1.0
}

fn first() -> u64 {
    1
}

fn usual_temperature() -> f64 {
    0.4
}

fn yes() -> bool {
    true
}

fn four() -> Vec<usize> {
    vec![4]
}

fn three() -> usize {
    3
}

impl Design {
    /// Reads a study's file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("reading", path, &e))?;
        let design: Self = toml::from_str(&text).map_err(|e| {
            Error::new(format!("{}: {}", path.display(), e.message()))
                .hint("docs/studies.md has every field; studies/quick.toml is one to begin with")
        })?;
        design.check().map_err(|error| error.at(path.display().to_string()))?;
        Ok(design)
    }

    /// Refuses what means nothing, or would take apart what belongs together.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: String, hint: &str| Err(Error::new(what).hint(hint.to_string()));
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) || self.name.len() > 60 {
            return refuse(
                format!("`{}` is no name for a study", self.name),
                "letters, digits and `-`: it is a folder's name too",
            );
        }
        let lists = [
            ("experts", self.experts.is_empty()),
            ("seeds", self.seeds.is_empty()),
            ("arms", self.arms.is_empty()),
            ("k", self.k.is_empty()),
            ("data", self.data.is_empty()),
            ("test", self.test.is_empty()),
        ];
        if let Some((name, _)) = lists.iter().find(|(_, empty)| *empty) {
            return refuse(format!("nothing under `{name}`"), "name at least one");
        }
        for (name, twice) in [
            ("seeds", twice(&self.seeds)),
            ("arms", twice(&self.arms)),
            ("experts", twice(&self.experts)),
            ("k", twice(&self.k)),
            ("test", twice(&self.test.iter().map(|test| &test.name).collect::<Vec<_>>())),
        ] {
            if twice {
                return refuse(format!("something stands twice under `{name}`"), "once is enough");
            }
        }
        if self.k.contains(&0) || self.reflect_k == 0 {
            return refuse("no alternatives (0)".into(), "the arm K0 is world modelling without");
        }
        let Shape { layers, hidden, vocab } = self.model;
        Config::small(layers, hidden, vocab).map_err(|error| error.at("[model]"))?;
        for amount in &self.data {
            Share { of: amount.share, seed: 1 }.check()?;
            if amount.updates.is_empty() || amount.updates.contains(&0) {
                return refuse(
                    format!("no updates on {} of the data", Share::name(amount.share)),
                    "updates = [600]",
                );
            }
        }
        let amounts =
            self.data.iter().flat_map(|a| a.updates.iter().map(move |n| (a.share.to_bits(), *n)));
        if twice(&amounts.collect::<Vec<_>>()) {
            return refuse("the same amount stands twice under `data`".into(), "once is enough");
        }
        if twice(&self.rl.iter().map(|bridge| bridge.method).collect::<Vec<_>>()) {
            return refuse("a method stands twice under `rl`".into(), "once is enough");
        }
        for bridge in &self.rl {
            bridge.settings().check().map_err(|error| error.at("[[rl]]"))?;
        }
        self.primary.iter().try_for_each(|claim| self.check_claim(claim))
    }

    /// How a test set is played, in words.
    pub fn how(&self, test: &str) -> String {
        let Some(test) = self.test.iter().find(|known| known.name == test) else {
            return String::new();
        };
        let temperature = if test.temperature > 0.0 {
            format!("temperature {} over the admissible list", test.temperature)
        } else {
            "the likeliest action".to_string()
        };
        let thinking = if test.thinking { "" } else { ", nobody thinks before acting" };
        let repeats = if test.no_repeat { ", no action twice in a state" } else { "" };
        format!("Split {}, {temperature}{thinking}{repeats}", test.split)
    }

    /// Refuses a claim about what the study does not have, or about several things of it.
    fn check_claim(&self, claim: &Claim) -> Result<()> {
        let refuse = |what: &str, hint: &str| {
            Err(Error::new(format!("the primary comparison {claim} {what}")).hint(hint))
        };
        let of_share = self.data.iter().filter(|amount| (amount.share - claim.share).abs() < 1e-9);
        let updates: Vec<u64> = of_share.flat_map(|amount| amount.updates.clone()).collect();
        let there = [claim.arm, claim.over].iter().all(|arm| self.arms.contains(arm))
            && self.test.iter().any(|test| {
                let plays = |arm| test.arms.is_empty() || test.arms.contains(arm);
                test.name == claim.test && plays(&claim.arm) && plays(&claim.over)
            });
        if !there || updates.is_empty() || claim.arm == claim.over {
            return refuse(
                "is of something that the study does not have",
                "name two arms, a test set and a share that stand in the file",
            );
        }
        let uses_k = claim.arm.uses_k() || claim.over.uses_k();
        let chosen = [
            ("k", claim.k.is_some(), claim.k.is_none_or(|k| uses_k && self.k.contains(&k))),
            (
                "updates",
                claim.updates.is_some(),
                claim.updates.is_none_or(|n| updates.contains(&n)),
            ),
            (
                "expert",
                claim.expert.is_some(),
                claim.expert.as_ref().is_none_or(|name| self.experts.contains(name)),
            ),
        ];
        if let Some((name, ..)) = chosen.iter().find(|(_, _, is_there)| !is_there) {
            return refuse(
                &format!("names a value of `{name}` that the study does not have for it"),
                "name one of those in the file",
            );
        }
        let several = [uses_k && self.k.len() > 1, updates.len() > 1, self.experts.len() > 1];
        let open =
            chosen.iter().zip(several).find(|((_, is_named, _), several)| *several && !is_named);
        if let Some(((name, ..), _)) = open {
            return refuse(
                &format!("could be of several values of `{name}`"),
                "a comparison that is fixed beforehand is one: name the value",
            );
        }
        Ok(())
    }
}

fn twice<T: PartialEq>(list: &[T]) -> bool {
    list.iter().enumerate().any(|(i, one)| list[..i].contains(one))
}
