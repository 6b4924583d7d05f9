//! What a household costs: a decision for a person with windows, a quota and a grant beside one for a client with the profile alone; the
//! policy tables of a million persons; a household file of ten thousand persons with thirty rules each; how soon a change by command is in force in
//! a household of fifty.
//!
//! In: the lists of the corpus (`STAIRGATE_CORPUS`, `STAIRGATE_GATE` as for `udp`). Out: figures on standard output, medians of interleaved
//! rounds. Fails only without the data.
//!
//! `policy decide with|without COUNT` makes so many decisions, for counting instructions (`--toggle-collect='*decide_all*'`).

mod road;

use ipnet::{IpNet, Ipv4Net};
use jiff::tz::TimeZone;
use road::{blocked, cached, gate, open, sources};
use stairgate::config::household::*;
use stairgate::config::settings::{ClientSettings, ProfileSettings, Settings};
use stairgate::dns::key::Key;
use stairgate::dns::name::Name;
use stairgate::dns::rtype;
use stairgate::list::set::Gate;
use stairgate::policy::{Met, Policy};
use stairgate::schedule::Window;
use stairgate::schedule::quota::Period;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const NAMES: usize = 20_000;
const ROUNDS: usize = 15;
/// A Tuesday evening in Berlin.
const EVENING_S: u64 = 1_796_155_200;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let file = gate();
    let gate = open(&file);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => {
            decisions(&gate);
            million(&gate);
            file_of_many(&gate);
            edits(&file);
        }
        ["decide", which, count] => {
            let policy = policy(&gate, *which == "with");
            let names = names();
            let count = count.parse().expect("COUNT is a number");
            println!("{}", decide_all(&policy, &gate, &names[..names.len().min(count)]));
        }
        _ => panic!("usage: policy | policy decide with|without COUNT"),
    }
}

/// Half of them listed, half not.
fn names() -> Vec<Key> {
    let everything = road::generation(&gate());
    let listed = blocked(&everything);
    let both = listed
        .iter()
        .take(NAMES / 2)
        .zip(cached(&everything).into_iter().cycle());
    both.flat_map(|(listed, other)| [listed.clone(), other])
        .map(|name| Key::parse(&name).expect("a name"))
        .collect()
}

fn everyone() -> Subjects {
    Subjects {
        everyone: true,
        ..Subjects::default()
    }
}

fn services(ids: &[&str]) -> Target {
    Target {
        services: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..Target::default()
    }
}

fn window(from: &str, to: &str, block: Target) -> WindowSettings {
    WindowSettings {
        name: "window".to_owned(),
        line: 1,
        subjects: everyone(),
        when: Window::parse("every day", from, to).expect("a window"),
        block,
        allow: Target::default(),
        reach: Target::default(),
    }
}

fn person(id: usize, profile: &str, own: Vec<OwnName>) -> Person {
    Person {
        id: format!("p{id}"),
        name: String::new(),
        profile: profile.to_owned(),
        zone: TimeZone::UTC,
        allow: Vec::new(),
        deny: own,
        log: Default::default(),
    }
}

fn client(number: usize, profile: &str, person: Option<u32>) -> ClientSettings {
    let address = Ipv4Addr::from(0x0a00_0000 + number as u32);
    ClientSettings {
        name: format!("c{number}"),
        tags: Vec::new(),
        networks: vec![IpNet::V4(Ipv4Net::new_assert(address, 32))],
        profile: profile.to_owned(),
        person,
    }
}

fn settings(gate: &Gate) -> Settings {
    let mut settings = Settings::builtin(&std::env::temp_dir());
    settings.lists.clear();
    settings.profiles = vec![ProfileSettings {
        every_category: false,
        block: sources(gate),
        ..ProfileSettings::blocking_everything()
    }];
    settings
}

/// One client with the profile; `with` a person, three windows of which one holds, a quota, a grant and five own names.
fn policy(gate: &Gate, with: bool) -> Policy {
    let mut settings = settings(gate);
    settings.clients = vec![client(1, "default", with.then_some(0))];
    if with {
        let own = (0..5).map(|number| Name::parse(&format!("own{number}.example")).expect("a name").into());
        settings.household = Some(Household {
            people: vec![person(0, "default", own.collect())],
            windows: vec![
                window("17:00", "22:00", services(&["tiktok"])),
                window(
                    "22:00",
                    "7:00",
                    Target {
                        internet: true,
                        ..Target::default()
                    },
                ),
                window("8:00", "13:00", services(&["youtube"])),
            ],
            quotas: vec![QuotaSettings {
                name: "games".to_owned(),
                line: 1,
                subjects: everyone(),
                of: services(&["roblox", "steam"]),
                limit: Duration::from_secs(3600),
                per: Period::Day,
                carry: Duration::ZERO,
                reach: Target::default(),
            }],
            grants: vec![GrantSettings {
                name: "grant".to_owned(),
                line: 1,
                subjects: everyone(),
                allow: services(&["discord"]),
                from: None,
                until: EVENING_S as i64 + 3600,
            }],
            ..Household::default()
        });
    }
    Policy::build_at(gate, &settings, &[], EVENING_S).unwrap_or_else(|error| panic!("{error}"))
}

#[inline(never)]
fn decide_all(policy: &Policy, gate: &Gate, names: &[Key]) -> usize {
    let mut acted = 0;
    for key in names {
        let asker = policy.client([10, 0, 0, 1].into(), EVENING_S).expect("a client");
        acted += usize::from(policy.decide(gate, &asker, key, Met::Question, rtype::A).acts());
    }
    acted
}

fn decisions(gate: &Gate) {
    let names = names();
    let policies = [policy(gate, false), policy(gate, true)];
    let mut times: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (policy, times) in policies.iter().zip(&mut times) {
            let started = Instant::now();
            black_box(decide_all(policy, gate, &names));
            times.push(started.elapsed().as_nanos() as f64 / names.len() as f64);
        }
    }
    let [without, with] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!(
        "a decision with the client looked up: {without:.0} ns by the profile alone, {with:.0} ns for a person with windows, quota, grant and own names: {:.0} ns more (asked: 100)",
        with - without
    );
}

/// A million persons with five own names each, of a thousand profiles.
fn million(gate: &Gate) {
    const PEOPLE: usize = 1_000_000;
    let mut settings = settings(gate);
    let base = settings.profiles.remove(0);
    settings.profiles = (0..1000)
        .map(|number| ProfileSettings {
            name: format!("profile{number}"),
            ..base.clone()
        })
        .collect();
    settings.server.unmatched = stairgate::config::settings::Unmatched::Refuse;
    settings.clients = (0..PEOPLE)
        .map(|number| client(number, &settings.profiles[number % 1000].name, Some(number as u32)))
        .collect();
    let own = |person: usize| {
        let names = (0..5).map(|number| Name::parse(&format!("site{}.example", (person * 7 + number) % 100_000)));
        names.map(|name| name.expect("a name").into()).collect()
    };
    let people = (0..PEOPLE).map(|number| person(number, &settings.profiles[number % 1000].name, own(number)));
    settings.household = Some(Household {
        people: people.collect(),
        windows: vec![window(
            "21:00",
            "7:00",
            Target {
                internet: true,
                ..Target::default()
            },
        )],
        ..Household::default()
    });
    let started = Instant::now();
    let policy = Policy::build_at(gate, &settings, &[], EVENING_S).unwrap_or_else(|error| panic!("{error}"));
    let built = started.elapsed();
    settings.household = None;
    settings.clients.clear();
    let nobody = Policy::build_at(gate, &settings, &[], EVENING_S).unwrap_or_else(|error| panic!("{error}"));
    println!(
        "{PEOPLE} persons of 1000 profiles with five own names each: {:.1} bytes a person (asked: 150), clients included; policy made in {:.1} s",
        (policy.size_bytes() - nobody.size_bytes()) as f64 / PEOPLE as f64,
        built.as_secs_f64()
    );
}

/// A household file of ten thousand persons, each with a device and thirty rules.
fn file_of_many(gate: &Gate) {
    const PEOPLE: usize = 10_000;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut text = String::from("timezone = \"Europe/Berlin\"\n[profile.child]\nblock = []\nservices = [\"tiktok\"]\n");
    for person in 0..PEOPLE {
        let names: Vec<String> = (0..30)
            .map(|rule| format!("\"site{}.example\"", person * 30 + rule))
            .collect();
        let _ = writeln!(
            text,
            "[person.p{person}]\nprofile = \"child\"\ndeny = [{}]\n[[device]]\nname = \"d{person}\"\nperson = \"p{person}\"\nmatch = [\"10.{}.{}.1\"]",
            names.join(", "),
            person / 256,
            person % 256
        );
    }
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a writable folder");
    write("household.toml", &text);
    write(
        "stairgate.toml",
        "version = 1\nhousehold = \"household.toml\"\n[server]\nunmatched = \"open\"\n",
    );
    let started = Instant::now();
    let loaded = Settings::load(&folder.path().join("stairgate.toml")).unwrap_or_else(|error| panic!("{error}"));
    let read = started.elapsed();
    let policy = Policy::build_at(gate, &loaded.settings, &[], EVENING_S).unwrap_or_else(|error| panic!("{error}"));
    println!(
        "{PEOPLE} persons with 30 rules each, a file of {:.1} MB: read in {:.2} s, in force {:.2} s after its first byte (asked: 1)",
        text.len() as f64 / 1e6,
        read.as_secs_f64(),
        started.elapsed().as_secs_f64()
    );
    black_box(policy.size_bytes());
}

/// Changes by command beside a running server, in a household of fifty, while another client asks all the time.
fn edits(gate: &Path) {
    const EDITS: usize = 60;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a writable folder");
    let mut text = String::from("version = 1\n[profile.default]\nblock = []\n");
    for person in 0..50 {
        let _ = writeln!(
            text,
            "[person.p{person}]\nprofile = \"default\"\n[[device]]\nname = \"d{person}\"\nperson = \"p{person}\"\nmatch = [\"127.0.7.{person}\"]\n\
             [[window]]\nfor = [\"p{person}\"]\nfrom = \"23:00\"\nto = \"23:01\"\nblock = [\"internet\"]"
        );
    }
    write("household.toml", &text);
    let address = SocketAddr::from(([127, 0, 7, 200], 5355));
    write(
        "stairgate.toml",
        &format!(
            "version = 1\nstate_dir = \"var\"\ngate = {:?}\nhousehold = \"household.toml\"\n[server]\nlisten = [\"{address}\"]\n\
             [resolver]\nmode = \"forward\"\nforward = [\"udp://127.0.7.201\"]\n",
            std::path::absolute(gate).expect("a path")
        ),
    );
    let mut server = Command::new(env!("CARGO_BIN_EXE_stairgate"))
        .args(["serve", "--config", "stairgate.toml"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let socket = folder.path().join("var/control.sock");
    let control = (0..600).find_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        UnixStream::connect(&socket).ok()
    });
    let mut control = BufReader::new(control.expect("the server starts within a minute"));
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut took = Vec::new();
    std::thread::scope(|scope| {
        let lost = scope.spawn(|| {
            let socket = client_at(address, 201);
            let mut lost = 0;
            while !done.load(Ordering::Relaxed) {
                // Local names are answered without anybody else.
                lost += usize::from(ask(&socket, "localhost").is_none());
                asked.fetch_add(1, Ordering::Relaxed);
            }
            lost
        });
        let phone = client_at(address, 3);
        for edit in 0..EDITS {
            let list = if edit % 2 == 0 { "block" } else { "allow" };
            let line = format!(
                "{{\"command\":\"household\",\"asked\":{{\"household\":\"edit\",\"edit\":{{\"edit\":\"own-name\",\"list\":\"{list}\",\"name\":\"bench.example\",\"who\":[\"p3\"]}}}}}}\n"
            );
            let started = Instant::now();
            control.get_mut().write_all(line.as_bytes()).expect("the server reads");
            let mut answer = String::new();
            control.read_line(&mut answer).expect("the server answers");
            took.push(started.elapsed());
            assert!(answer.contains("\"in_force\":true"), "{answer}");
            // What is allowed would be asked of an upstream that there is not.
            if list == "block" {
                let rcode = ask(&phone, "bench.example").map(|answer| answer[3] & 15);
                assert_eq!(rcode, Some(0), "it is in force");
            }
        }
        done.store(true, Ordering::Relaxed);
        let lost = lost.join().expect("a client");
        took.sort();
        println!(
            "a change by command in a household of 50, {EDITS} times: in force after {:.1} ms (median; {:.1} at most; asked: 100), {lost} of {} queries lost meanwhile",
            took[EDITS / 2].as_secs_f64() * 1e3,
            took[EDITS - 1].as_secs_f64() * 1e3,
            asked.load(Ordering::Relaxed)
        );
    });
    // It may have ended by itself.
    let _ = server.kill();
    let _ = server.wait();
}

/// A socket at 127.0.7.`host`.
fn client_at(server: SocketAddr, host: u8) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 7, host), 0)).expect("an address of loopback");
    socket.connect(server).expect("an address of loopback");
    let patience = Some(Duration::from_secs(2));
    socket.set_read_timeout(patience).expect("a socket of ours");
    socket
}

/// The answer to a question for an address; `None` where none comes.
fn ask(socket: &UdpSocket, name: &str) -> Option<Vec<u8>> {
    let name = Name::parse(name).expect("a name");
    let header = [7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let query = [&header[..], name.as_wire(), &[0, 1, 0, 1]].concat();
    socket.send(&query).ok()?;
    let mut buffer = [0; 1232];
    let len = socket.recv(&mut buffer).ok().filter(|&len| len > 12)?;
    Some(buffer[..len].to_vec())
}
