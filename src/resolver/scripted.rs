//! A resolver that says what it was told to say, for tests.
//!
//! Always: no sockets. A question nobody scripted fails as unreachable, so that a test cannot pass by accident.

use super::{Answer, Failure, Question, Resolver};
use crate::clock;
use crate::dns::name::Name;
use async_trait::async_trait;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name as WireName, RData, Record, RecordType};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Answers by name and type.
#[derive(Debug, Default)]
pub struct Scripted {
    answers: Mutex<HashMap<(Name, u16), Result<Answer, Failure>>>,
    asked: AtomicU64,
    delay: Duration,
}

impl Scripted {
    /// Knows nothing yet.
    pub fn new() -> Scripted {
        Scripted::default()
    }

    /// Thinks this long before every answer.
    pub fn delayed(mut self, delay: Duration) -> Scripted {
        self.delay = delay;
        self
    }

    /// Answers `name` and `rtype` with records of that type and a TTL of 300 s, their data in presentation form.
    ///
    /// # Panics
    /// When what is scripted cannot be read; the test is wrong then.
    pub fn records(&self, name: &str, rtype: &str, data: &[&str]) {
        let lines: Vec<String> = data.iter().map(|data| format!("{name} {rtype} {data}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.answer(name, rtype, 0, &lines);
    }

    /// Answers `name` and `rtype` with an RCODE and these records, each `NAME TYPE DATA`: a chain of aliases, say. An SOA record
    /// goes to the authority section.
    ///
    /// # Panics
    /// When what is scripted cannot be read; the test is wrong then.
    pub fn answer(&self, name: &str, rtype: &str, rcode: u8, records: &[&str]) {
        let rtype = RecordType::from_str(rtype).expect("a scripted type is a record type");
        let owner = Name::parse(name).expect("a scripted name is a name");
        let mut message = Message::new(0, MessageType::Response, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.metadata.recursion_available = true;
        message.metadata.response_code = ResponseCode::from(0, rcode);
        message.add_query(Query::query(wire_name(name), rtype));
        for line in records {
            let mut words = line.splitn(3, ' ');
            let (Some(owner), Some(rtype), Some(data)) = (words.next(), words.next(), words.next()) else {
                panic!("a scripted record is NAME TYPE DATA: {line:?}");
            };
            let rtype = RecordType::from_str(rtype).expect("a scripted type is a record type");
            let data = RData::try_from_str(rtype, data).expect("scripted data is readable");
            let record = Record::from_rdata(wire_name(owner), 300, data);
            match rtype {
                RecordType::SOA => message.add_authority(record),
                _ => message.add_answer(record),
            };
        }
        let answer = Answer {
            message: message.to_vec().expect("a scripted answer fits a message"),
            ede: Vec::new(),
        };
        self.put(owner, rtype.into(), Ok(answer));
    }

    /// Fails for `name` and `rtype`.
    ///
    /// # Panics
    /// When what is scripted cannot be read; the test is wrong then.
    pub fn failure(&self, name: &str, rtype: &str, failure: Failure) {
        let rtype = RecordType::from_str(rtype).expect("a scripted type is a record type");
        let name = Name::parse(name).expect("a scripted name is a name");
        self.put(name, rtype.into(), Err(failure));
    }

    /// How many questions it was asked.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    fn put(&self, name: Name, rtype: u16, answer: Result<Answer, Failure>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert((name, rtype), answer);
    }
}

fn wire_name(text: &str) -> WireName {
    let mut name = WireName::from_ascii(text).expect("a scripted name is a name");
    name.set_fqdn(true);
    name
}

#[async_trait]
impl Resolver for Scripted {
    async fn resolve(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if !self.delay.is_zero() {
            let until = deadline.min(clock::instant() + self.delay);
            tokio::time::sleep_until(until.into()).await;
        }
        let mut result = {
            let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers
                .get(&(question.name.clone(), question.qtype))
                .cloned()
                .unwrap_or(Err(Failure::Unreachable))
        };
        if let Ok(answer) = &mut result {
            super::message::rename(&mut answer.message, question);
        }
        result
    }
}
