//! The network between the iterator and the servers, and the clock.

use super::super::task::{Command, Event, Task, Transport, Why};
use super::super::{Engine, EngineSettings, Finding, Found, Trouble, Wanted};
use super::authority::{self, Temper};
use super::zones::{Zone, name};
use crate::config::settings::QnameMinimization;
use crate::dns::name::Name;
use crate::now::Now;
use crate::resolver::validate::Validator;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::IpAddr;
use std::sync::Arc;

/// Something a test decides itself: bytes for a query, in place of the server's.
pub type Script = Arc<dyn Fn(&[u8], Transport) -> Vec<Vec<u8>> + Send + Sync>;

#[derive(Clone)]
pub struct Server {
    pub zones: Vec<Arc<Zone>>,
    pub temper: Temper,
    pub delay_ms: u64,
    pub script: Option<Script>,
}

/// What the network does to packets, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    pub loss: u32,
    pub doubled: u32,
    /// A forgery arrives before the answer.
    pub forged: u32,
    /// Arrives up to so much later than it should.
    pub jitter_ms: u64,
}

/// One query as a server, or nobody, got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub at_ms: u64,
    pub server: IpAddr,
    pub transport: Transport,
    pub qname: Name,
    pub qtype: u16,
    pub bytes: Vec<u8>,
}

pub struct Internet {
    pub servers: BTreeMap<IpAddr, Server>,
    pub weather: Weather,
    pub settings: EngineSettings,
    pub now_ms: u64,
    pub sent: Vec<Sent>,
    /// See [`Engine::resolve_fresh`].
    pub least_left_ms: u64,
    /// Clients want to have it validated.
    pub check: bool,
    random: StdRng,
    /// To be given to the engine when it is made.
    pub validator: Option<Validator>,
    engine: Option<Arc<Engine>>,
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub const ROOT: &str = "198.41.0.4";
/// So that the signatures made for tests are valid at the start, for a day.
pub const UNIX_MS: u64 = 1_800_000_000_000 - 1_000_000;
const TCP_HANDSHAKE: u64 = 1;

impl Internet {
    /// Nobody is there yet; the hints name [`ROOT`].
    pub fn new(seed: u64) -> Internet {
        Internet {
            servers: BTreeMap::new(),
            weather: Weather::default(),
            settings: EngineSettings {
                hints: vec![ip(ROOT)],
                prime: false,
                minimization: QnameMinimization::Relaxed,
                random_case: false,
                ipv4: true,
                ipv6: true,
                edns_buffer: 1232,
                signature_skew_s: 0,
                last_saved_unix_ms: None,
                query_private: Vec::new(),
                memory_bytes: 8 << 20,
            },
            now_ms: 1_000_000,
            sent: Vec::new(),
            least_left_ms: 0,
            check: true,
            random: StdRng::seed_from_u64(seed),
            validator: None,
            engine: None,
        }
    }

    pub fn serve(&mut self, address: &str, zone: &Arc<Zone>) -> &mut Server {
        let server = self.servers.entry(ip(address)).or_insert_with(|| Server {
            zones: Vec::new(),
            temper: Temper::Good,
            delay_ms: 20,
            script: None,
        });
        server.zones.push(Arc::clone(zone));
        server
    }

    /// A zone at one address.
    pub fn zone(&mut self, address: &str, apex: &str, text: &str) -> &mut Server {
        self.serve(address, &Zone::new(apex, text))
    }

    pub fn engine(&mut self) -> Arc<Engine> {
        let settings = &self.settings;
        let validator = self.validator.take();
        let engine = self
            .engine
            .get_or_insert_with(|| Arc::new(Engine::new(settings.clone(), validator, [7, 11])));
        Arc::clone(engine)
    }

    /// The clock as tasks are told it. The wall clock starts in 2027.
    pub fn now(&self) -> Now {
        Now {
            mono_ms: self.now_ms,
            unix_ms: UNIX_MS + self.now_ms,
        }
    }

    /// Resolves to the end, and every errand that came up as well.
    pub fn resolve(&mut self, qname: &str, qtype: u16) -> Result<Found, Trouble> {
        self.resolve_all(&[(qname, qtype)]).remove(0)
    }

    /// Several questions at the same time.
    pub fn resolve_all(&mut self, questions: &[(&str, u16)]) -> Vec<Result<Found, Trouble>> {
        let engine = self.engine();
        let deadline_ms = self.now_ms + 5000;
        let mut run = Run {
            events: BinaryHeap::new(),
            tasks: Vec::new(),
            open: BTreeMap::new(),
            alarms: BTreeMap::new(),
            number: 0,
        };
        for (qname, qtype) in questions {
            let seed = self.random.random();
            let traced = std::env::var_os("TRACE").is_some();
            let wanted = Wanted {
                name: name(qname),
                qtype: *qtype,
                check: self.check,
                least_left_ms: self.least_left_ms,
            };
            let task = engine.resolve(wanted, seed, deadline_ms, traced);
            run.tasks.push(Running::Question(task));
            let at = run.tasks.len() - 1;
            run.schedule(self.now_ms, at, Event::Timer, None);
        }
        let mut results: Vec<Option<Result<Found, Trouble>>> = questions.iter().map(|_| None).collect();
        while let Some(Reverse(due)) = run.events.pop() {
            // What nobody waits for any more does not move the clock.
            let wanted = match due.exchange {
                Some(exchange) => run.open.contains_key(&(due.task, exchange)),
                None => run.alarms.get(&due.task) == Some(&due.at_ms),
            };
            if !wanted {
                continue;
            }
            self.now_ms = self.now_ms.max(due.at_ms);
            let mut commands = Vec::new();
            let result = match &mut run.tasks[due.task] {
                Running::Question(task) => {
                    let result = task.step(self.now(), due.event, &mut commands);
                    for traced in task.take_trace() {
                        println!("{:6} {}", traced.at_ms, traced.step);
                    }
                    result
                }
                Running::Errand(task) => {
                    if task.step(self.now(), due.event, &mut commands).is_some() {
                        run.alarms.remove(&due.task);
                    }
                    None
                }
            };
            for command in commands {
                self.obey(&engine, &mut run, due.task, command);
            }
            if let Some(result) = result {
                results[due.task] = Some(result);
                run.alarms.remove(&due.task);
            }
        }
        results
            .into_iter()
            .map(|result| result.expect("every resolution ends at its deadline"))
            .collect()
    }

    fn obey(&mut self, engine: &Arc<Engine>, run: &mut Run, task: usize, command: Command) {
        match command {
            Command::Cancel(id) => {
                run.open.remove(&(task, id));
            }
            Command::WakeAt(at_ms) => run.schedule(at_ms, task, Event::Timer, None),
            Command::Also(errand) => {
                let seed = self.random.random();
                run.tasks
                    .push(Running::Errand(engine.run(errand, seed, self.now_ms + 5000, false)));
                let at = run.tasks.len() - 1;
                run.schedule(self.now_ms, at, Event::Timer, None);
            }
            Command::Send {
                id,
                server,
                transport,
                bytes,
            } => {
                run.open.insert((task, id), ());
                self.carry(run, task, id, server, transport, bytes);
            }
        }
    }

    fn carry(&mut self, run: &mut Run, task: usize, id: u32, address: IpAddr, transport: Transport, bytes: Vec<u8>) {
        let query = crate::dns::query::Query::parse(&bytes).expect("the iterator sends readable queries");
        self.sent.push(Sent {
            at_ms: self.now_ms,
            server: address,
            transport,
            qname: Name::from_wire(query.qname()).unwrap(),
            qtype: query.qtype,
            bytes: bytes.clone(),
        });
        let Some(server) = self.servers.get(&address).cloned() else {
            return;
        };
        let weather = self.weather;
        let delay = server.delay_ms
            * if transport == Transport::Tcp {
                1 + TCP_HANDSHAKE
            } else {
                1
            };
        if transport == Transport::Tcp && server.temper == Temper::Silent {
            let event = Event::Failed {
                id,
                why: Why::NoConnection,
            };
            run.schedule(self.now_ms + 3000, task, event, Some(id));
            return;
        }
        if server.temper == Temper::Closed {
            let why = Why::PortClosed;
            run.schedule(self.now_ms + delay, task, Event::Failed { id, why }, Some(id));
            return;
        }
        if transport == Transport::Udp && self.random.random_ratio(weather.forged, 100) {
            let mut forged = authority::Reply::to(&bytes);
            forged.id[1] ^= self.random.random_range(1..=255);
            forged.aa = true;
            let poison = super::super::rrset::RRset::of(&forged.qname(), 1, 86_400, &[6, 6, 6, 6]);
            forged.sections[0].push(poison);
            let event = Event::Reply {
                id,
                bytes: forged.bytes(),
            };
            run.schedule(self.now_ms + delay / 2, task, event, Some(id));
        }
        // Both ways can lose it.
        let lost = transport == Transport::Udp && self.random.random_ratio(weather.loss, 100);
        if lost {
            return;
        }
        let replies = match &server.script {
            Some(script) => script(&bytes, transport),
            None => authority::respond(&server.zones, server.temper, transport, &bytes)
                .into_iter()
                .collect(),
        };
        for reply in replies {
            let jitter = match weather.jitter_ms {
                0 => 0,
                most => self.random.random_range(0..most),
            };
            let copies = 1 + u64::from(self.random.random_ratio(weather.doubled, 100));
            for copy in 0..copies {
                let event = Event::Reply {
                    id,
                    bytes: reply.clone(),
                };
                run.schedule(self.now_ms + delay + jitter + copy, task, event, Some(id));
            }
        }
    }

    /// Queries that `address` got.
    pub fn at(&self, address: &str) -> usize {
        self.sent.iter().filter(|sent| sent.server == ip(address)).count()
    }

    /// Asks, and writes what is found as text.
    pub fn ask(&mut self, qname: &str, qtype: u16) -> String {
        match self.resolve(qname, qtype) {
            Ok(found) => text(&found),
            Err(trouble) => format!("failed: {trouble}"),
        }
    }
}

/// `NOERROR alias -> alias -> 192.0.2.1 192.0.2.2`, `NXDOMAIN`, `NODATA`: addresses and other data sorted.
pub fn text(found: &Found) -> String {
    let mut text = match &found.end {
        Finding::Set(_) => "NOERROR".to_owned(),
        Finding::Denied(denial) if denial.nxdomain => "NXDOMAIN".to_owned(),
        Finding::Denied(_) => "NODATA".to_owned(),
        Finding::TooLong => "YXDOMAIN".to_owned(),
    };
    for link in &found.aliases {
        if link.held.set.rtype == crate::dns::rtype::CNAME {
            let target = link.held.set.target().unwrap();
            text += &format!(" -> {}", target.to_string().to_lowercase());
        }
    }
    if let Finding::Set(held) = &found.end {
        let mut data: Vec<String> = held.set.records().map(|rdata| show(held.set.rtype, rdata)).collect();
        data.sort();
        text += &format!(": {}", data.join(" "));
    }
    text
}

pub fn show(rtype: u16, rdata: &[u8]) -> String {
    use crate::dns::rtype::*;
    match rtype {
        A | AAAA => crate::dns::answer::address(rdata).unwrap().to_string(),
        NS | CNAME | PTR | DNAME => Name::from_wire(rdata).unwrap().to_string().to_lowercase(),
        TXT => String::from_utf8_lossy(&rdata[1..]).into_owned(),
        _ => format!("{rdata:02x?}"),
    }
}

enum Running {
    Question(Task<Found>),
    Errand(Task<()>),
}

struct Run {
    events: BinaryHeap<Reverse<Due>>,
    tasks: Vec<Running>,
    open: BTreeMap<(usize, u32), ()>,
    /// When each task that is not done wants to be woken.
    alarms: BTreeMap<usize, u64>,
    number: u64,
}

impl Run {
    fn schedule(&mut self, at_ms: u64, task: usize, event: Event, exchange: Option<u32>) {
        self.number += 1;
        if exchange.is_none() {
            self.alarms.insert(task, at_ms);
        }
        self.events.push(Reverse(Due {
            at_ms,
            number: self.number,
            task,
            exchange,
            event,
        }));
    }
}

struct Due {
    at_ms: u64,
    number: u64,
    task: usize,
    exchange: Option<u32>,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.number == other.number
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}
