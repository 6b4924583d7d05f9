//! The clients: ask a resolver, and keep their own accounts of times and of what is right.

use crate::world::{Asked, Right};
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, oneshot};

/// How long a client waits.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses that clients ask from, so that bounds for each client are not what is measured.
const CLIENTS: usize = 64;

/// When the next question is asked.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So many a second, whatever comes back.
    PerSecond(u32),
    /// As soon as fewer than this many are waited for.
    Outstanding(usize),
}

/// What became of a question.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// What is right, within [`PATIENCE`].
    pub right: bool,
    /// NOERROR or NXDOMAIN with something else than the zones say.
    pub wrong: bool,
    /// SERVFAIL or another error, within [`PATIENCE`].
    pub failed: bool,
    /// Until any response, or the end of patience.
    pub time: Duration,
    /// The response said that it is validated (AD).
    pub authentic: bool,
}

/// Asks all `names` of `resolver`, each once; outcomes in their order.
pub fn ask(resolver: SocketAddr, names: &[Asked], pace: Pace, dnssec_ok: bool) -> Vec<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, ask_all(resolver, names, pace, dnssec_ok))
}

/// One client's socket and what it waits for, by ID.
struct Client {
    socket: UdpSocket,
    waiting: RefCell<HashMap<u16, oneshot::Sender<Vec<u8>>>>,
}

async fn ask_all(resolver: SocketAddr, names: &[Asked], pace: Pace, dnssec_ok: bool) -> Vec<Outcome> {
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let socket = client_socket(number, resolver);
        let client = Rc::new(Client {
            socket: UdpSocket::from_std(socket).expect("a socket"),
            waiting: RefCell::default(),
        });
        tokio::task::spawn_local(hear(Rc::clone(&client)));
        clients.push(client);
    }
    let (outstanding, every) = match pace {
        Pace::PerSecond(count) => (Semaphore::MAX_PERMITS, Duration::from_secs(1) / count),
        Pace::Outstanding(count) => (count, Duration::ZERO),
    };
    let permits = Arc::new(Semaphore::new(outstanding));
    let start = Instant::now();
    let mut asking = Vec::with_capacity(names.len());
    for (at, asked) in names.iter().enumerate() {
        let permit = Arc::clone(&permits).acquire_owned().await.expect("never closed");
        if !every.is_zero() {
            tokio::time::sleep_until((start + every * at as u32).into()).await;
        }
        let client = Rc::clone(&clients[at % CLIENTS]);
        let id = (at / CLIENTS) as u16;
        let asked = asked.clone();
        asking.push(tokio::task::spawn_local(async move {
            let outcome = one(&client, id, &asked, dnssec_ok).await;
            drop(permit);
            outcome
        }));
    }
    let mut outcomes = Vec::with_capacity(names.len());
    for asking in asking {
        outcomes.push(asking.await.expect("a client does not panic"));
    }
    outcomes
}

async fn one(client: &Client, id: u16, asked: &Asked, dnssec_ok: bool) -> Outcome {
    let query = query(id, &asked.name, dnssec_ok);
    let (tell, told) = oneshot::channel();
    client.waiting.borrow_mut().insert(id, tell);
    let sent = Instant::now();
    // A resolver that is not there is one that does not answer.
    let _ = client.socket.send(&query).await;
    let response = tokio::time::timeout(PATIENCE, told).await;
    let time = sent.elapsed();
    client.waiting.borrow_mut().remove(&id);
    let response = response.ok().and_then(Result::ok);
    let response = response.and_then(|bytes| Message::from_vec(&bytes).ok());
    let (right, said) = response
        .as_ref()
        .map_or((false, false), |response| judge(response, &asked.right));
    Outcome {
        right,
        wrong: said && !right,
        failed: response.is_some() && !said,
        time,
        authentic: response.is_some_and(|response| response.metadata.authentic_data),
    }
}

async fn hear(client: Rc<Client>) {
    let mut buffer = vec![0; 4096];
    loop {
        let Ok(length) = client.socket.recv(&mut buffer).await else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        if length < 12 {
            continue;
        }
        let id = u16::from_be_bytes([buffer[0], buffer[1]]);
        if let Some(tell) = client.waiting.borrow_mut().remove(&id) {
            let _ = tell.send(buffer[..length].to_vec());
        }
    }
}

/// Whether a response is right, and whether it says anything.
fn judge(response: &Message, right: &Right) -> (bool, bool) {
    let code = response.metadata.response_code;
    let says = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
    let addresses: Vec<Ipv4Addr> = response
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::A(address) => Some(address.0),
            _ => None,
        })
        .collect();
    let is_right = match right {
        Right::NxDomain => code == ResponseCode::NXDomain && addresses.is_empty(),
        Right::Address(address) => code == ResponseCode::NoError && addresses == [*address],
        Right::Anything => says,
    };
    (is_right, says)
}

fn query(id: u16, name: &str, dnssec_ok: bool) -> Vec<u8> {
    let mut message = Message::query();
    message.metadata.id = id;
    message.metadata.op_code = OpCode::Query;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), RecordType::A));
    if dnssec_ok {
        let mut edns = hickory_proto::op::Edns::new();
        edns.set_max_payload(1232).set_dnssec_ok(true);
        message.set_edns(edns);
    }
    message.to_bytes().expect("a query can be written")
}

fn client_socket(number: usize, resolver: SocketAddr) -> std::net::UdpSocket {
    let address = Ipv4Addr::new(127, 0, 1, number as u8 + 1);
    let socket = std::net::UdpSocket::bind((address, 0)).expect("addresses of loopback can be bound");
    socket.connect(resolver).expect("a socket can be connected");
    socket.set_nonblocking(true).expect("a socket can be made so");
    socket
}

/// Random names below `zone`, so many a second, from other clients than [`ask`] has, until it is dropped.
pub struct Flood {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Flood {
    pub fn start(resolver: SocketAddr, zone: &str, per_second: u32) -> Flood {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, zone) = (Arc::clone(&stop), zone.to_owned());
        let thread = std::thread::spawn(move || {
            let sockets: Vec<_> = (CLIENTS..3 * CLIENTS)
                .map(|number| client_socket(number, resolver))
                .collect();
            let start = Instant::now();
            let mut buffer = [0; 4096];
            let mut sent: u64 = 0;
            while !stopped.load(Ordering::Relaxed) {
                let due = (start.elapsed().as_secs_f64() * f64::from(per_second)) as u64;
                while sent < due {
                    let socket = &sockets[sent as usize % sockets.len()];
                    let name = format!("r{:x}.{zone}", rand::random::<u64>());
                    let _ = socket.send(&query(sent as u16, &name, false));
                    while socket.recv(&mut buffer).is_ok() {}
                    sent += 1;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        Flood {
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it; how many queries it sent.
    pub fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it ends once");
        thread.join().expect("the flood does not panic")
    }
}
