//! What a server says when it is ready, in plain words: where it answers, what it filters, what to try.

use crate::config::settings::{ListAction, Settings};
use crate::generation::Generation;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;

/// Says where it answers and what it filters.
pub(super) fn ready(generation: &Generation) {
    // Nobody may be reading; that is no reason not to serve.
    let _ = std::io::stdout().lock().write_all(text(generation).as_bytes());
}

fn text(generation: &Generation) -> String {
    let settings = &generation.settings;
    let addresses: Vec<String> = settings.server.listen.iter().map(ToString::to_string).collect();
    let mut out = format!("Stairgate answers on {} (UDP and TCP).\n", addresses.join(" and "));
    let categories = categories(generation);
    if categories.is_empty() {
        out.push_str("It filters nothing: there are no lists.\n");
    } else {
        let _ = writeln!(out, "It filters {}.", whom(settings));
        for (category, rules) in categories {
            let _ = writeln!(out, "  {category:<12} {:>9} rules", thousands(rules));
        }
    }
    for address in &settings.page.listen {
        let _ = writeln!(out, "Its block page is at http://{address}/.");
    }
    if let Some(address) = settings.server.listen.first() {
        let _ = writeln!(out, "Try it: {}", dig(*address, "example.com"));
    }
    out
}

/// Rules by category of the lists that block.
fn categories(generation: &Generation) -> BTreeMap<String, u64> {
    let mut categories = BTreeMap::new();
    for source in generation.gate.sources() {
        if source.action == ListAction::Block {
            *categories.entry(source.category.clone()).or_default() += source.counts.rules;
        }
    }
    categories
}

fn whom(settings: &Settings) -> String {
    match settings.clients.len() {
        0 => "for everybody who asks, by category".to_owned(),
        1 => "for 1 client of its own, and the others as `unmatched` says; its lists by category".to_owned(),
        clients => {
            format!("for {clients} clients of its own, and the others as `unmatched` says; its lists by category")
        }
    }
}

/// A line to try in another terminal.
fn dig(address: SocketAddr, name: &str) -> String {
    let ip = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv6() => "::1".to_owned(),
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        ip => ip.to_string(),
    };
    match address.port() {
        53 => format!("dig @{ip} {name}"),
        port => format!("dig @{ip} -p {port} {name}"),
    }
}

/// 1234567 as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_try_reaches_an_unspecified_address_and_leaves_out_port_53() {
        assert_eq!(
            dig("0.0.0.0:53".parse().expect("an address"), "a.example"),
            "dig @127.0.0.1 a.example"
        );
        assert_eq!(
            dig("[::1]:5300".parse().expect("an address"), "a.example"),
            "dig @::1 -p 5300 a.example"
        );
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
