//! Random worlds in bad weather: what is found is what the zones say.

use super::authority::Temper;
use super::network::{Internet, ROOT, Sent, Server, Weather};
use super::oracle::right;
use super::zones::Zone;
use crate::config::settings::QnameMinimization;
use crate::dns::rtype::*;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

const BAD: [Temper; 15] = [
    Temper::Silent,
    Temper::Silent,
    Temper::Code(1),
    Temper::Code(2),
    Temper::Code(4),
    Temper::Code(5),
    Temper::Upward,
    Temper::Empty,
    Temper::NoAa,
    Temper::NoEdns,
    Temper::DropsEdns,
    Temper::WrongId,
    Temper::WrongQuestion,
    Temper::Torn,
    Temper::TcpOnly,
];

/// A world and names to ask in it.
fn world(seed: u64) -> (Internet, Vec<(String, u16)>) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut internet = Internet::new(seed);
    internet.weather = Weather {
        loss: 2,
        doubled: 3,
        forged: 3,
        jitter_ms: 30,
    };
    internet.settings.random_case = random.random();
    internet.settings.minimization = if random.random_ratio(1, 4) {
        QnameMinimization::Off
    } else {
        QnameMinimization::Relaxed
    };
    let zones = 10;
    let tlds = ["com", "net", "org"];
    let mut root = "@ NS a.root.; a.root. A 198.41.0.4\n".to_owned();
    let mut of_tld = vec![String::new(); tlds.len()];
    let mut names = Vec::new();
    let mut contents = Vec::new();
    for number in 0..zones {
        let tld = random.random_range(0..tlds.len());
        let apex = format!("zone{number}.{}", tlds[tld]);
        let mut text = String::new();
        let glueless = number > 0 && random.random_ratio(1, 4);
        let servers = random.random_range(2..=4);
        for server in 0..servers {
            let address = format!("193.{number}.0.{}", server + 1);
            if glueless {
                // The server's name is in the first zone, which has glue.
                let target = format!("ns{server}-{number}.zone0.{}", contents_tld(&contents));
                text += &format!("@ NS {target}.\n");
                of_tld[tld] += &format!("zone{number} NS {target}.\n");
                push(&mut contents, 0, &format!("ns{server}-{number} A {address}\n"));
            } else {
                text += &format!("@ NS ns{server}\nns{server} A {address}\n");
                of_tld[tld] +=
                    &format!("zone{number} NS ns{server}.zone{number}\nns{server}.zone{number} A {address}\n");
            }
        }
        for host in 0..6 {
            let label = format!("h{host}");
            let data = match random.random_range(0..8) {
                0..4 => format!("{label} A 192.0.2.{host}\n{label} A 192.0.2.{}\n", host + 100),
                4 => format!(
                    "{label} CNAME h{}.zone{}.{}.\n",
                    random.random_range(0..8),
                    number / 2,
                    tlds[0]
                ),
                5 => format!("{label} CNAME h{}\n", random.random_range(0..8)),
                6 => format!("deep.er.{label} TXT some text\n"),
                _ => format!("*.{label} A 192.0.2.77\n"),
            };
            text += &data;
        }
        if random.random_ratio(1, 3) {
            text += &format!("moved DNAME zone{}.{}.\n", random.random_range(0..zones), tlds[tld]);
        }
        contents.push((apex, servers, text));
    }
    for (number, (apex, servers, text)) in contents.iter().enumerate() {
        let zone = Zone::new(apex, text);
        // One at least works.
        let good = random.random_range(0..*servers);
        for server in 0..*servers {
            let address = format!("193.{number}.0.{}", server + 1);
            let bad = random.random_ratio(1, 5);
            let place = internet.serve(&address, &zone);
            place.delay_ms = random.random_range(10..150);
            if server != good && bad {
                place.temper = *BAD.choose(&mut random).unwrap();
            } else if random.random_ratio(1, 10) {
                place.temper = *[Temper::Truncates, Temper::LowersCase, Temper::DeniesEnts]
                    .choose(&mut random)
                    .unwrap();
            }
        }
        for _ in 0..3 {
            let host = random.random_range(0..8);
            names.push(match random.random_range(0..6) {
                0..3 => (format!("h{host}.{apex}"), A),
                3 => (format!("x.h{host}.{apex}"), A),
                4 => (format!("deep.er.h{host}.{apex}"), TXT),
                _ => (format!("h{host}.moved.{apex}"), A),
            });
        }
    }
    for (tld, text) in tlds.iter().zip(&of_tld) {
        for server in 1..=2 {
            let address = format!("192.{}.6.{server}", 10 + tld.len() + tld.as_bytes()[0] as usize);
            root += &format!("{tld}. NS ns{server}.{tld}.\nns{server}.{tld}. A {address}\n");
            let own = format!("@ NS ns1\n@ NS ns2\n{text}");
            internet.serve(&address, &Zone::new(tld, &own)).delay_ms = random.random_range(10..150);
        }
    }
    internet.zone(ROOT, ".", &root);
    (internet, names)
}

fn contents_tld(contents: &[(String, usize, String)]) -> &str {
    contents[0].0.split('.').nth(1).unwrap()
}

fn push(contents: &mut [(String, usize, String)], at: usize, text: &str) {
    contents[at].2 += text;
}

/// Asks all names of a world. Returns what was sent, and how many were right at the first ask.
fn run(seed: u64, times_ms: &mut Vec<u64>) -> (Vec<Sent>, usize, usize) {
    let (mut internet, names) = world(seed);
    let mut first = 0;
    for (name, rtype) in &names {
        let wanted = right(&internet, name, *rtype);
        let started_ms = internet.now_ms;
        let got = internet.ask(name, *rtype);
        times_ms.push(internet.now_ms - started_ms);
        if wanted == "circle" {
            assert!(got.starts_with("failed: "), "seed {seed}: {name}: {got}");
            first += 1;
            continue;
        }
        // A server that denies empty non-terminals is the zone's own fault; what it may hide is tried in `cases`.
        let denies = |server: &Server| server.temper == Temper::DeniesEnts;
        let wanted =
            if wanted.starts_with("NODATA") && got.starts_with("NXDOMAIN") && internet.servers.values().any(denies) {
                wanted.replace("NODATA", "NXDOMAIN")
            } else {
                wanted
            };
        if got == wanted {
            first += 1;
            continue;
        }
        assert!(
            got.starts_with("failed: "),
            "seed {seed}: {name} {rtype}: {got}, but the zones say {wanted}"
        );
        let again = internet.ask(name, *rtype);
        assert_eq!(
            again, wanted,
            "seed {seed}: {name} {rtype} at the second ask, after {got}"
        );
    }
    (internet.sent, first, names.len())
}

#[test]
fn two_hundred_worlds_answer_as_their_zones_say() {
    let (mut first, mut all, mut sent) = (0, 0, 0);
    let mut times_ms = Vec::new();
    let seeds = std::env::var("SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200);
    for seed in 0..seeds {
        let (packets, right, asked) = run(seed, &mut times_ms);
        first += right;
        all += asked;
        sent += packets.len();
    }
    times_ms.sort_unstable();
    let (median, late) = (times_ms[all / 2], times_ms[all * 99 / 100]);
    println!(
        "median {median} ms, one in a hundred over {late} ms, longest {} ms",
        times_ms[all - 1]
    );
    println!(
        "{first} of {all} right at the first ask, {:.2} queries each",
        sent as f64 / all as f64
    );
    assert!(first * 1000 >= all * 999, "{first} of {all} at the first ask");
}

#[test]
fn one_number_reproduces_a_run_to_the_byte() {
    for seed in [3, 14, 159] {
        assert_eq!(
            run(seed, &mut Vec::new()).0,
            run(seed, &mut Vec::new()).0,
            "seed {seed}"
        );
    }
    assert_ne!(run(1, &mut Vec::new()).0, run(2, &mut Vec::new()).0);
}
