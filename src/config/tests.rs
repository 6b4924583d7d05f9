use super::load::Loaded;
use super::settings::*;
use super::shape;
use serde::de::{Deserialize, Deserializer, Visitor, value::Error};
use std::path::Path;

/// Loads `text` as `stairgate.toml` of an empty folder; the error without the folder's path.
fn load(text: &str) -> Result<Loaded, String> {
    load_with(text, None)
}

pub(super) fn load_with(text: &str, household: Option<&str>) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stairgate.toml");
    std::fs::write(&file, text).unwrap();
    if let Some(household) = household {
        std::fs::write(folder.path().join("household.toml"), household).unwrap();
    }
    Settings::load(&file).map_err(|error| {
        let prefix = format!("{}/", folder.path().display());
        error.to_string().replace(&prefix, "")
    })
}

const LISTS: &str = "\n[[list]]\nname='a'\nsource='a.txt'\ncategory='adult'\n\
                     [[list]]\nname='w'\nsource='w.txt'\ncategory='trusted'\naction='allow'\n";

/// Each wrong file and the one sentence it gets.
const WRONG: &[(&str, &str)] = &[
    (
        "lissten = 1",
        "stairgate.toml:1: there is no key \"lissten\" in the file; it may hold cache, client, gate, household, list, \
         page, profile, record, resolver, server, state_dir, version, zone",
    ),
    (
        "[server]\nworkers = 1\nlissten = ['127.0.0.1:53']",
        "stairgate.toml:3: there is no key \"lissten\" in [server]; is \"listen\" meant?",
    ),
    (
        "[[list]]\nname='a'\nsource='a'\ncategory='b'\nurl = 'x'",
        "stairgate.toml:5: there is no key \"url\" in [[list]]; it may hold action, category, format, imposed_by, match, \
         name, observe, rank, refresh, rewrite, source",
    ),
    (
        "[resolver]\nprime = 'yes'",
        "stairgate.toml:2: \"prime\" must be true or false, not string \"yes\"",
    ),
    (
        "[server]\nlisten = '127.0.0.1:53'",
        "stairgate.toml:2: \"listen\" must be a list in [ ], not string \"127.0.0.1:53\"",
    ),
    (
        "server = 3",
        "stairgate.toml:1: \"server\" must be a table, not integer `3`",
    ),
    (
        "[server]\nworkers = 'two'",
        "stairgate.toml:2: \"workers\" must be a whole number, not string \"two\"",
    ),
    (
        "[server]\ncookie_secret = '0123456789abcdef0123456789abcdex'",
        "stairgate.toml:2: server.cookie_secret is not a secret of 32 hex digits, or two different ones in [ ]; \
         `openssl rand -hex 16` makes one",
    ),
    (
        "[server]\ncookie_secret = ['00000000000000000000000000000000', '00000000000000000000000000000000']",
        "stairgate.toml:2: server.cookie_secret is not a secret of 32 hex digits, or two different ones in [ ]; \
         `openssl rand -hex 16` makes one",
    ),
    (
        "[server]\ncookie_secret = 1234567890123456",
        "stairgate.toml:2: \"cookie_secret\" must be a secret in quotes or a list of two, not something else",
    ),
    (
        "[server]\nrate_limit = -1",
        "stairgate.toml:2: server.rate_limit = -1 is out of bounds; write a number from 0 to 1000000",
    ),
    (
        "[server]\ncontact = ['mailto:it@example.net', 'https://example.net/help']",
        "stairgate.toml:2: server.contact = \"https://example.net/help\" has the scheme \"https\", which clients do not follow; \
         write one like \"mailto:it@example.net\", \"tel:+49-30-1234567\" or \"sips:help@example.net\"",
    ),
    (
        "[server]\ncontact = ['it@example.net']",
        "stairgate.toml:2: server.contact = \"it@example.net\" is no URI; \
         write one like \"mailto:it@example.net\", \"tel:+49-30-1234567\" or \"sips:help@example.net\"",
    ),
    (
        "[server]\ncontact = ['tel:0 30']",
        "stairgate.toml:2: server.contact = \"tel:0 30\" is no whole URI; \
         write one like \"mailto:it@example.net\", \"tel:+49-30-1234567\" or \"sips:help@example.net\"",
    ),
    (
        "[server]\nrebinding_allow = ['*.corp.*']",
        "stairgate.toml:2: server.rebinding_allow = \"*.corp.*\" is a pattern; write a name, which also covers everything below it",
    ),
    (
        "[profile.child]\nrebinding = 'yes'",
        "stairgate.toml:2: \"rebinding\" must be true or false, not string \"yes\"",
    ),
    (
        "[profile.child]\nlook_alikes = 1",
        "stairgate.toml:2: \"look_alikes\" must be true or false, not integer `1`",
    ),
    (
        "[server]\norganization = ' '",
        "stairgate.toml:2: server.organization = \" \" is empty; write a name or leave the key out",
    ),
    (
        "[server]\nrate_limit_exempt = ['192.168.1.0/23']",
        "stairgate.toml:2: server.rate_limit_exempt = \"192.168.1.0/23\" has bits set past its prefix; write \"192.168.0.0/23\" \
         for the network or \"192.168.1.0\" for the one address",
    ),
    (
        "[[client]]\nname='x'\nmatch=['10.0.0.1']",
        "stairgate.toml:1: [[client]] lacks the key \"profile\"; add it",
    ),
    (
        "version = 2",
        "stairgate.toml:1: version = 2 is not known to this program, which knows 1; update the program or the file",
    ),
    (
        "[server]\nlisten = ['localhost']",
        "stairgate.toml:2: server.listen = \"localhost\" is not an address with a port; write it like \"127.0.0.1:5300\", \
         \"0.0.0.0:53\" or \"[::1]:5300\"",
    ),
    (
        "[server]\nlisten = []",
        "stairgate.toml:2: server.listen is empty; write an address such as \"127.0.0.1:5300\"",
    ),
    (
        "[server]\nlisten = ['127.0.0.1:53',\n'127.0.0.1:53']",
        "stairgate.toml:3: server.listen = \"127.0.0.1:53\" is there twice; leave one out",
    ),
    (
        "[server]\nallow = ['10.0.0.1/8']",
        "stairgate.toml:2: server.allow = \"10.0.0.1/8\" has bits set past its prefix; write \"10.0.0.0/8\" for the network \
         or \"10.0.0.1\" for the one address",
    ),
    (
        "[server]\nunmatched = 'allow'",
        "stairgate.toml:2: server.unmatched = \"allow\" is not a word for it; write \"default\" or \"open\" or \"refuse\"",
    ),
    (
        "[server]\nworkers = -1",
        "stairgate.toml:2: server.workers = -1 is out of bounds; write a number from 0 to 1024",
    ),
    (
        "[cache]\nsize = '128 Mib'",
        "stairgate.toml:2: cache.size = \"128 Mib\" is not a size; write it like \"128 MiB\"",
    ),
    (
        "[cache]\nmin_ttl = '2d'",
        "stairgate.toml:2: cache.min_ttl is longer than cache.max_ttl; swap or change them",
    ),
    (
        "[resolver]\nmode = 'forward'",
        "stairgate.toml:2: resolver.mode = \"forward\" needs upstreams; add forward = [\"tls://9.9.9.9#dns.quad9.net\"] or \
         others",
    ),
    (
        "[resolver]\nforward = ['sdns://AQ']",
        "stairgate.toml:2: resolver.forward = \"sdns://AQ\" has the scheme \"sdns\"; it is one of udp, tcp, tls, https, quic",
    ),
    (
        "[resolver]\nmode = 'forward'\nbootstrap = []\nforward = ['https://dns.example/dns-query']",
        "stairgate.toml:4: resolver.forward = \"https://dns.example/dns-query\" is an upstream by name, but \
         resolver.bootstrap is empty; write its address or a bootstrap server",
    ),
    (
        "[resolver]\ndns64 = ['64:ff9b::/95']",
        "stairgate.toml:2: resolver.dns64 = \"64:ff9b::/95\" is not the prefix of a translator; write it like \
         \"64:ff9b::/96\", with 32, 40, 48, 56, 64 or 96 bits",
    ),
    (
        "[resolver]\nfallback = 'recursive'",
        "stairgate.toml:2: resolver.fallback = \"recursive\" is the mode itself; write \"off\" or \"forward\"",
    ),
    (
        "[resolver]\nfallback = 'forward'",
        "stairgate.toml:2: resolver.fallback = \"forward\" needs upstreams; name some in resolver.forward",
    ),
    (
        "[resolver]\ndeadline = '5'",
        "stairgate.toml:2: resolver.deadline = \"5\" is not a duration; write it like \"30s\", \"15m\" or \"1d\"",
    ),
    (
        "[resolver]\nipv4 = false\nipv6 = false",
        "stairgate.toml:3: resolver.ipv4 and resolver.ipv6 are both false; set one to true",
    ),
    (
        "[[zone]]\nname = 'home.arpa'\nforward = ['192.168.1.1']\nfile = 'x.zone'",
        "stairgate.toml:2: zone \"home.arpa\" has both forward and file; give it one of them",
    ),
    (
        "[[zone]]\nname = 'home.arpa'",
        "stairgate.toml:2: zone \"home.arpa\" has neither forward nor file; give it one of them",
    ),
    (
        "[[zone]]\nname = 'home.arpa'\nfile = 'x'\n[[zone]]\nname = 'Home.Arpa.'\nfile = 'y'",
        "stairgate.toml:5: zone \"Home.Arpa.\" is there twice, first on line 2; give each a name of its own",
    ),
    (
        "[[record]]\nname = 'p.home.arpa'\ndata = ['A printer']",
        "stairgate.toml:3: record.data = \"A printer\" is not record data; write it like \"A 192.168.1.20\"",
    ),
    (
        "[[record]]\nname = 'p.home.arpa'\ndata = ['A 192.0.2.1']\n[[record]]\nname = 'p.home.arpa'\ndata = ['A 192.0.2.2']",
        "stairgate.toml:5: record \"p.home.arpa\" is there twice, first on line 2; give each a name of its own",
    ),
    (
        "[[list]]\nname='a'\nsource='a'\ncategory='x'\n[[list]]\nname='a'\nsource='b'\ncategory='y'",
        "stairgate.toml:6: list \"a\" is there twice, first on line 2; give each a name of its own",
    ),
    (
        "[[list]]\nname='a'\nsource='https://lists.example/a'\ncategory='x'\nrefresh='5s'",
        "stairgate.toml:5: list.refresh = \"5s\" is under the floor of 15m; publishers ban clients that ask so often",
    ),
    (
        "[[list]]\nname='a'\nsource='http://lists.example/a'\ncategory='x'",
        "stairgate.toml:3: list.source = \"http://lists.example/a\" is neither a path nor an https:// address; lists are \
         fetched over https only",
    ),
    (
        "[[list]]\nname='a'\nsource='a'\ncategory='Adult Sites'",
        "stairgate.toml:4: list.category = \"Adult Sites\" is not a category; write it with a-z, 0-9, \"_\" and \"-\"",
    ),
    (
        "[[list]]\nname='a'\nsource='a'\ncategory='x'\nformat='adgard'",
        "stairgate.toml:5: list.format = \"adgard\" is not a format; is \"adguard\" meant?",
    ),
    (
        "[profile.child]\nanswer = 'null'",
        "stairgate.toml:1: profile \"child\" names no list and no category; add block = [\"adult\"] or others, or block = \
         [] if it is to filter nothing",
    ),
    (
        "[profile.child]\nblock = ['adlut']\n[[list]]\nname='a'\nsource='a.txt'\ncategory='adult'",
        "stairgate.toml:2: profile \"child\" has block = \"adlut\", but there is no such list or category; is \"adult\" meant?",
    ),
    (
        "[profile.child]\nblock = ['weapons']",
        "stairgate.toml:2: profile \"child\" has block = \"weapons\", but there is no such list or category; add a [[list]] \
         for it or leave the word out",
    ),
    (
        "[profile.child]\ndeny = ['.']",
        "stairgate.toml:2: profile.deny = \".\" is every name there is; write the names that are meant",
    ),
    (
        "[profile.child]\ndeny = ['x.example']\nanswer = 'page'",
        "stairgate.toml:3: profile \"child\" has answer = \"page\" without answer_addresses; add the addresses of the block \
         page",
    ),
    (
        "[profile.child]\ndeny=['x']\n[profile.child]\ndeny=['y']",
        "stairgate.toml:3: is not TOML here: duplicate key",
    ),
    (
        "[profile.default]\ndeny=['x']\n[[client]]\nname='t'\nmatch=['10.0.0.1']\nprofile='child'",
        "stairgate.toml:6: client \"t\" has profile = \"child\", but there is no such profile; add [profile.child]",
    ),
    (
        "[profile.child]\ndeny=['x']\n[[client]]\nname='t'\nmatch=['10.0.0.1']\nprofile='child'",
        "stairgate.toml:3: clients are defined, so that unmatched = \"default\" needs a profile of that name; add \
         [profile.default], or write unmatched = \"open\" or \"refuse\" in [server]",
    ),
    (
        "[profile.default]\ndeny=['x']\n[[client]]\nname='t'\nmatch=['10.0.0.1']\nprofile='default'\n\
         [[client]]\nname='t'\nmatch=['10.0.0.2']\nprofile='default'",
        "stairgate.toml:8: client \"t\" is there twice, first on line 4; give each a name of its own",
    ),
    (
        "[profile.default]\ndeny=['x']\n[[client]]\nname='t'\nmatch=['10.0.0.0/24']\nprofile='default'\n\
         [[client]]\nname='u'\nmatch=['10.0.0.0/24']\nprofile='default'",
        "stairgate.toml:9: client \"u\" and client \"t\" (line 5) both match 10.0.0.0/24; keep it with one of them",
    ),
    (
        "[profile.default]\ndeny=['x']\n[[client]]\nname='t'\nmatch=[]\nprofile='default'",
        "stairgate.toml:5: client \"t\" matches nothing; write its addresses or networks in match",
    ),
];

#[test]
fn a_household_that_is_not_there_yet_filters_everybody_and_is_told_of() {
    let loaded = load("household = 'nowhere.toml'").unwrap();
    assert!(loaded.settings.profiles.iter().all(|profile| profile.every_category));
    let said: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(
        said.iter()
            .any(|said| said.contains("nowhere.toml: is not there yet, so that every device is filtered")),
        "{said:?}"
    );
}

#[test]
fn every_wrong_file_gets_one_sentence_with_its_place() {
    let mut differences = String::new();
    for (text, sentence) in WRONG {
        let error = match load(text) {
            Ok(_) => "loads".to_owned(),
            Err(error) => error,
        };
        if error != *sentence {
            differences += &format!("{text}\n  gets: {error}\n  not:  {sentence}\n\n");
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

#[test]
fn a_profile_that_blocks_an_allow_list_is_told_where_it_belongs() {
    let error = load(&format!("[profile.child]\nblock = ['trusted']\n{LISTS}")).unwrap_err();
    assert_eq!(
        error,
        "stairgate.toml:2: profile \"child\" has block = \"trusted\", but its lists have action = \"allow\"; name them by \
         list in allow_lists instead"
    );
    let error = load(&format!("[profile.child]\nblock = []\nallow_lists = ['a']\n{LISTS}")).unwrap_err();
    assert_eq!(
        error,
        "stairgate.toml:3: profile \"child\" has allow_lists = \"a\", but that is not a list with action = \"allow\"; give \
         the list that action or leave the word out"
    );
    load(&format!(
        "[profile.default]\nblock = ['adult']\nallow_lists = ['w']\n{LISTS}"
    ))
    .unwrap();
}

#[test]
fn a_household_beside_profiles_of_the_file_itself_is_an_error_and_alone_is_read() {
    let household =
        "[profile.child]\ndeny = ['x.example']\n[[client]]\nname='t'\nmatch=['10.0.0.1']\nprofile='child'\n";
    let both = load_with(
        "household = 'household.toml'\n[profile.default]\ndeny = ['y.example']",
        Some(household),
    );
    assert_eq!(
        both.unwrap_err(),
        "stairgate.toml:1: household names a file, but this file has profiles or clients of its own; move them to the \
         household file or leave the key household out"
    );
    let alone = load_with(
        "household = 'household.toml'\n[server]\nunmatched = 'open'",
        Some(household),
    )
    .unwrap();
    assert_eq!(alone.settings.profiles.len(), 1);
    assert_eq!(alone.settings.clients[0].networks[0].to_string(), "10.0.0.1/32");
    let wrong = load_with(
        "household = 'household.toml'\n[server]\nunmatched = 'open'",
        Some("[profile.child]\n\ndeni = ['x.example']"),
    );
    assert_eq!(
        wrong.unwrap_err(),
        "household.toml:3: there is no key \"deni\" in [profile.child]; is \"deny\" meant?"
    );
    let listens = load_with(
        "household = 'household.toml'",
        Some("[server]\nlisten = ['127.0.0.1:53']"),
    );
    assert_eq!(
        listens.unwrap_err(),
        "household.toml:1: there is no key \"server\" in the file; it may hold client, device, grant, group, pause, \
         person, profile, quota, service, timezone, version, window"
    );
}

#[test]
fn where_nobody_is_defined_the_profile_default_blocks_every_category() {
    let loaded = load(LISTS).unwrap();
    assert_eq!(loaded.settings.profiles.len(), 1);
    assert!(loaded.settings.profiles[0].every_category);
    let own = load(&format!("[profile.default]\nblock = ['adult']\n{LISTS}")).unwrap();
    assert!(!own.settings.profiles[0].every_category);
    let other = load(&format!("[profile.child]\nblock = ['adult']\n{LISTS}")).unwrap();
    let names: Vec<&str> = other
        .settings
        .profiles
        .iter()
        .map(|profile| profile.name.as_str())
        .collect();
    assert_eq!(names, ["child", "default"]);
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stairgate.toml");
    std::fs::write(
        &file,
        "gate = 'x/lists.gate'\n[resolver]\nroot_hints = '/etc/hints.zone'",
    )
    .unwrap();
    let settings = Settings::load(&file).unwrap().settings;
    assert_eq!(settings.gate.unwrap(), folder.path().join("x/lists.gate"));
    assert_eq!(settings.state_dir, folder.path().join("var"));
    assert_eq!(settings.resolver.root_hints.unwrap(), Path::new("/etc/hints.zone"));
}

#[test]
fn files_that_are_no_settings_are_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stairgate.toml");
    for bytes in [
        &b"\xff\xfe\x00"[..],
        b"[",
        b"a",
        b"=",
        b"[[list",
        b"a = [1, ",
        b"\"",
        b"version = 99999999999999999999",
    ] {
        std::fs::write(&file, bytes).unwrap();
        let error = Settings::load(&file).unwrap_err().to_string();
        assert!(error.contains("stairgate.toml"), "{error}");
    }
    assert!(Settings::load(folder.path()).is_err(), "a folder is no settings file");
}

#[test]
fn an_idle_profile_and_an_idle_category_are_warned_of() {
    let loaded = load(&format!(
        "[profile.default]\ndeny = ['x.example']\n[profile.child]\nblock = []\n{LISTS}"
    ))
    .unwrap();
    let sentences: Vec<String> = loaded.warnings.iter().map(|warning| warning.sentence.clone()).collect();
    assert_eq!(
        sentences,
        [
            "profile \"child\" blocks nothing; name categories or lists in block if that is not meant",
            "profile \"child\" is nobody's; give it to a client or leave it out",
            "no profile blocks the category \"adult\"; add it to a profile's block or leave its lists out",
        ]
    );
}

#[test]
fn a_reload_takes_the_people_and_leaves_the_rest_for_a_restart() {
    let before = load("[server]\nunmatched='open'").unwrap().settings;
    let after = load(&format!(
        "[server]\nunmatched='refuse'\n[cache]\nsize='64 MiB'\n[profile.child]\nblock=['adult']\n{LISTS}"
    ))
    .unwrap()
    .settings;
    let (merged, waiting) = before.reloaded(after.clone());
    assert_eq!(merged.profiles, after.profiles);
    assert_eq!(merged.lists, after.lists);
    assert_eq!(merged.server, before.server);
    assert_eq!(merged.cache, before.cache);
    assert!(
        waiting.contains(&"server.unmatched") && waiting.contains(&"cache.size"),
        "{waiting:?}"
    );
    assert!(!waiting.contains(&"resolver.mode"));
}

#[test]
fn a_reload_takes_what_clients_are_told() {
    let [before, after] = ["", "contact = ['mailto:it@example.net']\norganization = 'The network'"]
        .map(|keys| load(&format!("[server]\n{keys}")).unwrap().settings);
    let (merged, waiting) = before.reloaded(after.clone());
    assert_eq!(merged.server.contact, ["mailto:it@example.net"]);
    assert_eq!(merged.server.organization.as_deref(), Some("The network"));
    // The two stood in folders of their own.
    assert_eq!(waiting, ["state_dir"]);
}

#[test]
fn a_reload_stops_what_people_looked_up_from_being_written_and_never_starts_it() {
    let [keeps, keeps_not] = ["true", "false"].map(|keep| load(&format!("[cache]\nkeep={keep}")).unwrap().settings);
    let (merged, waiting) = keeps.reloaded(keeps_not.clone());
    assert!(!merged.cache.keep && !waiting.contains(&"cache.keep"), "{waiting:?}");
    let (merged, waiting) = keeps_not.reloaded(keeps);
    assert!(!merged.cache.keep && waiting.contains(&"cache.keep"), "{waiting:?}");
}

#[test]
fn the_builtin_example_has_a_list_for_each_starter_file_and_stays_in_its_folder() {
    let settings = Settings::builtin(Path::new("/somewhere/x"));
    assert_eq!(settings.state_dir, Path::new("/somewhere/x/var"));
    assert!(settings.server.listen.iter().all(|addr| addr.ip().is_loopback()));
    for category in [
        "adult", "gambling", "drugs", "violence", "malware", "phishing", "bypass",
    ] {
        assert!(
            settings.lists.iter().any(|list| list.category == category),
            "{category}"
        );
    }
}

pub(super) fn shipped(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(path)
}

#[test]
fn the_shipped_files_load() {
    let reference = Settings::load(&shipped("stairgate.toml")).unwrap();
    assert!(reference.warnings.is_empty(), "{:?}", reference.warnings);
    let home = Settings::load(&shipped("examples/home.toml")).unwrap();
    assert!(home.warnings.is_empty(), "{:?}", home.warnings);
    for list in &home.settings.lists {
        let ListSource::Path(path) = &list.source else {
            panic!("{} is not a path", list.name);
        };
        assert!(path.exists(), "{}", path.display());
    }
    // The operator's household is the provisioning system's, not shipped.
    let operator = std::fs::read_to_string(shipped("examples/operator.toml")).unwrap();
    let household = "[profile.family]\nblock = ['adult']\n";
    load_with(
        &operator.replace("/etc/stairgate/subscribers.toml", "household.toml"),
        Some(household),
    )
    .unwrap();
}

/// What the reference file says is the default is the default.
#[test]
fn the_reference_file_states_the_defaults() {
    let reference = Settings::load(&shipped("stairgate.toml")).unwrap().settings;
    let empty = load("").unwrap().settings;
    assert_eq!(reference.server, empty.server);
    assert_eq!(reference.cache, empty.cache);
    assert_eq!(reference.resolver, empty.resolver);
}

/// The reference with everything in it, the copied examples included.
#[test]
fn the_commented_examples_of_the_reference_file_are_right_too() {
    let text = std::fs::read_to_string(shipped("stairgate.toml")).unwrap();
    let tables = text.find("# [page]").unwrap();
    let uncommented: String = text[tables..]
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')))
        .map(|line| format!("{line}\n"))
        .collect();
    let text = format!("{}{uncommented}", &text[..tables]);
    // The example's words need lists of their own.
    let text = format!(
        "{text}[profile.default]\nblock = ['adult']\n[[list]]\nname = 'g'\nsource = 'g'\ncategory = 'gambling'\n"
    );
    let loaded = load(&text).unwrap();
    assert_eq!(loaded.settings.zones.len(), 2);
    assert_eq!(loaded.settings.clients.len(), 1);
    assert_eq!(loaded.settings.page.listen.len(), 1);
}

#[test]
fn every_key_of_the_shape_stands_in_the_reference_file() {
    let text = std::fs::read_to_string(shipped("stairgate.toml")).unwrap();
    let has = |key: &str| {
        text.lines().any(|line| {
            let line = line.strip_prefix("# ").unwrap_or(line);
            line.starts_with(&format!("{key} = "))
        })
    };
    let tables = [
        "server", "cache", "resolver", "page", "zone", "record", "list", "profile", "client",
    ];
    let of_file = fields::<shape::File>();
    for table in tables {
        assert!(of_file.contains(&table), "{table}");
        let header = [format!("[{table}]"), format!("[[{table}]]"), format!("[{table}.child]")];
        assert!(
            text.lines()
                .any(|line| header.iter().any(|header| line.trim_start_matches("# ") == header)),
            "the table {table} is missing"
        );
    }
    let keys = [
        of_file.into_iter().filter(|key| !tables.contains(key)).collect(),
        fields::<shape::Server>(),
        fields::<shape::Cache>(),
        fields::<shape::Resolver>(),
        fields::<shape::Page>(),
        fields::<shape::Zone>(),
        fields::<shape::Record>(),
        fields::<shape::List>(),
        fields::<shape::Profile>(),
        fields::<shape::Client>(),
    ]
    .concat();
    assert!(keys.len() > 50, "the probe sees the keys");
    for key in keys {
        assert!(has(key), "the key {key} is missing");
    }
}

/// The keys a struct of the shape has, as serde knows them.
pub(super) fn fields<'de, T: Deserialize<'de>>() -> Vec<&'static str> {
    struct Probe<'a>(&'a mut Vec<&'static str>);
    impl<'de> Deserializer<'de> for Probe<'_> {
        type Error = Error;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(serde::de::Error::custom("only structs are looked at"))
        }
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            self.0.extend(fields);
            Err(serde::de::Error::custom("seen"))
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut found = Vec::new();
    let _ = T::deserialize(Probe(&mut found));
    found
}

#[test]
fn secrets_of_cookies_are_read_and_shown_nowhere_and_a_random_one_is_no_reason_for_a_restart() {
    let of = |line: &str| load(&format!("[server]\n{line}\n")).unwrap();
    let (a, b) = ("E5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962");
    let one = of(&format!("cookie_secret = '{a}'")).settings;
    let both = of(&format!("cookie_secret = ['{a}', '{b}']")).settings;
    assert!(one.server.cookie_secret.are_shared() && !of("workers = 1").settings.server.cookie_secret.are_shared());
    let shown = format!("{one:?}{both:?}");
    assert!(!shown.contains("e973") && !shown.contains("229, 233"), "{shown}");
    let waiting = |old: &Settings, new: &Settings| {
        let mut keys = old.needs_restart(new);
        keys.retain(|key| key.starts_with("server."));
        keys
    };
    let random = of("").settings;
    assert_eq!(waiting(&one, &both), ["server.cookie_secret"]);
    assert_eq!(waiting(&one, &random), ["server.cookie_secret"]);
    assert!(waiting(&random, &of("").settings).is_empty());
    let other = of("cookies = false\nrate_limit = 0\nrate_limit_slip = 3\nrate_limit_exempt = []").settings;
    let keys = ["cookies", "rate_limit", "rate_limit_slip", "rate_limit_exempt"].map(|key| format!("server.{key}"));
    assert_eq!(waiting(&random, &other), keys);
    // What the TOML reader itself complains about is not shown either.
    for broken in [
        format!("cookie_secret = {a}"),
        format!("cookie_secret = '{a}"),
        format!("cookie_secret = ['{a}' '{b}']"),
        format!("cookie_secret = {{ a = '{a}' }}"),
        format!("cookie_secret = ['{a}', 3]"),
        "cookie_secret = 11111111111111111111111111111111".to_owned(),
    ] {
        let error = load(&format!("[server]\n{broken}\n")).map(|_| ()).unwrap_err();
        assert!(!error.contains("e973") && !error.contains("1111"), "{error}");
    }
    let unused = load(&format!("[server]\ncookies = false\ncookie_secret = '{a}'\n")).unwrap();
    assert_eq!(unused.warnings.len(), 1 + of("").warnings.len());
}
