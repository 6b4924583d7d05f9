//! The household by commands alone: from nothing to the sentence of a parent, and beside a running server.

use crate::common::{Ended, Home, eventually, is_resolved, query, run};
use crate::talk::udp_client;
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use stairgate::dns::name::Name;
use stairgate::requests::{New, Store, Whom};
use std::net::UdpSocket;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// `stairgate household ...`, words in quotes kept together.
fn household(folder: &Path, line: &str, config: &[&str]) -> Ended {
    let mut words = vec!["household"];
    for (index, part) in line.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace()),
            _ => words.push(part),
        }
    }
    words.extend(config);
    run(&words, folder)
}

/// What a command says that goes well.
fn says(folder: &Path, line: &str, config: &[&str]) -> String {
    let ended = household(folder, line, config);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{line}: {ended:?}");
    ended.stdout
}

/// The verdict on a name for whoever has this address, at a time.
fn verdict(folder: &Path, name: &str, client: &str, at: &str) -> String {
    let mut words = vec!["explain", name, "--client", client, "--json"];
    if at != "now" {
        words.extend(["--at", at]);
    }
    let ended = run(&words, folder);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    told["verdict"].as_str().expect("a verdict").to_owned()
}

#[test]
fn what_a_parent_says_is_done_by_commands_alone_from_an_empty_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let nobody = "there is nobody in this household yet; `stairgate household --help` shows how to begin\n";
    assert_eq!(says(folder, "show", &[]), nobody);
    for (line, said) in [
        (
            "add profile child --block adult --youtube strict",
            "profile child is new: blocks adult; YouTube strict\n\
             this household is new: devices that it does not name have the profile default, which blocks every category\n",
        ),
        (
            "add person masha --name Masha --profile child",
            "Masha is now part of this household, with profile child\n",
        ),
        (
            "add device masha-phone --person masha --match 192.168.1.20",
            "device masha-phone (192.168.1.20) now belongs to Masha\n",
        ),
        (
            "add device tablet --person masha --match 192.168.1.21",
            "device tablet (192.168.1.21) now belongs to Masha\n",
        ),
        (
            "set household timezone Europe/Moscow",
            "the household: timezone is now Europe/Moscow\n",
        ),
        (
            "add quota games --for masha --of games --limit 1h --per day",
            "quota games is new: Masha may have games for 1h a day\n",
        ),
        (
            "add window --for masha --days \"school nights\" --from 21:00 --to 07:00 --block internet",
            "window school nights is new: no internet for Masha, school nights 21:00 to 07:00\n",
        ),
    ] {
        assert_eq!(says(folder, line, &[]), said, "{line}");
    }
    let more = says(folder, "grant masha 30m of games", &[]);
    assert!(more.starts_with("Masha has 30 more minutes of games until "), "{more}");

    // A Monday; it is three hours earlier in UTC.
    for client in ["192.168.1.20", "192.168.1.21"] {
        for (name, at, expected) in [
            ("starter-adult.example", "2030-06-03T15:00:00+03:00", "allow"),
            ("school.example", "2030-06-03T20:59:00+03:00", "allow"),
            ("school.example", "2030-06-03T21:00:00+03:00", "block"),
            ("school.example", "2030-06-04T06:59:00+03:00", "block"),
            ("school.example", "2030-06-04T07:00:00+03:00", "allow"),
            ("www.youtube.com", "2030-06-03T15:00:00+03:00", "rewrite"),
            ("pornhub.com", "2030-06-03T15:00:00+03:00", "block"),
        ] {
            assert_eq!(
                verdict(folder, name, client, at),
                expected,
                "{name} for {client} at {at}"
            );
        }
    }
    // Whoever is not named is filtered, and not by the hours of a child.
    assert_eq!(
        verdict(folder, "pornhub.com", "192.168.1.99", "2030-06-03T22:00:00+03:00"),
        "block"
    );
    assert_eq!(
        verdict(folder, "school.example", "192.168.1.99", "2030-06-03T22:00:00+03:00"),
        "allow"
    );

    // What explain says to type does let a name through, also where nothing but some names is reachable.
    says(folder, "add profile small --only kids.example", &[]);
    says(folder, "add person petya --profile small", &[]);
    says(
        folder,
        "add device petya-tablet --person petya --match 192.168.1.22",
        &[],
    );
    for (name, client) in [("009casino.cyou", "192.168.1.99"), ("cdn.example", "192.168.1.22")] {
        let noon = "2030-06-03T12:00:00+03:00";
        let told = run(&["explain", name, "--client", client, "--at", noon, "--json"], folder);
        let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("JSON");
        assert_eq!(told["verdict"], "block", "{told}");
        let command = told["way_in"].as_str().expect("a command").to_owned();
        says(
            folder,
            command
                .strip_prefix("stairgate household ")
                .expect("a command of the household"),
            &[],
        );
        assert_eq!(verdict(folder, name, client, noon), "allow", "{command}");
    }
    // Of what is tonight's, a grant comes before the pause.
    let now = |name: &str| verdict(folder, name, "192.168.1.21", "now");
    says(folder, "pause internet masha --for 30m", &[]);
    assert_eq!(now("school.example"), "block");
    let granted = says(folder, "grant masha internet --for 20m", &[]);
    assert!(granted.starts_with("Masha may have the internet until "), "{granted}");
    assert_eq!([now("school.example"), now("pornhub.com")], ["allow", "block"]);

    let history = says(folder, "history", &[]);
    assert_eq!(history.lines().count(), 15, "{history}");
    says(folder, "undo", &[]);
    assert_eq!(now("school.example"), "block", "the grant is taken back");
    says(folder, "undo 8", &[]);
    let evening = "2030-06-03T22:00:00+03:00";
    assert_eq!(verdict(folder, "school.example", "192.168.1.21", evening), "block");
    says(folder, "undo 6", &[]);
    assert_eq!(
        verdict(folder, "school.example", "192.168.1.21", evening),
        "allow",
        "no window yet"
    );
}

const BEGINNING: &str = "# Ours.\nversion = 1\n\n[profile.default]\nblock = ['adult']\n\n[person.masha] # the eldest\nprofile = 'default'\n\n\
                         [[device]]\nname = 'phone'\nperson = 'masha'\nmatch = ['127.0.0.20']\n";

fn home(household: &str) -> Home {
    let home = Home::new();
    home.write("adult.domains", "adult.example\n");
    home.write("household.toml", household);
    home.configure_with(
        "household = \"household.toml\"\n",
        "[[list]]\nname = \"adult\"\nsource = \"adult.domains\"\ncategory = \"adult\"\n",
    );
    home
}

const CONFIG: [&str; 2] = ["--config", "stairgate.toml"];

/// A socket of Masha's phone.
fn phone(home: &Home) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.20:0").expect("an address of loopback");
    socket.connect(home.address).expect("an address of loopback");
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a socket of ours");
    socket
}

/// Whether a name is resolved for whoever holds the socket.
fn reaches(socket: &UdpSocket, id: u16, name: &str) -> bool {
    let query = query(id, name, RecordType::A).to_vec().expect("a query");
    socket.send(&query).expect("loopback takes it");
    let mut buffer = [0; 4096];
    let len = socket.recv(&mut buffer).expect("an answer to each query");
    let response = Message::from_vec(&buffer[..len]).expect("a well-formed response");
    assert_eq!(response.metadata.id, id);
    is_resolved(&response)
}

#[test]
fn a_change_beside_a_running_server_is_in_force_when_the_command_ends_and_no_query_is_lost() {
    let many: String = (2..50)
        .map(|n| format!("[person.p{n}]\nprofile = 'default'\n[[device]]\nname = 'd{n}'\nperson = 'p{n}'\nmatch = ['127.0.1.{n}']\n"))
        .collect();
    let home = home(&format!("{BEGINNING}\n{many}"));
    // Its own looks at files would come too late.
    let server = home.serve(&["--watch-interval-ms", "3600000"]);
    let (done, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let socket = udp_client(home.address);
            let mut id = 0u16;
            while !done.load(Ordering::Relaxed) {
                id = id.wrapping_add(1);
                assert!(
                    !reaches(&socket, id, "adult.example."),
                    "a stranger is filtered throughout"
                );
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        let phone = phone(&home);
        assert!(!reaches(&phone, 1, "adult.example."));
        let began = Instant::now();
        let said = says(home.path(), "allow adult.example --for masha --hours 2", &CONFIG);
        assert!(
            said.starts_with("adult.example is now allowed for masha until "),
            "{said}"
        );
        assert!(reaches(&phone, 2, "adult.example."), "it is in force");
        assert!(began.elapsed() < Duration::from_secs(5), "and at once");
        says(home.path(), "pause internet masha --for 10m", &CONFIG);
        assert!(!reaches(&phone, 3, "other.example."));
        says(home.path(), "resume masha", &CONFIG);
        assert!(reaches(&phone, 4, "other.example."));
        let undone = says(home.path(), "undo --json", &CONFIG);
        let undone: serde_json::Value = serde_json::from_str(&undone).expect("one JSON object");
        assert_eq!(undone["in_force"], true, "{undone}");
        assert!(!reaches(&phone, 5, "other.example."), "the pause is back");
        done.store(true, Ordering::Relaxed);
        busy.join().expect("a client that lost no query");
    });
    assert!(asked.load(Ordering::Relaxed) > 100, "{}", server.said());
    let text = std::fs::read_to_string(home.file("household.toml")).expect("the household");
    assert!(
        text.starts_with("# Ours.\n") && text.contains("[person.masha] # the eldest\n"),
        "{text}"
    );
}

#[test]
fn a_household_broken_by_hand_is_told_with_its_line_and_undo_brings_the_last_good_one_back() {
    let home = home(BEGINNING);
    let server = home.serve(&["--watch-interval-ms", "3600000"]);
    says(home.path(), "block game.example --for masha", &CONFIG);
    let good = std::fs::read_to_string(home.file("household.toml")).expect("the household");
    home.write(
        "household.toml",
        &good.replace("profile = 'default'", "profile = 'chidl'"),
    );
    let refused = household(home.path(), "pause filter masha --for 10m", &CONFIG);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("household.toml:8: ") && refused.stderr.contains("chidl"),
        "{refused:?}"
    );
    let phone = phone(&home);
    assert!(!reaches(&phone, 1, "game.example."), "what ran before goes on");
    says(home.path(), "undo", &CONFIG);
    assert_eq!(
        std::fs::read_to_string(home.file("household.toml")).expect("the household"),
        good
    );
    assert!(!reaches(&phone, 2, "game.example."));
    drop(server);
    // The same command does without the server.
    let ended = says(home.path(), "allow game.example --for masha", &CONFIG);
    assert_eq!(ended, "game.example is now allowed for masha, and no longer blocked\n");
    let shown = says(home.path(), "show masha --json", &CONFIG);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("one JSON object");
    assert_eq!(shown["persons"][0]["allow"][0]["name"], "game.example", "{shown}");
}

#[test]
fn a_household_saved_by_hand_is_in_force_at_once_and_one_that_is_gone_leaves_the_last_in_force() {
    let home = home(BEGINNING);
    let server = home.serve(&["--watch-interval-ms", "3600000"]);
    let phone = phone(&home);
    assert!(reaches(&phone, 1, "other.example."));
    // As editors do: a new file takes the place of the old one.
    home.write(
        "new",
        &BEGINNING.replace("block = ['adult']", "block = ['adult']\ndeny = ['other.example']"),
    );
    std::fs::rename(home.file("new"), home.file("household.toml")).expect("a writable folder");
    let mut id = 1;
    eventually("the change is in force", || {
        id += 1;
        (!reaches(&phone, id, "other.example.")).then_some(())
    });
    eventually("it is kept as a version", || {
        home.file("household.history/index.jsonl").exists().then_some(())
    });
    std::fs::remove_file(home.file("household.toml")).expect("a writable folder");
    server.signal("HUP");
    server.wait_for("household.toml: is gone");
    assert!(!reaches(&phone, 1000, "other.example."), "{}", server.said());
    says(home.path(), "undo", &CONFIG);
    assert!(home.file("household.toml").exists());
}

#[test]
fn what_a_wrong_household_held_up_follows_once_it_is_mended() {
    let home = home(BEGINNING);
    let server = home.serve(&["--watch-interval-ms", "3600000"]);
    home.write("adult.domains", "adult.example\nnew.example\n");
    home.write(
        "household.toml",
        &BEGINNING.replace("profile = 'default'", "profile = 'defualt'"),
    );
    server.signal("HUP");
    eventually("the household saved, and the reload with it, are refused", || {
        let refused = server
            .said()
            .matches("the running settings and lists stay in force")
            .count();
        (refused >= 2).then_some(())
    });
    let phone = phone(&home);
    assert!(reaches(&phone, 1, "new.example."), "{}", server.said());
    home.write("household.toml", BEGINNING);
    let mut id = 1;
    eventually("the list that came meanwhile is in force", || {
        id += 1;
        (!reaches(&phone, id, "new.example.")).then_some(())
    });
}

#[test]
fn a_household_that_is_not_there_yet_filters_everybody_until_commands_make_it() {
    let home = home(BEGINNING);
    std::fs::remove_file(home.file("household.toml")).expect("a writable folder");
    let checked = home.run(&["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(
        checked.stderr.contains("household.toml: is not there yet"),
        "{checked:?}"
    );
    let server = home.serve(&["--watch-interval-ms", "3600000"]);
    let phone = phone(&home);
    assert!(!reaches(&phone, 1, "adult.example."), "{}", server.said());
    says(home.path(), "add profile child", &CONFIG);
    says(home.path(), "add person masha --profile child", &CONFIG);
    says(
        home.path(),
        "add device phone --person masha --match 127.0.0.20",
        &CONFIG,
    );
    assert!(reaches(&phone, 2, "adult.example."), "a profile that blocks nothing");
    assert!(!reaches(&udp_client(home.address), 3, "adult.example."), "a stranger");
}

#[test]
fn what_a_child_asked_for_is_granted_or_refused_by_its_number() {
    let home = home(BEGINNING);
    std::fs::create_dir(home.file("var")).expect("a writable folder");
    let (store, _) = Store::open(&home.file("var"));
    let asks = |name: &str, by_time| {
        let new = New {
            name: Name::parse(name).expect("a name"),
            whom: Whom::Person("masha".to_owned()),
            from: "127.0.0.20".parse().expect("an address"),
            why: "adult, adult".to_owned(),
            by_time,
            note: "for school".to_owned(),
        };
        store.ask(new, 1_790_000_000).expect("it is kept")
    };
    let (first, second, third) = (
        asks("adult.example", false),
        asks("b.example", true),
        asks("c.example", false),
    );
    let listed = says(home.path(), "requests", &CONFIG);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(
        listed.contains("masha  adult.example  closed by adult, adult; \"for school\""),
        "{listed}"
    );

    let granted = says(home.path(), &format!("grant {first} today"), &CONFIG);
    assert!(
        granted.starts_with("masha may have adult.example until ") && granted.ends_with("request 1 is granted\n"),
        "{granted}"
    );
    let verdict = |name: &str| {
        let told = home.run(&["explain", name, "--client", "127.0.0.20", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("JSON");
        told["verdict"].as_str().expect("a verdict").to_owned()
    };
    assert_eq!(verdict("adult.example"), "allow");
    // A name that is allowed for good would stay closed by the hours.
    let refused = household(home.path(), &format!("grant {second} good"), &CONFIG);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("reach --also b.example"), "{refused:?}");
    assert_eq!(
        says(home.path(), &format!("refuse {second}"), &CONFIG),
        "request 2 for b.example is refused\n"
    );
    let good = says(home.path(), &format!("grant {third} good --json"), &CONFIG);
    let good: serde_json::Value = serde_json::from_str(&good).expect("one JSON object");
    assert_eq!(
        (&good["request"]["state"], &good["request"]["id"]),
        (&"granted".into(), &3.into()),
        "{good}"
    );
    assert_eq!(says(home.path(), "requests", &CONFIG), "nobody waits for an answer\n");
    let all = says(home.path(), "requests --all", &CONFIG);
    for end in ["granted for good", "refused", "granted until "] {
        assert!(all.contains(end), "{all}");
    }
    let text = std::fs::read_to_string(home.file("household.toml")).expect("the household");
    assert!(text.contains("allow = [\"c.example\"]"), "{text}");
    let none = household(home.path(), "grant 9 today", &CONFIG);
    assert!(none.stderr.contains("there is no request 9"), "{none:?}");
}

#[test]
fn a_settings_file_without_a_household_says_what_to_write() {
    let home = Home::new();
    home.configure("");
    let ended = household(home.path(), "show", &CONFIG);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("write household = \"household.toml\" at its top"),
        "{ended:?}"
    );
}
