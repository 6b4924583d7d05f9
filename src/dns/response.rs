//! Writes responses.
//!
//! In: what a response takes over from its query, records in order of sections. Out: the bytes of one message.
//! Always: writes inside the buffer it was given, allocates nothing. What does not fit is left out by whole RRsets, and TC says
//! so where something needed is gone.
//! Keeps: RFC 1035 §4.1.1, RFC 2181 §9 (TC), RFC 6840 §5.7 and §5.8 (AD), RFC 6891 §7 (OPT for OPT), RFC 8914 §3 (EDE),
//! RFC 7873 §5.2 (a cookie for a cookie).

use super::answer::{Message, NameBuf, Record, Section};
use super::cookie;
use super::cut;
use super::ede::{self, Errors};
use super::edns;
use super::query::{Edns, HEADER_BYTES, Head, skip_name};
use super::structured::Structured;
use super::{class, rtype};

/// Who owns a record.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    /// The QNAME, written as a pointer to the question.
    Qname,
    /// Another name, uncompressed wire form of at most 255 bytes.
    Name(&'a [u8]),
}

/// A response in the making. Records must come in order of sections.
pub struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    head: Head,
    rcode: u16,
    counts: [u16; 3],
    question_end: usize,
    authoritative: bool,
    authenticated: bool,
    /// A record did not fit into the buffer, or the response is meant to be empty.
    truncated: bool,
}

/// A response written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Its length.
    pub bytes: usize,
    /// It has TC set.
    pub truncated: bool,
}

impl<'a> Writer<'a> {
    /// Starts a response to a query with this `head` and `question` section (empty where none could be read).
    /// `out` has at least [`Writer::ROOM`] bytes.
    pub fn start(out: &'a mut [u8], head: Head, question: &[u8], rcode: u16) -> Writer<'a> {
        assert!(
            out.len() >= Writer::ROOM,
            "the buffer of a response has room for a header, a question and an OPT"
        );
        let question_end = HEADER_BYTES + question.len();
        out[HEADER_BYTES..question_end].copy_from_slice(question);
        Writer {
            out,
            at: question_end,
            head,
            rcode,
            counts: [0; 3],
            question_end,
            authoritative: false,
            authenticated: false,
            truncated: false,
        }
    }

    /// The smallest buffer a response may be written to: the smallest UDP limit.
    pub const ROOM: usize = 512;

    /// Takes over a response that stands at the start of `out`, `len` bytes, whose question is `question` but for letter
    /// case. Its records stay, ID, flags and question become those of this query; where TC says that some are missing, that
    /// stays, too. `None` if it is not such a response.
    pub fn resume(out: &'a mut [u8], len: usize, head: Head, question: &[u8]) -> Option<Writer<'a>> {
        let message = Message::parse(out.get(..len)?)?;
        // Lengths of labels are below the letters: comparing all bytes without case compares names.
        let (theirs, ours) = (message.question(), question);
        let name_end = ours.len().checked_sub(4)?;
        if theirs.len() != ours.len()
            || theirs[name_end..] != ours[name_end..]
            || !theirs[..name_end].eq_ignore_ascii_case(&ours[..name_end])
        {
            return None;
        }
        Writer::take_over(out, len, head, question)
    }

    /// The same, where it is known that the response is one to this question. `None` if it is shorter than that.
    #[inline]
    pub fn take_over(out: &'a mut [u8], len: usize, head: Head, question: &[u8]) -> Option<Writer<'a>> {
        let header = *out.first_chunk::<HEADER_BYTES>()?;
        if len > out.len() || len < HEADER_BYTES + question.len() {
            return None;
        }
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let mut writer = Writer::start(out, head, question, u16::from(header[3] & 15));
        writer.truncated = header[2] & 2 != 0;
        writer.at = len;
        writer.counts = [count(6), count(8), count(10)];
        writer.authenticated = header[3] & 0x20 != 0;
        Some(writer)
    }

    /// Lowers the TTLs of the records so far to so many seconds at most.
    pub fn bound_ttls(&mut self, most_s: u32) {
        let mut at = self.question_end;
        for _ in 0..self.counts.iter().map(|&count| u32::from(count)).sum() {
            let Some(fixed_at) = skip_name(&self.out[..self.at], at) else {
                return;
            };
            let Some(fixed) = self.out[..self.at]
                .get_mut(fixed_at..)
                .and_then(|rest| rest.first_chunk_mut::<10>())
            else {
                return;
            };
            let ttl = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
            fixed[4..8].copy_from_slice(&ttl.min(most_s).to_be_bytes());
            at = fixed_at + 10 + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        }
    }

    /// AA: the answer is this server's own.
    pub fn authoritative(&mut self) {
        self.authoritative = true;
    }

    /// AD: every record of the answer was validated.
    pub fn authenticated(&mut self, yes: bool) {
        self.authenticated = yes;
    }

    pub fn rcode(&mut self, rcode: u16) {
        self.rcode = rcode;
    }

    /// Adds a record of class IN. RDATA is written as it is, so names in it are uncompressed.
    pub fn record(&mut self, section: Section, owner: Owner<'_>, rtype: u16, ttl: u32, rdata: &[u8]) {
        self.record_of_class(section, owner, rtype, class::IN, ttl, rdata);
    }

    /// Adds a record.
    pub fn record_of_class(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rtype: u16,
        class: u16,
        ttl: u32,
        rdata: &[u8],
    ) {
        debug_assert!(
            self.counts[section as usize + 1..].iter().all(|&count| count == 0),
            "sections come in order"
        );
        let owner = match owner {
            // The question's name starts right after the header.
            Owner::Qname => &[0xc0, HEADER_BYTES as u8][..],
            Owner::Name(name) => name,
        };
        let (Ok(rdata_len), Some(room)) = (
            u16::try_from(rdata.len()),
            self.out.get_mut(self.at..self.at + owner.len() + 10 + rdata.len()),
        ) else {
            self.truncated = true;
            return;
        };
        let (owner_room, room) = room.split_at_mut(owner.len());
        owner_room.copy_from_slice(owner);
        room[..2].copy_from_slice(&rtype.to_be_bytes());
        room[2..4].copy_from_slice(&class.to_be_bytes());
        room[4..8].copy_from_slice(&ttl.to_be_bytes());
        room[8..10].copy_from_slice(&rdata_len.to_be_bytes());
        room[10..].copy_from_slice(rdata);
        self.at += owner.len() + 10 + rdata.len();
        self.counts[section as usize] += 1;
    }

    /// Adds the SOA that makes a negative answer cacheable for `ttl` seconds (RFC 2308 §3, §5), owned by the QNAME: the
    /// answer says nothing about names beside it.
    pub fn negative_soa(&mut self, ttl: u32) {
        // MNAME and RNAME end nowhere (RFC 6761 §6.4): nobody runs this zone.
        const NAMES: &[u8] = b"\x09stairgate\x07invalid\0\x0ahostmaster\x09stairgate\x07invalid\0";
        const TIMERS: [u32; 4] = [1, 1800, 900, 604_800];
        let mut rdata = [0; NAMES.len() + 20];
        rdata[..NAMES.len()].copy_from_slice(NAMES);
        for (slot, value) in rdata[NAMES.len()..]
            .chunks_exact_mut(4)
            .zip(TIMERS.into_iter().chain([ttl]))
        {
            slot.copy_from_slice(&value.to_be_bytes());
        }
        self.record(Section::Authority, Owner::Qname, rtype::SOA, ttl, &rdata);
    }

    /// Leaves out all records and sets TC, so that the client comes back over a stream.
    pub fn truncate(&mut self) {
        self.truncated = true;
    }

    /// Copies a record of `message`, into the same section, with the names in it written out.
    ///
    /// Which types have names that may be compressed is said in RFC 3597 §4 and RFC 1035 §3.3; reading them so does no harm
    /// where a sender was not allowed to compress. A broken record sets TC: it must not go missing without a word.
    pub fn copy(&mut self, message: &[u8], record: &Record) {
        let Some(owner) = NameBuf::read(message, record.owner_at) else {
            self.truncated = true;
            return;
        };
        let rdata_at = self.at + owner.as_wire().len() + 10;
        self.record_of_class(
            record.section,
            Owner::Name(owner.as_wire()),
            record.rtype,
            record.class,
            record.ttl,
            &[],
        );
        if self.truncated {
            return;
        }
        match self.copy_rdata(message, record) {
            Some(rdata_bytes) => self.out[rdata_at - 2..rdata_at].copy_from_slice(&rdata_bytes.to_be_bytes()),
            None => self.truncated = true,
        }
    }

    /// Writes a record's RDATA at the end; `None` if it is broken or does not fit.
    fn copy_rdata(&mut self, message: &[u8], record: &Record) -> Option<u16> {
        // How RDATA begins: bytes, then character strings, then names; the rest is bytes.
        let (bytes, strings, names) = match record.rtype {
            // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME, NSEC
            2..=5 | 7..=9 | 12 | 39 | 47 => (0, 0, 1),
            // SOA, MINFO, RP
            6 | 14 | 17 => (0, 0, 2),
            // MX, AFSDB, RT, KX, SVCB, HTTPS
            15 | 18 | 21 | 36 | 64 | 65 => (2, 0, 1),
            // PX
            26 => (2, 0, 2),
            // SRV
            33 => (6, 0, 1),
            // NAPTR
            35 => (4, 3, 1),
            // SIG, RRSIG
            24 | 46 => (18, 0, 1),
            _ => (0, 0, 0),
        };
        let start = self.at;
        let end = record.rdata_at + record.rdata_bytes;
        let rdata = message.get(..end)?;
        let mut at = record.rdata_at + bytes;
        for _ in 0..strings {
            at += usize::from(*rdata.get(at)?) + 1;
        }
        self.try_put(rdata.get(record.rdata_at..at)?)?;
        for _ in 0..names {
            let name = NameBuf::read(rdata, at)?;
            at = skip_name(rdata, at)?;
            self.try_put(name.as_wire())?;
        }
        self.try_put(&rdata[at..])?;
        u16::try_from(self.at - start).ok()
    }

    fn try_put(&mut self, bytes: &[u8]) -> Option<()> {
        self.out.get_mut(self.at..self.at + bytes.len())?.copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }

    /// Writes the header as it stands and returns the length so far, for a response that [`resume`](Writer::resume) will
    /// take up again.
    ///
    /// There is no OPT yet, so none is counted: whoever takes the response up would go looking for it among the records.
    pub fn pause(mut self) -> usize {
        self.header(self.truncated, false);
        self.at
    }

    /// Writes header and OPT; the message has at most `limit` bytes (512 to 65,535), and no more than the buffer.
    ///
    /// What must give way, in this order: the text of the Extended DNS Errors, the errors, then records from the end, an RRset
    /// at a time. TC owns up to those that the response needs (RFC 2181 §9); errors that fit into what is then free come back.
    /// A cookie never gives way: without it the client has nothing to come back with.
    pub fn finish(self, limit: usize, errors: &Errors) -> Written {
        self.finish_structured(limit, errors, None)
    }

    /// The same with the text of the first error as a [`structured`](super::structured) one, of which parts give way first.
    pub fn finish_structured(mut self, limit: usize, errors: &Errors, structured: Option<&Structured<'_>>) -> Written {
        let limit = limit.min(self.out.len());
        // Without OPT nothing of EDNS is sent (RFC 6891 §7, RFC 8914 §3); an RCODE past 15 comes only from reading one.
        let opt_bytes = match &self.head.edns {
            Some(edns) => edns::OPT_BYTES + edns.cookie.map_or(0, |cookie| 4 + cookie.len()),
            None => 0,
        };
        let mut truncated = self.truncated;
        if truncated {
            self.at = self.question_end;
            self.counts = [0; 3];
        } else if self.at + opt_bytes > limit {
            truncated = self.cut(limit - opt_bytes);
        }
        let free = limit - opt_bytes - self.at;
        let json;
        let text = match structured {
            Some(structured) => {
                json = structured.write(free.saturating_sub(errors.wire_len(0)));
                json.as_bytes()
            }
            None => errors.text(),
        };
        let text = if errors.wire_len(text.len()) <= free { text } else { &[] };
        let errors_bytes = errors.wire_len(text.len());
        self.header(truncated, self.head.edns.is_some());
        if let Some(edns) = self.head.edns {
            let errors_bytes = if errors_bytes <= free { errors_bytes } else { 0 };
            self.opt(&edns, opt_bytes - edns::OPT_BYTES, errors, errors_bytes, text);
        }
        Written {
            bytes: self.at,
            truncated,
        }
    }

    /// Leaves out records from the end, so that whole RRsets remain that end at or before `end`. Returns whether something
    /// is gone that the response needs.
    fn cut(&mut self, end: usize) -> bool {
        // The walk needs the counts where it looks for them, and there is no OPT yet.
        self.header(false, false);
        let cut = cut::cut(&self.out[..self.at], self.question_end, end);
        (self.at, self.counts) = (cut.bytes, cut.counts);
        cut.needed
    }

    /// `with_opt`: an OPT record follows the records and is counted with them.
    fn header(&mut self, truncated: bool, with_opt: bool) {
        let head = &self.head;
        let asked_for_ad = head.authentic_data || head.dnssec_ok();
        let flag = |yes: bool, bit: u8| if yes { bit } else { 0 };
        // The upper bits stand in the OPT record (RFC 6891 §6.1.3); without one the lower bits alone would say something else.
        let rcode = if self.rcode > 15 && head.edns.is_none() {
            crate::dns::rcode::SERVFAIL
        } else {
            self.rcode
        };
        let header = &mut self.out[..HEADER_BYTES];
        header[..2].copy_from_slice(&head.id.to_be_bytes());
        header[2] = 0x80
            | head.opcode << 3
            | flag(self.authoritative, 4)
            | flag(truncated, 2)
            | flag(head.recursion_desired, 1);
        // RA: recursion is on offer to whoever got as far as a response.
        header[3] = 0x80
            | flag(self.authenticated && asked_for_ad && !truncated, 0x20)
            | flag(head.checking_disabled, 0x10)
            | (rcode & 15) as u8;
        let questions = u16::from(self.question_end > HEADER_BYTES);
        let additionals = self.counts[2] + u16::from(with_opt);
        for (slot, count) in
            header[4..]
                .chunks_exact_mut(2)
                .zip([questions, self.counts[0], self.counts[1], additionals])
        {
            slot.copy_from_slice(&count.to_be_bytes());
        }
    }

    fn opt(&mut self, edns: &Edns, cookie_bytes: usize, errors: &Errors, errors_bytes: usize, text: &[u8]) {
        let opt = edns::opt(self.rcode, edns.dnssec_ok, (cookie_bytes + errors_bytes) as u16);
        self.put(&opt);
        if let Some(cookie) = &edns.cookie {
            self.put(&cookie::OPTION.to_be_bytes());
            self.put(&(cookie.len() as u16).to_be_bytes());
            self.put(cookie);
        }
        if errors_bytes == 0 {
            return;
        }
        for (index, &code) in errors.codes().iter().enumerate() {
            let text = if index == 0 { text } else { &[] };
            self.put(&ede::OPTION.to_be_bytes());
            self.put(&(2 + text.len() as u16).to_be_bytes());
            self.put(&code.to_be_bytes());
            self.put(text);
        }
    }

    /// Bytes that [`finish`](Writer::finish) has made sure fit.
    fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::ede::Text;
    use super::*;
    use proptest::prelude::*;

    const QUESTION: &[u8] = b"\x07eXample\x03com\0\0\x01\0\x01";

    fn edns(payload_bytes: u16) -> Head {
        Head {
            id: 7,
            edns: Some(Edns {
                payload_bytes,
                version: 0,
                dnssec_ok: true,
                structured_errors: false,
                cookie: None,
            }),
            ..Head::default()
        }
    }

    #[test]
    fn a_response_without_opt_in_the_query_has_none() {
        let mut out = [0; 600];
        let head = Head {
            id: 0x1234,
            recursion_desired: true,
            ..Head::default()
        };
        let mut writer = Writer::start(&mut out, head, QUESTION, 0);
        writer.record(Section::Answer, Owner::Qname, 1, 30, &[0, 0, 0, 0]);
        let len = writer.finish(512, &Errors::one(17, Text::new("x"))).bytes;
        let expected = [
            b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0".as_slice(),
            QUESTION,
            b"\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04\0\0\0\0",
        ]
        .concat();
        assert_eq!(out[..len], expected);
    }

    #[test]
    fn errors_follow_in_the_opt_record_when_the_query_had_one() {
        let mut out = [0; 600];
        let writer = Writer::start(&mut out, edns(1232), QUESTION, 16);
        let mut errors = Errors::one(4, Text::new("why"));
        errors.push(17);
        let len = writer.finish(512, &errors).bytes;
        let opt = &out[HEADER_BYTES + QUESTION.len()..len];
        assert_eq!(
            opt,
            b"\0\0\x29\x04\xd0\x01\0\x80\0\0\x0f\0\x0f\0\x05\0\x04why\0\x0f\0\x02\0\x11"
        );
        assert_eq!(out[11], 1);
        assert_eq!(out[3] & 15, 0, "the low bits of BADVERS");
    }

    #[test]
    fn a_cookie_goes_before_the_errors_and_never_gives_way() {
        let mut head = edns(512);
        head.edns.as_mut().unwrap().cookie = Some([7; 24]);
        let errors = Errors::one(17, Text::new("a text"));
        let mut out = [0; 2000];
        let cookie = [b"\0\x0a\0\x18".as_slice(), &[7; 24]].concat();
        let len = Writer::start(&mut out, head, QUESTION, 23).finish(512, &errors).bytes;
        let opt = [
            b"\0\0\x29\x04\xd0\x01\0\x80\0\0\x28",
            &cookie[..],
            b"\0\x0f\0\x08\0\x11a text",
        ]
        .concat();
        assert_eq!(out[HEADER_BYTES + QUESTION.len()..len], opt);
        assert_eq!(out[3] & 15, 7, "the low bits of BADCOOKIE");

        let base = HEADER_BYTES + QUESTION.len() + edns::OPT_BYTES + cookie.len();
        for (rdata, expected, truncated) in [
            (512 - base - 12, 512, false),
            (512 - base - 11, base + 12, true),
            (2000, base + 12, true),
        ] {
            let mut writer = Writer::start(&mut out, head, QUESTION, 0);
            writer.record(Section::Answer, Owner::Qname, 16, 1, &vec![0; rdata]);
            let written = writer.finish(512, &errors);
            assert_eq!((written.bytes, written.truncated), (expected, truncated), "{rdata}");
            assert!(out[..written.bytes].windows(cookie.len()).any(|part| part == cookie));
        }
    }

    #[test]
    fn what_does_not_fit_gives_way_in_order() {
        let errors = Errors::one(17, Text::new("a text"));
        let base = HEADER_BYTES + QUESTION.len() + edns::OPT_BYTES;
        let build = |answer: usize, additional: usize| {
            let mut out = [0; 2000];
            let mut writer = Writer::start(&mut out, edns(512), QUESTION, 0);
            writer.record(Section::Answer, Owner::Qname, 16, 1, &vec![0; answer - 12]);
            if additional > 0 {
                writer.record(Section::Additional, Owner::Qname, 16, 1, &vec![0; additional - 12]);
            }
            let len = writer.finish(512, &errors).bytes;
            (len, out[2] & 2 != 0, out[7], out[11])
        };
        assert_eq!(build(100, 0), (base + 100 + 12, false, 1, 1));
        assert_eq!(build(512 - base - 12, 0), (512, false, 1, 1), "just fits");
        assert_eq!(
            build(512 - base - 11, 0),
            (512 - 11 + 6, false, 1, 1),
            "without the text"
        );
        assert_eq!(build(512 - base - 5, 0), (512 - 5, false, 1, 1), "without the error");
        assert_eq!(
            build(100, 400),
            (base + 100 + 12, false, 1, 1),
            "without the additional section, which makes room for the error"
        );
        assert_eq!(build(512 - base + 1, 0), (base + 12, true, 0, 1), "truncated");
        assert_eq!(build(1500, 400), (base + 12, true, 0, 1), "truncated");
    }

    #[test]
    fn a_response_that_is_meant_to_be_empty_is_empty() {
        let mut out = [0; 600];
        let mut writer = Writer::start(&mut out, edns(512), QUESTION, 0);
        writer.record(Section::Answer, Owner::Qname, 1, 30, &[0; 4]);
        writer.truncate();
        let written = writer.finish(512, &Errors::NONE);
        assert!(written.truncated);
        assert_eq!(written.bytes, HEADER_BYTES + QUESTION.len() + edns::OPT_BYTES);
        assert_eq!((out[7], out[11]), (0, 1));
    }

    #[test]
    fn a_response_taken_over_echoes_id_case_and_flags_of_the_new_query() {
        let mut out = [0; 600];
        let stored = [
            b"\0\0\x85\xa0\0\x01\0\x01\0\0\0\0".as_slice(),
            b"\x07example\x03COM\0\0\x01\0\x01",
            b"\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04\x01\x02\x03\x04",
        ]
        .concat();
        out[..stored.len()].copy_from_slice(&stored);
        let head = Head {
            id: 9,
            recursion_desired: true,
            ..Head::default()
        };
        let len = Writer::resume(&mut out, stored.len(), head, QUESTION)
            .unwrap()
            .finish(512, &Errors::NONE)
            .bytes;
        assert_eq!(len, stored.len());
        assert_eq!(
            &out[..12],
            b"\0\x09\x81\x80\0\x01\0\x01\0\0\0\0",
            "no AA, and no AD for who did not ask"
        );
        assert_eq!(&out[12..12 + QUESTION.len()], QUESTION);
        let other = b"\x07example\x03com\0\0\x1c\0\x01";
        assert!(Writer::resume(&mut out, stored.len(), head, other).is_none());
    }

    #[test]
    fn what_did_not_fit_before_a_pause_is_missed_after_it() {
        let mut out = [0; 600];
        let mut writer = Writer::start(&mut out, edns(512), QUESTION, 0);
        writer.record(Section::Answer, Owner::Qname, 16, 1, &[0; 700]);
        let bytes = writer.pause();
        let writer = Writer::resume(&mut out, bytes, edns(512), QUESTION).unwrap();
        assert!(writer.finish(512, &Errors::NONE).truncated);
    }

    proptest! {
        #[test]
        fn a_response_with_pauses_is_the_one_without_and_its_counts_are_those_of_its_records(
            records in proptest::collection::vec((0usize..3, 1usize..80, any::<bool>()), 0..12),
            with_edns in any::<bool>(),
            with_cookie in any::<bool>(),
            dnssec_ok in any::<bool>(),
            with_error in any::<bool>(),
            limit in 512usize..=1400,
        ) {
            const SECTIONS: [Section; 3] = [Section::Answer, Section::Authority, Section::Additional];
            let mut records = records;
            records.sort_by_key(|record| record.0);
            let head = Head {
                edns: with_edns.then_some(Edns {
                    payload_bytes: 1232,
                    version: 0,
                    dnssec_ok,
                    structured_errors: false,
                    cookie: with_cookie.then_some([9; 24]),
                }),
                ..Head::default()
            };
            let errors = if with_error { Errors::one(4, Text::new("why")) } else { Errors::NONE };
            let write = |out: &mut [u8], pauses: bool| {
                let mut writer = Writer::start(out, head, QUESTION, 0);
                for &(section, rdata_bytes, pause) in &records {
                    writer.record(SECTIONS[section], Owner::Qname, 65_280, 1, &vec![7; rdata_bytes]);
                    if pauses && pause {
                        let bytes = writer.pause();
                        writer = Writer::resume(out, bytes, head, QUESTION).expect("what was written is a response");
                    }
                }
                writer.finish(limit, &errors)
            };
            let (mut paused, mut whole) = ([0; 2000], [0; 2000]);
            let written = write(&mut paused, true);
            prop_assert_eq!(written, write(&mut whole, false));
            let bytes = &paused[..written.bytes];
            prop_assert_eq!(bytes, &whole[..written.bytes]);

            let message = Message::parse(bytes).expect("a response");
            let mut walk = message.records();
            let mut seen = [0u16; 3];
            let mut opts = 0;
            for record in walk.by_ref() {
                let record = record.expect("a whole record");
                seen[record.section as usize] += 1;
                opts += usize::from(record.rtype == rtype::OPT);
            }
            prop_assert_eq!(walk.position(), bytes.len(), "nothing behind the records");
            prop_assert_eq!(seen, SECTIONS.map(|section| message.count(section)));
            prop_assert_eq!(opts, usize::from(with_edns));
            let read = hickory_proto::op::Message::from_vec(bytes).expect("another reader takes it");
            prop_assert_eq!(read.answers.len(), usize::from(seen[0]));
            let options = read.edns.as_ref().map(|edns| &edns.options().options[..]);
            prop_assert_eq!(options.is_some(), with_edns);
            let cookies = options.unwrap_or_default().iter().filter(|(code, _)| u16::from(*code) == cookie::OPTION);
            prop_assert_eq!(cookies.count(), usize::from(with_edns && with_cookie), "whatever else has to give way");
        }
    }
}
