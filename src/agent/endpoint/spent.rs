//! What was spent, what it cost, and what may still be.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::profile::Profile;
use crate::error::{Error, Result};

/// What an endpoint was asked for in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Spent {
    /// Questions that were answered.
    pub asks: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of answers.
    pub answer_tokens: u64,
    /// Whether some of the tokens were not counted by the server but estimated here.
    pub estimated: bool,
    /// What that cost, where the profile says prices.
    pub cost: Option<f64>,
}

impl Spent {
    /// Both together; costs are only added up where each is known.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            asks: self.asks + other.asks,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            answer_tokens: self.answer_tokens + other.answer_tokens,
            estimated: self.estimated || other.estimated,
            cost: self.cost.zip(other.cost).map(|(a, b)| a + b),
        }
    }
}

impl fmt::Display for Spent {
    /// In a few words: `12.3k tokens, 0.0041`; `≈` where some were estimated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.prompt_tokens.saturating_add(self.answer_tokens);
        let about = if self.estimated { "≈" } else { "" };
        match tokens {
            ..10_000 => write!(f, "{about}{tokens} tokens")?,
            10_000..10_000_000 => write!(f, "{about}{:.1}k tokens", tokens as f64 / 1e3)?,
            _ => write!(f, "{about}{:.1}M tokens", tokens as f64 / 1e6)?,
        }
        match self.cost {
            None => Ok(()),
            Some(cost) if cost < 1.0 => write!(f, ", cost {cost:.4}"),
            Some(cost) => write!(f, ", cost {cost:.2}"),
        }
    }
}

/// What something would take.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of answers, were all as long as they may be.
    pub answer_tokens: u64,
    /// What they cost, where the profile says prices.
    pub cost: Option<f64>,
}

impl Estimate {
    /// So many times that.
    #[must_use]
    pub fn times(self, n: u64) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens.saturating_mul(n),
            answer_tokens: self.answer_tokens.saturating_mul(n),
            cost: self.cost.map(|cost| cost * n as f64),
        }
    }
}

/// Characters of a token, about.
const CHARACTERS: usize = 4;

/// Tokens of so many characters, about.
pub(super) fn tokens_of(characters: usize) -> u64 {
    characters.div_ceil(CHARACTERS) as u64
}

#[derive(Debug, Default)]
struct State {
    spent: Spent,
    /// What questions under way may still take.
    promised: u64,
}

/// The account of an endpoint.
#[derive(Debug)]
pub(super) struct Account {
    limit: Option<u64>,
    prices: (Option<f64>, Option<f64>),
    state: Mutex<State>,
}

impl Account {
    pub fn new(profile: &Profile) -> Self {
        Self {
            limit: profile.budget_tokens,
            prices: (profile.price_in, profile.price_out),
            state: Mutex::default(),
        }
    }

    /// Sees or changes it; a panic elsewhere leaves numbers, not a broken promise.
    fn with<T>(&self, body: impl FnOnce(&mut State) -> T) -> T {
        body(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A price that is not said is nothing if the other one is.
    pub fn cost(&self, prompt: u64, answer: u64) -> Option<f64> {
        let (price_in, price_out) = self.prices;
        price_in.or(price_out)?;
        let part = |price: Option<f64>, tokens: u64| price.unwrap_or(0.0) * tokens as f64 / 1e6;
        Some(part(price_in, prompt) + part(price_out, answer))
    }

    pub fn spent(&self) -> Spent {
        let spent = self.with(|state| state.spent);
        Spent { cost: self.cost(spent.prompt_tokens, spent.answer_tokens), ..spent }
    }

    pub fn estimate(&self, prompt_characters: usize, reply_tokens: u64, asks: u64) -> Estimate {
        let prompt_tokens = tokens_of(prompt_characters).saturating_mul(asks);
        let answer_tokens = reply_tokens.saturating_mul(asks);
        let cost = self.cost(prompt_tokens, answer_tokens);
        Estimate { prompt_tokens, answer_tokens, cost }
    }

    /// Before a question is sent: what it may take at most is set aside, so that questions which
    /// are under way together do not pass the budget together.
    pub fn promise(self: &Arc<Self>, prompt: u64, answer: u64) -> Result<Promise> {
        let tokens = prompt.saturating_add(answer);
        self.with(|state| {
            let spent = state.spent.prompt_tokens.saturating_add(state.spent.answer_tokens);
            let limit = self.limit.unwrap_or(u64::MAX);
            if spent.saturating_add(state.promised).saturating_add(tokens) > limit {
                return Err(Error::usage(format!(
                    "budget_tokens = {limit} would be passed: {spent} are spent, {} are promised \
                     to questions under way, and this one may take {tokens}",
                    state.promised
                ))
                .hint("raise budget_tokens in the endpoint's profile, or ask for less"));
            }
            state.promised = state.promised.saturating_add(tokens);
            Ok(())
        })?;
        Ok(Promise { account: self.clone(), tokens, prompt, seen: 0, kept: false })
    }
}

/// No answer has so many tokens.
const COUNTED: u64 = 1 << 32;

/// What was set aside for one question. Dropped before an answer was whole, it leaves what the
/// server did as far as that was seen.
#[derive(Debug)]
pub(super) struct Promise {
    account: Arc<Account>,
    tokens: u64,
    prompt: u64,
    /// Characters that came.
    pub seen: usize,
    kept: bool,
}

impl Promise {
    /// The answer is here; `usage` is what the server counted.
    pub fn keep(mut self, usage: Option<(u64, u64)>) {
        self.kept = true;
        self.settle(usage, 1);
    }

    fn settle(&self, usage: Option<(u64, u64)>, asks: u64) {
        // A server that counts nothing, or nonsense, has not counted.
        let usage = usage.filter(|(prompt, answer)| *prompt > 0 && prompt.max(answer) < &COUNTED);
        let (prompt, answer) = usage.unwrap_or((self.prompt, tokens_of(self.seen)));
        self.account.with(|state| {
            let spent = &mut state.spent;
            spent.asks += asks;
            spent.prompt_tokens = spent.prompt_tokens.saturating_add(prompt);
            spent.answer_tokens = spent.answer_tokens.saturating_add(answer);
            spent.estimated |= usage.is_none();
        });
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if !self.kept && self.seen > 0 {
            self.settle(None, 0);
        }
        self.account.with(|state| state.promised = state.promised.saturating_sub(self.tokens));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(budget: Option<u64>) -> Arc<Account> {
        let profile = Profile {
            budget_tokens: budget,
            price_in: Some(1.0),
            price_out: Some(10.0),
            ..Profile::at("http://h")
        };
        Arc::new(Account::new(&profile))
    }

    #[test]
    fn promises_count_until_they_are_settled() {
        let account = account(Some(100));
        let first = account.promise(10, 50).unwrap();
        let error = account.promise(10, 50).unwrap_err();
        assert!(error.message().contains("budget_tokens = 100"), "{error}");
        first.keep(Some((12, 8)));
        account.promise(10, 50).unwrap().keep(None);
        let spent = account.spent();
        assert_eq!((spent.asks, spent.prompt_tokens, spent.answer_tokens), (2, 22, 8));
        assert!(spent.estimated);
        assert!((spent.cost.unwrap() - 102e-6).abs() < 1e-12);
    }

    #[test]
    fn an_answer_that_broke_off_was_still_paid_for() {
        let account = account(None);
        let mut promise = account.promise(10, 50).unwrap();
        drop(account.promise(10, u64::MAX).unwrap());
        assert_eq!(account.spent().prompt_tokens, 0);
        promise.seen = 9;
        drop(promise);
        let spent = account.spent();
        assert_eq!((spent.asks, spent.prompt_tokens, spent.answer_tokens), (0, 10, 3));
    }

    #[test]
    fn an_estimate_has_a_cost_where_prices_are_said() {
        let found = account(None).estimate(4001, 100, 10);
        assert_eq!((found.prompt_tokens, found.answer_tokens), (10_010, 1000));
        assert!((found.cost.unwrap() - 0.02001).abs() < 1e-9);
        let free = Account::new(&Profile::at("http://h"));
        assert_eq!(free.estimate(4, 1, 1).cost, None);
    }
}
