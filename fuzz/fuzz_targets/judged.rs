//! One response judged, with keys from servers that say what the bytes hold. Also replayed by the tests.

use stairgate::dns::name::Name;
use stairgate::dns::{rcode, rtype};
use stairgate::limits;
use stairgate::now::Now;
use stairgate::resolver::engine::response::Response;
use stairgate::resolver::validate::anchors::Anchors;
use stairgate::resolver::validate::keys::Promise;
use stairgate::resolver::validate::{Fetched, JudgedWhole, Source, Validator, ValidatorSettings, When, Whole, Work};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// When the corpus was signed, in seconds since 1970.
const NOW_S: u64 = 1_800_000_000;

/// Responses to questions for keys, in the order in which they are asked.
struct Script<'a> {
    responses: RefCell<VecDeque<&'a [u8]>>,
}

impl Source for Script<'_> {
    async fn fetch(&self, name: &Name, rtype: u16) -> Option<Fetched> {
        let bytes = self.responses.borrow_mut().pop_front()?;
        let response = Response::read(bytes, rtype).ok()?;
        if let Some(set) = response.answer(name, rtype) {
            return Some(Fetched::Set(Arc::new(set.clone())));
        }
        if let Some(set) = response.answer(name, rtype::CNAME) {
            return Some(Fetched::Alias(Arc::new(set.clone()), response.authorities.clone()));
        }
        Some(Fetched::Denied(response.authorities))
    }
}

/// The bytes are pieces, each behind two bytes of length: the root's DS, a response to the question that it holds, responses to
/// questions for keys. `None` if there is nothing to judge.
pub fn run(mut bytes: &[u8]) -> Option<JudgedWhole> {
    let mut pieces = VecDeque::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (piece, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        pieces.push_back(piece);
        bytes = rest;
    }
    let mut anchors = Anchors::none();
    anchors.add(&Name::root(), Promise::Ds(pieces.pop_front()?.to_vec()));
    let message = pieces.pop_front()?;
    let question = stairgate::dns::answer::NameBuf::read(message, 12)?;
    let qname = Name::from_wire(question.as_wire())?;
    let qtype = message.get(12 + qname.as_wire().len()..)?.first_chunk::<2>().copied()?;
    let qtype = u16::from_be_bytes(qtype);
    let response = Response::read(message, qtype).ok()?;
    let whole = Whole {
        qname: &qname,
        qtype,
        nxdomain: response.rcode == rcode::NXDOMAIN,
        answers: &response.answers,
        authorities: &response.authorities,
    };
    let validator = Validator::new(anchors, ValidatorSettings { sha1: true });
    let source = Script {
        responses: RefCell::new(pieces),
    };
    let when = When {
        now: Now {
            mono_ms: 0,
            unix_ms: NOW_S * 1000,
        },
        skew_s: 0,
        suspended: false,
    };
    let mut work = Work::new();
    let judged = {
        let mut future = pin!(validator.response(whole, &source, &when, &mut work));
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(judged) => judged,
            Poll::Pending => unreachable!("the script never waits"),
        }
    };
    assert!(
        work.signatures_checked() <= limits::SIGNATURE_CHECKS,
        "signatures are bounded"
    );
    assert!(work.blocks_hashed() <= limits::NSEC3_BLOCKS, "hashes are bounded");
    Some(judged)
}
