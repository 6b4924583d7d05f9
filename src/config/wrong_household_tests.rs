use super::household_tests::load;

/// Each wrong addition to the household and the one sentence it gets.
const WRONG: &[(&str, &str)] = &[
    // Persons and devices.
    (
        "[person.petya]\nname = 'Petya'",
        "10: [person.petya] lacks the key \"profile\"; add it",
    ),
    (
        "[person.petya]\nprofile = 'chid'",
        "11: person \"petya\" has profile = \"chid\", but there is no such profile; is \"child\" meant?",
    ),
    (
        "[person.petya]\nprofile = 'child'\ntimezone = 'Europe/Moskow'",
        "12: person.timezone = \"Europe/Moskow\" is not a time zone; is \"Europe/Moscow\" meant?",
    ),
    (
        "[person.petya]\nprofile = 'child'\nlog = 'everything'",
        "12: person.log = \"everything\" is not a word for it; write \"nothing\" or \"counts\" or \"names\"",
    ),
    (
        "[profile.a]\nblock = []\nlog_for = '91d'",
        "12: profile.log_for = \"91d\" is out of bounds; write whole days from \"1d\" to \"90d\"",
    ),
    (
        "[person.petya]\nprofile = 'child'\nlog_for = '36h'",
        "12: person.log_for = \"36h\" is out of bounds; write whole days from \"1d\" to \"90d\"",
    ),
    (
        "[person.everyone]\nprofile = 'child'",
        "10: person \"everyone\" already means the whole household; choose another name",
    ),
    (
        "[[device]]\nname = 'phone'\nperson = 'masha'\nmatch = ['10.0.0.2']",
        "11: device \"phone\" is there twice, first on line 7; give each a name of its own",
    ),
    (
        "[[device]]\nname = 'tablet'\nperson = 'masha'\nmatch = ['10.0.0.1/32']",
        "13: device \"tablet\" and device \"phone\" (line 9) both match 10.0.0.1/32; keep it with one of them",
    ),
    (
        "[[device]]\nname = 'tablet'\nperson = 'masha'\nmatch = ['::ffff:10.0.0.1']",
        "13: device \"tablet\" and device \"phone\" (line 9) both match ::ffff:10.0.0.1; keep it with one of them",
    ),
    (
        "[[client]]\nname = 'tablet'\nprofile = 'child'\nmatch = ['10.0.0.1']",
        // Clients come first.
        "9: device \"phone\" and client \"tablet\" (line 13) both match 10.0.0.1; keep it with one of them",
    ),
    (
        "[[device]]\nname = 'tablet'\nperson = 'mahsa'\nmatch = ['10.0.0.2']",
        "12: device \"tablet\" has person = \"mahsa\", but there is no such person; is \"masha\" meant?",
    ),
    (
        "[[device]]\nname = 'tablet'\nprofile = 'grown'\nmatch = ['10.0.0.2']",
        "12: device \"tablet\" has profile = \"grown\", but there is no such profile; add [profile.grown]",
    ),
    (
        "[[device]]\nname = 'tablet'\nperson = 'masha'\nprofile = 'child'\nmatch = ['10.0.0.2']",
        "13: device \"tablet\" has both person and profile; leave profile out, since a person's devices have the person's, \
         or person, if it is nobody's",
    ),
    (
        "[[device]]\nname = 'tablet'\nmatch = ['10.0.0.2']",
        "11: device \"tablet\" has neither person nor profile; write whose it is, or what holds for it",
    ),
    (
        "[[device]]\nname = 'tablet'\nperson = 'masha'\nmatch = []",
        "13: device \"tablet\" matches nothing; write its addresses or networks in match",
    ),
    (
        "[[device]]\nname = 'tablet'\nperson = 'masha'\nmatch = ['mac:02:00:00:00:00:01']",
        "13: device.match = \"mac:02:00:00:00:00:01\" comes with a later version; give the device a fixed address in the \
         router and write that address",
    ),
    (
        "[[device]]\nname = 'profile:x'\nperson = 'masha'\nmatch = ['10.0.0.2']",
        "11: device.name = \"profile:x\" already means whoever has a profile; choose another name",
    ),
    // Groups.
    (
        "[[group]]\nname = 'masha'\nmembers = ['phone']",
        "11: group \"masha\" has the name of a person (line 4), so that nobody could tell which is meant; rename one of them",
    ),
    (
        "[[group]]\nname = 'phone'\nmembers = ['masha']",
        "11: group \"phone\" has the name of a device (line 7), so that nobody could tell which is meant; rename one of them",
    ),
    (
        "[[group]]\nname = 'kids'\nmembers = ['pohne']",
        "12: group \"kids\" has members = \"pohne\", but there is no such person, device or group; is \"phone\" meant?",
    ),
    (
        "[[group]]\nname = 'a'\nmembers = ['b']\n[[group]]\nname = 'b'\nmembers = ['masha', 'a']",
        "15: group \"a\" is among its own members: a -> b -> a; take it out of one of them",
    ),
    (
        "[[group]]\nname = 'kids'\nmembers = []",
        "12: group \"kids\" has no members; name persons and devices, or leave it out",
    ),
    (
        "[[client]]\nname = 'everyone'\nprofile = 'child'\nmatch = ['10.0.0.2']",
        "11: client.name = \"everyone\" already means the whole household; choose another name",
    ),
    (
        "[[client]]\nname = 'guests'\nprofile = 'chid'\nmatch = ['10.0.0.2']",
        "12: client \"guests\" has profile = \"chid\", but there is no such profile; is \"child\" meant?",
    ),
    (
        "[[quota]]\nname = 'a/b'\nfor = 'masha'\nof = ['tiktok']\nlimit = '1h'",
        "11: quota.name = \"a/b\" has a \"/\", behind which it is kept what somebody used; write a name without",
    ),
    (
        "[[pause]]\nfor = 'masha'\nwhat = 'fliter'\nuntil = '2030-01-01T00:00'",
        "12: pause.what = \"fliter\" is not a word for it; is \"filter\" meant?",
    ),
    (
        "[[pause]]\nfor = 'masha'\nwhat = 'filter'\nuntil = '2030-02-30T00:00'",
        "13: pause.until = \"2030-02-30T00:00\" is no day and time of the calendar; look up how many days the month has",
    ),
    // Windows.
    (
        "[[window]]\nfor = 'masha'\ndays = [\n'mon',\n'tuw',\n]\nfrom = '21:00'\nto = '7:00'\nblock = ['internet']",
        "14: window.days: \"tuw\" is no day; did you mean \"tue\"?",
    ),
    (
        "[[window]]\nfor = 'masha'\ndays = ['mon',\n' ']\nfrom = '21:00'\nto = '7:00'\nblock = ['internet']",
        "13: window.days names no day; write days such as \"mon-fri\" or leave the key out",
    ),
    (
        "[[window]]\nfor = 'masha'\nfrom = '21:00'\nto = '7:00'",
        "10: a window neither blocks nor allows anything; write block = [\"internet\"] or the like, or leave it out",
    ),
    (
        "[[window]]\nfor = []\nfrom = '21:00'\nto = '7:00'\nblock = ['internet']",
        "11: window \"block internet, every day 21:00 to 7:00\" is for nobody; name persons, devices or groups in for, or \
         write for = \"everyone\"",
    ),
    (
        "[[window]]\nname = 'nights'\nfor = ['mascha']\nfrom = '21:00'\nto = '7:00'\nblock = ['internet']",
        "12: window \"nights\" has for = \"mascha\", but there is no such person, device or group; is \"masha\" meant?",
    ),
    (
        "[[window]]\nname = 'nights'\nfor = 'profile:chid'\nfrom = '21:00'\nto = '7:00'\nblock = ['internet']",
        "12: window \"nights\" has for = \"profile:chid\", but there is no such profile; is \"profile:child\" meant?",
    ),
    (
        "[[window]]\nname = 'nights'\nfor = 'masha'\nfrom = '21:00'\nto = '7:00'\nblock = ['tiktk']",
        "15: window \"nights\" has block = \"tiktk\", but there is no such category, list or service; is \"tiktok\" meant?",
    ),
    (
        "[[window]]\nname = 'nights'\nfor = 'masha'\nfrom = '21:00'\nto = '7:00'\nblock = ['w']",
        "15: window \"nights\" has block = \"w\", but there is no such category, list or service; it is a list with action = \
         \"allow\", which can be let through only",
    ),
    (
        "[[window]]\nname = 'nights'\nfor = 'masha'\nfrom = '21:00'\nto = '7:00'\nblock = ['=example']",
        "15: block = \"=example\" is a single label; write a whole name such as \"school.example\"",
    ),
    (
        "[[window]]\nfor = 'masha'\nfrom = '9pm'\nto = '7:00'\nblock = ['internet']",
        "12: window.from: \"9pm\" is no time; write 21:00",
    ),
    (
        "[[window]]\nfor = 'masha'\nfrom = '24:00'\nto = '7:00'\nblock = ['internet']",
        "12: window.from: no window begins at 24:00; write 0:00 and the day after",
    ),
    (
        "[[window]]\nfor = 'masha'\ndays = []\nfrom = '21:00'\nto = '7:00'\nblock = ['internet']",
        "12: window.days names no day; write days such as \"mon-fri\" or leave the key out",
    ),
    (
        "[[window]]\nfor = 'masha'\ndays = 3\nfrom = '21:00'\nto = '7:00'\nblock = ['internet']",
        "12: \"days\" must be a text in quotes or a list of texts, not integer `3`",
    ),
    // Quotas.
    (
        "[[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '0m'",
        "14: quota.limit = \"0m\" leaves no time at all; block it in a profile or a window instead",
    ),
    (
        "[[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '25h'",
        "14: quota.limit = \"25h\" is longer than the day it is for; write a shorter time",
    ),
    (
        "[[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '90s'",
        "14: quota.limit = \"90s\" is counted in minutes; write whole ones such as \"90m\"",
    ),
    (
        "[[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '1h'\nper = 'month'",
        "15: quota.per = \"month\" is not a word for it; write \"day\" or \"week\"",
    ),
    (
        "[[quota]]\nname = 'games'\nfor = 'masha'\nof = []\nlimit = '1h'",
        "13: quota \"games\" is of nothing; name services, categories or \"internet\" in of",
    ),
    (
        "[[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '1h'\n\
         [[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '1h'",
        "16: quota \"games\" is there twice, first on line 11; give each a name of its own",
    ),
    // Grants and pauses.
    (
        "[[grant]]\nfor = 'masha'\nuntil = '2026-12-01T21:30'",
        "10: a grant allows nothing; write allow = [\"internet\"] or the like, or quota and minutes",
    ),
    (
        "[[grant]]\nfor = 'masha'\nallow = ['internet']",
        "10: a grant has no end; write until = \"2026-12-24T20:00\" or the like",
    ),
    (
        "[[grant]]\nfor = 'masha'\nallow = ['internet']\nminutes = 30",
        "13: a grant has minutes, but names no quota; add quota, or write until instead of minutes",
    ),
    (
        "[[grant]]\nfor = 'masha'\nallow = ['internet']\nuntil = 'tomorrow'",
        "13: grant.until = \"tomorrow\" is not a time; write it like \"2026-12-24T20:00\", or with an offset, \
         \"2026-12-24T20:00:00+01:00\"",
    ),
    (
        "[[grant]]\nfor = 'masha'\nallow = ['internet']\nfrom = '2026-12-01T21:30'\nuntil = '2026-12-01T21:30'",
        "14: grant.until = \"2026-12-01T21:30\" is not after from; write a later time, or an earlier from",
    ),
    (
        "[[grant]]\nfor = 'masha'\nquota = 'gmaes'\nminutes = 30\nuntil = '2026-12-01T21:30'\n\
         [[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '1h'",
        "12: a grant has quota = \"gmaes\", but there is no such quota; is \"games\" meant?",
    ),
    (
        "[[grant]]\nfor = 'masha'\nquota = 'games'\nminutes = 0\nuntil = '2026-12-01T21:30'\n\
         [[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '1h'",
        "13: grant.minutes = 0 is out of bounds; write a number from 1 to 10080",
    ),
    (
        "[[grant]]\nfor = 'masha'\nquota = 'games'\nuntil = '2026-12-01T21:30'\n\
         [[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '1h'",
        "12: a grant names a quota, but no minutes; add minutes = 30 or the like",
    ),
    (
        "[[grant]]\nfor = 'masha'\nquota = 'games'\nminutes = 30\n\
         [[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '1h'",
        "10: a grant of minutes says neither from nor until, so that nobody could tell of which day they are; write one",
    ),
    (
        "[[grant]]\nfor = 'masha'\nallow = ['internet']\nquota = 'games'\nminutes = 30\nuntil = '2026-12-01T21:30'\n\
         [[quota]]\nname = 'games'\nfor = 'masha'\nof = ['games']\nlimit = '1h'",
        "12: a grant has both allow and quota; make two of it, one for each",
    ),
    (
        "[[pause]]\nfor = 'masha'\nwhat = 'dns'\nuntil = '2026-12-01T21:30'",
        "12: pause.what = \"dns\" is not a word for it; write \"filter\" or \"internet\"",
    ),
    (
        "[[pause]]\nfor = 'masha'\nwhat = 'filter'",
        "10: [[pause]] lacks the key \"until\"; add it",
    ),
    // Services of the house.
    (
        "[service.youtube]\nnames = ['chess.example']",
        "10: service \"youtube\" has the name of a service of the catalogue; give it another",
    ),
    (
        "[service.games]\nnames = ['chess.example']",
        "10: service \"games\" has the name of a group of services of the catalogue; give it another",
    ),
    (
        "[service.club]\nnames = ['chess']",
        "11: service.names = \"chess\" is a single label; write a whole name such as \"school.example\"",
    ),
    (
        "[service.club]\nnames = []",
        "10: service \"club\" has no names; write those that it is reached by",
    ),
    // Profiles.
    (
        "[profile.a]\nbase = 'b'\n[profile.b]\nbase = 'c'\n[profile.c]\nbase = 'b'",
        "13: profile \"b\" is its own base: b -> c -> b; take base out of one of them",
    ),
    (
        "[profile.a]\nbase = 'chidl'",
        "11: profile \"a\" has base = \"chidl\", but there is no such profile; is \"child\" meant?",
    ),
    (
        "[profile.a]\nbase = 'child'\nservices = ['tiktk']",
        "12: profile \"a\" has services = \"tiktk\", but there is no such service or group of services; is \"tiktok\" meant?",
    ),
    (
        "[profile.a]\nbase = 'child'\nservices = ['adult']",
        "12: profile \"a\" has services = \"adult\", but there is no such service or group of services; it is a category or \
         list, which stands in block",
    ),
    (
        "[profile.a]\nblock = ['tiktok']",
        "11: profile \"a\" has block = \"tiktok\", but that is a service; name it in services instead",
    ),
    (
        "[profile.a]\nsafe_search = ['gogle']",
        "11: profile \"a\" has safe_search = \"gogle\", but there is no such search engine; is \"google\" meant?",
    ),
    (
        "[profile.a]\nsafe_search = ['youtube']",
        "11: profile \"a\" has safe_search = \"youtube\", but there is no such search engine; write youtube = \"strict\" or \
         \"moderate\"",
    ),
    (
        "[profile.a]\nsafe_search = 'yes'",
        "11: \"safe_search\" must be true, false or a list of search engines, not a text",
    ),
    (
        "[profile.a]\nyoutube = 'on'",
        "11: profile.youtube = \"on\" is not a word for it; write \"moderate\" or \"strict\"",
    ),
    (
        "[profile.a]\ntypes = ['HTTP']",
        "11: profile.types = \"HTTP\" is not a query type; is \"HTTPS\" meant?",
    ),
    (
        "[profile.a]\nonly = ['startr']",
        "11: profile.only = \"startr\" is not the starter list; is \"starter\" meant?",
    ),
    (
        "[profile.a]\nonly = 'example'",
        "11: profile.only = \"example\" is a single label; write a whole name such as \"school.example\"",
    ),
    (
        "[profile.a]\nallow = [{ name = 'x.example', untill = '2026-12-01T22:00' }]",
        "11: there is no key \"untill\" in [profile.a]; is \"until\" meant?",
    ),
    (
        "[profile.a]\nallow = [3]",
        "11: \"allow\" must be a name in quotes, or { name = \"...\", until = \"...\" }, not integer `3`",
    ),
];

#[test]
fn every_wrong_household_gets_one_sentence_with_its_place() {
    let mut differences = String::new();
    for (text, sentence) in WRONG {
        let error = match load(text) {
            Ok(_) => "loads".to_owned(),
            Err(error) => error,
        };
        if error != format!("household.toml:{sentence}") {
            differences += &format!("{text}\n  gets: {error}\n  not:  household.toml:{sentence}\n\n");
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}
