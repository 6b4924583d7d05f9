//! How RPZ, unbound and dnsmasq sources reduce themselves to one match, and how that meets other lists.

use super::tests::{World, check, check_world, settings};
use super::*;
use crate::config::settings::*;
use crate::dns::rtype;

const SOA: &str = "$TTL 60\n@ SOA localhost. root.localhost. 1 1h 15m 30d 2h\n@ NS localhost.\n";

fn zone(records: &str) -> String {
    format!("{SOA}{records}")
}

#[test]
fn rpz_exact_names_come_before_wildcards_and_the_longest_wildcard_first() {
    check(
        &[(
            "z",
            "x",
            &zone(
                "a.example CNAME *.\n*.a.example CNAME .\nwww.a.example CNAME rpz-passthru.\n\
                 *.w.example CNAME .\n*.sub.w.example CNAME *.\ndeep.sub.w.example CNAME rpz-drop.\n\
                 only.example CNAME .\n",
            ),
        )],
        &[
            ("a.example", "nodata by z"),
            ("x.a.example", "rcode 3 by z"),
            ("x.y.a.example", "rcode 3 by z"),
            ("www.a.example", "pass by z"),
            ("x.www.a.example", "rcode 3 by z"),
            ("w.example", "pass"),
            ("x.w.example", "rcode 3 by z"),
            ("sub.w.example", "rcode 3 by z"),
            ("x.sub.w.example", "nodata by z"),
            ("deep.sub.w.example", "drop by z"),
            ("x.deep.sub.w.example", "nodata by z"),
            ("only.example", "rcode 3 by z"),
            ("x.only.example", "pass"),
        ],
    );
}

#[test]
fn rpz_actions_do_what_their_records_say() {
    check(
        &[(
            "z",
            "x",
            &zone(
                "drop.example CNAME rpz-drop.\ntcp.example CNAME rpz-tcp-only.\nalias.example CNAME garden.example.\n\
                 *.below.example CNAME *.garden.example.\ndata.example A 192.0.2.1\ndata.example A 192.0.2.2\n\
                 data.example TXT \"hello\"\nself.example CNAME self.example.\nother.example CNAME .\n",
            ),
        )],
        &[
            ("drop.example", "drop by z"),
            ("tcp.example", "tcp by z"),
            ("alias.example A", "cname garden.example. by z"),
            ("alias.example MX", "cname garden.example. by z"),
            ("x.below.example", "cname below garden.example. by z"),
            ("below.example", "pass"),
            ("data.example A", "1:192.0.2.1 + 1:192.0.2.2 by z"),
            ("data.example TXT", "16 by z"),
            ("data.example AAAA", "nodata by z"),
            ("x.data.example A", "pass"),
        ],
    );
}

#[test]
fn the_first_rpz_zone_with_a_match_decides_whatever_the_others_say() {
    let pass = zone("x.example CNAME rpz-passthru.\nother.example CNAME .\n");
    let block = zone("*.example CNAME .\nx.example CNAME .\ny.example A 192.0.2.1\n");
    check(
        &[("1", "x", &pass), ("2", "x", &block)],
        &[
            ("x.example", "pass by 1"),
            ("y.example", "1:192.0.2.1 by 2"),
            ("other.example", "rcode 3 by 1"),
        ],
    );
    check(
        &[("2", "x", &pass), ("1", "x", &block)],
        // A wildcard of the first zone comes before an exact name of the second.
        &[("x.example", "rcode 3 by 1"), ("other.example", "rcode 3 by 1")],
    );
}

#[test]
fn an_rpz_match_meets_other_lists_by_its_class() {
    let rpz = zone("x.example CNAME rpz-passthru.\ny.example CNAME .\nz.example A 192.0.2.1\n");
    let adguard = "! Title\n||x.example^\n@@||y.example^\n@@||z.example^$important\n||x2.example^\n";
    check(
        &[("z", "x", &rpz), ("a", "x", adguard)],
        &[
            ("x.example", "pass by z"),
            ("y.example", "pass by a"),
            ("z.example", "1:192.0.2.1 by z"),
        ],
    );
    let important = "! Title\n||x.example^$important\n||x2.example^\n";
    check(
        &[("z", "x", &rpz), ("a", "x", important)],
        &[("x.example", "block by a")],
    );
}

fn with_clients(lists: &[(&str, &str, &str)]) -> World {
    let mut settings = settings();
    settings.server.unmatched = Unmatched::Default;
    World::with(lists, settings)
}

#[test]
fn rpz_client_addresses_come_before_names_of_the_same_zone_and_the_longest_network_first() {
    let first = zone(
        "32.1.0.0.10.rpz-client-ip CNAME rpz-drop.\n24.0.0.0.10.rpz-client-ip CNAME rpz-tcp-only.\n\
         24.0.1.0.10.rpz-client-ip CNAME rpz-passthru.\n48.zz.1.fd00.rpz-client-ip CNAME .\nbad.example CNAME .\ngood.example CNAME rpz-passthru.\n",
    );
    let second = zone("worse.example CNAME .\n8.0.0.0.10.rpz-client-ip CNAME .\n");
    let world = with_clients(&[("1", "x", &first), ("2", "x", &second)]);
    let says = |addr: &str, name: &str| {
        let asker = world.asker(addr);
        world.words(&world.decide(&asker, name, rtype::A))
    };
    assert_eq!(says("10.0.0.1", "good.example"), "drop by 1");
    assert_eq!(says("10.0.0.2", "good.example"), "tcp by 1");
    assert_eq!(says("10.0.1.9", "bad.example"), "pass by 1");
    assert_eq!(
        says("10.0.1.9", "worse.example"),
        "pass by 1",
        "and from the zones behind it"
    );
    assert_eq!(says("10.0.2.1", "bad.example"), "rcode 3 by 1");
    assert_eq!(
        says("10.0.2.1", "good.example"),
        "pass by 1",
        "a name of the first zone before a client of the second"
    );
    assert_eq!(says("10.0.2.1", "other.example"), "rcode 3 by 2");
    assert_eq!(says("fd00:1::9", "other.example"), "rcode 3 by 1");
    assert_eq!(says("127.0.0.1", "other.example"), "pass");
    let profile_only = Asker::new(world.policy.profile("default"), None, None);
    assert_eq!(
        world.words(&world.decide(&profile_only, "other.example", rtype::A)),
        "pass"
    );
}

#[test]
fn rpz_addresses_of_answers_take_the_longest_network_and_the_first_zone() {
    let first = zone(
        "24.0.2.0.192.rpz-ip CNAME .\n32.9.2.0.192.rpz-ip CNAME rpz-passthru.\n32.8.2.0.192.rpz-ip A 198.51.100.1\n\
         32.zz.db8.2001.rpz-ip CNAME *.\n",
    );
    let second = zone("16.0.0.0.192.rpz-ip CNAME rpz-drop.\n32.9.2.0.192.rpz-ip CNAME .\n");
    let world = with_clients(&[("1", "x", &first), ("2", "x", &second)]);
    let asker = world.asker("127.0.0.1");
    assert_eq!(world.says_of_address(&asker, "192.0.2.1"), "rcode 3 by 1");
    assert_eq!(world.says_of_address(&asker, "192.0.2.9"), "pass by 1");
    assert_eq!(world.says_of_address(&asker, "192.0.2.8"), "1:198.51.100.1 by 1");
    assert_eq!(world.says_of_address(&asker, "192.0.3.1"), "drop by 2");
    assert_eq!(world.says_of_address(&asker, "2001:db8::5"), "nodata by 1");
    assert_eq!(world.says_of_address(&asker, "198.51.100.1"), "pass");
}

#[test]
fn an_rpz_zone_that_let_a_name_through_keeps_itself_and_later_zones_from_the_answer() {
    let world = with_clients(&[
        ("1", "x", &zone("24.0.1.0.192.rpz-ip CNAME .\nother.example CNAME .\n")),
        (
            "2",
            "x",
            &zone("good.example CNAME rpz-passthru.\n24.0.2.0.192.rpz-ip CNAME .\nbad.example CNAME .\n"),
        ),
        ("3", "x", &zone("24.0.3.0.192.rpz-ip CNAME .\nworse.example CNAME .\n")),
        ("h", "x", "# domains\nplain.example\nplainer.example\n"),
    ]);
    let asker = world.asker("127.0.0.1");
    let decision = world.decide(&asker, "good.example", rtype::A);
    assert_eq!(world.words(&decision), "pass by 2");
    let after = asker.after(&decision);
    assert_eq!(
        world.says_of_address(&after, "192.0.1.1"),
        "rcode 3 by 1",
        "an earlier zone still has its say"
    );
    assert_eq!(world.says_of_address(&after, "192.0.2.1"), "pass");
    assert_eq!(world.says_of_address(&after, "192.0.3.1"), "pass");
    assert_eq!(world.says_of_answer(&after, "bad.example", rtype::CNAME), "pass");
    assert_eq!(world.says_of_answer(&after, "worse.example", rtype::CNAME), "pass");
    assert_eq!(
        world.says_of_answer(&after, "other.example", rtype::CNAME),
        "rcode 3 by 1"
    );
    assert_eq!(
        world.says_of_answer(&after, "plain.example", rtype::CNAME),
        "block by h",
        "lists of other kinds too"
    );
    // Without the exemption all of them speak.
    assert_eq!(world.says_of_address(&asker, "192.0.2.1"), "rcode 3 by 2");
    assert_eq!(
        world.says_of_answer(&asker, "worse.example", rtype::CNAME),
        "rcode 3 by 3"
    );
}

#[test]
fn an_unbound_source_speaks_by_its_closest_zone_and_its_data() {
    check(
        &[(
            "u",
            "x",
            "server:\nlocal-zone: \"a.example\" always_nxdomain\nlocal-zone: \"ok.a.example\" transparent\n\
             local-zone: \"bad.ok.a.example\" refuse\nlocal-zone: \"r.example\" redirect\nlocal-data: \"r.example A 192.0.2.1\"\n\
             local-zone: \"d.example\" static\nlocal-data: \"host.d.example A 192.0.2.5\"\nlocal-zone: \"quiet.example\" deny\n",
        )],
        &[
            ("a.example", "rcode 3 by u"),
            ("x.a.example", "rcode 3 by u"),
            ("ok.a.example", "pass by u"),
            ("x.ok.a.example", "pass by u"),
            ("x.bad.ok.a.example", "rcode 5 by u"),
            ("r.example A", "1:192.0.2.1 by u"),
            ("x.r.example A", "1:192.0.2.1 by u"),
            ("r.example AAAA", "nodata by u"),
            ("host.d.example A", "1:192.0.2.5 by u"),
            ("host.d.example AAAA", "nodata by u"),
            ("other.d.example A", "block by u"),
            ("x.host.d.example A", "block by u"),
            ("quiet.example", "drop by u"),
        ],
    );
}

#[test]
fn a_dnsmasq_source_speaks_by_its_longest_name() {
    let lines = "# dnsmasq\naddress=/a.example/0.0.0.0\nserver=/ok.a.example/#\naddress=/bad.ok.a.example/\n\
                 address=/data.example/192.0.2.7\naddress=/data.example/2001:db8::7\nlocal=/local.example/\n\
                 server=/tie.example/#\naddress=/tie.example/0.0.0.0\n";
    check(
        &[("d", "x", lines)],
        &[
            ("x.a.example", "block by d"),
            ("ok.a.example", "pass by d"),
            ("x.ok.a.example", "pass by d"),
            ("x.bad.ok.a.example", "block by d"),
            ("x.data.example A", "1:192.0.2.7 by d"),
            ("data.example AAAA", "28 by d"),
            ("data.example TXT", "nodata by d"),
            ("local.example", "block by d"),
            ("tie.example", "block by d"),
        ],
    );
    // What a source has reduced itself to meets other lists by its class.
    check(
        &[("d", "x", lines), ("b", "x", "# domains\nok.a.example\nzzz.example\n")],
        &[
            ("ok.a.example", "pass by d"),
            ("x.bad.ok.a.example", "block by b"),
            ("zzz.example", "block by b"),
        ],
    );
}

#[test]
fn two_sources_of_one_kind_speak_each_for_itself() {
    check_world(
        &World::new(&[
            ("1", "x", "# dnsmasq\naddress=/a.example/\naddress=/n.example/\n"),
            ("2", "x", "# dnsmasq\nserver=/a.example/#\naddress=/deep.a.example/\n"),
        ]),
        &[
            ("a.example", "pass by 2"),
            ("x.a.example", "pass by 2"),
            ("deep.a.example", "block by 1"),
            ("n.example", "block by 1"),
        ],
    );
}

#[test]
fn records_of_lists_act_on_names_in_answers_too_unless_they_are_adguards() {
    let world = World::new(&[
        (
            "z",
            "x",
            &zone("bad.example A 192.0.2.1\nalias.example CNAME garden.example.\n"),
        ),
        (
            "a",
            "x",
            "! Title\n||safe.example^$dnsrewrite=192.0.2.9\n||other.example^\n",
        ),
    ]);
    let asker = world.asker("127.0.0.1");
    assert_eq!(
        world.says_of_answer(&asker, "bad.example", rtype::A),
        "1:192.0.2.1 by z"
    );
    assert_eq!(
        world.says_of_answer(&asker, "alias.example", rtype::CNAME),
        "cname garden.example. by z"
    );
    assert_eq!(world.says_of_answer(&asker, "safe.example", rtype::CNAME), "pass");
}
