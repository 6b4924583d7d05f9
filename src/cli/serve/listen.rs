//! Which addresses can be listened on, and which of the built-in example this machine has.
//!
//! The example listens on both loopback addresses, so that it can be tried whichever a program prefers. A machine without
//! IPv6 has only one of them; that is no reason not to start. Addresses that somebody wrote down are meant, all of them.

use crate::config::settings::Settings;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Whether an address can be listened on, by trying.
pub(in crate::cli) fn try_address(address: SocketAddr) -> io::Result<()> {
    UdpSocket::bind(address)?;
    TcpListener::bind(address)?;
    Ok(())
}

/// The same for an address of the block page, which is TCP alone.
pub(in crate::cli) fn try_stream(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).map(drop)
}

/// Leaves out addresses of the built-in example that this machine does not have, as long as one is left; a sentence for
/// each. `try_address` is [`try_address`] but for tests.
pub(in crate::cli) fn leave_out(
    settings: &mut Settings,
    try_address: impl Fn(SocketAddr) -> io::Result<()>,
) -> Vec<String> {
    if settings.file.is_some() {
        return Vec::new();
    }
    let is_absent = |address: &SocketAddr| try_address(*address).is_err_and(|error| absent(&error));
    let listen = &settings.server.listen;
    let (absent, present): (Vec<SocketAddr>, Vec<SocketAddr>) = listen.iter().partition(|address| is_absent(address));
    if present.is_empty() {
        return Vec::new();
    }
    settings.server.listen = present;
    let sentence = |address: SocketAddr| {
        let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
        format!("{address}: this machine has no such address; the built-in example does without {family}")
    };
    absent.into_iter().map(sentence).collect()
}

/// Whether binding failed because the machine lacks the address or its whole family.
fn absent(error: &io::Error) -> bool {
    #[cfg(unix)]
    let no_family = error.raw_os_error() == Some(libc::EAFNOSUPPORT);
    #[cfg(not(unix))]
    let no_family = false;
    no_family || error.kind() == io::ErrorKind::AddrNotAvailable
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    fn without_ipv6(error: impl Fn() -> io::Error) -> impl Fn(SocketAddr) -> io::Result<()> {
        move |address| if address.is_ipv6() { Err(error()) } else { Ok(()) }
    }

    #[test]
    fn the_builtin_example_does_without_an_address_family_and_written_settings_do_not() {
        let both = Settings::builtin(Path::new("/")).server.listen;
        let errors: [fn() -> io::Error; 2] = [
            || io::ErrorKind::AddrNotAvailable.into(),
            || io::Error::from_raw_os_error(libc::EAFNOSUPPORT),
        ];
        for error in errors {
            let mut settings = Settings::builtin(Path::new("/"));
            let sentences = leave_out(&mut settings, without_ipv6(error));
            assert_eq!(settings.server.listen, both[..1]);
            assert!(
                sentences[0].starts_with("[::1]:5300: ") && sentences[0].contains("IPv6"),
                "{sentences:?}"
            );
            let mut written = Settings {
                file: Some(PathBuf::from("/stairgate.toml")),
                ..Settings::builtin(Path::new("/"))
            };
            assert!(leave_out(&mut written, without_ipv6(error)).is_empty());
            assert_eq!(written.server.listen, both);
        }
    }

    #[test]
    fn an_address_that_somebody_else_holds_is_not_left_out_and_one_address_always_remains() {
        let both = Settings::builtin(Path::new("/")).server.listen;
        let mut settings = Settings::builtin(Path::new("/"));
        assert!(leave_out(&mut settings, without_ipv6(|| io::ErrorKind::AddrInUse.into())).is_empty());
        assert!(leave_out(&mut settings, |_| Err(io::ErrorKind::AddrNotAvailable.into())).is_empty());
        assert_eq!(settings.server.listen, both);
    }
}
