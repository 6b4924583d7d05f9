//! What to do when an address cannot be listened on, in words for whoever set it.

use std::io;
use std::net::SocketAddr;

/// One sentence: which address, what is wrong, what to do. `section`: where in the settings its `listen` stands, such as `[server]`.
pub fn bind(address: SocketAddr, section: &str, error: &io::Error) -> String {
    let port = address.port();
    let (what, remedy) = match error.kind() {
        io::ErrorKind::AddrInUse if port == 53 => (
            "address already in use".to_owned(),
            "another DNS server (often systemd-resolved or dnsmasq) holds port 53; `ss -lnp sport = :53` shows which, stop it \
             or listen on another address"
                .to_owned(),
        ),
        io::ErrorKind::AddrInUse => (
            "address already in use".to_owned(),
            format!("`ss -lnp sport = :{port}` shows by what; stop that or change `listen` in {section}"),
        ),
        io::ErrorKind::PermissionDenied if port < 1024 => (
            "not permitted".to_owned(),
            "ports below 1024 need root or CAP_NET_BIND_SERVICE, which the systemd unit gives; or listen on a port such as 5300"
                .to_owned(),
        ),
        io::ErrorKind::AddrNotAvailable => (
            "this machine has no such address".to_owned(),
            format!("`ip address` shows those it has; change `listen` in {section}"),
        ),
        _ => (error.to_string(), format!("change `listen` in {section} or free the address")),
    };
    format!("{address}: {what}; {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_53_in_use_names_the_usual_culprit() {
        let address = SocketAddr::from(([127, 0, 0, 1], 53));
        let sentence = bind(address, "[server]", &io::Error::from(io::ErrorKind::AddrInUse));
        assert!(
            sentence.starts_with("127.0.0.1:53: address already in use; "),
            "{sentence}"
        );
        assert!(sentence.contains("systemd-resolved"), "{sentence}");
    }

    #[test]
    fn a_low_port_without_privilege_says_how_to_get_it() {
        let address = SocketAddr::from(([127, 0, 0, 1], 53));
        let sentence = bind(address, "[server]", &io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(sentence.contains("CAP_NET_BIND_SERVICE"), "{sentence}");
    }
}
