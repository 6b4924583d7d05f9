//! The networks this machine is directly connected to, which may ask where the settings do not say who may.
//!
//! In: the kernel's routing tables. Out: networks with a prefix, without default routes and addresses of this machine alone.
//! Fails: what cannot be read adds nothing; loopback and private networks may ask in any case.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Reads the routing tables.
pub fn networks() -> Vec<IpNet> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    [ipv4(&read("/proc/net/route")), ipv6(&read("/proc/net/ipv6_route"))].concat()
}

/// Lines of `/proc/net/route`: interface, destination, gateway, flags, three counts, mask; numbers in hexadecimal, in the
/// byte order of the machine. A network without a gateway is connected.
fn ipv4(table: &str) -> Vec<IpNet> {
    let network = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
        let address = |at: usize| Some(Ipv4Addr::from(number(at)?.to_ne_bytes()));
        if number(2)? != 0 {
            return None;
        }
        let network = Ipv4Net::with_netmask(address(1)?, address(7)?).ok()?;
        (1..32).contains(&network.prefix_len()).then_some(IpNet::V4(network))
    };
    table.lines().filter_map(network).collect()
}

/// Lines of `/proc/net/ipv6_route`: destination, its prefix length, source, its prefix length, next hop, three numbers, flags,
/// interface; all in hexadecimal.
fn ipv6(table: &str) -> Vec<IpNet> {
    let network = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let address = |at: usize| u128::from_str_radix(fields.get(at)?, 16).ok();
        let prefix = u8::from_str_radix(fields.get(1)?, 16).ok()?;
        let destination = Ipv6Addr::from(address(0)?);
        if address(4)? != 0 || fields.get(9) == Some(&"lo") || destination.is_multicast() {
            return None;
        }
        let network = Ipv6Net::new(destination, prefix).ok()?;
        (1..128).contains(&prefix).then_some(IpNet::V6(network))
    };
    table.lines().filter_map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn only_networks_without_a_gateway_are_connected() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                     eth0\t0002A8C0\t0100A8C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                     broken line\n";
        assert_eq!(ipv4(table), ["192.168.0.0/24".parse::<IpNet>().expect("a network")]);
    }

    #[test]
    fn addresses_of_this_machine_and_multicast_are_not_networks_that_ask() {
        let zero = "00000000000000000000000000000000";
        let lines = [
            format!("20010db8000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth0"),
            format!("20010db8000000000000000000000001 80 {zero} 00 {zero} 00000000 00000002 00000000 80200001 eth0"),
            format!("ff000000000000000000000000000000 08 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth0"),
            format!("{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0"),
        ];
        assert_eq!(
            ipv6(&lines.join("\n")),
            ["2001:db8::/64".parse::<IpNet>().expect("a network")]
        );
    }
}
