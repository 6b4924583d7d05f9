//! The OPT record this server writes (RFC 6891).

/// The largest response in bytes sent or announced over UDP: what fits one IPv6 packet on every path in use, so that no
/// response is fragmented.
pub const PAYLOAD_BYTES: u16 = 1232;

/// Length of an OPT record without options.
pub const OPT_BYTES: usize = 11;

/// How many bytes a response over UDP may have: 512 without OPT (RFC 1035 §4.2.1), else what the client announced, not less
/// than 512 (RFC 6891 §6.2.3) and not more than [`PAYLOAD_BYTES`].
pub fn udp_limit(edns: Option<super::query::Edns>) -> usize {
    usize::from(edns.map_or(512, |edns| edns.payload_bytes.clamp(512, PAYLOAD_BYTES)))
}

/// The fixed part of an OPT record: the upper bits of the RCODE, version 0, DO as the query had it (RFC 3225 §3), and
/// `options_bytes` of options to follow.
pub fn opt(rcode: u16, dnssec_ok: bool, options_bytes: u16) -> [u8; OPT_BYTES] {
    let [size_high, size_low] = PAYLOAD_BYTES.to_be_bytes();
    let [options_high, options_low] = options_bytes.to_be_bytes();
    [
        0,
        0,
        super::rtype::OPT as u8,
        size_high,
        size_low,
        (rcode >> 4) as u8,
        0,
        if dnssec_ok { 0x80 } else { 0 },
        0,
        options_high,
        options_low,
    ]
}
