//! `stairgate activity`: what is kept of whom, from a running server and from its file, and that nothing is where nobody asked for it.

use crate::common::{Home, Server, ask, eventually, is_blocked, is_resolved};
use hickory_proto::rr::RecordType;
use std::fs;
use std::path::Path;

const NAME: &str = "secret-thing.example";

fn home(log: &str) -> Home {
    let home = Home::new();
    home.configure_with("household = \"household.toml\"\n", "");
    choose(&home, log);
    home
}

/// Writes the household with this line for Masha.
fn choose(home: &Home, log: &str) {
    home.write(
        "household.toml",
        &format!(
            "timezone = \"Europe/Berlin\"\n[profile.default]\nblock = []\n\
             [profile.child]\ndeny = [\"bad.example\"]\nsafe_search = [\"google\"]\n\
             [person.masha]\nname = \"Masha\"\nprofile = \"child\"\n{log}\n\
             [[device]]\nname = \"phone\"\nperson = \"masha\"\nmatch = [\"127.0.0.1\"]\n\
             [[window]]\nname = \"night\"\nfor = \"masha\"\ndays = \"2020-01-01\"\nfrom = \"21:00\"\nto = \"21:01\"\nblock = [\"internet\"]\n"
        ),
    );
}

fn uses(server: &Server, home: &Home) {
    assert!(is_resolved(&server.ask(NAME)));
    let blocked = ask(home.address, "bad.example", RecordType::A).expect("an answer");
    assert!(is_blocked(&blocked));
}

/// Whether any file of the folder holds the text.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).into_iter().flatten().any(|entry| {
        let path = entry.expect("an entry").path();
        let file = || fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()));
        if path.is_dir() { holds(&path, text) } else { file() }
    })
}

fn stop(mut server: Server) {
    server.signal("TERM");
    assert!(server.wait_for_exit().success());
}

#[test]
fn nothing_that_was_asked_for_is_on_disk_or_told_unless_it_was_chosen() {
    let home = home("");
    let server = home.serve(&[]);
    uses(&server, &home);
    let said = home.run(&["activity", "--person", "masha"]);
    assert!(
        said.stdout.starts_with("Masha: nothing is kept\n"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    assert!(!said.stdout.contains("queries,"), "{}", said.stdout);
    let devices = home.run(&["activity", "devices"]).stdout;
    assert!(
        devices.starts_with("phone: last asked ") && devices.ends_with(" min ago\n"),
        "{devices}"
    );
    stop(server);
    assert!(!home.file("var/activity").exists());
    for name in [NAME, "secret-thing"] {
        assert!(!holds(&home.file("var"), name));
    }
}

#[test]
fn names_are_kept_told_and_gone_when_less_is_chosen_or_somebody_is_forgotten() {
    let home = home("log = \"names\"\nlog_for = \"3d\"");
    let server = home.serve(&[]);
    uses(&server, &home);
    let day = eventually("the queries are noted", || {
        let said = home.run(&["activity", "--person", "masha"]);
        assert!(
            said.stdout
                .starts_with("Masha: every name that was asked for, with the times, is kept for 3 days\n"),
            "{}{}",
            said.stdout,
            said.stderr
        );
        said.stdout
            .contains("2 queries, 1 blocked (own names 1)")
            .then_some(said.stdout)
    });
    assert!(
        day.contains("  secret-thing.example. ") && day.contains("  bad.example. "),
        "{day}"
    );
    stop(server);

    // From the file, which only its user may read.
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(home.file("var/activity"))
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(holds(&home.file("var"), NAME));
    let json: serde_json::Value = serde_json::from_str(&home.run(&["activity", "--json"]).stdout).expect("JSON");
    assert_eq!(json["days"][0]["whose"], "person:masha");
    assert_eq!(
        (&json["days"][0]["queries"], &json["days"][0]["categories"]["own names"]),
        (&2.into(), &1.into())
    );

    let server = home.serve(&[]);
    choose(&home, "log = \"counts\"");
    eventually("the names are gone", || (!holds(&home.file("var"), NAME)).then_some(()));
    let said = home.run(&["activity", "--person", "masha"]).stdout;
    assert!(
        said.contains("2 queries, 1 blocked") && !said.contains("secret"),
        "{said}"
    );

    let forgotten = home.run(&["activity", "forget", "--person", "masha"]);
    assert_eq!(
        forgotten.stdout, "forgotten: 1 days of person:masha\n",
        "{}",
        forgotten.stderr
    );
    assert!(!home.file("var/activity").exists());
    stop(server);
    assert_eq!(
        home.run(&["activity", "forget", "--person", "masha"]).stdout,
        "forgotten: 0 days of person:masha\n"
    );
}

#[test]
fn the_rules_of_somebody_are_told_in_plain_words() {
    let home = home("log = \"counts\"\nlog_for = \"1d\"");
    let rules = home.run(&["activity", "--rules", "--person", "masha"]).stdout;
    for sentence in [
        "Masha: these rules hold, profile child\n",
        "  safe mode of search engines: google\n",
        "  blocked besides: bad.example\n",
        "  \"night\" blocks the internet: 2020-01-01, 21:00 to 21:01\n",
        "is kept today only, no names\n",
        "parents and children alike\n",
    ] {
        assert!(rules.contains(sentence), "{sentence}: {rules}");
    }
    let unknown = home.run(&["activity", "--person", "nobody"]);
    assert_eq!(unknown.code, Some(2));
    let owned = home.run(&["activity", "--device", "phone"]);
    assert!(owned.stderr.contains("write --person masha"), "{}", owned.stderr);
}
