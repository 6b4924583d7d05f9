//! What profiles, own rules and clients make of the same lists.

use super::tests::*;
use super::*;
use crate::config::settings::*;
use crate::dns::name::Name;
use crate::dns::rtype;
use crate::list::set::Gate;
use std::path::{Path, PathBuf};

#[test]
fn own_rules_come_before_lists_and_the_longest_own_name_counts() {
    let mut settings = settings();
    settings.profiles[0].allow = vec![
        Name::parse("school.example").unwrap().into(),
        Name::parse("tie.example").unwrap().into(),
    ];
    settings.profiles[0].deny = vec![
        Name::parse("game.school.example").unwrap().into(),
        Name::parse("tie.example").unwrap().into(),
    ];
    let world = World::with(
        &[(
            "a",
            "x",
            "! Title\n||school.example^$important\n||x.example^\n@@||game.school.example^$important\n",
        )],
        settings,
    );
    check_world(
        &world,
        &[
            ("www.school.example", "pass whole by own allow 0"),
            ("game.school.example", "block by own deny 0"),
            ("x.game.school.example", "block by own deny 0"),
            ("tie.example", "pass whole by own allow 1"),
            ("x.example", "block by a"),
            ("example", "pass"),
        ],
    );
    let asker = world.asker("127.0.0.1");
    // Met in an answer, an own allow lets that name through, not what else the answer holds.
    assert_eq!(
        world.says_of_answer(&asker, "www.school.example", rtype::CNAME),
        "pass by own allow 0"
    );
    assert_eq!(
        world.says_of_answer(&asker, "game.school.example", rtype::CNAME),
        "block by own deny 0"
    );
}

#[test]
fn an_allow_list_acts_only_for_profiles_that_name_it() {
    let lists = [
        ("a", "x", "# domains\nbad.example\n"),
        ("w", "allow", "# domains\ngood.bad.example\n"),
    ];
    check(
        &lists,
        &[("good.bad.example", "pass by w"), ("bad.example", "block by a")],
    );
    let mut settings = settings();
    settings.profiles[0] = ProfileSettings {
        block: vec!["x".to_owned()],
        ..ProfileSettings::named("default")
    };
    check_world(&World::with(&lists, settings), &[("good.bad.example", "block by a")]);
}

#[test]
fn a_profile_blocks_by_category_and_by_list_and_nothing_else() {
    let lists = [
        ("a", "adult", "# domains\na.example\nboth.example\n"),
        ("g", "gambling", "# domains\ng.example\nboth.example\n"),
    ];
    let block = |words: &[&str]| {
        let mut settings = settings();
        settings.profiles[0] = ProfileSettings {
            block: words.iter().map(|word| (*word).to_owned()).collect(),
            ..ProfileSettings::named("default")
        };
        World::with(&lists, settings)
    };
    check_world(
        &block(&["gambling"]),
        &[
            ("a.example", "pass"),
            ("g.example", "block by g"),
            ("both.example", "block by g"),
        ],
    );
    check_world(&block(&["a"]), &[("a.example", "block by a"), ("g.example", "pass")]);
    check_world(&block(&[]), &[("both.example", "pass")]);
}

#[test]
fn what_only_observes_says_what_would_have_been_and_hinders_nothing_else() {
    let mut settings = settings();
    settings.lists = vec![list_settings("a", true), list_settings("b", false)];
    let lists = [
        (
            "a",
            "x",
            "! Title\n||seen.example^\n||both.example^\n@@||exempt.example^\n",
        ),
        ("b", "x", "! Title\n||both.example^\n||exempt.example^\n"),
    ];
    let world = World::with(&lists, settings.clone());
    check_world(
        &world,
        &[
            ("seen.example", "block by a (observed)"),
            ("both.example", "block by b"),
            ("exempt.example", "block by b"),
            ("other.example", "pass"),
        ],
    );
    settings.profiles[0].observe = true;
    check_world(
        &World::with(&lists, settings),
        &[("both.example", "block by b (observed)"), ("other.example", "pass")],
    );
}

#[test]
fn equal_profiles_share_one_table() {
    let mut settings = settings();
    let profile = |name: &str, word: &str| ProfileSettings {
        block: vec![word.to_owned()],
        ..ProfileSettings::named(name)
    };
    settings.profiles = vec![
        profile("default", "x"),
        profile("one", "x"),
        profile("two", "a"),
        profile("three", "y"),
    ];
    let world = World::with(&[("a", "x", HOSTS), ("b", "y", HOSTS)], settings);
    assert_eq!(world.policy.tables.len(), 2);
}

#[test]
fn a_word_that_is_nowhere_is_an_error_and_a_list_that_has_not_come_is_missing() {
    let gate = Gate::from_lists(&[("a", "adult", HOSTS)]);
    let mut wrong = settings();
    wrong.profiles[0] = ProfileSettings {
        block: vec!["weapons".to_owned()],
        ..ProfileSettings::named("default")
    };
    let error = Policy::build(&gate, &wrong, &[]).err().unwrap();
    assert_eq!(
        error.to_string(),
        "profile \"default\" has block = \"weapons\", which is neither in the settings nor in the compiled lists; correct the \
         word or compile the lists anew"
    );
    let mut waiting = Settings::builtin(Path::new("/"));
    waiting.lists.truncate(1);
    let policy = Policy::build(&Gate::empty(), &waiting, &[]).unwrap();
    assert_eq!(policy.missing(ProfileId(0)), ["adult"]);
}

#[test]
fn a_folder_of_lists_is_one_list_to_profiles() {
    let mut settings = settings();
    settings.profiles[0] = ProfileSettings {
        block: vec!["ut1".to_owned()],
        ..ProfileSettings::named("default")
    };
    let world = World::with(
        &[
            ("ut1/adult", "adult", HOSTS),
            ("ut1x", "adult", "# domains\nother.example\nmore.example\n"),
        ],
        settings,
    );
    check_world(
        &world,
        &[("one.example", "block by ut1/adult"), ("other.example", "pass")],
    );
}

#[test]
fn clients_get_their_profile_and_strangers_what_the_settings_say() {
    let mut settings = settings();
    settings.profiles.push(ProfileSettings {
        block: vec!["x".to_owned()],
        ..ProfileSettings::named("child")
    });
    settings.clients = vec![ClientSettings {
        name: "tablet".to_owned(),
        tags: Vec::new(),
        networks: vec!["192.168.1.0/24".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()],
        profile: "child".to_owned(),
        person: None,
    }];
    let lists = [("a", "x", HOSTS)];
    let profile = |world: &World, addr: &str| {
        let asker = world.policy.client(addr.parse().unwrap(), 0);
        asker.map(|asker| asker.profile.map(|id| world.policy.profile_name(id).to_owned()))
    };
    let world = World::with(&lists, settings.clone());
    assert_eq!(profile(&world, "192.168.1.7"), Some(Some("child".to_owned())));
    assert_eq!(profile(&world, "::ffff:192.168.1.7"), Some(Some("child".to_owned())));
    assert_eq!(profile(&world, "10.0.0.1"), Some(Some("default".to_owned())));
    assert_eq!(profile(&world, "203.0.113.1"), None, "not in the default access list");
    assert_eq!(
        profile(&world, "2001:db8:1::1"),
        None,
        "the access list comes before clients"
    );
    assert_eq!(world.policy.client_name(ClientId(0)), "tablet");

    settings.server.unmatched = Unmatched::Open;
    let world = World::with(&lists, settings.clone());
    assert_eq!(profile(&world, "10.0.0.1"), Some(None));
    let asker = world.asker("10.0.0.1");
    assert_eq!(
        world.words(&world.decide(&asker, "one.example", rtype::A)),
        "pass whole (unfiltered)"
    );

    settings.server.unmatched = Unmatched::Refuse;
    settings.server.allow = Some(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
    let world = World::with(&lists, settings.clone());
    assert_eq!(profile(&world, "10.0.0.1"), None);
    assert_eq!(profile(&world, "2001:db8:1::1"), Some(Some("child".to_owned())));

    settings.server.allow = None;
    settings.server.unmatched = Unmatched::Default;
    let connected = ["203.0.113.0/24".parse().unwrap()];
    let policy = Policy::build(&world.gate, &settings, &connected).unwrap();
    assert!(policy.client("203.0.113.1".parse().unwrap(), 0).is_some());
    assert!(policy.client("203.0.114.1".parse().unwrap(), 0).is_none());

    let open = Policy::unfiltered(&settings, &[]);
    assert_eq!(open.client("192.168.1.7".parse().unwrap(), 0).unwrap().profile, None);
    assert!(open.client("203.0.113.1".parse().unwrap(), 0).is_none());
}

#[test]
fn the_shape_of_an_answer_says_who_wants_it_and_which_list() {
    let mut settings = settings();
    settings.lists = vec![ListSettings {
        name: "law".to_owned(),
        source: ListSource::Path(PathBuf::from("law")),
        category: "x".to_owned(),
        action: ListAction::Block,
        format: None,
        match_scope: None,
        rank: 100,
        rewrite: true,
        refresh: std::time::Duration::from_secs(86_400),
        imposed_by: ImposedBy::Law,
        observe: false,
    }];
    settings.profiles[0].imposed_by = ImposedBy::Operator;
    settings.profiles[0].deny = vec![Name::parse("denied.example").unwrap().into()];
    let world = World::with(
        &[("law", "x", HOSTS), ("z", "y", "# domains\nz.example\nzz.example\n")],
        settings,
    );
    let asker = world.asker("127.0.0.1");
    let shape = |name: &str| {
        let shape = world.policy.answer(&asker, &world.decide(&asker, name, rtype::A));
        (
            shape.imposed_by,
            String::from_utf8(shape.text.as_bytes().to_vec()).unwrap(),
            shape.ttl_s,
        )
    };
    assert_eq!(shape("one.example"), (ImposedBy::Law, "x, law".to_owned(), 30));
    assert_eq!(shape("z.example"), (ImposedBy::Operator, "y, z".to_owned(), 30));
    assert_eq!(
        shape("denied.example"),
        (ImposedBy::Operator, "denied by profile default".to_owned(), 30)
    );
}

#[test]
fn canaries_come_before_own_rules_and_only_for_profiles_that_filter() {
    let mut settings = settings();
    settings.profiles[0].allow = vec![Name::parse("icloud.com").unwrap().into()];
    let lists = [("h", "x", HOSTS)];
    check_world(
        &World::with(&lists, settings.clone()),
        &[
            (
                "use-application-dns.net A",
                "rcode 3 as canary of Firefox application DNS",
            ),
            ("use-application-dns.net TXT", "pass"),
            ("mask.icloud.com AAAA", "rcode 3 as canary of iCloud Private Relay"),
            ("www.icloud.com", "pass whole by own allow 0"),
            (
                "_dns.resolver.arpa HTTPS",
                "nodata as canary of Discovery of Designated Resolvers",
            ),
        ],
    );
    settings.profiles[0] = ProfileSettings::named("default");
    check_world(
        &World::with(&lists, settings),
        &[("use-application-dns.net", "pass"), ("mask.icloud.com", "pass")],
    );
}
