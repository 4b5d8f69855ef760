//! The screens by name: what tabs, keys and settings speak of.

/// A screen, by what it is for; `screens` knows what each is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Screen {
    /// Step a task beside its expert.
    Explore,
    /// Decide on reflections.
    Curate,
    /// Train and watch.
    Train,
    /// Step through what was saved.
    Replay,
    /// What is in the store.
    Data,
    /// Ways of training held against each other.
    Study,
    /// What agents of others ask.
    Agents,
}

impl Screen {
    /// In the order of their tabs.
    pub const ALL: [Self; 7] = [
        Self::Explore,
        Self::Curate,
        Self::Train,
        Self::Replay,
        Self::Data,
        Self::Study,
        Self::Agents,
    ];

    /// The tab's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Explore => "Explore",
            Self::Curate => "Curate",
            Self::Train => "Train",
            Self::Replay => "Replay",
            Self::Data => "Data",
            Self::Study => "Study",
            Self::Agents => "Agents",
        }
    }

    /// Its key, and the name by which keys are changed.
    pub fn key(self) -> [&'static str; 2] {
        match self {
            Self::Explore => ["f1", "explore"],
            Self::Curate => ["f2", "curate"],
            Self::Train => ["f3", "train"],
            Self::Replay => ["f4", "replay"],
            Self::Data => ["f5", "data"],
            Self::Study => ["f6", "study"],
            Self::Agents => ["f7", "agents"],
        }
    }

    /// The screen so many tabs on (or back).
    #[must_use]
    pub fn beside(self, by: isize) -> Self {
        let at = (self as isize + by).rem_euclid(Self::ALL.len() as isize);
        Self::ALL[at.unsigned_abs()]
    }
}
