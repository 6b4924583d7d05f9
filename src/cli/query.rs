//! `stairgate query`: resolves a name as the settings say, here and now, and prints the whole response.
//!
//! It builds the same local zones and the same resolver that `serve` builds, and asks them itself: no running server is
//! needed, none is asked, and its cache and its failures have no part in the answer. Policy has none either: what it would
//! make of the name is `stairgate explain`'s to say.

use super::{Exit, Failure, Outcome, settings};
use crate::clock;
use crate::config::settings::Settings;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::list::rdata::{type_name, type_number};
use crate::local::{self, Zones};
use crate::resolver::forward::Trust;
use crate::resolver::{self, Answer, Question, Stack};
use crate::telemetry;
use hickory_proto::op::Message;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name to look up
    #[arg(allow_hyphen_values = true)]
    name: String,
    /// The type of records: A, AAAA, MX, HTTPS, TYPE123
    #[arg(default_value = "A", value_name = "TYPE")]
    qtype: String,
    /// Tell on standard error which servers are asked and what comes of it
    #[arg(long)]
    trace: bool,
    /// Settings file; without it the built-in home example
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    let question = question(&args.name, &args.qtype)?;
    if args.trace {
        telemetry::trace_init().map_err(Failure::failed)?;
    }
    let settings = settings::load(args.config.as_deref())?;
    let zones = Zones::build(&settings).map_err(Failure::usage)?;
    let stack = resolver::build(&settings, Trust::public()).map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("no runtime for sockets: {error}")))?;

    let started_ms = clock::now().mono_ms;
    let resolved = runtime.block_on(resolve(&zones, &stack, &settings, &question));
    let took_ms = clock::now().mono_ms - started_ms;
    if args.trace {
        let sums: Vec<String> = stack
            .counters
            .all()
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        eprintln!(
            "in all: {}",
            if sums.is_empty() {
                "nobody was asked".to_owned()
            } else {
                sums.join(", ")
            }
        );
    }
    let (answer, from) = resolved?;
    print(&mut io::stdout().lock(), &answer, from, took_ms)?;
    Ok(Exit::Done)
}

/// The question that the command line asks.
fn question(name: &str, qtype: &str) -> Result<Question, Failure> {
    let name = Name::parse(name).map_err(|error| Failure::usage(format_args!("{name:?} is not a name: {error}")))?;
    let number = type_number(qtype).ok_or_else(|| {
        Failure::usage(format_args!(
            "{qtype:?} is not a type; write a mnemonic such as AAAA, or TYPE28"
        ))
    })?;
    // RFC 6895 §3.1: OPT, and of 128 to 255 all but ANY, are for messages, not for data; 0 and 65535 are reserved.
    if matches!(number, 0 | rtype::OPT | 128..=254 | u16::MAX) {
        return Err(Failure::usage(format_args!(
            "{} is not a type of records",
            type_name(number)
        )));
    }
    Ok(Question {
        name,
        qtype: number,
        dnssec_ok: false,
        checking_disabled: false,
    })
}

/// Answers as the query road does with policy left out: local zones first, then the resolver. With the answer, who gave it.
async fn resolve(
    zones: &Zones,
    stack: &Stack,
    settings: &Settings,
    question: &Question,
) -> Result<(Answer, &'static str), Failure> {
    let deadline = clock::instant() + settings.resolver.deadline;
    let mut message = Vec::new();
    let Some(local) = zones.answer(question.name.as_wire(), question.qtype, &mut message) else {
        let answer = stack.resolver.resolve(question, deadline).await;
        return Ok((answer.map_err(|failure| failed(question, &failure))?, "resolver"));
    };
    let Some(target) = local.follow else {
        let answer = Answer {
            message,
            ede: Vec::new(),
        };
        return Ok((answer, "local zones"));
    };
    let rest = Question {
        name: target,
        ..question.clone()
    };
    let rest = stack
        .resolver
        .resolve(&rest, deadline)
        .await
        .map_err(|failure| failed(&rest, &failure))?;
    let message = local::append(&message, &rest.message).ok_or_else(|| {
        Failure::failed(format_args!(
            "{}: the alias and its target make no message",
            question.name
        ))
    })?;
    Ok((Answer { message, ede: rest.ede }, "local zones and resolver"))
}

/// One sentence: what was asked, why there is no answer, and the Extended DNS Errors a client would get with it.
fn failed(question: &Question, failure: &resolver::Failure) -> Failure {
    let errors: String = failure.ede().iter().map(|(code, text)| ede(*code, text)).collect();
    let qtype = type_name(question.qtype);
    Failure::failed(format_args!(
        "{} {qtype}: {failure}; a client gets SERVFAIL{errors}",
        question.name
    ))
}

fn ede(code: u16, text: &str) -> String {
    match text {
        "" => format!(", EDE {code}"),
        text => format!(", EDE {code} ({text})"),
    }
}

/// Prints the response, records as master files have them, everything else as comments of one.
fn print(out: &mut impl Write, answer: &Answer, from: &str, took_ms: u64) -> Result<(), Failure> {
    let message = Message::from_vec(&answer.message)
        .map_err(|error| Failure::failed(format_args!("the answer does not read: {error}")))?;
    let head = &message.metadata;
    let flags = [
        (head.authoritative, "aa"),
        (head.truncation, "tc"),
        (head.recursion_available, "ra"),
        (head.authentic_data, "ad"),
        (head.checking_disabled, "cd"),
    ];
    let flags: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
    writeln!(
        out,
        ";; status: {}; flags: {}",
        status(u16::from(head.response_code)),
        flags.join(" ")
    )?;
    for (code, text) in &answer.ede {
        writeln!(out, ";; extended error{}", &ede(*code, text)[1..])?;
    }
    section(out, "question", message.queries.iter().map(|query| format!(";{query}")))?;
    section(out, "answer", &message.answers)?;
    section(out, "authority", &message.authorities)?;
    section(out, "additional", &message.additionals)?;
    writeln!(
        out,
        "\n;; from {from} in {took_ms} ms; policy not asked, see `stairgate explain`"
    )?;
    out.flush()?;
    Ok(())
}

fn section(out: &mut impl Write, what: &str, lines: impl IntoIterator<Item = impl Display>) -> io::Result<()> {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_some() {
        writeln!(out, "\n;; {what}")?;
    }
    lines.try_for_each(|line| writeln!(out, "{line}"))
}

/// A response code by its mnemonic (IANA "DNS RCODEs").
fn status(rcode: u16) -> String {
    let known = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    ];
    known
        .get(usize::from(rcode))
        .map_or_else(|| format!("RCODE{rcode}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::message::Builder;
    use std::net::UdpSocket;

    /// Settings that forward to a server of this process, which gives `answer` to each query.
    fn forwarding(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> (Settings, tempfile::TempDir) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                if let Some(mut response) = answer(&query[..length]) {
                    response[..2].copy_from_slice(&query[..2]);
                    socket.send_to(&response, from).unwrap();
                }
            }
        });
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("stairgate.toml");
        let text = format!(
            "version = 1\n[resolver]\nmode = \"forward\"\nforward = [\"127.0.0.1:{port}\"]\ndeadline = \"1s\"\n\
             query_private = [\"127.0.0.0/8\"]\n[[record]]\nname = \"alias.home.arpa\"\ndata = [\"CNAME www.example.com.\"]\n"
        );
        std::fs::write(&file, text).unwrap();
        (settings::load(Some(&file)).unwrap(), folder)
    }

    fn printed(settings: &Settings, name: &str, qtype: &str) -> Result<String, Failure> {
        let zones = Zones::build(settings).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        let stack = resolver::build(settings, Trust::public()).unwrap();
        let question = question(name, qtype)?;
        let (answer, from) = runtime.block_on(resolve(&zones, &stack, settings, &question))?;
        let mut out = Vec::new();
        print(&mut out, &answer, from, 7)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn address(_: &[u8]) -> Option<Vec<u8>> {
        Some(Builder::new("www.example.com", rtype::A).a(300).build())
    }

    #[test]
    fn what_the_upstream_answers_is_printed_section_by_section() {
        let (settings, _folder) = forwarding(address);
        let text = printed(&settings, "www.example.com", "a").unwrap();
        assert!(
            text.starts_with(";; status: NOERROR; flags: ra\n\n;; question\n;www.example.com"),
            "{text}"
        );
        assert!(
            text.contains("\n;; answer\nwww.example.com. 300 IN A 192.0.2.1\n"),
            "{text}"
        );
        assert!(!text.contains(";; authority"), "{text}");
        assert!(
            text.ends_with("from resolver in 7 ms; policy not asked, see `stairgate explain`\n"),
            "{text}"
        );
    }

    #[test]
    fn local_names_need_no_upstream_and_local_aliases_are_followed_to_it() {
        let (settings, _folder) = forwarding(address);
        let text = printed(&settings, "localhost", "A").unwrap();
        assert!(
            text.contains("A 127.0.0.1\n") && text.contains(";; from local zones in"),
            "{text}"
        );
        let text = printed(&settings, "alias.home.arpa", "A").unwrap();
        assert!(
            text.contains("CNAME www.example.com.") && text.contains("A 192.0.2.1"),
            "{text}"
        );
        assert!(text.contains(";; from local zones and resolver"), "{text}");
    }

    #[test]
    fn a_failure_is_one_sentence_with_what_a_client_would_get() {
        let (settings, _folder) = forwarding(|_| None);
        let failure = printed(&settings, "www.example.com", "A").unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert_eq!(
            failure.sentence,
            "www.example.com. A: no server answered in time; a client gets SERVFAIL, EDE 22"
        );
    }

    #[test]
    fn what_cannot_be_asked_is_a_usage_error() {
        for (name, qtype) in [
            ("a..b", "A"),
            ("a.example", "WHAT"),
            ("a.example", "AXFR"),
            ("a.example", "TYPE41"),
        ] {
            assert_eq!(question(name, qtype).unwrap_err().exit, Exit::Usage, "{name} {qtype}");
        }
        assert_eq!(question("a.example", "ANY").unwrap().qtype, rtype::ANY);
        assert_eq!(question("a.example", "type65").unwrap().qtype, rtype::HTTPS);
    }
}
