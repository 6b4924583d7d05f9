//! `stairgate cache` against a running server.

use crate::common::{Home, Server, is_resolved, is_servfail};

fn resolve(server: &Server, names: &[&str]) {
    for name in names {
        assert!(is_resolved(&server.ask(name)), "{name}");
    }
}

#[test]
fn what_is_flushed_is_asked_of_the_upstream_again_and_the_rest_is_not() {
    let home = Home::new();
    home.configure("");
    let server = home.serve(&["--without-lists"]);
    let names = ["www.example", "a.www.example", "mail.example"];
    let counts = || names.map(|name| home.upstream.asked(name));
    resolve(&server, &names);
    resolve(&server, &names);
    assert_eq!(counts(), [1, 1, 1]);
    let dump = home.run(&["cache", "dump"]);
    for name in names {
        assert!(dump.stdout.contains(&format!("{name}.\t")), "{}", dump.stdout);
    }

    let flushed = home.run(&["cache", "flush", "WWW.example"]);
    assert_eq!(flushed.code, Some(0), "{}", flushed.stderr);
    assert_eq!(
        flushed.stdout,
        "forgotten: 1 answers, and 0 records, delegations and failures behind them\n"
    );
    assert!(!home.run(&["cache", "dump"]).stdout.contains("\nwww.example.\t"));
    resolve(&server, &names);
    assert_eq!(counts(), [2, 1, 1]);
    assert!(
        home.run(&["cache", "flush", "www.example", "--below"])
            .stdout
            .starts_with("forgotten: 2 ")
    );
    resolve(&server, &names);
    assert_eq!(counts(), [3, 2, 1]);
    assert!(home.run(&["cache", "flush"]).stdout.starts_with("forgotten: 3 "));
    resolve(&server, &names);
    assert_eq!(counts(), [4, 3, 2]);

    // A failure is remembered, and forgotten with its name only.
    assert!(is_servfail(&server.ask("silent.example")));
    let before = home.upstream.asked("silent.example");
    assert!(is_servfail(&server.ask("silent.example")));
    assert_eq!(home.upstream.asked("silent.example"), before);
    home.run(&["cache", "flush", "other.example"]);
    assert!(is_servfail(&server.ask("silent.example")));
    assert_eq!(home.upstream.asked("silent.example"), before);
    let flushed = home.run(&["cache", "flush", "silent.example"]);
    assert!(flushed.stdout.contains("and 1 records"), "{}", flushed.stdout);
    assert!(is_servfail(&server.ask("silent.example")));
    assert!(home.upstream.asked("silent.example") > before);
}
