//! What can be sent in a state: a list, free text of some form, both, or nothing that the
//! environment says.

use std::sync::Arc;

/// The part of a form that stands for any text.
const ANY: char = '…';

/// A form of free text: `search[…]`, where `…` stands for something; `…` alone for any text at all;
/// or a JSON schema (it begins with `{`), of which only that it asks for an object is held against
/// an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form(Arc<str>);

impl Form {
    /// The form of that text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Any text at all.
    pub fn any() -> Self {
        Self::new(ANY.to_string())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an action is of this form.
    pub fn admits(&self, action: &str) -> bool {
        let action = action.trim();
        if self.0.starts_with('{') {
            return serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(action)
                .is_ok();
        }
        let Some((before, after)) = self.0.split_once(ANY) else { return action == self.0.trim() };
        let inner = action.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        inner.is_some_and(|inner| !inner.trim().is_empty())
    }
}

/// What can be sent now. A world that lists nothing is not one whose list is empty: of the first
/// nothing is known, in the second nothing can be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actions {
    /// The actions that can be sent, where the environment lists them, in its order.
    pub listed: Option<Arc<[Arc<str>]>>,
    /// The forms of free text that it takes beside them; none in most worlds, whose forks then copy
    /// nothing of it.
    pub free: Option<Arc<[Form]>>,
}

impl Actions {
    /// What a world says that lists its actions and takes no others.
    pub fn listed(list: Arc<[Arc<str>]>) -> Self {
        Self { listed: Some(list), free: None }
    }

    /// The list, empty where there is none.
    pub fn list(&self) -> &[Arc<str>] {
        self.listed.as_deref().unwrap_or_default()
    }

    /// The forms, none where there are none.
    pub fn forms(&self) -> &[Form] {
        self.free.as_deref().unwrap_or_default()
    }

    /// The list and the forms as they are stored.
    pub fn texts(&self) -> (Option<Vec<String>>, Vec<String>) {
        let listed =
            self.listed.as_ref().map(|list| list.iter().map(ToString::to_string).collect());
        (listed, self.forms().iter().map(|form| form.as_str().to_string()).collect())
    }

    /// The list and the forms for a person.
    pub fn in_words(&self) -> String {
        let forms = self.forms().iter().map(Form::as_str);
        self.list().iter().map(AsRef::as_ref).chain(forms).collect::<Vec<_>>().join(" · ")
    }

    /// Whether an action can be sent: it is listed, or of a form that is taken; any can where the
    /// environment says nothing. White space around it does not count.
    pub fn admit(&self, action: &str) -> bool {
        let unsaid = self.listed.is_none() && self.forms().is_empty();
        unsaid
            || self.list().iter().any(|known| known.trim() == action.trim())
            || self.forms().iter().any(|form| form.admits(action))
    }
}

#[cfg(test)]
#[path = "actions_tests.rs"]
mod tests;
