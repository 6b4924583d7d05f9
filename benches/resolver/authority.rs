//! The authorities: every server of the simulated internet, in one process, each at an address of its own, port 53.
//!
//! In: queries over UDP and TCP; lines on standard input that change the weather or ask for counts. Out: responses, late, lost
//! or wrong as the weather has it; what was counted, a line each.
//! Always: a query is counted before it can be lost.

use crate::sign::Signer;
use crate::world::{Temper, World, Zone};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::NS;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::BufRead;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

const TTL_S: u32 = 3600;
/// What a server sends over UDP at most.
const DATAGRAM_BYTES: usize = 1232;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Bad servers are bad; those of zones made to fail always are.
    pub bad_servers: bool,
    pub delays: bool,
    /// In percent, of queries over UDP.
    pub loss: u32,
}

impl Weather {
    /// As the issue that asks for this bench has it.
    pub const ROUGH: Weather = Weather {
        bad_servers: true,
        delays: true,
        loss: 2,
    };
    pub const FAR: Weather = Weather {
        bad_servers: false,
        delays: true,
        loss: 0,
    };
    pub const NEAR: Weather = Weather {
        bad_servers: false,
        delays: false,
        loss: 0,
    };
}

struct Authorities {
    world: World,
    signer: Signer,
    weather: Cell<Weather>,
    /// Queries at each address: over UDP, over TCP.
    counts: RefCell<HashMap<Ipv4Addr, (u64, u64)>>,
}

/// Serves until standard input ends.
pub fn serve(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (lines, mut commands) = tokio::sync::mpsc::unbounded_channel::<String>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let this = Rc::new(Authorities {
            world: World { seed },
            signer: Signer::new(),
            weather: Cell::new(Weather::ROUGH),
            counts: RefCell::default(),
        });
        for address in this.world.addresses() {
            let socket = UdpSocket::bind((address, 53)).await;
            let socket = socket.unwrap_or_else(|error| panic!("{address}, port 53: {error}"));
            tokio::task::spawn_local(Rc::clone(&this).datagrams(address, Rc::new(socket)));
            let listener = TcpListener::bind((address, 53)).await;
            let listener = listener.unwrap_or_else(|error| panic!("{address}, port 53, TCP: {error}"));
            tokio::task::spawn_local(Rc::clone(&this).connections(address, listener));
        }
        // The DS of the root is what resolvers trust.
        println!(
            "{}",
            Record::from_rdata(Name::root(), TTL_S, this.signer.ds(&Name::root()))
        );
        while let Some(line) = commands.recv().await {
            println!("{}", this.obey(&line));
        }
    });
}

impl Authorities {
    fn obey(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["weather", bad, delays, loss] => {
                self.weather.set(Weather {
                    bad_servers: *bad == "true",
                    delays: *delays == "true",
                    loss: loss.parse().expect("a percentage"),
                });
                "done".to_owned()
            }
            // Counts since the last time, of all addresses that begin so.
            ["count", prefix] => {
                let (mut udp, mut tcp) = (0, 0);
                for (address, (datagrams, streams)) in self.counts.borrow_mut().iter_mut() {
                    if address.to_string().starts_with(prefix) {
                        udp += std::mem::take(datagrams);
                        tcp += std::mem::take(streams);
                    }
                }
                format!("{udp} {tcp}")
            }
            other => panic!("no such command: {other:?}"),
        }
    }

    async fn datagrams(self: Rc<Self>, address: Ipv4Addr, socket: Rc<UdpSocket>) {
        let mut buffer = [0; 4096];
        loop {
            // An error here is the word of a resolver that went away.
            let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
                continue;
            };
            self.counts.borrow_mut().entry(address).or_default().0 += 1;
            let weather = self.weather.get();
            if rand::random_range(0..100) < weather.loss {
                continue;
            }
            let Some(reply) = self.respond(&buffer[..length], address, true) else {
                continue;
            };
            match self.delay(address) {
                None => drop(socket.send_to(&reply, peer).await),
                Some(delay) => {
                    let socket = Rc::clone(&socket);
                    tokio::task::spawn_local(async move {
                        tokio::time::sleep(delay).await;
                        let _ = socket.send_to(&reply, peer).await;
                    });
                }
            }
        }
    }

    async fn connections(self: Rc<Self>, address: Ipv4Addr, listener: TcpListener) {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(Rc::clone(&self).stream(address, stream));
            }
        }
    }

    /// One connection: messages one after another, until the resolver closes it.
    async fn stream(self: Rc<Self>, address: Ipv4Addr, mut stream: TcpStream) {
        while let Ok(length) = stream.read_u16().await {
            let mut query = vec![0; usize::from(length)];
            if stream.read_exact(&mut query).await.is_err() {
                return;
            }
            self.counts.borrow_mut().entry(address).or_default().1 += 1;
            let Some(reply) = self.respond(&query, address, false) else {
                continue;
            };
            if let Some(delay) = self.delay(address) {
                tokio::time::sleep(delay).await;
            }
            let mut bytes = (reply.len() as u16).to_be_bytes().to_vec();
            bytes.extend(reply);
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }

    /// The server's own time, and up to a tenth more.
    fn delay(&self, address: Ipv4Addr) -> Option<Duration> {
        let own = self.world.delay_ms(address) * 1000;
        let delay = Duration::from_micros(own + rand::random_range(0..=own / 10));
        self.weather.get().delays.then_some(delay)
    }

    /// What the server at `address` sends back; `None` is silence.
    fn respond(&self, query: &[u8], address: Ipv4Addr, udp: bool) -> Option<Vec<u8>> {
        let query = Message::from_vec(query).ok()?;
        let question = query.queries.first()?.clone();
        let mut reply = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
        reply.add_query(question.clone());
        let signed = query.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
        if query.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(DATAGRAM_BYTES as u16).set_dnssec_ok(signed);
            reply.set_edns(edns);
        }
        // Servers that are bad in all weathers serve the zones made for that.
        let always = matches!(address.octets()[1], 11..=13);
        let temper = match self.weather.get().bad_servers || always {
            true => self.world.temper(address),
            false => Temper::Good,
        };
        match temper {
            Temper::Silent => return None,
            Temper::Refused => reply.metadata.response_code = ResponseCode::Refused,
            Temper::Servfail => reply.metadata.response_code = ResponseCode::ServFail,
            Temper::Lame => {
                let root = Name::from_ascii("ns1.roots.").expect("a name");
                reply.add_authority(Record::from_rdata(Name::root(), TTL_S, RData::NS(NS(root))));
            }
            Temper::Truncates if udp => reply.metadata.truncation = true,
            Temper::Good | Temper::Truncates => {
                self.answer(&question.name, question.query_type, address, signed, &mut reply);
            }
        }
        let bytes = reply.to_bytes().ok()?;
        let most = query
            .edns
            .map_or(512, |edns| usize::from(edns.max_payload()).clamp(512, DATAGRAM_BYTES));
        if udp && bytes.len() > most {
            reply.answers.clear();
            reply.authorities.clear();
            reply.additionals.clear();
            reply.metadata.truncation = true;
            return reply.to_bytes().ok();
        }
        Some(bytes)
    }

    /// What a good server says (RFC 1034 §4.3.2).
    fn answer(&self, qname: &Name, qtype: RecordType, address: Ipv4Addr, signed: bool, reply: &mut Message) {
        let labels: Vec<String> = qname
            .iter()
            .map(|label| String::from_utf8_lossy(label).to_ascii_lowercase())
            .collect();
        let tail = |count: usize| format!("{}.", labels[labels.len() - count..].join("."));
        let chain = self.world.chain(&labels);
        let serves = |(zone, count): &(Zone, usize)| {
            let servers = self.world.servers(*zone, &tail(*count));
            servers.iter().any(|server| server.address == Some(address))
        };
        let Some(at) = chain.iter().rposition(serves) else {
            reply.metadata.response_code = ResponseCode::Refused;
            return;
        };
        let (zone, count) = chain[at];
        let apex = name(&tail(count));
        let own = &labels[..labels.len() - count];
        let signer = (signed && self.world.is_signed(zone)).then_some(&self.signer);
        let sets = |sets: Vec<Vec<Record>>| -> Vec<Record> {
            let mut all = Vec::new();
            for set in sets {
                all.extend(signer.map(|signer| signer.sign(&set, &apex)));
                all.extend(set);
            }
            all
        };
        let set = |owner: &Name, data: Vec<RData>| -> Vec<Record> {
            data.into_iter()
                .map(|data| Record::from_rdata(owner.clone(), TTL_S, data))
                .collect()
        };
        if let Some((below, count)) = chain.get(at + 1) {
            let cut = name(&tail(*count));
            let has_ds = self.world.is_signed(zone) && self.world.is_signed(*below);
            if *count == labels.len() && qtype == RecordType::DS {
                reply.metadata.authoritative = true;
                if has_ds {
                    reply.add_answers(sets(vec![set(&cut, vec![self.signer.ds(&cut)])]));
                } else {
                    self.deny(zone, &apex, &cut, &[RecordType::NS], signer, reply);
                }
                return;
            }
            // The delegation itself is not signed.
            reply.add_authorities(set(&cut, self.world.rdata(*below, &tail(*count), RecordType::NS)));
            if has_ds && signed {
                reply.add_authorities(sets(vec![set(&cut, vec![self.signer.ds(&cut)])]));
            } else if let Some(signer) = signer {
                reply.add_authorities(sets(vec![set(&cut, vec![signer.nsec(&cut, &[RecordType::NS])])]));
            }
            for server in self.world.servers(*below, &tail(*count)) {
                let owner = name(&server.name);
                // Glue: what is within this zone's part of the tree.
                if let Some(address) = server.address.filter(|_| apex.zone_of(&owner)) {
                    reply.add_additional(Record::from_rdata(owner, TTL_S, RData::A(address.into())));
                }
            }
            return;
        }
        reply.metadata.authoritative = true;
        let Some(types) = self.world.types(zone, own) else {
            reply.metadata.response_code = ResponseCode::NXDomain;
            self.deny(zone, &apex, qname, &[], None, reply);
            return;
        };
        let owner = tail(labels.len());
        let owner_name = name(&owner);
        let found = [qtype, RecordType::CNAME]
            .into_iter()
            .find(|rtype| types.contains(rtype));
        match found {
            Some(RecordType::DNSKEY) => {
                reply.add_answers(sets(vec![set(&owner_name, vec![self.signer.dnskey()])]));
            }
            Some(found) => {
                reply.add_answers(sets(vec![set(&owner_name, self.world.rdata(zone, &owner, found))]));
                if found == RecordType::NS {
                    for server in self.world.servers(zone, &owner) {
                        let owner = name(&server.name);
                        if let Some(address) = server.address.filter(|_| apex.zone_of(&owner)) {
                            reply.add_additional(Record::from_rdata(owner, TTL_S, RData::A(address.into())));
                        }
                    }
                }
            }
            None => self.deny(zone, &apex, &owner_name, &types, signer, reply),
        }
    }

    /// SOA and, where the zone is signed, which types there are instead.
    fn deny(
        &self,
        zone: Zone,
        apex: &Name,
        owner: &Name,
        types: &[RecordType],
        signer: Option<&Signer>,
        reply: &mut Message,
    ) {
        let soa = self.world.rdata(zone, &apex.to_ascii(), RecordType::SOA);
        let mut sets: Vec<Vec<Record>> = vec![
            soa.into_iter()
                .map(|data| Record::from_rdata(apex.clone(), 300, data))
                .collect(),
        ];
        if let Some(signer) = signer {
            sets.push(vec![Record::from_rdata(owner.clone(), 300, signer.nsec(owner, types))]);
        }
        for set in sets {
            reply.add_authorities(signer.map(|signer| signer.sign(&set, apex)));
            reply.add_authorities(set);
        }
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("names of this internet are names")
}
