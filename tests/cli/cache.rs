//! `stairgate cache` against a running server.

use crate::common::{Home, Server, eventually, is_resolved, is_servfail};
use std::fs;
use std::os::unix::fs::PermissionsExt;

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

fn stop(mut server: Server) -> String {
    server.signal("TERM");
    assert_eq!(server.wait_for_exit().code(), Some(0), "{}", server.said());
    server.said()
}

#[test]
fn a_cache_that_is_kept_answers_after_a_restart_and_nobody_else_can_read_it() {
    let home = Home::new();
    let file = home.file("var/cache.saved");
    let serve = |keep: bool| {
        home.configure(&format!("[cache]\nkeep = {keep}\n"));
        home.serve(&["--without-lists"])
    };
    let server = serve(true);
    resolve(&server, &["www.example", "mail.example"]);
    assert!(!file.exists());
    stop(server);
    assert_eq!(
        fs::metadata(&file).expect("it is kept").permissions().mode() & 0o777,
        0o600
    );

    let server = serve(true);
    resolve(&server, &["www.example", "mail.example"]);
    assert_eq!(home.upstream.asked("www.example"), 1, "{}", server.said());
    assert!(!file.exists(), "it is only there while nobody runs");
    stop(server);

    // Torn, as by a full disk; and of other settings.
    let whole = fs::read(&file).expect("it is kept");
    fs::write(&file, &whole[..whole.len() - 7]).expect("a writable folder");
    let server = serve(true);
    resolve(&server, &["www.example"]);
    assert_eq!(home.upstream.asked("www.example"), 2);
    assert!(stop(server).contains("it is damaged"));

    let draft = home.file("var/cache.draft");
    fs::write(&draft, &whole).expect("a writable folder");
    let server = serve(false);
    assert!(!file.exists() && !draft.exists(), "what is not to be kept goes");
    resolve(&server, &["www.example"]);
    assert_eq!(home.upstream.asked("www.example"), 3);
    stop(server);
    assert!(!file.exists());

    // Who changes his mind while it runs is heard.
    let server = serve(true);
    resolve(&server, &["www.example"]);
    home.configure("[cache]\nkeep = false\n");
    let said = server.said().len();
    server.signal("HUP");
    eventually("the settings are read again", || {
        server.said()[said..].contains("reloaded").then_some(())
    });
    stop(server);
    assert!(!file.exists());
}
