//! How likely a text is after another, where a server can be made to say.

use futures::future::try_join_all;

use super::found::{Found, Server};
use super::{Endpoint, whole};
use crate::agent::prompt::chat::Message;
use crate::control::Cancel;
use crate::error::{Error, Result};

/// A text that others come after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// The text.
    pub text: String,
    /// Whether the server puts in front what its model's texts begin with.
    pub special: bool,
}

impl Prefix {
    /// A text as it is.
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), special: true }
    }
}

impl Endpoint {
    /// Log-probabilities in nats of continuations of texts, by a server that [`Endpoint::probe`]
    /// found to be exact or forced. None for a continuation whose first token would begin in the
    /// text before it: figures of such a state are to be had another way, for all of its
    /// continuations.
    pub fn score(
        &self,
        found: &Found,
        asks: Vec<(Prefix, Vec<String>)>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        let Some(scorer) = found.scorer else {
            return Err(Error::usage("this endpoint does not say how likely a text is"));
        };
        let server = found.server;
        whole(self.batch(asks, cancel, &mut |_, _, _| {}, |core, _, ask, _| {
            Box::pin(async move { core.score(server, scorer, &ask.0, &ask.1).await })
        }))
    }

    /// The same for continuations by their tokens, where it [`Found::scores_tokens`]; none for one that the
    /// server wrote in other tokens.
    pub fn score_tokens(
        &self,
        found: &Found,
        asks: Vec<(Vec<u32>, Vec<Vec<u32>>)>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        let Some(scorer) = found.scorer.filter(|_| found.scores_tokens()) else {
            return Err(Error::usage("this endpoint does not say how likely tokens are"));
        };
        whole(self.batch(asks, cancel, &mut |_, _, _| {}, |core, _, ask, _| {
            Box::pin(async move {
                let each = ask.1.iter().map(|own| core.score_tokens(scorer, &ask.0, own));
                try_join_all(each).await
            })
        }))
    }

    /// The tokens of a text, without what texts begin with; none where the server does not say.
    pub fn tokens(
        &self,
        found: &Found,
        text: &'static str,
        cancel: &Cancel,
    ) -> Result<Option<Vec<u32>>> {
        let server = found.server;
        if !matches!(server, Server::Vllm | Server::LlamaCpp) {
            return Ok(None);
        }
        let ids = self.one(cancel, move |core| {
            Box::pin(async move { core.tokens(server, text, false).await })
        });
        ids.map(Some)
    }

    /// A conversation as the model is given it, by the server's own template; none where the
    /// server does not say.
    pub fn render(
        &self,
        found: &Found,
        messages: Vec<Message>,
        cancel: &Cancel,
    ) -> Result<Option<Prefix>> {
        let server = found.server;
        self.one(cancel, move |core| Box::pin(async move { core.render(server, messages).await }))
    }
}
