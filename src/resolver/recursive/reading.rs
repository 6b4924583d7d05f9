//! Puts what a walk found in order, and says what it means.
//!
//! Always: an answer section holds the alias chain from the name asked for to its end, in that order, and nothing else
//! (RFC 1034 §4.3.2, RFC 2181 §10.1); a negative answer holds its SOA, and its proofs when there are any (RFC 2308 §2).

use super::Reading;
use crate::limits;
use crate::resolver::Failure;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::recursor::AuthorityData;

/// What a response with records says. It may be a negative one after all: hickory takes an SOA for an answer to a
/// question for one.
pub(super) fn positive(message: Message, query: &Query) -> Result<Reading, Failure> {
    let rcode = message.metadata.response_code;
    if message.answers.is_empty() {
        let about = query.name().clone();
        if !message
            .authorities
            .iter()
            .any(|record| record.record_type() == RecordType::SOA)
            && message
                .authorities
                .iter()
                .any(|record| record.record_type() == RecordType::NS)
        {
            return Err(Failure::Upstream("a server only points to others".to_owned()));
        }
        return Ok(Reading {
            rcode,
            answers: Vec::new(),
            authorities: proofs(message.authorities.iter(), true),
            about,
        });
    }
    let (answers, about) = chain(message.answers, query)?;
    Ok(Reading {
        // Each name of the chain was looked up on its own; an NXDOMAIN of the first server was about what it cannot know.
        rcode: ResponseCode::NoError,
        answers,
        authorities: proofs(message.authorities.iter(), false),
        about,
    })
}

/// What a negative answer says.
pub(super) fn negative(data: AuthorityData) -> Reading {
    let mut authorities: Vec<Record> = data
        .soa
        .iter()
        .map(|soa| (**soa).clone().into_record_of_rdata())
        .collect();
    for record in proofs(data.authorities.iter().flat_map(|records| records.iter()), true) {
        if record.record_type() != RecordType::SOA || authorities.is_empty() {
            authorities.push(record);
        }
    }
    Reading {
        rcode: match data.is_nx_domain() {
            true => ResponseCode::NXDomain,
            false => ResponseCode::NoError,
        },
        answers: Vec::new(),
        authorities,
        about: data.query.name().clone(),
    }
}

/// The authority records worth passing on: proofs of what is not there, and the SOA of a negative answer.
fn proofs<'a>(records: impl Iterator<Item = &'a Record>, with_soa: bool) -> Vec<Record> {
    let kept = |rtype: RecordType| match rtype {
        RecordType::SOA => with_soa,
        RecordType::NSEC | RecordType::NSEC3 => true,
        _ => false,
    };
    records
        .filter(|record| kept(covered_type(record).unwrap_or(record.record_type())))
        .cloned()
        .collect()
}

/// The type a signature is over; `None` for other records.
fn covered_type(record: &Record) -> Option<RecordType> {
    match &record.data {
        RData::DNSSEC(hickory_proto::dnssec::rdata::DNSSECRData::RRSIG(signature)) => {
            Some(signature.input().type_covered)
        }
        _ => None,
    }
}

/// Where a CNAME record points.
pub(super) fn alias_target(record: &Record) -> Option<&Name> {
    match &record.data {
        RData::CNAME(target) => Some(&target.0),
        _ => None,
    }
}

/// The records along the alias chain from the name asked for, and the name it ends at.
fn chain(mut records: Vec<Record>, query: &Query) -> Result<(Vec<Record>, Name), Failure> {
    let qtype = query.query_type();
    let mut ordered: Vec<Record> = Vec::with_capacity(records.len());
    let mut name = query.name().clone();
    let mut visited = Vec::new();
    loop {
        if visited.contains(&name) {
            return Err(Failure::Upstream("an alias chain leads back to itself".to_owned()));
        }
        if visited.len() > limits::ALIAS_HOPS {
            return Err(Failure::Limit("too many aliases in a row"));
        }
        let here = |record: &Record| record.name == name;
        let data = |record: &Record| here(record) && (record.record_type() == qtype || qtype == RecordType::ANY);
        let is_end = records.iter().any(data);
        let target = records
            .iter()
            .filter(|record| here(record))
            .find_map(alias_target)
            .cloned();
        let wanted = |record: &Record| {
            let rtype = covered_type(record).unwrap_or(record.record_type());
            // The DNAME that made an alias comes along (RFC 6672 §3.1), and the signatures of both.
            let above = target.is_some() && rtype == RecordType::DNAME && record.name.zone_of(&name) && !here(record);
            let end = rtype == qtype || record.record_type() == qtype || qtype == RecordType::ANY;
            above || (here(record) && if is_end { end } else { rtype == RecordType::CNAME })
        };
        let (mut step, rest): (Vec<Record>, Vec<Record>) = records.into_iter().partition(wanted);
        records = rest;
        if visited.is_empty() {
            // Letter case as it was asked, however the server or its compression wrote it.
            for record in step.iter_mut().filter(|record| record.name == name) {
                record.name = name.clone();
            }
        }
        // A DNAME stands before the CNAME made from it.
        step.sort_by_key(|record| record.name == name);
        ordered.extend(step);
        match target {
            Some(target) if !is_end => {
                visited.push(std::mem::replace(&mut name, target));
            }
            _ if ordered.is_empty() => return Err(Failure::Upstream("the records are of other names".to_owned())),
            _ => return Ok((ordered, name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{MessageType, OpCode};

    fn read(qname: &str, qtype: RecordType, answers: &[&str]) -> Result<Vec<String>, Failure> {
        let mut message = Message::new(0, MessageType::Response, OpCode::Query);
        for line in answers {
            let mut words = line.splitn(3, ' ');
            let (name, rtype, data) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let data = RData::try_from_str(rtype.parse().unwrap(), data).unwrap();
            message.add_answer(Record::from_rdata(name.parse().unwrap(), 300, data));
        }
        let query = Query::query(qname.parse().unwrap(), qtype);
        let reading = positive(message, &query)?;
        let text = |record: &Record| format!("{} {} {}", record.name, record.record_type(), record.data);
        Ok(reading.answers.iter().map(text).collect())
    }

    #[test]
    fn a_chain_is_put_in_order_and_what_is_beside_it_left_out() {
        let answers = [
            "c.example. A 192.0.2.3",
            "other.example. A 192.0.2.9",
            "b.example. CNAME c.example.",
            "A.example. CNAME b.example.",
            "c.example. A 192.0.2.4",
            "c.example. MX 10 m.example.",
        ];
        assert_eq!(
            read("a.example.", RecordType::A, &answers).unwrap(),
            [
                "a.example. CNAME b.example.",
                "b.example. CNAME c.example.",
                "c.example. A 192.0.2.3",
                "c.example. A 192.0.2.4"
            ]
        );
        assert_eq!(
            read("a.example.", RecordType::CNAME, &answers).unwrap(),
            ["a.example. CNAME b.example."]
        );
    }

    #[test]
    fn records_of_other_names_are_no_answer() {
        assert!(read("a.example.", RecordType::A, &["b.example. A 192.0.2.1"]).is_err());
    }

    #[test]
    fn a_chain_that_leads_back_to_itself_is_no_answer() {
        let answers = ["a.example. CNAME b.example.", "b.example. CNAME a.example."];
        assert!(read("a.example.", RecordType::A, &answers).is_err());
        assert_eq!(read("a.example.", RecordType::CNAME, &answers).unwrap().len(), 1);
    }
}
