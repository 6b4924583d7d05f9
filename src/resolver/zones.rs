//! Sends each question the way its zone's settings say: `[[zone]] forward`, and the default for the rest.
//!
//! Always: the longest zone wins. DS records belong to the parent zone (RFC 4035 §3.1.4.1), so a question for those of a
//! forwarded zone itself goes the way of the zone above it.

use super::{Answer, Failure, Question, Resolver};
use crate::dns::name::Name;
use crate::dns::rtype;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ways by zone.
pub struct Zones {
    default: Arc<dyn Resolver>,
    ways: HashMap<Name, Arc<dyn Resolver>>,
}

impl Zones {
    pub fn new(default: Arc<dyn Resolver>, ways: HashMap<Name, Arc<dyn Resolver>>) -> Zones {
        Zones { default, ways }
    }

    fn way(&self, question: &Question) -> &Arc<dyn Resolver> {
        if self.ways.is_empty() {
            return &self.default;
        }
        let mut name = Some(question.name.clone());
        if question.qtype == rtype::DS {
            name = question.name.parent();
        }
        while let Some(at) = name {
            if let Some(way) = self.ways.get(&at) {
                return way;
            }
            name = at.parent();
        }
        &self.default
    }
}

#[async_trait]
impl Resolver for Zones {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        self.way(question).resolve(question, deadline).await
    }

    async fn renew(&self, question: &Question, least_left: Duration, deadline: Instant) -> Result<Answer, Failure> {
        self.way(question).renew(question, least_left, deadline).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::scripted::Scripted;

    #[test]
    fn the_longest_zone_wins_and_ds_goes_to_the_zone_above() {
        let [default, home, deep] = [0, 1, 2].map(|_| Arc::new(Scripted::new()) as Arc<dyn Resolver>);
        let name = |text| Name::parse(text).unwrap();
        let zones = Zones::new(
            Arc::clone(&default),
            HashMap::from([
                (name("home.arpa"), Arc::clone(&home)),
                (name("lab.home.arpa"), Arc::clone(&deep)),
            ]),
        );
        for (qname, qtype, way) in [
            ("www.example", 1, &default),
            ("arpa", 1, &default),
            ("home.arpa", 1, &home),
            ("x.Home.ARPA", 1, &home),
            ("lab.home.arpa", 1, &deep),
            ("a.b.lab.home.arpa", 1, &deep),
            ("mylab.home.arpa", 1, &home),
            ("home.arpa", rtype::DS, &default),
            ("lab.home.arpa", rtype::DS, &home),
            (".", rtype::DS, &default),
        ] {
            let question = Question {
                name: name(qname),
                qtype,
                dnssec_ok: false,
                checking_disabled: false,
            };
            assert!(Arc::ptr_eq(zones.way(&question), way), "{qname} {qtype}");
        }
    }
}
