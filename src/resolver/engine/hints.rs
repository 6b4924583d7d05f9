//! Where the root servers are.

use hickory_proto::rr::{Name, RData};
use hickory_proto::serialize::txt::Parser;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The root servers' addresses as IANA publishes them (RFC 9609 §2.1; `a.` to `m.root-servers.net.`, IPv4 and IPv6).
const IANA: [(&str, &str, &str); 13] = [
    ("a", "198.41.0.4", "2001:503:ba3e::2:30"),
    ("b", "170.247.170.2", "2801:1b8:10::b"),
    ("c", "192.33.4.12", "2001:500:2::c"),
    ("d", "199.7.91.13", "2001:500:2d::d"),
    ("e", "192.203.230.10", "2001:500:a8::e"),
    ("f", "192.5.5.241", "2001:500:2f::f"),
    ("g", "192.112.36.4", "2001:500:12::d0d"),
    ("h", "198.97.190.53", "2001:500:1::53"),
    ("i", "192.36.148.17", "2001:7fe::53"),
    ("j", "192.58.128.30", "2001:503:c27::2:30"),
    ("k", "193.0.14.129", "2001:7fd::1"),
    ("l", "199.7.83.42", "2001:500:9f::42"),
    ("m", "202.12.27.33", "2001:dc3::35"),
];

/// Why a file of root hints cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HintsError {
    #[error("{}: the root hints cannot be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: std::io::Error },
    #[error("{}: the root hints are no master file: {cause}", path.display())]
    Malformed { path: PathBuf, cause: String },
    #[error("{}: the root hints hold no address; write an NS record of \".\" and the addresses of its servers", path.display())]
    Empty { path: PathBuf },
}

/// The built-in hints, IPv4 before IPv6.
pub(in crate::resolver) fn builtin() -> Vec<IpAddr> {
    let address = |text: &str| text.parse::<IpAddr>().expect("the table holds addresses");
    let v4 = IANA.iter().map(|(_, v4, _)| address(v4));
    let v6 = IANA.iter().map(|(_, _, v6)| address(v6));
    v4.chain(v6).collect()
}

/// The addresses of the root's servers in a master file; where it names none as the root's, all addresses in it.
pub(in crate::resolver) fn read(path: &Path) -> Result<Vec<IpAddr>, HintsError> {
    let text = std::fs::read_to_string(path).map_err(|cause| HintsError::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    let malformed = |cause: String| HintsError::Malformed {
        path: path.to_owned(),
        cause,
    };
    // TTLs of hints mean nothing, and some files leave them out.
    let text = format!("$TTL 3600000\n{text}");
    let parser = Parser::new(text, Some(path.to_owned()), Some(Name::root()));
    let (_, sets) = parser.parse().map_err(|cause| malformed(cause.to_string()))?;
    let mut servers = Vec::new();
    let mut addresses = Vec::new();
    for record in sets.values().flat_map(|set| set.records_without_rrsigs()) {
        match &record.data {
            RData::NS(server) if record.name.is_root() => servers.push(server.0.clone()),
            data => addresses.extend(data.ip_addr().map(|address| (record.name.clone(), address))),
        }
    }
    if !servers.is_empty() {
        addresses.retain(|(name, _)| servers.contains(name));
    }
    let mut addresses: Vec<IpAddr> = addresses.into_iter().map(|(_, address)| address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(HintsError::Empty { path: path.to_owned() });
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn hints(text: &str) -> Result<Vec<IpAddr>, HintsError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        read(file.path())
    }

    #[test]
    fn all_thirteen_root_servers_are_known_by_both_addresses() {
        let addresses = builtin();
        assert_eq!(addresses.len(), 26);
        assert_eq!(addresses.iter().collect::<std::collections::HashSet<_>>().len(), 26);
        assert_eq!(addresses.iter().filter(|address| address.is_ipv4()).count(), 13);
    }

    #[test]
    fn only_addresses_of_the_roots_servers_count_where_it_names_some() {
        let text = ". NS a.root.example.\na.root.example. 300 IN A 127.0.0.2\n\
            a.root.example. AAAA ::1 ; both\nother.example. A 127.0.0.9\n";
        assert_eq!(
            hints(text).unwrap(),
            ["127.0.0.2", "::1"].map(|text| text.parse::<IpAddr>().unwrap())
        );
        assert_eq!(hints("x. A 127.0.0.2\ny. A 127.0.0.2").unwrap().len(), 1);
    }

    #[test]
    fn useless_hints_say_what_is_wrong_with_them() {
        assert!(hints("").unwrap_err().to_string().contains("hold no address"));
        assert!(hints(". NS").unwrap_err().to_string().contains("no master file"));
        let missing = read(Path::new("does/not/exist")).unwrap_err().to_string();
        assert!(
            missing.starts_with("does/not/exist: the root hints cannot be read"),
            "{missing}"
        );
    }
}
