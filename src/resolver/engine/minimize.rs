//! Tells each server no more of the name than it needs.
//!
//! In: the name asked for and the zone whose servers are asked. Out: how many labels to show next.
//! Always: at most [`MINIMIZE_STEPS`](limits::MINIMIZE_STEPS) names shorter than the whole one are asked for, over all zones
//! together.
//! Keeps: RFC 9156 §2.3.

use crate::dns::name::Name;
use crate::limits;

/// How much of one name has been shown.
#[derive(Debug)]
pub struct Minimizer {
    /// Labels shown last, or known to exist.
    shown: usize,
    steps: usize,
    /// Both before the last step.
    before: (usize, usize),
    off: bool,
}

impl Minimizer {
    /// Nothing is shown yet. With `off`, the whole name always is.
    pub fn new(off: bool) -> Minimizer {
        Minimizer {
            shown: 0,
            steps: 0,
            before: (0, 0),
            off,
        }
    }

    /// From now on the whole name is shown.
    pub fn stop(&mut self) {
        self.off = true;
    }

    /// The last name was not asked for after all; it comes again.
    pub fn again(&mut self) {
        (self.shown, self.steps) = self.before;
    }

    /// The name to ask servers of `zone` for, on the way to `name`, which lies in `zone`.
    pub fn next(&mut self, name: &Name, zone: &Name) -> Name {
        let labels = name.label_count();
        self.before = (self.shown, self.steps);
        let known = self.shown.max(zone.label_count());
        let left = labels.saturating_sub(known);
        if self.off || left <= 1 || self.steps >= limits::MINIMIZE_STEPS {
            self.shown = labels;
            return name.clone();
        }
        // §2.3: one label at first, then what is left in equal parts.
        let step = if self.steps < limits::MINIMIZE_SINGLE_STEPS {
            1
        } else {
            left.div_ceil(limits::MINIMIZE_STEPS - self.steps)
        };
        self.steps += 1;
        let mut show = known + step;
        // Servers seldom expect a question for an underscore label alone (RFC 9156 §2.3 leaves room for this; RFC 8552).
        if show < labels
            && name
                .labels()
                .nth(labels - show)
                .is_some_and(|label| label.starts_with(b"_"))
        {
            show = labels;
        }
        self.shown = show;
        suffix(name, show)
    }
}

/// The last `labels` labels of `name`.
pub fn suffix(name: &Name, labels: usize) -> Name {
    let mut wire = name.as_wire();
    for _ in labels..name.label_count() {
        wire = &wire[usize::from(wire[0]) + 1..];
    }
    Name::from_wire(wire).expect("a suffix of a name is a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn rfc9156_2_3_a_name_of_many_labels_takes_ten_steps() {
        let long = name(&(vec!["x"; 40].join(".") + ".example"));
        let mut minimizer = Minimizer::new(false);
        let mut shown = Vec::new();
        loop {
            let next = minimizer.next(&long, &Name::root());
            shown.push(next.label_count());
            if next == long {
                break;
            }
        }
        assert_eq!(shown[..4], [1, 2, 3, 4]);
        assert!(shown.len() <= limits::MINIMIZE_STEPS + 1, "{shown:?}");
        assert!(shown.windows(2).all(|pair| pair[0] < pair[1]), "{shown:?}");
    }

    #[test]
    fn each_zone_is_shown_one_label_more_than_its_own() {
        let mut minimizer = Minimizer::new(false);
        let www = name("www.example.com");
        assert_eq!(minimizer.next(&www, &Name::root()), name("com"));
        assert_eq!(minimizer.next(&www, &name("com")), name("example.com"));
        assert_eq!(minimizer.next(&www, &name("example.com")), www);
        let mut off = Minimizer::new(true);
        assert_eq!(off.next(&www, &Name::root()), www);
    }

    #[test]
    fn a_label_with_an_underscore_is_not_asked_for_alone() {
        let mut minimizer = Minimizer::new(false);
        let service = name("_dns._tcp.host.example");
        assert_eq!(minimizer.next(&service, &name("example")), name("host.example"));
        assert_eq!(minimizer.next(&service, &name("example")), service);
    }
}
