//! The small languages of settings: durations, sizes, addresses, networks, names, upstreams.
//!
//! In: the text of one value. Out: the value, or half a sentence that says what the text is not and how to write it.

use super::household::OwnName;
use super::settings::{Host, Scheme, Upstream};
use crate::dns::cookie::SECRET_BYTES;
use crate::dns::name::Name;
use crate::dns::translate::Prefix;
use crate::limits;
use crate::nearest::nearest;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A duration: numbers with the units `ms`, `s`, `m`, `h`, `d`, `w`, such as `30s` or `1h30m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "is not a duration; write it like \"30s\", \"15m\" or \"1d\"".to_owned();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit_ms = match &rest[..unit] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return Err(wrong()),
        };
        total_ms = number
            .checked_mul(unit_ms)
            .and_then(|part| total_ms.checked_add(part))
            .filter(|&total| total <= crate::limits::SETTINGS_DURATION.as_millis() as u64)
            .ok_or_else(|| "is longer than ten years; write a shorter duration".to_owned())?;
        rest = rest[unit..].trim_start();
    }
    Ok(Duration::from_millis(total_ms))
}

/// A number of bytes: `128 MiB`, `1GiB`, `64 MB`, `4096`.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || "is not a size; write it like \"128 MiB\"".to_owned();
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match text[digits..].trim_start() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

/// A network in CIDR form, or one address.
pub fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(addr));
    }
    let net: IpNet = text.parse().map_err(|_| {
        "is not an address or network; write it like \"192.168.1.20\", \"192.168.1.0/24\" or \"fd00::/8\"".to_owned()
    })?;
    if net.addr() != net.network() {
        return Err(format!(
            "has bits set past its prefix; write \"{}\" for the network or \"{}\" for the one address",
            net.trunc(),
            net.addr()
        ));
    }
    Ok(net)
}

/// A secret of cookies: 32 hex digits. Without a reason, which would have to show it.
pub fn cookie_secret(text: &str) -> Option<[u8; SECRET_BYTES]> {
    let digits = text.trim().to_ascii_lowercase();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).ok()?.try_into().ok()
}

/// The prefix of a translator between IPv6 and IPv4 (RFC 6052 §2.2).
pub fn translation_prefix(text: &str) -> Result<Prefix, String> {
    let wrong = "is not the prefix of a translator; write it like \"64:ff9b::/96\", with 32, 40, 48, 56, 64 or 96 bits";
    match network(text)? {
        IpNet::V6(net) => Prefix::new(net.addr(), net.prefix_len()).ok_or_else(|| wrong.to_owned()),
        IpNet::V4(_) => Err(wrong.to_owned()),
    }
}

/// An address without a port.
pub fn address(text: &str) -> Result<IpAddr, String> {
    text.trim()
        .parse()
        .map_err(|_| "is not an address; write it like \"192.168.1.2\" or \"fd00::2\"".to_owned())
}

/// An address and a port, both written.
pub fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        "is not an address with a port; write it like \"127.0.0.1:5300\", \"0.0.0.0:53\" or \"[::1]:5300\"".to_owned()
    })
}

/// An address with or without a port.
pub fn address_with_port(text: &str, default_port: u16) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<SocketAddr>() {
        return Ok(whole);
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse::<IpAddr>()
        .map(|addr| SocketAddr::new(addr, default_port))
        .map_err(|_| "is not an address; write it like \"9.9.9.9\" or \"9.9.9.9:53\"".to_owned())
}

/// A domain name; U-labels become A-labels (UTS 46), letters lower case, a final dot is of no account.
pub fn name(text: &str) -> Result<Name, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty; write a domain name".to_owned());
    }
    let mapped;
    let ascii = if text.is_ascii() {
        text
    } else {
        // CheckHyphens and STD3 are off, as for the names of lists.
        mapped = idna::uts46::Uts46::new()
            .to_ascii(
                text.as_bytes(),
                idna::AsciiDenyList::EMPTY,
                idna::uts46::Hyphens::Allow,
                idna::uts46::DnsLength::Ignore,
            )
            .map_err(|_| "cannot be written as a domain name; write its xn-- form".to_owned())?;
        &mapped
    };
    if ascii.bytes().any(|byte| byte <= b' ' || byte == b'/') {
        return Err("is not a domain name; write it like \"school.example\"".to_owned());
    }
    Name::parse(ascii)
        .map(|name| name.to_lower())
        .map_err(|cause| format!("is not a domain name: {cause}; write it like \"school.example\""))
}

/// One's own name of a profile: as [`name`], also written `*.x` or `.x`, which say the same. Never the root.
pub fn own_name(text: &str) -> Result<Name, String> {
    let trimmed = text.trim();
    let bare = trimmed
        .strip_prefix("*.")
        .or_else(|| trimmed.strip_prefix('.').filter(|rest| !rest.is_empty()))
        .unwrap_or(trimmed);
    let name = name(bare)?;
    if name.is_root() {
        return Err("is every name there is; write the names that are meant".to_owned());
    }
    if name
        .labels()
        .any(|label| label.contains(&b'*') || label.contains(&b'.'))
    {
        return Err("is a pattern; write a name, which also covers everything below it".to_owned());
    }
    Ok(name)
}

/// One's own name, with `=` in front if it is meant without what is below it.
pub fn own(text: &str) -> Result<OwnName, String> {
    let trimmed = text.trim();
    let bare = trimmed.strip_prefix('=').unwrap_or(trimmed);
    if bare.contains('=') {
        return Err("is not a domain name; write it like \"school.example\" or \"=school.example\"".to_owned());
    }
    Ok(OwnName {
        exact: bare.len() < trimmed.len(),
        ..OwnName::from(own_name(bare)?)
    })
}

/// Who filters: a name on one line.
pub fn organization(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty; write a name or leave the key out".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("is more than one line; write a name alone".to_owned());
    }
    if text.len() > limits::ORGANIZATION_BYTES {
        return Err(format!(
            "is longer than {} bytes; shorten it",
            limits::ORGANIZATION_BYTES
        ));
    }
    Ok(text.to_owned())
}

/// A URI of a scheme that clients take for a contact (draft-ietf-dnsop-structured-dns-error-22 §11.3), in the characters of RFC 3986 §2.
pub fn contact(text: &str) -> Result<String, String> {
    const SCHEMES: [&str; 3] = ["mailto", "tel", "sips"];
    const ADVICE: &str =
        "write one like \"mailto:it@example.net\", \"tel:+49-30-1234567\" or \"sips:help@example.net\"";
    let text = text.trim();
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(format!("is no URI; {ADVICE}"));
    };
    if !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(format!(
            "has the scheme \"{scheme}\", which clients do not follow; {ADVICE}"
        ));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    if rest.is_empty() || !rest.bytes().all(fits) {
        return Err(format!("is no whole URI; {ADVICE}"));
    }
    Ok(text.to_owned())
}

/// A query type: its mnemonic, or `TYPE65` (RFC 3597 §5). Not those that are no data (RFC 6895 §3.1), but for ANY.
pub fn query_type(text: &str) -> Result<u16, String> {
    let upper = text.trim().to_ascii_uppercase();
    if let Some(&(_, number)) = TYPES.iter().find(|(mnemonic, _)| *mnemonic == upper) {
        return Ok(number);
    }
    if let Some(number) = upper.strip_prefix("TYPE").and_then(|digits| digits.parse::<u16>().ok()) {
        return match number {
            0 | 41 | 249..=252 => Err("is not a type of data; write one such as \"HTTPS\"".to_owned()),
            number => Ok(number),
        };
    }
    let known: Vec<String> = TYPES.iter().map(|(mnemonic, _)| (*mnemonic).to_owned()).collect();
    Err(match nearest(&upper, &known) {
        Some(near) => format!("is not a query type; is \"{near}\" meant?"),
        None => "is not a query type; write one such as \"HTTPS\", \"TXT\" or \"TYPE65\"".to_owned(),
    })
}

/// Query types by their mnemonics, as the registry of IANA has them.
const TYPES: &[(&str, u16)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("RP", 17),
    ("AFSDB", 18),
    ("AAAA", 28),
    ("LOC", 29),
    ("SRV", 33),
    ("NAPTR", 35),
    ("CERT", 37),
    ("DNAME", 39),
    ("APL", 42),
    ("DS", 43),
    ("SSHFP", 44),
    ("IPSECKEY", 45),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("DHCID", 49),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("TLSA", 52),
    ("SMIMEA", 53),
    ("HIP", 55),
    ("CDS", 59),
    ("CDNSKEY", 60),
    ("OPENPGPKEY", 61),
    ("CSYNC", 62),
    ("ZONEMD", 63),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("SPF", 99),
    ("ANY", 255),
    ("URI", 256),
    ("CAA", 257),
];

/// An upstream resolver: `ADDR[:PORT]`, `udp://`, `tcp://`, `tls://HOST[:PORT][#NAME]`, `https://HOST[:PORT][/PATH]`,
/// `quic://HOST[:PORT][#NAME]`. An https path that ends in `{?dns}` means GET (RFC 8484 §4.1). After the name may stand keys that the
/// server may have, `#NAME,pin-sha256=BASE64`; behind an address without a name the key alone counts.
pub fn upstream(text: &str) -> Result<Upstream, String> {
    let text = text.trim();
    let (scheme, rest) = match text.split_once("://") {
        None => (Scheme::Udp, text),
        Some(("udp", rest)) => (Scheme::Udp, rest),
        Some(("tcp", rest)) => (Scheme::Tcp, rest),
        Some(("tls", rest)) => (Scheme::Tls, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("quic", rest)) => (Scheme::Quic, rest),
        Some((other, _)) => {
            return Err(format!(
                "has the scheme \"{other}\"; it is one of udp, tcp, tls, https, quic"
            ));
        }
    };
    let encrypted = !matches!(scheme, Scheme::Udp | Scheme::Tcp);
    let (rest, fragment) = match rest.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (rest, None),
    };
    let (rest, get) = match rest.strip_suffix("{?dns}").or_else(|| rest.strip_suffix("{&dns}")) {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if rest.contains(['{', '}']) {
        return Err("has a template that this program does not know; write {?dns} at its end, or nothing".to_owned());
    }
    let path = match (scheme, path) {
        // The path public DoH servers have (RFC 8484 leaves it to the template).
        (Scheme::Https, "" | "/") => "/dns-query".to_owned(),
        (Scheme::Https, path) if path.bytes().all(|byte| byte.is_ascii_graphic()) => path.to_owned(),
        (Scheme::Https, _) => return Err("has a path with blanks or raw Unicode; escape them".to_owned()),
        (_, "" | "/") if !get => String::new(),
        (_, _) => return Err("has a path, which only https:// upstreams have; leave it out".to_owned()),
    };
    let default_port = match scheme {
        Scheme::Udp | Scheme::Tcp => 53,
        Scheme::Tls | Scheme::Quic => 853,
        Scheme::Https => 443,
    };
    let (host, port) = host_and_port(authority, default_port)?;
    if fragment.is_some() && !encrypted {
        return Err("names a certificate (#NAME), which udp and tcp do not have; write tls://".to_owned());
    }
    let (named, pins) = server_identity(fragment)?;
    let server_name = match (encrypted, named, &host) {
        (false, ..) => None,
        (true, Some(named), _) => Some(named),
        (true, None, Host::Name(name)) => Some(without_final_dot(name)),
        (true, None, Host::Address(_)) if !pins.is_empty() => None,
        (true, None, Host::Address(addr)) => Some(addr.to_string()),
    };
    Ok(Upstream {
        scheme,
        host,
        port,
        server_name,
        pins,
        path,
        get,
    })
}

/// What stands after the `#`: the name of the certificate, and the keys that the server may have.
fn server_identity(fragment: Option<&str>) -> Result<(Option<String>, Vec<[u8; 32]>), String> {
    let mut named = None;
    let mut pins = Vec::new();
    for (at, part) in fragment.iter().flat_map(|fragment| fragment.split(',')).enumerate() {
        if let Some(pin) = part.strip_prefix("pin-sha256=") {
            let digest = data_encoding::BASE64.decode(pin.as_bytes()).ok();
            let digest = digest.and_then(|digest| <[u8; 32]>::try_from(digest).ok());
            pins.push(digest.ok_or("needs 44 characters of base 64 after pin-sha256=, the SHA-256 digest of a key")?);
        } else if at == 0 {
            let name = name(part).map_err(|_| "needs a domain name after the #".to_owned())?;
            named = Some(without_final_dot(&name));
        } else {
            return Err("has something other than pin-sha256=BASE64 behind the name after the #".to_owned());
        }
    }
    Ok((named, pins))
}

fn host_and_port(authority: &str, default_port: u16) -> Result<(Host, u16), String> {
    let wrong = || {
        "is not an upstream; write it like \"9.9.9.9\", \"tls://9.9.9.9#dns.quad9.net\" or \"https://dns.quad9.net/dns-query\""
            .to_owned()
    };
    if let Ok(socket) = address_with_port(authority, default_port) {
        return if socket.port() == 0 {
            Err(wrong())
        } else {
            Ok((Host::Address(socket.ip()), socket.port()))
        };
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|&port| port != 0).ok_or_else(wrong)?),
        None => (authority, default_port),
    };
    let host = name(host).map_err(|_| wrong())?;
    // All digits: an address with a part missing, not a name.
    let digits_last = host
        .labels()
        .last()
        .is_none_or(|label| label.iter().all(u8::is_ascii_digit));
    if digits_last || host.labels().any(|label| label.contains(&b':')) {
        return Err(wrong());
    }
    Ok((Host::Name(host), port))
}

fn without_final_dot(name: &Name) -> String {
    let mut text = name.to_string();
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_may_be_joined() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(duration("1w"), Ok(Duration::from_secs(604_800)));
        for wrong in [
            "",
            "30",
            "s",
            "-1s",
            "1.5h",
            "30 x",
            "99999999999999999999s",
            "20000000000000000w",
            "11000d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_tell_binary_units_from_decimal_ones() {
        assert_eq!(size("128 MiB"), Ok(128 << 20));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        assert_eq!(size("64 MB"), Ok(64_000_000));
        assert_eq!(size("4096"), Ok(4096));
        for wrong in [
            "",
            "MiB",
            "1 mib",
            "-1",
            "1.5 GiB",
            "99999999999999999999",
            "18446744073709551615 GiB",
        ] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_network_with_host_bits_is_asked_about_not_guessed() {
        assert_eq!(network("192.168.1.20").unwrap().to_string(), "192.168.1.20/32");
        assert_eq!(network("fd00::/8").unwrap().to_string(), "fd00::/8");
        let why = network("192.168.1.20/24").unwrap_err();
        assert!(
            why.contains("192.168.1.0/24") && why.contains("192.168.1.20\""),
            "{why}"
        );
        assert!(network("192.168.1").is_err());
        assert!(network("192.168.1.0/33").is_err());
    }

    #[test]
    fn names_may_be_written_with_u_labels() {
        assert_eq!(name("Bücher.Example").unwrap().to_string(), "xn--bcher-kva.example.");
        assert_eq!(name("a_b.example.").unwrap().to_string(), "a_b.example.");
        assert!(name("a b.example").is_err());
        assert!(name("https://x.example/").is_err());
        assert_eq!(own_name("*.school.example").unwrap().to_string(), "school.example.");
        assert!(own_name(".").is_err());
        assert!(own_name("ads*.example").is_err());
    }

    #[test]
    fn an_equals_sign_means_the_name_alone() {
        assert!(own("=school.example").unwrap().exact);
        assert!(!own("*.school.example").unwrap().exact);
        assert!(own("=").is_err() && own("==x.example").is_err_and(|why| why.contains("is not a domain name")));
    }

    #[test]
    fn query_types_have_a_mnemonic_or_a_number() {
        assert_eq!(query_type("https"), Ok(65));
        assert_eq!(query_type("TYPE65"), Ok(65));
        assert_eq!(
            query_type("HTTP"),
            Err("is not a query type; is \"HTTPS\" meant?".to_owned())
        );
        for wrong in ["", "TYPE", "TYPE0", "TYPE41", "TYPE65536", "OPT", "letters"] {
            assert!(query_type(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_https_template_asks_by_get_and_pins_stand_behind_the_name() {
        let read = |text: &str| upstream(text).unwrap();
        let https = read("https://dns.example/family{?dns}");
        assert!(https.get && https.path == "/family");
        let https = read("https://dns.example/q?x=1{&dns}");
        assert!(https.get && https.path == "/q?x=1");
        assert!(read("https://dns.example{?dns}").get);
        assert!(!read("https://dns.example/dns-query").get);
        let pin = data_encoding::BASE64.encode(&[0xfb; 32]);
        let both = read(&format!("tls://192.0.2.1#dns.example,pin-sha256={pin}"));
        assert_eq!((both.server_name.as_deref(), both.pins.len()), (Some("dns.example"), 1));
        let key = read(&format!("quic://192.0.2.1#pin-sha256={pin},pin-sha256={pin}"));
        assert_eq!((key.server_name, key.pins), (None, vec![[0xfb; 32]; 2]));
        let host = read(&format!("tls://dns.example#pin-sha256={pin}"));
        assert_eq!(host.server_name.as_deref(), Some("dns.example"));
        for wrong in [
            "https://dns.example/q{?name}",
            "https://dns.example/{x}/q{?dns}",
            "tls://192.0.2.1{?dns}",
            "tls://192.0.2.1#pin-sha256=AAAA",
            "tls://192.0.2.1#dns.example,other.example",
            "192.0.2.1#pin-sha256=AAAA",
        ] {
            assert!(upstream(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn upstreams_have_the_default_scheme_and_ports_of_their_rfcs() {
        let read = |text: &str| upstream(text).unwrap();
        assert_eq!((read("9.9.9.9").scheme, read("9.9.9.9").port), (Scheme::Udp, 53));
        assert_eq!(read("udp://[2620:fe::fe]:5353").port, 5353);
        assert_eq!(read("2620:fe::fe").host, Host::Address("2620:fe::fe".parse().unwrap()));
        let tls = read("tls://9.9.9.9#dns.quad9.net");
        assert_eq!((tls.port, tls.server_name.as_deref()), (853, Some("dns.quad9.net")));
        assert_eq!(read("tls://1.1.1.1").server_name.as_deref(), Some("1.1.1.1"));
        let https = read("https://dns.quad9.net:8443/dns-query");
        assert_eq!((https.port, https.path.as_str()), (8443, "/dns-query"));
        assert_eq!(https.server_name.as_deref(), Some("dns.quad9.net"));
        assert_eq!(read("https://dns.quad9.net").path, "/dns-query");
        assert_eq!(read("quic://dns.adguard-dns.com").port, 853);
        for wrong in [
            "",
            "ftp://9.9.9.9",
            "9.9.9",
            "9.9.9.9:0",
            "9.9.9.9:99999",
            "udp://9.9.9.9#x.example",
            "tls://9.9.9.9/path",
            "tls://9.9.9.9#",
            "https:///dns-query",
            "tcp://",
        ] {
            assert!(upstream(wrong).is_err(), "{wrong}");
        }
    }
}
