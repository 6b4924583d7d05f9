//! The variants, in groups that are compared with each other, and the rounds.

use crate::calls;
use crate::load::{Outcome, Pace, Source, latencies, load};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Enough to fill the largest batch while as many are under way.
const FULL: Pace = Pace::Outstanding(1024);
/// A third of what the plain loop can do on a slow core.
const SOME: Pace = Pace::PerSecond(40_000.0);
const FEW_PER_SECOND: u32 = 5_000;

#[derive(Clone, Copy)]
enum Work {
    /// By one thread on each of these cores.
    Load(Source, Pace, &'static [usize]),
    /// One query at a time.
    Single,
}

struct Group {
    name: &'static str,
    works: &'static [(&'static str, Work)],
    /// What to call it, and the words for the child. The first is what the others are compared with.
    servers: &'static [(&'static str, &'static str)],
}

const ONE_CORE: &[usize] = &[1];

const MANY_CLIENTS: &[(&str, Work)] = &[
    ("1,000 addresses, full", Work::Load(Source::Addresses, FULL, ONE_CORE)),
    (
        "1,000 addresses, 40,000/s",
        Work::Load(Source::Addresses, SOME, ONE_CORE),
    ),
];

const GROUPS: &[Group] = &[
    Group {
        name: "batches",
        works: MANY_CLIENTS,
        servers: &[
            ("plain, 64", ""),
            ("yardstick_udp", "yardstick"),
            ("16", "batch=16"),
            ("32", "batch=32"),
            ("128", "batch=128"),
            ("256", "batch=256"),
            ("64, no pktinfo", "bare"),
        ],
    },
    Group {
        name: "trains",
        works: &[
            (
                "1,000 ports",
                Work::Load(Source::Ports, Pace::Outstanding(200), ONE_CORE),
            ),
            ("1,000 addresses", Work::Load(Source::Addresses, FULL, ONE_CORE)),
            ("one client", Work::Load(Source::One, FULL, ONE_CORE)),
            ("one client, 16 lengths", Work::Load(Source::OneVaried, FULL, ONE_CORE)),
            (
                "one client, sends trains",
                Work::Load(Source::OneTrains, FULL, ONE_CORE),
            ),
            (
                "one client, and takes them",
                Work::Load(Source::OneTakesTrains, FULL, ONE_CORE),
            ),
        ],
        servers: &[
            ("plain, 64", ""),
            ("GRO", "gro"),
            ("GSO", "gso"),
            ("GSO, sorted before", "sorted"),
            ("GRO and GSO", "gro gso"),
        ],
    },
    Group {
        name: "waiting",
        works: &[("one by one, 5,000/s", Work::Single)],
        servers: &[
            ("plain, 64", ""),
            ("SO_BUSY_POLL 50 us", "busy=50"),
            ("and SO_PREFER_BUSY_POLL", "busy=50 prefer"),
            ("asks for 50 us itself", "spin=50"),
            ("asks for 250 us itself", "spin=250"),
            ("io_uring", "ring=deferred"),
        ],
    },
    Group {
        name: "ring",
        works: MANY_CLIENTS,
        servers: &[
            ("plain, 64", ""),
            ("deferred task work", "ring=deferred"),
            ("and no completions of sends", "ring=silent"),
            ("and sendmsg_zc", "ring=zerocopy"),
            ("receives; sendmmsg sends", "ring=half"),
            ("no flags", "ring=simple"),
            ("SQPOLL", "ring=polled"),
        ],
    },
    Group {
        name: "steering",
        works: &[
            (
                "both cores, full",
                Work::Load(Source::Addresses, Pace::Outstanding(512), &[0, 1]),
            ),
            (
                "both cores, 20,000/s each",
                Work::Load(Source::Addresses, Pace::PerSecond(20_000.0), &[0, 1]),
            ),
            (
                "second core only, full",
                Work::Load(Source::Addresses, Pace::Outstanding(512), ONE_CORE),
            ),
        ],
        servers: &[
            ("hash, anywhere", "two"),
            ("hash, pinned", "two pin"),
            ("SO_INCOMING_CPU, pinned", "two pin incoming"),
            ("BPF, pinned", "two pin bpf"),
            ("BPF, anywhere", "two bpf"),
            ("one worker", ""),
        ],
    },
];

/// One variant in one round.
#[derive(Default, Clone)]
struct Figures {
    user: f64,
    system: f64,
    rate: f64,
    lost: f64,
    per_call: f64,
    at_home: f64,
    times: Vec<u32>,
}

pub fn run(words: &[&str]) {
    let (mut rounds, mut millis, mut wanted) = (5, 500, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok());
        match *word {
            "--rounds" => rounds = number().expect("--rounds takes a number"),
            "--millis" => millis = number().expect("--millis takes a number"),
            group if GROUPS.iter().any(|known| known.name == group) => wanted.push(group),
            _ => panic!("usage: sockets [--rounds N] [--millis N] [batches] [trains] [waiting] [ring] [steering]"),
        }
    }
    println!(
        "{rounds} rounds of {millis} ms in turns, medians; microseconds of CPU of the server for each answered query"
    );
    for group in GROUPS {
        if wanted.is_empty() || wanted.contains(&group.name) {
            compare(group, rounds, Duration::from_millis(millis as u64));
        }
    }
}

fn compare(group: &Group, rounds: usize, duration: Duration) {
    let mut servers: Vec<Server> = group.servers.iter().map(|(_, words)| Server::start(words)).collect();
    let mut figures = vec![vec![Vec::new(); servers.len()]; group.works.len()];
    for _ in 0..rounds {
        for ((_, work), figures) in group.works.iter().zip(&mut figures) {
            for (server, figures) in servers.iter_mut().zip(figures) {
                figures.push(measure(server, *work, duration));
            }
        }
    }
    println!(
        "\n{:<28}{:<28}{:>7}{:>8}{:>7}{:>7}{:>11}{:>8}{:>8}{:>8}{:>9}{:>8}",
        group.name,
        "",
        "user",
        "system",
        "total",
        "ratio",
        "answers/s",
        "lost %",
        "a call",
        "home %",
        "median us",
        "p99 us"
    );
    for ((work, _), figures) in group.works.iter().zip(&figures) {
        for ((name, _), rounds) in group.servers.iter().zip(figures) {
            print(work, name, rounds, &figures[0]);
        }
    }
}

fn measure(server: &mut Server, work: Work, duration: Duration) -> Figures {
    let before = server.usage();
    let mut figures = Figures::default();
    let outcomes: Vec<Outcome> = match work {
        Work::Load(source, pace, cores) => {
            let port = server.port;
            let threads: Vec<_> = cores
                .iter()
                .map(|core| {
                    std::thread::spawn(move || {
                        calls::keep_to_core(*core);
                        load(source, pace, port, duration)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("the load ends"))
                .collect()
        }
        Work::Single => {
            let port = server.port;
            let thread = std::thread::spawn(move || {
                calls::keep_to_core(1);
                latencies(port, FEW_PER_SECOND, duration)
            });
            figures.times = thread.join().expect("the load ends");
            let sent = (duration.as_secs_f64() * f64::from(FEW_PER_SECOND)) as u64;
            let answered = figures.times.len() as u64;
            vec![Outcome {
                sent,
                answered,
                seconds: duration.as_secs_f64(),
            }]
        }
    };
    let after = server.usage();
    let spent = |index: usize| after[index].saturating_sub(before[index]) as f64;
    let sent: u64 = outcomes.iter().map(|outcome| outcome.sent).sum();
    let answered = outcomes.iter().map(|outcome| outcome.answered).sum::<u64>().max(1) as f64;
    figures.user = spent(0) / answered;
    figures.system = spent(1) / answered;
    figures.rate = answered / outcomes[0].seconds;
    figures.lost = 100.0 * (1.0 - answered / sent.max(1) as f64);
    figures.per_call = spent(2) / spent(3).max(1.0);
    figures.at_home = 100.0 * spent(4) / spent(2).max(1.0);
    figures
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print(work: &str, name: &str, rounds: &[Figures], first: &[Figures]) {
    let total = |figures: &Figures| figures.user + figures.system;
    // Round by round: what slows the machine down for a while slows both.
    let ratio = median(rounds.iter().zip(first).map(|(one, other)| total(one) / total(other)));
    print!(
        "{work:<28}{name:<28}{:>7.2}{:>8.2}{:>7.2}{ratio:>7.2}{:>11.0}{:>8.2}{:>8.1}{:>8.1}",
        median(rounds.iter().map(|figures| figures.user)),
        median(rounds.iter().map(|figures| figures.system)),
        median(rounds.iter().map(total)),
        median(rounds.iter().map(|figures| figures.rate)),
        median(rounds.iter().map(|figures| figures.lost)),
        median(rounds.iter().map(|figures| figures.per_call)),
        median(rounds.iter().map(|figures| figures.at_home)),
    );
    let mut times: Vec<u32> = rounds
        .iter()
        .flat_map(|figures| figures.times.iter().copied())
        .collect();
    times.sort_unstable();
    match times.len() {
        0 => println!(),
        count => println!(
            "{:>9.1}{:>8.1}",
            f64::from(times[count / 2]) / 1e3,
            f64::from(times[count * 99 / 100]) / 1e3
        ),
    }
}

/// A server in a process of its own, which ends with its standard input.
struct Server {
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start(words: &str) -> Server {
        let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
            .arg("serve")
            .args(words.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let requests = child.stdin.take().expect("piped");
        let mut replies = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        replies.read_line(&mut line).expect("a server speaks");
        let port = line.trim().parse().expect("the server says its port");
        Server {
            child,
            requests,
            replies,
            port,
        }
    }

    /// User and system time so far, datagrams, calls, and datagrams at home, as far as the server counts them.
    fn usage(&mut self) -> [u64; 5] {
        writeln!(self.requests).expect("the server listens");
        let mut line = String::new();
        self.replies.read_line(&mut line).expect("the server speaks");
        let mut numbers = line.split_whitespace().map(|word| word.parse().expect("a number"));
        std::array::from_fn(|_| numbers.next().unwrap_or(0))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
