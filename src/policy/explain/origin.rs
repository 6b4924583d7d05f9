//! Which profile of a line of bases says what a decision rests on.
//!
//! In: who asks, as the settings have it; the cause of a decision. Out: the name of the base, if it is not the profile itself.
//! Always: a word that a base says is that base's, also where the profile says it again.

use super::super::decision::Cause;
use super::super::marks::YOUTUBE;
use super::super::{Policy, is_of_list};
use crate::config::household::Person;
use crate::config::settings::ProfileSettings;

/// Who asks, as the settings have it.
pub(super) struct Asked<'s> {
    pub profile: Option<&'s ProfileSettings>,
    /// All there are.
    pub profiles: &'s [ProfileSettings],
    pub qtype: u16,
    pub person: Option<&'s Person>,
}

impl Asked<'_> {
    /// The furthest base of the profile that says the same, if one does.
    fn inherited(&self, says: impl Fn(&ProfileSettings) -> bool) -> Option<String> {
        let base = |of: &ProfileSettings| {
            let name = of.base.as_deref()?;
            self.profiles.iter().find(|profile| profile.name == name)
        };
        let up = std::iter::successors(self.profile.and_then(base), |profile| base(profile));
        // Bases do not lead back, unless whoever made the settings by hand took no care.
        let up = up.take(self.profiles.len()).take_while(|profile| says(profile));
        up.last().map(|profile| profile.name.clone())
    }

    /// The base that a cause comes from.
    pub fn origin(&self, policy: &Policy, cause: &Cause) -> Option<String> {
        let profile = self.profile?;
        match *cause {
            Cause::Nothing | Cause::Unfiltered | Cause::Canary(_) | Cause::Timed(_) => None,
            Cause::PersonAllow(_) | Cause::PersonDeny(_) => None,
            Cause::NotAmongOnly => self.inherited(|base| base.only == profile.only),
            Cause::Type => self.inherited(|base| base.types.contains(&self.qtype)),
            Cause::Service(number) => self.inherited(|base| {
                let mut numbers = base.services.iter().map(|id| policy.marks.number(id));
                numbers.any(|of| of == Some(number))
            }),
            Cause::Way(_) => self.inherited(|base| base.bypass_guard),
            Cause::Safe(number) => {
                let engine = policy.marks.engine(number);
                self.inherited(|base| match engine == YOUTUBE {
                    true => base.youtube == profile.youtube,
                    false => base.safe_search.iter().any(|of| of == engine),
                })
            }
            Cause::OwnAllow(index) => {
                let own = profile.allow.get(index as usize)?;
                self.inherited(|base| base.allow.contains(own))
            }
            Cause::OwnDeny(index) => {
                let own = profile.deny.get(index as usize)?;
                self.inherited(|base| base.deny.contains(own))
            }
            Cause::Rebinding => self.inherited(|base| base.rebinding),
            Cause::Rule(rule) | Cause::LookAlike(rule, _) => {
                let source = policy.source(rule)?;
                self.inherited(|base| {
                    let mut words = base.block.iter().chain(&base.allow_lists);
                    words.any(|word| *word == source.category || is_of_list(&source.name, word))
                })
            }
        }
    }
}
