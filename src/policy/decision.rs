//! The decision: one value that feeds the response, the EDE, the log, the metric, the page and `explain`.

use crate::catalogue::Way;
use crate::list::set::RuleId;

/// What becomes of a query or of something in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub action: Action,
    pub cause: Cause,
    /// The profile or the list only observes: the query is answered unfiltered, `action` is what would have been.
    pub observed: bool,
    /// The name counts towards a quota, so that its answer is not to be kept long.
    pub limited: bool,
    /// An RPZ zone let the question through, or put an alias in place of the answer: this source and those behind it, as far
    /// as they are RPZ zones, have no say in what follows. `u16::MAX`: none did. For [`Asker::after`](super::Asker::after).
    pub rpz_bar: u16,
}

impl Decision {
    /// Nothing matched.
    pub const PASS: Decision = Decision::new(Action::Pass, Cause::Nothing);
    /// The client is not filtered, nor is the answer.
    pub const UNFILTERED: Decision = Decision::new(Action::PassWhole, Cause::Unfiltered);

    pub const fn new(action: Action, cause: Cause) -> Decision {
        Decision {
            action,
            cause,
            observed: false,
            limited: false,
            rpz_bar: u16::MAX,
        }
    }

    /// Whether something else than resolving is to be done, or would have been.
    pub fn acts(&self) -> bool {
        !matches!(self.action, Action::Pass | Action::PassWhole)
    }

    /// Marks a decision that acts as one that only would have.
    pub(super) fn observed_if(mut self, observe: bool) -> Decision {
        self.observed |= observe && self.acts();
        self
    }
}

/// What is done. Whatever answers unfiltered is `Pass` or `PassWhole`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Resolve it; the answer is inspected for this client.
    Pass,
    /// Resolve it; an own allow covers the whole answer, which is not inspected.
    PassWhole,
    /// The answer kind of the profile: `null`, `nxdomain`, `nodata`, `refused`, `page`.
    Sinkhole,
    /// This RCODE without records.
    Rcode(u8),
    /// NOERROR without records.
    Nodata,
    /// No response.
    Drop,
    /// TC over UDP; over a stream as `Pass`.
    TcpOnly,
    /// Answered from these rules' effects (`Data`, `Cname`, `CnameBelow`).
    Rewrite(Rewrites),
    /// Answered with an alias to the host of a safe mode, by its number.
    Alias(u32),
}

/// The rules that together make a rewritten answer, at most 16 (later ones are left out, by line).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewrites {
    rules: [u32; 16],
    len: u8,
}

impl Rewrites {
    /// Adds a rule; one past the bound is left out.
    pub fn push(&mut self, rule: RuleId) {
        if let Some(slot) = self.rules.get_mut(usize::from(self.len)) {
            *slot = rule.0;
            self.len += 1;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = RuleId> + '_ {
        self.rules[..usize::from(self.len)].iter().map(|&rule| RuleId(rule))
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nothing matched.
    Nothing,
    /// The client is not filtered at all (`unmatched = "open"`, `--without-lists`).
    Unfiltered,
    /// Own `allow` of the profile: index into the profile's names.
    OwnAllow(u32),
    /// Own `deny` of the profile.
    OwnDeny(u32),
    /// The profile has only some names, and this is none of them.
    NotAmongOnly,
    /// Own `allow` of the person whose device asks.
    PersonAllow(u32),
    /// Own `deny` of that person.
    PersonDeny(u32),
    /// A window, a grant or a pause, by its number.
    Timed(u32),
    /// The profile does without this type.
    Type,
    /// A service that the profile blocks, by its number.
    Service(u16),
    /// A way around the filter.
    Way(Way),
    /// A host of a search engine whose safe mode the profile has on, by the number of its target.
    Safe(u32),
    /// A rule of a list.
    Rule(RuleId),
    /// A rule of a list that blocks a name which this one looks like, and the place of that name among those of [`look_alikes`](super::look_alikes).
    LookAlike(RuleId, u8),
    /// An address that leads from a public name into a private network.
    Rebinding,
    /// A name that clients ask to learn whether the network filters; the answer turns this feature of theirs off.
    Canary(&'static str),
}
