//! What the tests of the query road share: a household, a resolver that knows what it was told, queries, and readers.
//!
//! Messages are written and read here with hickory-proto, which shares no code with what is tested.

use async_trait::async_trait;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinDecodable;
use stairgate::activity::ring::Rings;
use stairgate::cache::Cache;
use stairgate::config::settings::{ProfileSettings, Settings};
use stairgate::count::{Count, Counts};
use stairgate::dns::{nameservers, rtype};
use stairgate::generation::{Generation, Generations};
use stairgate::list::set::Gate;
use stairgate::listener::{Listeners, Service};
use stairgate::local::Zones;
use stairgate::now::Now;
use stairgate::policy::Policy;
use stairgate::query::{self, Begun, Peer, Renewal, Transport};
use stairgate::resolver::{Answer, Failure, Question, Resolver};
use stairgate::telemetry::counters::Counters;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A household whose profile `default` denies `blocked.example` and all below it.
pub fn settings() -> Settings {
    let mut settings = Settings::builtin(&std::env::temp_dir());
    settings.lists.clear();
    let mut profile = ProfileSettings::named("default");
    profile.deny = vec![name("blocked.example").into()];
    profile.allow = vec![name("allowed.example").into()];
    settings.profiles = vec![profile];
    settings
}

pub fn name(text: &str) -> stairgate::dns::name::Name {
    stairgate::dns::name::Name::parse(text).unwrap()
}

/// The first generation of these settings.
pub fn generation(settings: Settings) -> Arc<Generation> {
    numbered(settings, 1)
}

pub fn numbered(settings: Settings, number: u64) -> Arc<Generation> {
    built(settings, Gate::default(), number)
}

/// A generation of these settings over a compiled gate, later than all before: what a cache notes holds for one generation.
pub fn with_gate(settings: Settings, gate: Gate) -> Arc<Generation> {
    static NUMBER: AtomicU64 = AtomicU64::new(2);
    built(settings, gate, NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The generation of this number.
pub fn built(settings: Settings, gate: Gate, number: u64) -> Arc<Generation> {
    Arc::new(Generation {
        number,
        policy: Policy::build_at(&gate, &settings, &[], now().unix_s()).unwrap(),
        gate: Arc::new(gate),
        local: Zones::build(&settings).unwrap(),
        settings: Arc::new(settings),
    })
}

pub fn cache() -> Cache {
    Cache::new(1 << 20, Duration::ZERO, Duration::from_secs(86_400))
}

/// A moment long after the start.
pub fn now() -> Now {
    Now {
        mono_ms: 10_000_000,
        unix_ms: 1_700_000_000_000,
    }
}

/// A query in the making.
#[derive(Clone)]
pub struct Ask {
    pub message: Message,
}

/// A recursive query of class IN, without OPT.
pub fn ask(name: &str, rtype: &str) -> Ask {
    let mut message = Message::new(0x5a5a, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), record_type(rtype)));
    Ask { message }
}

impl Ask {
    pub fn edns(mut self, payload: u16, dnssec_ok: bool) -> Ask {
        let mut edns = Edns::new();
        edns.set_max_payload(payload).set_dnssec_ok(dnssec_ok);
        self.message.set_edns(edns);
        self
    }

    /// Adds an option to the OPT record.
    pub fn option(mut self, code: u16, data: &[u8]) -> Ask {
        let edns = self.message.edns.as_mut().expect("an OPT record");
        edns.options_mut().insert(EdnsOption::Unknown(code, data.to_vec()));
        self
    }

    pub fn id(mut self, id: u16) -> Ask {
        self.message.metadata.id = id;
        self
    }

    pub fn class(mut self, class: DNSClass) -> Ask {
        self.message.queries[0].set_query_class(class);
        self
    }

    pub fn no_recursion(mut self) -> Ask {
        self.message.metadata.recursion_desired = false;
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.message.to_vec().unwrap()
    }
}

fn record_type(text: &str) -> RecordType {
    match text {
        "IXFR" => RecordType::from(251),
        "OPT" => RecordType::from(41),
        _ => RecordType::from_str(text).unwrap(),
    }
}

/// A message as a resolver gives it: each record is `NAME TTL TYPE DATA`; an SOA stands in the authority section.
pub fn message(question: &str, rtype: &str, rcode: u16, records: &[&str]) -> Vec<u8> {
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.metadata.recursion_available = true;
    message.metadata.response_code = ResponseCode::from(0, rcode as u8);
    message.add_query(Query::query(
        Name::from_str(question).unwrap(),
        RecordType::from_str(rtype).unwrap(),
    ));
    for line in records {
        let mut words = line.splitn(4, ' ');
        let owner = Name::from_str(words.next().unwrap()).unwrap();
        let ttl = words.next().unwrap().parse().unwrap();
        let rtype = RecordType::from_str(words.next().unwrap()).unwrap();
        let data = RData::try_from_str(rtype, words.next().unwrap()).unwrap();
        let record = Record::from_rdata(owner, ttl, data);
        match rtype {
            RecordType::SOA => message.add_authority(record),
            _ => message.add_answer(record),
        };
    }
    message.to_vec().unwrap()
}

/// A resolver that says what it was told to say, and fails for all else.
#[derive(Default)]
pub struct Script {
    answers: Mutex<HashMap<(stairgate::dns::name::Name, u16), Result<Answer, Failure>>>,
    /// Names whose answers are held back until told.
    held: Mutex<HashMap<stairgate::dns::name::Name, Arc<tokio::sync::Semaphore>>>,
    pub asked: AtomicUsize,
}

impl Script {
    pub fn new() -> Arc<Script> {
        Arc::default()
    }

    /// Answers `question` and `rtype` with these records, see [`message`].
    pub fn says(self: &Arc<Script>, question: &str, rtype: &str, rcode: u16, records: &[&str]) -> Arc<Script> {
        self.gives(question, rtype, Ok(message(question, rtype, rcode, records)))
    }

    pub fn gives(self: &Arc<Script>, question: &str, rtype: &str, result: Result<Vec<u8>, Failure>) -> Arc<Script> {
        let rtype = u16::from(RecordType::from_str(rtype).unwrap());
        let result = result.map(|message| Answer {
            message,
            ede: Vec::new(),
        });
        self.answers.lock().unwrap().insert((name(question), rtype), result);
        Arc::clone(self)
    }

    /// Has this INFO-CODE come with an answer that is there.
    pub fn remarks(self: &Arc<Script>, question: &str, rtype: &str, info_code: u16) -> Arc<Script> {
        let rtype = u16::from(RecordType::from_str(rtype).unwrap());
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.get_mut(&(name(question), rtype)).unwrap().as_mut().unwrap();
        answer.ede.push((info_code, "why".to_owned()));
        drop(answers);
        Arc::clone(self)
    }

    /// Says who serves the zones on the way to `question`: names and addresses.
    pub fn served(self: &Arc<Script>, question: &str, names: &[&str], addresses: &[&str]) -> Arc<Script> {
        let names: Vec<_> = names.iter().map(|text| name(text)).collect();
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        let answer = Answer {
            message: nameservers::write(&name(question), 60, &names, addresses),
            ede: Vec::new(),
        };
        let key = (name(question), rtype::NAMESERVERS);
        self.answers.lock().unwrap().insert(key, Ok(answer));
        Arc::clone(self)
    }

    /// Holds back answers about `question` until the semaphore has a permit for each.
    pub fn holds(self: &Arc<Script>, question: &str) -> Arc<tokio::sync::Semaphore> {
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        self.held.lock().unwrap().insert(name(question), Arc::clone(&gate));
        gate
    }

    fn answer(&self, question: &Question) -> Result<Answer, Failure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let key = (question.name.clone(), question.qtype);
        self.answers
            .lock()
            .unwrap()
            .get(&key)
            .cloned()
            .unwrap_or(Err(Failure::Unreachable))
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Resolver for Script {
    async fn resolve(&self, question: &Question, _deadline: Instant) -> Result<Answer, Failure> {
        let held = self.held.lock().unwrap().get(&question.name).cloned();
        if let Some(held) = held {
            held.acquire().await.unwrap().forget();
        }
        self.answer(question)
    }
}

/// One client's view of the query road, without sockets.
pub struct Road {
    pub generation: Arc<Generation>,
    pub cache: Cache,
    pub script: Arc<Script>,
    pub peer: Peer,
    pub now: Now,
}

/// What a query came to.
pub struct Came {
    /// Empty where there is no response.
    pub bytes: Vec<u8>,
    pub counts: Counts,
    /// What the resolver is to renew beside it.
    pub renewal: Option<Box<Renewal>>,
}

impl Road {
    pub fn new(settings: Settings, script: &Arc<Script>) -> Road {
        Road {
            generation: generation(settings),
            cache: cache(),
            script: Arc::clone(script),
            peer: Peer {
                address: "127.0.0.1:40000".parse().unwrap(),
                transport: Transport::Udp,
            },
            now: now(),
        }
    }

    /// Walks the whole road with the bytes of one query.
    pub fn walk(&self, bytes: &[u8]) -> Came {
        let mut out = vec![0; 65_535];
        let (mut begun, mut counts) =
            query::begin(&self.generation, &self.cache, bytes, &self.peer, self.now, &mut out);
        loop {
            match begun {
                Begun::Respond(len) => {
                    out.truncate(len);
                    return Came {
                        bytes: out,
                        counts,
                        renewal: None,
                    };
                }
                Begun::RespondAndRenew(len, renewal) => {
                    out.truncate(len);
                    return Came {
                        bytes: out,
                        counts,
                        renewal: Some(renewal),
                    };
                }
                Begun::Drop => {
                    return Came {
                        bytes: Vec::new(),
                        counts,
                        renewal: None,
                    };
                }
                Begun::Pending(pending) => {
                    let result = self.script.answer(pending.question());
                    let (next, more) = query::finish(pending, result, &self.cache, self.now, &mut out);
                    (begun, counts) = (next, counts.union(more));
                }
            }
        }
    }

    pub fn ask(&self, ask: &Ask) -> Came {
        self.walk(&ask.bytes())
    }
}

impl Came {
    pub fn message(&self) -> Message {
        read(&self.bytes)
    }

    pub fn counted(&self, count: Count) -> bool {
        self.counts.contains(count)
    }
}

pub fn read(bytes: &[u8]) -> Message {
    Message::from_bytes(bytes).unwrap_or_else(|error| panic!("not a message: {error}: {bytes:02x?}"))
}

/// `NAME TTL TYPE DATA` of each record of the answer section.
pub fn answers(message: &Message) -> Vec<String> {
    let line = |record: &Record| {
        let data = record.data.to_string();
        format!("{} {} {} {data}", record.name, record.ttl, record.record_type())
    };
    message.answers.iter().map(line).collect()
}

/// INFO-CODE and EXTRA-TEXT of each Extended DNS Error, read from the bytes at the end, where the OPT record stands.
pub fn errors(bytes: &[u8]) -> Vec<(u16, String)> {
    let message = read(bytes);
    let Some(edns) = &message.edns else { return Vec::new() };
    let mut errors = Vec::new();
    for (code, option) in &edns.options().options {
        if u16::from(*code) == 15 {
            let bytes: Vec<u8> = option.try_into().unwrap();
            errors.push((
                u16::from_be_bytes([bytes[0], bytes[1]]),
                String::from_utf8(bytes[2..].to_vec()).unwrap(),
            ));
        }
    }
    errors
}

/// A server on loopback sockets.
pub struct Server {
    pub listeners: Listeners,
    pub generations: Arc<Generations>,
    pub cache: Arc<Cache>,
    pub counters: Arc<Counters>,
    pub activity: Arc<Rings>,
    pub address: SocketAddr,
}

impl Server {
    /// Listens on a free port of `ip`.
    pub fn start(ip: &str, settings: Settings, resolver: Arc<dyn Resolver>) -> Server {
        let generations = Arc::new(Generations::new(generation(settings)));
        let counters = Arc::new(Counters::new());
        let cache = Arc::new(cache());
        let activity = Arc::new(Rings::default());
        let service = Service {
            generations: Arc::clone(&generations),
            cache: Arc::clone(&cache),
            resolver,
            counters: Arc::clone(&counters),
            activity: Arc::clone(&activity),
        };
        let address = SocketAddr::new(ip.parse().unwrap(), 0);
        let listeners = Listeners::start(&[address], 2, service).unwrap();
        let address = listeners.addresses()[0];
        Server {
            listeners,
            generations,
            cache,
            counters,
            activity,
            address,
        }
    }
}

/// A UDP socket of a client that gives up after five seconds.
pub fn udp(ip: &str) -> std::net::UdpSocket {
    let socket = std::net::UdpSocket::bind((ip, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

/// Sends a query and returns what comes back.
pub fn exchange(socket: &std::net::UdpSocket, to: SocketAddr, query: &[u8]) -> Vec<u8> {
    socket.send_to(query, to).unwrap();
    let mut buffer = vec![0; 65_535];
    let (len, from) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(from, to, "the response comes from the address that was asked");
    buffer.truncate(len);
    buffer
}
