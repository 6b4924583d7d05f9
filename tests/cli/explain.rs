//! `explain` and `check` as their user meets them: what they print, how they end.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_stairgate"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the binary runs");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with two lists and settings for a child and everybody else.
fn home(more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("adult.hosts", "# adult\n0.0.0.0 bad.example\n0.0.0.0 worse.example\n");
    write(
        "rules.txt",
        "! Title: rules\n@@||good.bad.example^\n||xn--bcher-kva.example^\n||ads.example^$dnsrewrite=192.0.2.1\n",
    );
    write(
        "stairgate.toml",
        &format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\n[[list]]\nname = \"adult\"\nsource = \"adult.hosts\"\ncategory = \"adult\"\n\
             [[list]]\nname = \"rules\"\nsource = \"rules.txt\"\ncategory = \"other\"\n[profile.default]\nblock = [\"other\"]\n\
             [profile.child]\nblock = [\"adult\", \"other\"]\nanswer = \"nxdomain\"\n[[client]]\nname = \"tablet\"\n\
             match = [\"192.168.1.20\"]\nprofile = \"child\"\n{more}"
        )
        .replace("127.0.0.1:0", &format!("127.0.0.1:{}", free_port())),
    );
    folder
}

/// A port of loopback that nobody has at this moment, for UDP and TCP.
fn free_port() -> u16 {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    tcp.local_addr().unwrap().port()
}

fn explained(folder: &Path, arguments: &[&str]) -> Value {
    let ended = run(folder, &[&["explain", "--json"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn explain_says_what_each_client_gets_and_from_which_line() {
    let home = home("");
    let config = ["--config", "stairgate.toml"];
    let ask = |arguments: &[&str]| explained(home.path(), &[arguments, &config].concat());
    let child = ask(&["Bad.Example.", "--client", "192.168.1.20"]);
    assert_eq!(child["name"], "bad.example");
    assert_eq!(child["verdict"], "block");
    assert_eq!(child["rule"], "0.0.0.0 bad.example");
    assert_eq!(
        (child["list"].as_str(), child["line"].as_u64()),
        (Some("adult"), Some(2))
    );
    assert_eq!(
        (child["category"].as_str(), child["action"].as_str()),
        (Some("adult"), Some("nxdomain"))
    );
    assert_eq!(child["profile"], "child");
    assert_eq!(child["matches"].as_array().unwrap().len(), 1);
    let parent = ask(&["bad.example"]);
    assert_eq!(
        (parent["verdict"].as_str(), parent["profile"].as_str()),
        (Some("allow"), Some("default"))
    );
    assert!(parent["rule"].is_null() && parent["list"].is_null() && parent["line"].is_null());
    let exempt = ask(&["good.bad.example", "--profile", "child"]);
    assert_eq!(
        (exempt["verdict"].as_str(), exempt["line"].as_u64()),
        (Some("allow"), Some(2))
    );
    let idn = ask(&["bücher.example"]);
    assert_eq!(
        (idn["name"].as_str(), idn["verdict"].as_str()),
        (Some("xn--bcher-kva.example"), Some("block"))
    );
    let rewritten = ask(&["ads.example", "--type", "aaaa"]);
    assert_eq!(
        (rewritten["verdict"].as_str(), rewritten["action"].as_str()),
        (Some("rewrite"), Some("nodata"))
    );
    let stranger = ask(&["bad.example", "--client", "203.0.113.1"]);
    assert_eq!(
        (stranger["verdict"].as_str(), stranger["action"].as_str()),
        (Some("block"), Some("refused"))
    );
    for at in ["2026-07-24T21:30:00Z", "2026-07-24T21:30:00+02:00[Europe/Berlin]"] {
        assert_eq!(ask(&["bad.example", "--at", at])["verdict"], "allow");
    }
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        3,
        "explain leaves nothing behind"
    );
}

#[test]
fn a_gate_alone_is_judged_with_every_category_and_every_allow_list() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("adult/a.domains", "bad.example\nworse.example\n"),
        ("games/g.domains", "game.example\nplay.example\n"),
        ("allow/w.domains", "good.bad.example\nfine.worse.example\n"),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let ended = run(
        folder.path(),
        &["compile", "--output", "lists.gate", "adult", "games", "allow"],
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let ask = |name: &str| explained(folder.path(), &[name, "--gate", "lists.gate"]);
    assert_eq!(ask("x.bad.example")["verdict"], "block");
    assert_eq!(ask("x.bad.example")["line"], 1);
    assert_eq!(ask("game.example")["category"], "games");
    assert_eq!(ask("good.bad.example")["verdict"], "allow");
    assert_eq!(ask("good.bad.example")["matches"].as_array().unwrap().len(), 2);
    assert_eq!(ask("other.example")["verdict"], "allow");
    // Without the companion the line is not known, the rest is.
    fs::remove_file(folder.path().join("lists.gate.lines")).unwrap();
    assert!(ask("game.example")["line"].is_null());
    assert_eq!(ask("game.example")["rule"], "game.example");
    fs::write(
        folder.path().join("torn.gate"),
        &fs::read(folder.path().join("lists.gate")).unwrap()[..5000],
    )
    .unwrap();
    let torn = run(folder.path(), &["explain", "x.example", "--gate", "torn.gate"]);
    assert_eq!(torn.code, Some(3), "{}", torn.stderr);
    let absent = run(folder.path(), &["explain", "x.example", "--gate", "absent.gate"]);
    assert_eq!(absent.code, Some(1), "{}", absent.stderr);
}

#[test]
fn what_explain_cannot_ask_about_is_wrong_usage() {
    let home = home("");
    for arguments in [
        &["a..b"][..],
        &["x.example", "--type", "NOSUCH"],
        &["x.example", "--at", "yesterday"],
        &["x.example", "--profile", "nobody"],
        &["x.example", "--profile", "child", "--client", "10.0.0.1"],
        &["x.example", "--client", "nowhere"],
        &["x.example", "--gate", "x.gate", "--config", "stairgate.toml"],
        &[],
    ] {
        let ended = run(home.path(), &[&["explain"], arguments].concat());
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn check_says_that_good_settings_would_start() {
    let home = home("");
    let ended = run(home.path(), &["check", "--config", "stairgate.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("stairgate.toml: would start"), "{}", ended.stdout);
    // The tests themselves may run in a container, which is then all there is to warn of.
    let others = ended
        .stderr
        .lines()
        .filter(|line| !line.contains("this is a container"));
    assert_eq!(others.count(), 0, "{}", ended.stderr);
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        3,
        "check leaves nothing behind"
    );
}

#[test]
fn check_warns_of_what_works_but_is_hardly_meant() {
    let sites: String = (0..30)
        .map(|n| format!("0.0.0.0 site{n}.example\n0.0.0.0 www.site{n}.example\n"))
        .collect();
    let home = home(
        "[[list]]\nname = \"sites\"\nsource = \"sites.hosts\"\ncategory = \"games\"\n\
         [[list]]\nname = \"empty\"\nsource = \"empty.domains\"\ncategory = \"other\"\n\
         [[list]]\nname = \"zone\"\nsource = \"zone.rpz\"\ncategory = \"other\"\n\
         [[list]]\nname = \"junk\"\nsource = \"junk.domains\"\ncategory = \"other\"\n\
         [[client]]\nname = \"far\"\nmatch = [\"198.51.100.0/24\"]\nprofile = \"child\"\n",
    );
    for (name, text) in [
        ("sites.hosts", sites.as_str()),
        ("empty.domains", "# nothing yet\n"),
        (
            "zone.rpz",
            "@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\nns.example.rpz-nsdname CNAME .\nx.example CNAME .\n",
        ),
        (
            "junk.domains",
            "# domains\na.example\nb.example\nc..example\nd..example\n",
        ),
    ] {
        fs::write(home.path().join(name), text).unwrap();
    }
    let ended = run(home.path(), &["check", "--config", "stairgate.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for expected in [
        "no profile blocks the category \"games\"",
        "list sites is a hosts file that names whole sites; match = \"subtree\"",
        "list empty has no rules",
        "list junk: 2 of 4 entries were rejected",
        "client \"far\": 198.51.100.0/24 may not ask",
    ] {
        assert!(
            ended
                .stderr
                .lines()
                .any(|line| line.starts_with("warning: ") && line.contains(expected)),
            "{expected}\n{}",
            ended.stderr
        );
    }
    assert!(!ended.stderr.contains("name servers"), "such rules are in force");
    assert!(ended.stdout.contains("would start; "), "{}", ended.stdout);
}

#[test]
fn check_tells_what_would_stop_a_start() {
    let home = home("");
    let path = home.path().join("stairgate.toml");
    let good = fs::read_to_string(&path).unwrap();
    let check = |text: &str| {
        fs::write(&path, text).unwrap();
        run(home.path(), &["check", "--config", "stairgate.toml"])
    };
    let wrong = check(&good.replace("block = [\"other\"]", "block = [\"others\"]"));
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("is \"other\" meant?"), "{}", wrong.stderr);
    let held = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let listen = good.lines().find(|line| line.starts_with("listen")).unwrap();
    let busy = check(&good.replace(listen, &format!("listen = [\"127.0.0.1:{port}\"]")));
    assert_eq!(busy.code, Some(1));
    assert!(busy.stderr.contains("address already in use"), "{}", busy.stderr);
    let hints = check(&format!("{good}[resolver]\nroot_hints = \"nowhere.zone\"\n"));
    assert_eq!(hints.code, Some(2));
    assert!(hints.stderr.contains("resolver.root_hints"), "{}", hints.stderr);
    fs::write(home.path().join("adult.hosts"), "<!DOCTYPE html><html>Sign in</html>\n").unwrap();
    let page = check(&good);
    assert_eq!(page.code, Some(3), "{}", page.stderr);
    assert!(page.stderr.contains("adult"), "{}", page.stderr);
    fs::remove_file(home.path().join("adult.hosts")).unwrap();
    let gone = check(&good);
    assert_eq!(gone.code, Some(1), "{}", gone.stderr);
    assert!(gone.stderr.contains("adult"), "{}", gone.stderr);
}

#[test]
fn a_gate_explained_once_is_noted_in_the_state_directory_if_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.domains"), "bad.example\nworse.example\n").unwrap();
    let compiled = run(folder.path(), &["compile", "--output", "x.gate", "a.domains"]);
    assert_eq!(compiled.code, Some(0), "{}", compiled.stderr);
    let ask = || explained(folder.path(), &["bad.example", "--gate", "x.gate"])["verdict"].clone();
    let state = folder.path().join("var");
    assert_eq!(ask(), "block");
    assert!(!state.exists());
    fs::create_dir(&state).unwrap();
    assert_eq!(ask(), "block");
    assert_eq!(fs::read_dir(state.join("verified")).unwrap().count(), 1);
    assert!(!state.join("gates").exists(), "no copy of it is made");
    assert_eq!(ask(), "block");
}

#[test]
fn a_name_may_begin_with_a_hyphen_before_and_behind_the_options() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("a.txt");
    fs::write(&list, "-lead.example\n--two.example\n").unwrap();
    assert_eq!(
        run(folder.path(), &["compile", "--output", "x.gate", "a.txt"]).code,
        Some(0)
    );
    for name in ["-lead.example", "--two.example"] {
        for arguments in [
            ["explain", name, "--json", "--gate", "x.gate"],
            ["explain", "--json", name, "--gate", "x.gate"],
            ["explain", "--gate", "x.gate", "--json", name],
        ] {
            let ended = run(folder.path(), &arguments);
            assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
            let said: Value = serde_json::from_str(&ended.stdout).expect("one JSON object");
            assert_eq!(said["verdict"], "block", "{said}");
        }
    }
    let helped = run(folder.path(), &["explain", "--help"]);
    assert_eq!(helped.code, Some(0), "{}", helped.stderr);
}

#[test]
fn a_rule_is_as_written_where_its_list_is_at_hand_and_in_the_lists_language_where_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    let list = folder.path().join("a.hosts");
    fs::write(&list, "# hosts\n127.0.0.1   a.example # why\n").unwrap();
    let made = run(folder.path(), &["compile", "--output", "out/x.gate", "a.hosts"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let ask = || explained(folder.path(), &["a.example", "--gate", "out/x.gate"])["rule"].clone();
    assert_eq!(ask(), "127.0.0.1   a.example # why");
    fs::rename(&list, folder.path().join("out/a.hosts")).unwrap();
    assert_eq!(ask(), "127.0.0.1   a.example # why");
    fs::write(folder.path().join("a.hosts"), "# another list of that name\n1 2 3\n").unwrap();
    assert_eq!(ask(), "127.0.0.1   a.example # why");
    fs::remove_file(folder.path().join("out/a.hosts")).unwrap();
    assert_eq!(ask(), "0.0.0.0 a.example");
}

#[test]
fn rejects_are_told_one_by_one_in_json() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "||a.example^\n||b.example^$popup\n").unwrap();
    let made = run(folder.path(), &["compile", "--json", "--output", "x.gate", "a.txt"]);
    let inspected = run(folder.path(), &["inspect", "--json", "x.gate"]);
    for said in [made.stdout, inspected.stdout] {
        let said: Value = serde_json::from_str(&said).expect("one JSON object");
        let source = &said["sources"][0];
        assert_eq!(source["rejects"], 1, "{said}");
        assert_eq!(source["rejected"][0]["line"], 2, "{said}");
        assert_eq!(source["rejected"][0]["entry"], "||b.example^$popup", "{said}");
        assert!(
            source["rejected"][0]["reason"]
                .as_str()
                .is_some_and(|reason| reason.contains("popup")),
            "{said}"
        );
    }
}

#[test]
fn what_a_careful_profile_does_with_answers_and_look_alikes_is_told() {
    let folder =
        home("[profile.careful]\nblock = [\"adult\"]\nrebinding = true\nlook_alikes = true\nbypass_guard = true\n");
    let careful = |arguments: &[&str]| {
        explained(
            folder.path(),
            &[&["--config", "stairgate.toml", "--profile", "careful"], arguments].concat(),
        )
    };
    // Cyrillic о.
    let seen = careful(&["w\u{43e}rse.example"]);
    assert_eq!(
        (&seen["verdict"], &seen["looks_like"], &seen["list"], &seen["line"]),
        (&"block".into(), &"worse.example".into(), &"adult".into(), &3.into())
    );
    let plain = careful(&["plain.example", "--type", "HTTPS"]);
    assert_eq!(
        (&plain["rebinding"], &plain["without_ech"]),
        (&true.into(), &true.into())
    );
    assert_eq!(
        careful(&["plain.example"]).get("without_ech"),
        None,
        "an A record has none"
    );
    let address = careful(&["192.168.1.1"]);
    assert_eq!(
        (&address["verdict"], &address["rule"]),
        (&"block".into(), &"rebinding".into())
    );
    let child = explained(
        folder.path(),
        &[
            "--config",
            "stairgate.toml",
            "--profile",
            "child",
            "plain.example",
            "--type",
            "HTTPS",
        ],
    );
    assert!(child.get("rebinding").is_none() && child.get("without_ech").is_none());
    let words = |arguments: &[&str]| {
        let careful = ["explain", "--config", "stairgate.toml", "--profile", "careful"];
        run(folder.path(), &[&careful, arguments].concat()).stdout
    };
    let look_alike = words(&["w\u{43e}rse.example"]);
    assert!(
        look_alike.contains("like worse.example") && look_alike.contains("adult, line 3"),
        "{look_alike}"
    );
    let answer = words(&["plain.example", "--type", "HTTPS"]);
    assert!(
        answer.contains("private network") && answer.contains("Encrypted ClientHello"),
        "{answer}"
    );
}
