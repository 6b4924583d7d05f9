//! The slow obvious model: what lists mean, by reading every rule for every question. It shares no code with `list` or
//! `policy`: lists are written as text for the program and as [`Line`]s for the model, from the same random draw.

use std::fmt::Write as _;

/// How a list is written, and so how it reduces itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Hosts,
    Domains,
    Adguard,
    Rpz,
    Unbound,
    Dnsmasq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Exact,
    Subtree,
    Below,
}

/// What a line does, in the words of the precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Block,
    Allow,
    Rewrite,
}

#[derive(Debug, Clone)]
pub struct Line {
    /// Without a final dot, lower case.
    pub name: String,
    pub reach: Reach,
    pub deed: Deed,
    pub important: bool,
    /// `$dnstype`: only these, or all but these.
    pub only_types: Vec<&'static str>,
    pub but_types: Vec<&'static str>,
    pub denyallow: Vec<String>,
    /// Takes back the same line of its own list.
    pub badfilter: bool,
}

#[derive(Debug, Clone)]
pub struct List {
    pub dialect: Dialect,
    pub rank: u32,
    pub name: String,
    pub lines: Vec<Line>,
}

/// What the model says of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub deed: Option<Deed>,
    /// The list that is reported, where one rule decided.
    pub list: Option<String>,
}

fn is_at_or_below(name: &str, above: &str) -> bool {
    name == above
        || (name.len() > above.len() && name.ends_with(above) && name[..name.len() - above.len()].ends_with('.'))
}

fn covers(line: &Line, name: &str) -> bool {
    match line.reach {
        Reach::Exact => name == line.name,
        Reach::Subtree => is_at_or_below(name, &line.name),
        Reach::Below => name != line.name && is_at_or_below(name, &line.name),
    }
}

fn counts(line: &Line, name: &str, qtype: &str) -> bool {
    covers(line, name)
        && (line.only_types.is_empty() || line.only_types.contains(&qtype))
        && !line.but_types.contains(&qtype)
        && !line.denyallow.iter().any(|left_out| is_at_or_below(name, left_out))
}

fn same_but_for_badfilter(a: &Line, b: &Line) -> bool {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    a.name == b.name
        && a.reach == b.reach
        && a.deed == b.deed
        && a.important == b.important
        && a.only_types == b.only_types
        && a.but_types == b.but_types
        && sorted(&a.denyallow) == sorted(&b.denyallow)
}

/// The lines of one list that have a say about a question, after the list has reduced itself by its own rules.
fn say(list: &List, name: &str, qtype: &str) -> Vec<Line> {
    let taken_back = |line: &Line| {
        list.lines
            .iter()
            .any(|other| other.badfilter && same_but_for_badfilter(other, line))
    };
    let matching: Vec<Line> = list
        .lines
        .iter()
        .filter(|line| !line.badfilter && counts(line, name, qtype) && !taken_back(line))
        .cloned()
        .collect();
    let depth = |line: &Line| line.name.split('.').count();
    match list.dialect {
        Dialect::Hosts | Dialect::Domains | Dialect::Adguard => matching,
        Dialect::Rpz => {
            // An exact owner comes before a wildcard, of wildcards the longest.
            let exact: Vec<Line> = matching
                .iter()
                .filter(|line| line.reach == Reach::Exact)
                .take(1)
                .cloned()
                .collect();
            if !exact.is_empty() {
                return exact;
            }
            matching
                .iter()
                .max_by_key(|line| depth(line))
                .cloned()
                .into_iter()
                .collect()
        }
        Dialect::Unbound | Dialect::Dnsmasq => {
            let longest = matching.iter().map(depth).max();
            matching
                .into_iter()
                .filter(|line| Some(depth(line)) == longest)
                .take(1)
                .collect()
        }
    }
}

/// What all lists together say of a question: rewrites, then important allows, important blocks, allows, blocks; of equals
/// the lowest rank (ties by list name) is reported.
pub fn judge(lists: &[List], name: &str, qtype: &str) -> Said {
    let mut order: Vec<&List> = lists.iter().collect();
    order.sort_by(|a, b| (a.rank, &a.name).cmp(&(b.rank, &b.name)));
    let mut best: Option<(u32, Deed, String)> = None;
    let mut an_rpz_spoke = false;
    for list in order {
        if list.dialect == Dialect::Rpz && an_rpz_spoke {
            continue;
        }
        let lines = say(list, name, qtype);
        an_rpz_spoke |= list.dialect == Dialect::Rpz && !lines.is_empty();
        for line in lines {
            let place = match (line.deed, line.important) {
                (Deed::Rewrite, _) => 0,
                (Deed::Allow, true) => 1,
                (Deed::Block, true) => 2,
                (Deed::Allow, false) => 3,
                (Deed::Block, false) => 4,
            };
            if best.as_ref().is_none_or(|(held, ..)| place < *held) {
                best = Some((place, line.deed, list.name.clone()));
            }
        }
    }
    match best {
        Some((_, deed, list)) => Said {
            deed: Some(deed),
            list: Some(list),
        },
        None => Said { deed: None, list: None },
    }
}

/// The list as text in its own dialect.
pub fn write(list: &List) -> String {
    let mut text = String::new();
    match list.dialect {
        Dialect::Rpz => text.push_str("$TTL 60\n@ SOA ns.invalid. host.invalid. 1 60 60 60 60\n@ NS ns.invalid.\n"),
        Dialect::Unbound => text.push_str("server:\n"),
        Dialect::Adguard => text.push_str("! Title: a random list\n"),
        _ => {}
    }
    for line in &list.lines {
        let name = &line.name;
        let written = match (list.dialect, line.deed) {
            (Dialect::Hosts, _) => format!("0.0.0.0 {name}"),
            (Dialect::Domains, _) => name.clone(),
            (Dialect::Adguard, deed) => adguard(line, deed),
            (Dialect::Rpz, deed) => {
                let owner = if line.reach == Reach::Below {
                    format!("*.{name}")
                } else {
                    name.clone()
                };
                match deed {
                    Deed::Block => format!("{owner} CNAME ."),
                    Deed::Allow => format!("{owner} CNAME rpz-passthru."),
                    Deed::Rewrite => format!("{owner} A 192.0.2.7\n{owner} AAAA 2001:db8::7"),
                }
            }
            (Dialect::Unbound, Deed::Allow) => format!("local-zone: \"{name}.\" transparent"),
            (Dialect::Unbound, _) => format!("local-zone: \"{name}.\" static"),
            (Dialect::Dnsmasq, Deed::Allow) => format!("server=/{name}/#"),
            (Dialect::Dnsmasq, _) => format!("address=/{name}/"),
        };
        text.push_str(&written);
        text.push('\n');
    }
    text
}

fn adguard(line: &Line, deed: Deed) -> String {
    let mut text = String::new();
    if deed == Deed::Allow {
        text.push_str("@@");
    }
    text.push_str(if line.reach == Reach::Exact { "|" } else { "||" });
    let _ = write!(text, "{}^", line.name);
    let mut modifiers = Vec::new();
    if line.important {
        modifiers.push("important".to_owned());
    }
    let types: Vec<String> = line
        .only_types
        .iter()
        .map(|kind| (*kind).to_owned())
        .chain(line.but_types.iter().map(|kind| format!("~{kind}")))
        .collect();
    if !types.is_empty() {
        modifiers.push(format!("dnstype={}", types.join("|")));
    }
    if !line.denyallow.is_empty() {
        modifiers.push(format!("denyallow={}", line.denyallow.join("|")));
    }
    if deed == Deed::Rewrite {
        modifiers.push("dnsrewrite=192.0.2.9".to_owned());
    }
    if line.badfilter {
        modifiers.push("badfilter".to_owned());
    }
    if !modifiers.is_empty() {
        let _ = write!(text, "${}", modifiers.join(","));
    }
    text
}
