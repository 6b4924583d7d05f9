//! What a flush is to forget.

use crate::dns::name::Name;

/// All, or the names that were meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    /// This name.
    At(Name),
    /// This name and all below it.
    Within(Name),
}

impl Scope {
    /// Whether what is known of `name` goes.
    pub fn covers(&self, name: &Name) -> bool {
        match self {
            Scope::All => true,
            Scope::At(at) => name == at,
            Scope::Within(top) => name.is_within(top),
        }
    }

    /// Whether `name` is above what goes, so that what is said there of all below it goes too.
    pub fn is_below(&self, name: &Name) -> bool {
        self.top().is_some_and(|top| top != name && top.is_within(name))
    }

    /// The highest name that goes; `None` for all. What only helps to find answers may go from there on down: it is found again.
    pub fn top(&self) -> Option<&Name> {
        match self {
            Scope::All => None,
            Scope::At(top) | Scope::Within(top) => Some(top),
        }
    }
}
