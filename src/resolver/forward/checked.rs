//! Validates what upstreams say.
//!
//! In: a question, a way to upstreams. Out: their answer with AD if it is secure, or why it is bogus.
//! Always: upstreams are asked with DO and CD, so that the records come with their signatures and are judged here; DS and DNSKEY sets
//! are asked of them as well. Clients that check for themselves get what upstreams say, unjudged.
//! Keeps: RFC 4035 §3.2, RFC 6840 §5.9.

use crate::clock;
use crate::config::settings::ResolverSettings;
use crate::dns::name::Name;
use crate::dns::{rcode, rtype};
use crate::resolver::engine::response::Response;
use crate::resolver::message::covered;
use crate::resolver::validate::{Fault, Fetched, JudgedWhole, Reason, Source, Validator, When, Whole, Work, dates};
use crate::resolver::{Answer, Failure, Question, Resolver};
use async_trait::async_trait;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{DNSClass, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// See the page's first lines.
pub struct Checked {
    upstreams: Arc<dyn Resolver>,
    /// Who is asked for DS and DNSKEY sets: those of the zones above one that is forwarded are elsewhere.
    chain: Arc<dyn Resolver>,
    validator: Arc<Validator>,
    /// The settings that name the upstreams, for people.
    place: String,
    skew_s: u32,
    /// It was said that upstreams leave DNSSEC records out.
    told: AtomicBool,
}

impl Checked {
    /// Checks the upstreams that `place` of the settings names; `chain` is asked for DS and DNSKEY sets.
    pub fn new(
        upstreams: Arc<dyn Resolver>,
        chain: Arc<dyn Resolver>,
        validator: Arc<Validator>,
        place: String,
        settings: &ResolverSettings,
    ) -> Checked {
        Checked {
            upstreams,
            chain,
            validator,
            place,
            skew_s: u32::try_from(settings.signature_skew.as_secs()).unwrap_or(u32::MAX),
            told: AtomicBool::new(false),
        }
    }

    fn bogus(&self, reason: &Reason) -> Failure {
        let mut what = reason.to_string();
        // The root is signed: where its keys come without signatures, or not at all, somebody leaves them out.
        let stripped = matches!(reason.fault, Fault::NoSignature | Fault::NoKeys) && reason.rtype == rtype::DNSKEY;
        if stripped && reason.name.is_root() {
            what.push_str("; the upstream leaves DNSSEC records out");
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "{} names upstreams that leave DNSSEC records out, so nothing can be validated; name others, or write \
                     validate = false there",
                    self.place
                );
            }
        }
        Failure::Bogus {
            code: reason.code(),
            what,
        }
    }
}

#[async_trait]
impl Resolver for Checked {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        if question.checking_disabled {
            return self.upstreams.resolve(question, deadline).await;
        }
        let asked = Question {
            dnssec_ok: true,
            checking_disabled: true,
            ..question.clone()
        };
        let answer = self.upstreams.resolve(&asked, deadline).await?;
        let unreadable = |_| Failure::Upstream("the answer cannot be read".to_owned());
        let response = Response::read(&answer.message, question.qtype).map_err(unreadable)?;
        if !matches!(response.rcode, rcode::NOERROR | rcode::NXDOMAIN | rcode::YXDOMAIN) {
            return Ok(answer);
        }
        let now = clock::now();
        let when = When {
            now,
            skew_s: self.skew_s,
            suspended: dates::is_plainly_wrong(now.unix_ms, None),
        };
        let whole = Whole {
            qname: &question.name,
            qtype: question.qtype,
            nxdomain: response.rcode == rcode::NXDOMAIN,
            answers: &response.answers,
            authorities: &response.authorities,
        };
        let source = Upstreams {
            chain: &*self.chain,
            deadline,
        };
        let judged = self.validator.response(whole, &source, &when, &mut Work::new()).await;
        if let (true, Some(reason)) = (judged.verdict.is_bogus(), judged.verdict.reason()) {
            return Err(self.bogus(reason));
        }
        let mut ede = answer.ede;
        if !judged.verdict.is_secure()
            && let Some(reason) = self.validator.remark(&question.name, &response.authorities, &when)
        {
            ede.insert(0, (reason.code(), reason.to_string()));
        }
        let message = written(&answer.message, question, &response, &judged)
            .ok_or_else(|| Failure::Upstream("the answer cannot be written again".to_owned()))?;
        Ok(Answer { message, ede })
    }
}

/// The answer as judged: AD, the response code that was proven, TTLs no longer than signatures; DNSSEC records only for those who
/// asked for them, and nothing that nobody looked at (RFC 4035 §3.2.3).
fn written(bytes: &[u8], question: &Question, response: &Response, judged: &JudgedWhole) -> Option<Vec<u8>> {
    let mut message = Message::from_vec(bytes).ok()?;
    message.metadata.authentic_data = judged.verdict.is_secure();
    message.metadata.checking_disabled = false;
    if let Some(denial) = judged.denial.as_ref().filter(|denial| denial.verdict.is_secure()) {
        message.metadata.response_code = match denial.nxdomain {
            true => ResponseCode::NXDomain,
            false => ResponseCode::NoError,
        };
    }
    let answers = judged.answers.iter().flatten().filter(|set| set.verdict.is_secure());
    let denials = judged.denial.iter().filter(|denial| denial.verdict.is_secure());
    let most_s = answers
        .map(|set| set.ttl_s)
        .chain(denials.map(|denial| denial.ttl_s))
        .min();
    let wanted = |record: &Record| {
        let extra = matches!(
            record.record_type(),
            RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3
        );
        question.dnssec_ok || !extra || u16::from(record.record_type()) == question.qtype
    };
    let belongs = |record: &Record| {
        let rtype = match covered(record) {
            Some(covered) if question.qtype != rtype::RRSIG => covered,
            _ => u16::from(record.record_type()),
        };
        let name = record.name.to_bytes().ok().and_then(|wire| Name::from_wire(&wire));
        let mut sets = response.answers.iter().zip(&judged.answers);
        record.dns_class == DNSClass::IN
            && sets.any(|(set, judged)| judged.is_some() && set.rtype == rtype && name.as_ref() == Some(&set.name))
    };
    message.answers.retain(belongs);
    // What denies, and what shows that nothing is closer than a wildcard.
    let denies = |record: &Record| {
        let denying = [RecordType::SOA, RecordType::NSEC, RecordType::NSEC3, RecordType::RRSIG];
        record.dns_class == DNSClass::IN && denying.contains(&record.record_type())
    };
    message.authorities.retain(denies);
    message.additionals.clear();
    for section in [&mut message.answers, &mut message.authorities] {
        section.retain(wanted);
        for record in section {
            record.ttl = record.ttl.min(most_s.unwrap_or(u32::MAX));
        }
    }
    message.to_vec().ok()
}

/// DS and DNSKEY sets as upstreams have them.
struct Upstreams<'a> {
    chain: &'a dyn Resolver,
    deadline: Instant,
}

impl Source for Upstreams<'_> {
    // Boxed, with its bounds spelled out: the trait leaves open whether it may move between threads.
    #[allow(
        refining_impl_trait,
        reason = "a future that may move between threads says so in its type"
    )]
    fn fetch<'a>(&'a self, name: &Name, rtype: u16) -> Pin<Box<dyn Future<Output = Option<Fetched>> + Send + 'a>> {
        let question = Question {
            name: name.clone(),
            qtype: rtype,
            dnssec_ok: true,
            checking_disabled: true,
        };
        Box::pin(async move {
            let answer = self.chain.resolve(&question, self.deadline).await.ok()?;
            let response = Response::read(&answer.message, rtype).ok()?;
            if let Some(set) = response.answer(&question.name, rtype) {
                return Some(Fetched::Set(Arc::new(set.clone())));
            }
            if let Some(set) = response.answer(&question.name, rtype::CNAME) {
                return Some(Fetched::Alias(Arc::new(set.clone()), response.authorities));
            }
            let said = matches!(response.rcode, rcode::NOERROR | rcode::NXDOMAIN);
            said.then_some(Fetched::Denied(response.authorities))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::engine::rrset::RRset;
    use crate::resolver::validate::ValidatorSettings;
    use crate::resolver::validate::anchors::Anchors;
    use crate::resolver::validate::keys::Promise;
    use crate::resolver::validate::tests::world::{Deny, Reply, TTL_S, World, Zone, name};
    use std::sync::Mutex;

    /// An upstream that says what the zones of a world say, signed for the real time.
    struct Upstream {
        world: Mutex<World>,
        strips: bool,
        lies: bool,
        /// Says more than was asked.
        adds: bool,
    }

    fn wire(question: &Question, reply: &Reply, strips: bool) -> Vec<u8> {
        let mut bytes = vec![
            0,
            0,
            0x81,
            0x80 | if reply.nxdomain { 3 } else { 0 },
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        bytes.extend(question.name.as_wire());
        bytes.extend(question.qtype.to_be_bytes());
        bytes.extend([0, 1]);
        for (at, sets) in [(6, &reply.answers), (8, &reply.authorities)] {
            let mut count = 0_u16;
            for set in sets
                .iter()
                .filter(|set| !strips || !matches!(set.rtype, rtype::NSEC | rtype::NSEC3))
            {
                let signatures = set.signatures().filter(|_| !strips).map(|rdata| (rtype::RRSIG, rdata));
                for (rtype, rdata) in set.records().map(|rdata| (set.rtype, rdata)).chain(signatures) {
                    bytes.extend(set.name.as_wire());
                    bytes.extend(rtype.to_be_bytes());
                    bytes.extend([0, 1]);
                    bytes.extend(TTL_S.to_be_bytes());
                    bytes.extend((rdata.len() as u16).to_be_bytes());
                    bytes.extend(rdata);
                    count += 1;
                }
            }
            bytes[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
        bytes
    }

    #[async_trait]
    impl Resolver for Upstream {
        async fn resolve(&self, question: &Question, _: Instant) -> Result<Answer, Failure> {
            assert!(
                question.dnssec_ok && question.checking_disabled,
                "upstreams are asked for all and judged here"
            );
            let world = self.world.lock().unwrap();
            let mut reply = world.reply(&question.name.to_string(), question.qtype);
            if self.lies && question.qtype == rtype::A {
                reply.answers.iter_mut().for_each(|set| set.push(&[192, 0, 2, 66]));
            }
            if self.adds {
                let mut other = RRset::new(&name("bank.example"), rtype::A, TTL_S);
                other.push(&[192, 0, 2, 66]);
                reply.answers.insert(0, other.clone());
                reply.authorities.push(other);
            }
            Ok(Answer {
                message: wire(question, &reply, self.strips),
                ede: Vec::new(),
            })
        }
    }

    fn checked(strips: bool, lies: bool) -> Checked {
        behind(strips, lies, false)
    }

    fn behind(strips: bool, lies: bool, adds: bool) -> Checked {
        let now_s = (clock::now().unix_ms / 1000) as u32;
        let mut zones = vec![
            Zone::new(".", Deny::Nsec),
            Zone::new("example", Deny::Nsec).with_a("www.example"),
            Zone::new("plain", Deny::Unsigned).with_a("www.plain"),
        ];
        for zone in &mut zones {
            zone.how.inception = now_s - 3600;
            zone.how.expiration = now_s + 100;
        }
        let mut anchors = Anchors::none();
        anchors.add(&Name::root(), Promise::Ds(zones[0].ds()[0].clone()));
        let upstream = Upstream {
            world: Mutex::new(World::new(zones)),
            strips,
            lies,
            adds,
        };
        let settings = crate::config::settings::Settings::builtin(std::path::Path::new(".")).resolver;
        let upstream: Arc<dyn Resolver> = Arc::new(upstream);
        Checked::new(
            Arc::clone(&upstream),
            upstream,
            Arc::new(Validator::new(anchors, ValidatorSettings::default())),
            "resolver.forward".to_owned(),
            &settings,
        )
    }

    async fn ask(checked: &Checked, text: &str, dnssec_ok: bool) -> Result<Message, Failure> {
        let question = Question {
            name: name(text),
            qtype: rtype::A,
            dnssec_ok,
            checking_disabled: false,
        };
        let deadline = clock::instant() + std::time::Duration::from_secs(5);
        let answer = checked.resolve(&question, deadline).await?;
        Ok(Message::from_vec(&answer.message).unwrap())
    }

    #[tokio::test]
    async fn rfc4035_3_2_3_ad_is_set_on_what_is_secure_and_records_go_to_those_who_ask() {
        let checked = checked(false, false);
        let plain = ask(&checked, "www.example", false).await.unwrap();
        assert!(plain.metadata.authentic_data);
        assert_eq!(plain.answers.len(), 1);
        assert!(plain.answers[0].ttl <= 100, "no longer than the signature");
        let full = ask(&checked, "www.example", true).await.unwrap();
        assert_eq!(full.answers.len(), 2);
        let denied = ask(&checked, "no.example", false).await.unwrap();
        assert!(
            denied.metadata.authentic_data && denied.authorities.len() == 1,
            "the SOA alone"
        );
        assert_eq!(denied.metadata.response_code, ResponseCode::NXDomain);
        let unsigned = ask(&checked, "www.plain", true).await.unwrap();
        assert!(!unsigned.metadata.authentic_data && unsigned.answers.len() == 1);
    }

    #[tokio::test]
    async fn rfc4035_3_2_3_what_an_upstream_says_beside_the_answer_is_not_said_again() {
        for text in ["www.example", "none.example", "www.plain"] {
            let message = ask(&behind(false, false, true), text, true).await.unwrap();
            let sections = [&message.answers, &message.authorities, &message.additionals];
            let mut all = sections.into_iter().flatten();
            assert!(all.all(|record| !record.name.to_string().starts_with("bank")), "{text}");
            assert_eq!(message.metadata.authentic_data, text.ends_with("example"), "{text}");
            assert_eq!(message.answers.is_empty(), text.starts_with("none"), "{text}");
        }
    }

    #[tokio::test]
    async fn an_upstream_that_lies_or_strips_is_bogus_and_the_second_is_told_as_such() {
        let lie = ask(&checked(false, true), "www.example", false).await.unwrap_err();
        assert!(matches!(&lie, Failure::Bogus { code: 6, .. }), "{lie:?}");
        let stripped = ask(&checked(true, false), "www.example", false).await.unwrap_err();
        let Failure::Bogus { what, .. } = stripped else {
            panic!("{stripped:?}")
        };
        assert!(what.contains("leaves DNSSEC records out"), "{what}");
    }

    #[tokio::test]
    async fn clients_that_check_for_themselves_get_what_upstreams_say() {
        let checked = checked(false, true);
        let question = Question {
            name: name("www.example"),
            qtype: rtype::A,
            dnssec_ok: true,
            checking_disabled: true,
        };
        let deadline = clock::instant() + std::time::Duration::from_secs(5);
        assert!(checked.resolve(&question, deadline).await.is_ok());
    }
}
