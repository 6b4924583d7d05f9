//! IPv6 addresses for names that have IPv4 addresses only, for networks whose translator reaches them (DNS64).
//!
//! In: any question. Out: what the resolver below says; where it has no AAAA records for a name, AAAA records made of the A records, one
//! for each prefix; for a reverse name behind a prefix, an alias of the IPv4 address's.
//! Always: nothing is made for who validates (DO and CD): it could only be taken for forged. Where nothing can be made, the answer stays
//! what it was.
//! Keeps: RFC 6147 §5.1 to §5.5, RFC 6052 §3.1, RFC 7050 and RFC 8880 §7.1 (`ipv4only.arpa` is answered here).

use super::message::{covered, stamp};
use super::{Answer, Failure, Question, Resolver};
use crate::clock;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::dns::translate::Prefix;
use crate::limits;
use async_trait::async_trait;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name as WireName, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinDecodable;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The name whose addresses are known to everybody, by which hosts find out about the prefix (RFC 7050 §2).
const IPV4_ONLY: &str = "ipv4only.arpa";
const IPV4_ONLY_ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];

/// See the page's first lines.
pub struct Dns64 {
    inner: Arc<dyn Resolver>,
    prefixes: Vec<Prefix>,
    ipv4_only: Name,
}

impl Dns64 {
    /// In front of `inner`.
    pub fn new(inner: Arc<dyn Resolver>, prefixes: Vec<Prefix>) -> Dns64 {
        Dns64 {
            inner,
            prefixes,
            ipv4_only: Name::parse(IPV4_ONLY).expect("it is a name"),
        }
    }

    /// The answer to a question for AAAA records. `least_left`: it is to be renewed.
    async fn addresses(
        &self,
        question: &Question,
        least_left: Option<Duration>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        // Servers that do not answer for AAAA must leave time to ask for A (RFC 6147 §5.1.3).
        let left = deadline.saturating_duration_since(clock::instant());
        let end = deadline - left.mul_f64(1.0 - limits::DNS64_SHARE);
        let found = self.ask(question, least_left, end).await;
        let lacks = match &found {
            Ok(answer) => match Message::from_vec(&answer.message) {
                Ok(message) => lacks(message),
                Err(_) => return found,
            },
            // What is there is still good.
            Err(_) if least_left.is_some() => return found,
            // Where signatures do not hold, there is no telling (RFC 6147 §5.5), now or a moment later.
            Err(failure)
                if matches!(
                    failure.first(),
                    Failure::Bogus { .. } | Failure::Limit(_) | Failure::TooMuch(_)
                ) =>
            {
                return found;
            }
            // RFC 6147 §5.1.2, §5.1.3: as if there were none.
            Err(_) => Lacks::All {
                ttl_s: limits::DNS64_TTL_S,
                secure: false,
            },
        };
        let (ttl_s, secure) = match lacks {
            Lacks::Nothing => return found,
            Lacks::Some(mut rest) => {
                let found = found?;
                return Ok(rewritten(&mut rest, question, found.ede.clone()).unwrap_or(found));
            }
            Lacks::All { ttl_s, secure } => (ttl_s, secure),
        };
        let asked = Question {
            qtype: rtype::A,
            ..question.clone()
        };
        let Ok(answer) = self.ask(&asked, least_left, deadline).await else {
            return found;
        };
        let made = Message::from_vec(&answer.message).ok();
        let made = made.and_then(|message| self.made(message, ttl_s, secure));
        let made = made.and_then(|mut message| rewritten(&mut message, question, answer.ede));
        // RFC 6147 §5.1.6.
        made.map_or(found, Ok)
    }

    /// Asks the resolver below.
    async fn ask(&self, question: &Question, least_left: Option<Duration>, end: Instant) -> Result<Answer, Failure> {
        match least_left {
            Some(least_left) => self.inner.renew(question, least_left, end).await,
            None => self.inner.resolve(question, end).await,
        }
    }

    /// The answer with AAAA records in the place of its A records; `None` if there are none to make.
    fn made(&self, mut message: Message, ttl_s: u32, secure: bool) -> Option<Message> {
        let mut answers = Vec::new();
        let mut any = false;
        for record in std::mem::take(&mut message.answers) {
            match &record.data {
                RData::A(address) => {
                    for address in self.all(address.0) {
                        any = true;
                        answers.push(Record::from_rdata(
                            record.name.clone(),
                            record.ttl.min(ttl_s),
                            RData::AAAA(AAAA(address)),
                        ));
                    }
                }
                // The chain to them, with signatures; those of the A records would not match what was made.
                _ if record.record_type() == RecordType::RRSIG && covers(&record, RecordType::A) => {}
                _ => answers.push(record),
            }
        }
        message.answers = answers;
        // RFC 6147 §5.5: both were validated, or nothing is claimed.
        message.metadata.authentic_data &= secure;
        message.additionals.clear();
        any.then_some(message)
    }

    fn all(&self, address: Ipv4Addr) -> impl Iterator<Item = Ipv6Addr> {
        let known = IPV4_ONLY_ADDRESSES.contains(&address);
        let prefixes = self.prefixes.iter();
        prefixes
            .filter(move |prefix| known || prefix.takes(address))
            .map(move |prefix| prefix.embed(address))
    }

    /// `ipv4only.arpa`, which is about this network and needs nobody else (RFC 8880 §7.1).
    fn ipv4_only(&self, question: &Question) -> Option<Answer> {
        let name = wire_name(&question.name)?;
        let mut message = empty(&name, question.qtype);
        for address in IPV4_ONLY_ADDRESSES {
            let record = |data| Record::from_rdata(name.clone(), limits::IPV4_ONLY_TTL_S, data);
            match question.qtype {
                rtype::A => message.answers.push(record(RData::A(A(address)))),
                rtype::AAAA => {
                    let made = self.all(address).map(|address| record(RData::AAAA(AAAA(address))));
                    message.answers.extend(made);
                }
                _ => return None,
            }
        }
        rewritten(&mut message, question, Vec::new())
    }

    /// The reverse name of the IPv4 address that a reverse name is about (RFC 6147 §5.3.1).
    fn reverse(&self, question: &Question) -> Option<Name> {
        let address = reversed(&question.name)?;
        let inner = self.prefixes.iter().find_map(|prefix| {
            let inner = prefix.extract(address)?;
            // What stands for no address of everybody's is nobody else's business.
            (prefix.embed(inner) == address && crate::dns::translate::WELL_KNOWN.takes(inner)).then_some(inner)
        })?;
        let [a, b, c, d] = inner.octets();
        Name::parse(&format!("{d}.{c}.{b}.{a}.in-addr.arpa")).ok()
    }

    async fn pointer(
        &self,
        question: &Question,
        target: Name,
        least_left: Option<Duration>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let asked = Question {
            name: target,
            ..question.clone()
        };
        let answer = self.ask(&asked, least_left, deadline).await?;
        let unreadable = || Failure::Upstream("the answer cannot be read".to_owned());
        let mut message = Message::from_vec(&answer.message).map_err(|_| unreadable())?;
        let (owner, target) = wire_name(&question.name)
            .zip(wire_name(&asked.name))
            .ok_or_else(unreadable)?;
        let alias = Record::from_rdata(owner.clone(), limits::DNS64_TTL_S, RData::CNAME(CNAME(target)));
        message.answers.insert(0, alias);
        message.queries = vec![Query::query(owner, RecordType::PTR)];
        // The alias was made here.
        message.metadata.authentic_data = false;
        rewritten(&mut message, question, answer.ede).ok_or_else(unreadable)
    }

    async fn answer(
        &self,
        question: &Question,
        least_left: Option<Duration>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        if question.name == self.ipv4_only
            && let Some(answer) = self.ipv4_only(question)
        {
            return Ok(answer);
        }
        // RFC 6147 §5.5: who validates makes them, if any, where it is known to be so.
        let validates = question.dnssec_ok && question.checking_disabled;
        match question.qtype {
            rtype::AAAA if !validates => self.addresses(question, least_left, deadline).await,
            rtype::PTR if !validates => match self.reverse(question) {
                Some(target) => self.pointer(question, target, least_left, deadline).await,
                None => self.ask(question, least_left, deadline).await,
            },
            _ => self.ask(question, least_left, deadline).await,
        }
    }
}

#[async_trait]
impl Resolver for Dns64 {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        self.answer(question, None, deadline).await
    }

    async fn renew(&self, question: &Question, least_left: Duration, deadline: Instant) -> Result<Answer, Failure> {
        self.answer(question, Some(least_left), deadline).await
    }
}

/// What an answer to a question for AAAA records lacks.
enum Lacks {
    /// It has them, or denies the name itself.
    Nothing,
    /// Some of them mean IPv4 addresses and are left out (RFC 6147 §5.1.4).
    Some(Box<Message>),
    /// There are none; TTL of what is made at most, and whether that is proven.
    All { ttl_s: u32, secure: bool },
}

fn lacks(mut message: Message) -> Lacks {
    if message.metadata.response_code != ResponseCode::NoError {
        return Lacks::Nothing;
    }
    // RFC 6147 §5.1.4: ::ffff:0:0/96 is of no use to a host without IPv4.
    let excluded =
        |record: &Record| matches!(&record.data, RData::AAAA(address) if address.0.to_ipv4_mapped().is_some());
    let good = message
        .answers
        .iter()
        .any(|record| record.record_type() == RecordType::AAAA && !excluded(record));
    let bad = message.answers.iter().any(excluded);
    match (good, bad) {
        (true, false) => Lacks::Nothing,
        (true, true) => {
            let out = |record: &Record| excluded(record) || covers(record, RecordType::AAAA);
            message.answers.retain(|record| !out(record));
            message.metadata.authentic_data = false;
            Lacks::Some(Box::new(message))
        }
        (false, _) => {
            let soa = message
                .authorities
                .iter()
                .find(|record| record.record_type() == RecordType::SOA);
            Lacks::All {
                // RFC 6147 §5.1.7.
                ttl_s: soa.map_or(limits::DNS64_TTL_S, |soa| soa.ttl),
                secure: message.metadata.authentic_data && !bad,
            }
        }
    }
}

/// Whether a record is the signature of records of this type.
fn covers(record: &Record, rtype: RecordType) -> bool {
    covered(record) == Some(u16::from(rtype))
}

/// The message as an answer to `question`; `None` if it does not fit one.
fn rewritten(message: &mut Message, question: &Question, ede: Vec<(u16, String)>) -> Option<Answer> {
    for query in &mut message.queries {
        query.query_type = RecordType::from(question.qtype);
    }
    let mut bytes = message.to_vec().ok().filter(|bytes| bytes.len() > 12)?;
    // What does not fit is cut, and says so.
    if bytes[2] & 0x02 != 0 {
        return None;
    }
    stamp(&mut bytes, question);
    bytes[3] |= if message.metadata.authentic_data { 0x20 } else { 0 };
    Some(Answer { message: bytes, ede })
}

fn empty(name: &WireName, qtype: u16) -> Message {
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.add_query(Query::query(name.clone(), RecordType::from(qtype)));
    message
}

fn wire_name(name: &Name) -> Option<WireName> {
    WireName::from_bytes(name.as_wire()).ok()
}

/// The address of a whole reverse name under `ip6.arpa` (RFC 3596 §2.5).
fn reversed(name: &Name) -> Option<Ipv6Addr> {
    let labels: Vec<&[u8]> = name.labels().collect();
    let (nibbles, rest) = labels.split_at_checked(32)?;
    let [ip6, arpa] = rest else { return None };
    if !ip6.eq_ignore_ascii_case(b"ip6") || !arpa.eq_ignore_ascii_case(b"arpa") {
        return None;
    }
    let mut address: u128 = 0;
    for label in nibbles.iter().rev() {
        let [digit] = label else { return None };
        address = address << 4 | u128::from((*digit as char).to_digit(16)?);
    }
    Some(address.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::translate::WELL_KNOWN;
    use crate::resolver::failures::Failures;
    use crate::resolver::scripted::Scripted;

    const SOA: &str = "example SOA ns.example. nobody.example. 1 2 3 4 5";

    fn own() -> Prefix {
        Prefix::new("2001:db8:64::".parse().unwrap(), 96).unwrap()
    }

    fn dns64() -> (Arc<Scripted>, Dns64) {
        let inner = Arc::new(Scripted::new());
        let dns64 = Dns64::new(Arc::clone(&inner) as Arc<dyn Resolver>, vec![WELL_KNOWN, own()]);
        (inner, dns64)
    }

    fn question(name: &str, qtype: u16) -> Question {
        Question {
            name: Name::parse(name).unwrap(),
            qtype,
            dnssec_ok: false,
            checking_disabled: false,
        }
    }

    async fn ask(dns64: &Dns64, question: &Question) -> Result<Message, Failure> {
        let answer = dns64
            .resolve(question, clock::instant() + Duration::from_secs(1))
            .await?;
        Ok(Message::from_vec(&answer.message).expect("an answer is a message"))
    }

    /// TYPE and data of each record of the answer.
    fn records(message: &Message) -> Vec<String> {
        let records = message.answers.iter();
        records
            .map(|record| format!("{} {} {}", record.name, record.record_type(), record.data))
            .collect()
    }

    #[tokio::test]
    async fn rfc6147_5_1_a_name_without_ipv6_addresses_gets_one_for_each_prefix_at_the_end_of_its_chain() {
        let (inner, dns64) = dns64();
        let chain = "www.example CNAME cdn.example.";
        inner.answer("www.example", "AAAA", 0, &[chain, SOA]);
        inner.answer("www.example", "A", 0, &[chain, "cdn.example A 198.51.101.7"]);
        let message = ask(&dns64, &question("WWW.example", rtype::AAAA)).await.unwrap();
        assert_eq!(
            records(&message),
            [
                "WWW.example. CNAME cdn.example.",
                "cdn.example. AAAA 64:ff9b::c633:6507",
                "cdn.example. AAAA 2001:db8:64::c633:6507",
            ]
        );
        assert_eq!(message.queries[0].query_type(), RecordType::AAAA);
        assert!(!message.metadata.authentic_data);
        assert_eq!(inner.asked(), 2);
    }

    #[tokio::test]
    async fn what_has_ipv6_addresses_or_does_not_exist_stays_as_it_is() {
        let (inner, dns64) = dns64();
        inner.records("six.example", "AAAA", &["2001:db8::1"]);
        inner.answer("no.example", "AAAA", 3, &[SOA]);
        inner.answer("none.example", "AAAA", 0, &[SOA]);
        inner.answer("none.example", "A", 0, &[SOA]);
        assert_eq!(
            records(&ask(&dns64, &question("six.example", rtype::AAAA)).await.unwrap()),
            ["six.example. AAAA 2001:db8::1"]
        );
        let denied = ask(&dns64, &question("no.example", rtype::AAAA)).await.unwrap();
        assert_eq!(denied.metadata.response_code, ResponseCode::NXDomain);
        assert_eq!(inner.asked(), 2);
        let empty = ask(&dns64, &question("none.example", rtype::AAAA)).await.unwrap();
        assert!(empty.answers.is_empty() && empty.authorities.len() == 1);
    }

    #[tokio::test]
    async fn rfc6147_5_1_4_mapped_addresses_count_as_none_and_are_left_out_beside_others() {
        let (inner, dns64) = dns64();
        inner.records("mapped.example", "AAAA", &["::ffff:198.51.101.7"]);
        inner.records("mapped.example", "A", &["198.51.101.7"]);
        inner.records("both.example", "AAAA", &["::ffff:198.51.101.7", "2001:db8::1"]);
        let made = ask(&dns64, &question("mapped.example", rtype::AAAA)).await.unwrap();
        assert_eq!(records(&made)[0], "mapped.example. AAAA 64:ff9b::c633:6507");
        let kept = ask(&dns64, &question("both.example", rtype::AAAA)).await.unwrap();
        assert_eq!(records(&kept), ["both.example. AAAA 2001:db8::1"]);
    }

    #[tokio::test]
    async fn rfc6147_5_1_2_a_failure_for_ipv6_is_no_reason_to_fail_and_a_bogus_answer_is() {
        let (inner, dns64) = dns64();
        let refused = Failure::Answered {
            rcode: 5,
            ede: Vec::new(),
        };
        inner.failure("odd.example", "AAAA", refused.clone());
        inner.records("odd.example", "A", &["198.51.101.7"]);
        let made = ask(&dns64, &question("odd.example", rtype::AAAA)).await.unwrap();
        assert_eq!(made.answers.len(), 2);
        inner.failure("broken.example", "AAAA", refused.clone());
        let failure = ask(&dns64, &question("broken.example", rtype::AAAA)).await.unwrap_err();
        assert_eq!(failure, refused, "what was asked for, not what was tried");
        let bogus = Failure::Bogus {
            code: 6,
            what: String::new(),
        };
        inner.failure("bogus.example", "AAAA", bogus.clone());
        inner.records("bogus.example", "A", &["198.51.101.7"]);
        assert_eq!(
            ask(&dns64, &question("bogus.example", rtype::AAAA)).await.unwrap_err(),
            bogus
        );
    }

    #[tokio::test]
    async fn rfc6147_5_5_who_validates_gets_what_is_there() {
        let (inner, dns64) = dns64();
        inner.answer("www.example", "AAAA", 0, &[SOA]);
        inner.records("www.example", "A", &["198.51.101.7"]);
        for (dnssec_ok, checking_disabled, made) in [(true, true, 0), (true, false, 2), (false, true, 2)] {
            let question = Question {
                dnssec_ok,
                checking_disabled,
                ..question("www.example", rtype::AAAA)
            };
            assert_eq!(ask(&dns64, &question).await.unwrap().answers.len(), made);
        }
    }

    #[tokio::test]
    async fn rfc6052_3_1_private_addresses_stand_behind_the_networks_own_prefix_only() {
        let (inner, dns64) = dns64();
        inner.answer("nas.example", "AAAA", 0, &[SOA]);
        inner.records("nas.example", "A", &["192.168.1.2", "0.0.0.0"]);
        let made = ask(&dns64, &question("nas.example", rtype::AAAA)).await.unwrap();
        assert_eq!(records(&made), ["nas.example. AAAA 2001:db8:64::c0a8:102"]);
    }

    #[tokio::test]
    async fn rfc6147_5_3_1_a_reverse_name_behind_a_prefix_is_an_alias_of_the_ipv4_one() {
        let (inner, dns64) = dns64();
        inner.records("7.101.51.198.in-addr.arpa", "PTR", &["www.example."]);
        let digits = |address: &str| {
            let address: Ipv6Addr = address.parse().unwrap();
            let nibbles = format!("{:032x}", u128::from(address));
            let labels: Vec<String> = nibbles.chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa", labels.join("."))
        };
        let name = digits("64:ff9b::198.51.101.7");
        let message = ask(&dns64, &question(&name, rtype::PTR)).await.unwrap();
        assert_eq!(
            records(&message),
            [
                format!("{name}. CNAME 7.101.51.198.in-addr.arpa."),
                "7.101.51.198.in-addr.arpa. PTR www.example.".to_owned()
            ]
        );
        assert_eq!(message.queries[0].name().to_string(), format!("{name}."));
        // Nobody elsewhere knows names of addresses of this network.
        let private = digits("2001:db8:64::192.168.1.2");
        inner.answer(&private, "PTR", 3, &[SOA]);
        let message = ask(&dns64, &question(&private, rtype::PTR)).await.unwrap();
        assert!(message.answers.is_empty());
        assert_eq!(reversed(&Name::parse("1.ip6.arpa").unwrap()), None);
    }

    #[tokio::test]
    async fn rfc8880_7_1_the_name_that_tells_the_prefix_is_answered_here() {
        let (inner, dns64) = dns64();
        let six = ask(&dns64, &question("ipv4only.arpa", rtype::AAAA)).await.unwrap();
        assert_eq!(records(&six)[0], "ipv4only.arpa. AAAA 64:ff9b::c000:aa");
        assert_eq!(six.answers.len(), 4);
        let four = ask(&dns64, &question("IPV4only.arpa", rtype::A)).await.unwrap();
        assert_eq!(records(&four)[1], "IPV4only.arpa. A 192.0.0.171");
        assert_eq!(inner.asked(), 0);
    }

    #[tokio::test]
    async fn rfc6147_5_5_what_is_bogus_stays_so_at_the_second_question() {
        let inner = Arc::new(Scripted::new());
        let bogus = Failure::Bogus {
            code: 6,
            what: "no".to_owned(),
        };
        inner.failure("www.example", "AAAA", bogus.clone());
        inner.records("www.example", "A", &["192.0.2.1"]);
        let failures = Failures::new(inner, usize::MAX, Arc::default());
        let dns64 = Dns64::new(Arc::new(failures), vec![own()]);
        for _ in 0..2 {
            let failure = ask(&dns64, &question("www.example", rtype::AAAA)).await.unwrap_err();
            assert_eq!(failure.first(), &bogus);
        }
    }

    #[tokio::test]
    async fn rfc6147_5_1_3_where_aaaa_gets_no_answer_there_is_time_left_for_a() {
        struct SilentForAaaa(Scripted);
        #[async_trait]
        impl Resolver for SilentForAaaa {
            async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
                if question.qtype == rtype::AAAA {
                    tokio::time::sleep_until(deadline.into()).await;
                    return Err(Failure::Unreachable);
                }
                assert!(deadline > clock::instant(), "no time is left");
                self.0.resolve(question, deadline).await
            }
        }
        let inner = SilentForAaaa(Scripted::new());
        inner.0.records("www.example", "A", &["192.0.2.1"]);
        let dns64 = Dns64::new(Arc::new(inner), vec![own()]);
        let message = ask(&dns64, &question("www.example", rtype::AAAA)).await.unwrap();
        assert_eq!(records(&message), ["www.example. AAAA 2001:db8:64::c000:201"]);
    }

    #[tokio::test]
    async fn a_renewal_that_fails_puts_nothing_made_in_the_place_of_what_is_there() {
        let (inner, dns64) = dns64();
        inner.failure("www.example", "AAAA", Failure::Unreachable);
        inner.records("www.example", "A", &["192.0.2.1"]);
        let deadline = clock::instant() + Duration::from_secs(1);
        let question = question("www.example", rtype::AAAA);
        let renewed = dns64.renew(&question, Duration::from_secs(9), deadline).await;
        assert_eq!(renewed.unwrap_err(), Failure::Unreachable);
    }

    #[tokio::test]
    async fn what_does_not_fit_a_message_is_not_made() {
        let (inner, dns64) = dns64();
        let many: Vec<String> = (0..3000)
            .map(|at| format!("198.51.{}.{}", at / 250, at % 250))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        inner.answer("www.example", "AAAA", 0, &[SOA]);
        inner.records("www.example", "A", &many);
        let message = ask(&dns64, &question("www.example", rtype::AAAA)).await.unwrap();
        assert!(
            message.answers.is_empty(),
            "twice 3,000 addresses are more than a message holds"
        );
    }
}
