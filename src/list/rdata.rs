//! Record types and record data as lists write them.
//!
//! In: the fields of a record in presentation form. Out: a type number; record data in uncompressed wire form.
//! Always: no panic on any text; data of at most 65,535 bytes.
//! Keeps: RFC 1035 §3.3 and §5.1, RFC 1876 §3 (LOC), RFC 2782 (SRV), RFC 3596 (AAAA), RFC 3597 §5 (`\#`), RFC 8659 (CAA), RFC 9460 §2.1 (SVCB).

use crate::dns::name::Name;
use crate::dns::rtype;
use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names of the types that lists speak of (IANA "Resource Record (RR) TYPEs"); others are written `TYPE123`.
const TYPES: [(&str, u16); 36] = [
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
    ("SIG", 24),
    ("KEY", 25),
    ("AAAA", 28),
    ("LOC", 29),
    ("SRV", 33),
    ("NAPTR", 35),
    ("CERT", 37),
    ("DNAME", 39),
    ("DS", 43),
    ("SSHFP", 44),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("TLSA", 52),
    ("SMIMEA", 53),
    ("CDS", 59),
    ("CDNSKEY", 60),
    ("OPENPGPKEY", 61),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("SPF", 99),
    ("ANY", 255),
    ("URI", 256),
    ("CAA", 257),
];

/// The number of a type by its name, in any letter case; `TYPE123` for any.
pub fn type_number(name: &str) -> Option<u16> {
    if let Some(&(_, number)) = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Some(number);
    }
    let (head, digits) = name.split_at_checked(4)?;
    (head.eq_ignore_ascii_case("TYPE") && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

/// The name of a type by its number.
pub fn type_name(number: u16) -> String {
    match TYPES.iter().find(|(_, known)| *known == number) {
        Some((name, _)) => (*name).to_owned(),
        None => format!("TYPE{number}"),
    }
}

/// Reads the fields of a record's data; names that do not end in a dot are relative to `origin`. On an error, half a sentence.
pub fn parse(rtype: u16, fields: &[&str], origin: &Name) -> Result<Box<[u8]>, String> {
    let data = if fields.first() == Some(&"\\#") {
        generic(&fields[1..])
    } else {
        known(rtype, fields, origin)
    };
    match data {
        Some(data) if u16::try_from(data.len()).is_ok() => Ok(data.into_boxed_slice()),
        _ => Err(format!("the data of the {} record does not read", type_name(rtype))),
    }
}

/// Presentation form: an address for A and AAAA, `\#` form for all others. Reads back equal with [`parse`].
pub fn text(rtype: u16, data: &[u8]) -> String {
    if rtype == rtype::A
        && let Ok(octets) = <[u8; 4]>::try_from(data)
    {
        return IpAddr::from(octets).to_string();
    }
    if rtype == rtype::AAAA
        && let Ok(octets) = <[u8; 16]>::try_from(data)
    {
        return IpAddr::from(octets).to_string();
    }
    let mut text = format!("\\# {}", data.len());
    if !data.is_empty() {
        text.push(' ');
        for byte in data {
            text.push_str(&format!("{byte:02x}"));
        }
    }
    text
}

/// RFC 3597 §5: a length, then so many bytes in hexadecimal, in any number of words.
fn generic(fields: &[&str]) -> Option<Vec<u8>> {
    let (length, words) = fields.split_first()?;
    let length: u16 = length.parse().ok()?;
    let digits: Vec<u8> = words.iter().flat_map(|word| word.bytes()).collect();
    let mut data = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks(2) {
        let [high, low] = pair else { return None };
        data.push(hex(*high)? << 4 | hex(*low)?);
    }
    (data.len() == usize::from(length)).then_some(data)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn known(rtype: u16, fields: &[&str], origin: &Name) -> Option<Vec<u8>> {
    match (rtype, fields) {
        (rtype::A, [address]) => Some(address.parse::<Ipv4Addr>().ok()?.octets().to_vec()),
        (rtype::AAAA, [address]) => Some(address.parse::<Ipv6Addr>().ok()?.octets().to_vec()),
        (rtype::NS | rtype::CNAME | rtype::PTR | rtype::DNAME, [target]) => {
            Some(name(target, origin)?.as_wire().to_vec())
        }
        (rtype::MX, [preference, exchange]) => {
            let mut data = preference.parse::<u16>().ok()?.to_be_bytes().to_vec();
            data.extend_from_slice(name(exchange, origin)?.as_wire());
            Some(data)
        }
        (rtype::SRV, [priority, weight, port, target]) => {
            let mut data = Vec::new();
            for number in [priority, weight, port] {
                data.extend_from_slice(&number.parse::<u16>().ok()?.to_be_bytes());
            }
            data.extend_from_slice(name(target, origin)?.as_wire());
            Some(data)
        }
        (rtype::TXT | 99, [_, ..]) => {
            let mut data = Vec::new();
            for field in fields {
                let bytes = characters(field)?;
                // A string has at most 255 bytes; a longer one is written as several.
                for piece in bytes.chunks(255) {
                    data.push(piece.len() as u8);
                    data.extend_from_slice(piece);
                }
                if bytes.is_empty() {
                    data.push(0);
                }
            }
            Some(data)
        }
        (rtype::SVCB | rtype::HTTPS, [priority, target, parameters @ ..]) => {
            service(priority, target, parameters, origin)
        }
        (29, fields) => location(fields),
        (257, [flags, tag, value]) => {
            let value = characters(value)?;
            let mut data = vec![flags.parse::<u8>().ok()?, u8::try_from(tag.len()).ok()?];
            data.extend_from_slice(tag.as_bytes());
            data.extend_from_slice(&value);
            Some(data)
        }
        // Types that lists use now and then; relative names in them are not worth code of our own.
        (13 | 35 | 37 | 43 | 44 | 52 | 53 | 59 | 60 | 61, [_, ..]) => {
            let data = RData::try_from_str(RecordType::from(rtype), &fields.join(" ")).ok()?;
            let mut bytes = Vec::new();
            let mut encoder = BinEncoder::new(&mut bytes);
            encoder.set_name_encoding(NameEncoding::Uncompressed);
            data.emit(&mut encoder).ok()?;
            Some(bytes)
        }
        _ => None,
    }
}

/// A name of a master file, relative to `origin` unless it ends in a dot; `@` is the origin itself.
pub fn name(text: &str, origin: &Name) -> Option<Name> {
    if text == "@" {
        return Some(origin.clone());
    }
    let name = Name::parse(text).ok()?;
    let escaped_dot = text.ends_with("\\.") && !text.ends_with("\\\\.");
    if (text.ends_with('.') && !escaped_dot) || origin.is_root() {
        return Some(name);
    }
    let mut wire = name.as_wire()[..name.as_wire().len() - 1].to_vec();
    wire.extend_from_slice(origin.as_wire());
    Name::from_wire(&wire)
}

/// The bytes of a character string whose quotes are gone: `\X` and `\DDD` escapes (RFC 1035 §5.1).
fn characters(text: &str) -> Option<Vec<u8>> {
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next()? {
            first if first.is_ascii_digit() => {
                let mut value = u32::from(first - b'0');
                for _ in 0..2 {
                    let digit = bytes.next().filter(u8::is_ascii_digit)?;
                    value = value * 10 + u32::from(digit - b'0');
                }
                out.push(u8::try_from(value).ok()?);
            }
            other => out.push(other),
        }
    }
    Some(out)
}

/// LOC (RFC 1876 §3): `d1 [m1 [s1]] N|S d2 [m2 [s2]] E|W altitude[m] [size[m] [horizontal[m] [vertical[m]]]]`
fn location(fields: &[&str]) -> Option<Vec<u8>> {
    let (latitude, rest) = angle(fields, "N", "S", 90)?;
    let (longitude, rest) = angle(rest, "E", "W", 180)?;
    let (altitude, rest) = rest.split_first()?;
    // Centimetres above 100,000 m below the reference.
    let altitude = u32::try_from(centimetres(altitude)?.checked_add(10_000_000)?).ok()?;
    if rest.len() > 3 {
        return None;
    }
    // What is left out is 1 m, 10,000 m and 10 m.
    let mut data = vec![0, 0x12, 0x16, 0x13];
    for (byte, field) in data[1..].iter_mut().zip(rest) {
        *byte = mantissa(u64::try_from(centimetres(field)?).ok()?)?;
    }
    for number in [latitude, longitude, altitude] {
        data.extend_from_slice(&number.to_be_bytes());
    }
    Some(data)
}

/// Degrees, minutes and seconds up to the letter, in thousandths of a second from 2^31; and the fields behind it.
fn angle<'f>(fields: &'f [&'f str], plus: &str, minus: &str, most: u32) -> Option<(u32, &'f [&'f str])> {
    let is = |field: &str, letter: &str| field.eq_ignore_ascii_case(letter);
    let end = fields
        .iter()
        .take(4)
        .position(|field| is(field, plus) || is(field, minus))?;
    let degrees: u32 = fields[..end].first()?.parse().ok()?;
    let minutes: u32 = fields[..end].get(1).map_or(Some(0), |field| field.parse().ok())?;
    let thousandths = fields[..end].get(2).map_or(Some(0), |field| decimal(field, 3))?;
    let thousandths = u32::try_from(thousandths).ok()?;
    if degrees > most || minutes > 59 || thousandths > 59_999 {
        return None;
    }
    let sum = (degrees * 60 + minutes) * 60_000 + thousandths;
    if sum > most * 3_600_000 {
        return None;
    }
    let number = if is(fields[end], plus) {
        (1 << 31) + sum
    } else {
        (1 << 31) - sum
    };
    Some((number, &fields[end + 1..]))
}

/// Metres with at most two decimals, `m` behind them or not.
fn centimetres(text: &str) -> Option<i64> {
    let text = text.strip_suffix(['m', 'M']).unwrap_or(text);
    match text.strip_prefix('-') {
        Some(text) => Some(-decimal(text, 2)?),
        None => decimal(text, 2),
    }
}

/// A number with at most so many decimals, in units of the last one.
fn decimal(text: &str, decimals: usize) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || part.len() > decimals || !digits(whole) || !digits(part) {
        return None;
    }
    format!("{whole}{part:0<decimals$}").parse().ok()
}

/// A size as a digit and a power of ten, in centimetres.
fn mantissa(mut number: u64) -> Option<u8> {
    let mut exponent = 0u8;
    while number > 9 {
        number /= 10;
        exponent += 1;
    }
    (exponent <= 9).then_some((number as u8) << 4 | exponent)
}

/// SVCB and HTTPS (RFC 9460 §2.1 and §14.3): parameters in the order of their numbers, each once.
fn service(priority: &str, target: &str, parameters: &[&str], origin: &Name) -> Option<Vec<u8>> {
    let mut data = priority.parse::<u16>().ok()?.to_be_bytes().to_vec();
    data.extend_from_slice(name(target, origin)?.as_wire());
    let mut values: Vec<(u16, Vec<u8>)> = Vec::new();
    for parameter in parameters {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(value);
        let number = service_key(key)?;
        let mut out = Vec::new();
        match number {
            0 => {
                let mut keys: Vec<u16> = value.split(',').map(service_key).collect::<Option<_>>()?;
                keys.sort_unstable();
                keys.dedup();
                keys.iter().for_each(|key| out.extend_from_slice(&key.to_be_bytes()));
            }
            1 => {
                for protocol in value.split(',') {
                    let protocol = characters(protocol)?;
                    if protocol.is_empty() {
                        return None;
                    }
                    out.push(u8::try_from(protocol.len()).ok()?);
                    out.extend_from_slice(&protocol);
                }
            }
            2 if value.is_empty() => {}
            2 => return None,
            3 => out.extend_from_slice(&value.parse::<u16>().ok()?.to_be_bytes()),
            4 => {
                for address in value.split(',') {
                    out.extend_from_slice(&address.parse::<Ipv4Addr>().ok()?.octets());
                }
            }
            6 => {
                for address in value.split(',') {
                    out.extend_from_slice(&address.parse::<Ipv6Addr>().ok()?.octets());
                }
            }
            5 => out = base64(value)?,
            _ => out = characters(value)?,
        }
        values.push((number, out));
    }
    values.sort_unstable();
    if values.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    for (number, value) in values {
        data.extend_from_slice(&number.to_be_bytes());
        data.extend_from_slice(&u16::try_from(value.len()).ok()?.to_be_bytes());
        data.extend_from_slice(&value);
    }
    Some(data)
}

fn service_key(name: &str) -> Option<u16> {
    Some(match name.to_ascii_lowercase().as_str() {
        "mandatory" => 0,
        "alpn" => 1,
        "no-default-alpn" => 2,
        "port" => 3,
        "ipv4hint" => 4,
        "ech" => 5,
        "ipv6hint" => 6,
        "dohpath" => 7,
        "ohttp" => 8,
        other => other.strip_prefix("key")?.parse().ok()?,
    })
}

/// RFC 4648 §4, padding optional.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(rtype: u16, text: &str) -> Option<Vec<u8>> {
        let fields: Vec<&str> = text.split(' ').collect();
        let origin = Name::parse("zone.example").unwrap();
        parse(rtype, &fields, &origin).ok().map(<[u8]>::into_vec)
    }

    #[test]
    fn the_common_types_read_as_the_rfcs_write_them() {
        assert_eq!(wire(1, "192.0.2.1"), Some(vec![192, 0, 2, 1]));
        assert_eq!(wire(15, "10 mail."), Some(b"\x00\x0a\x04mail\x00".to_vec()));
        assert_eq!(wire(5, "a"), Some(b"\x01a\x04zone\x07example\x00".to_vec()));
        assert_eq!(wire(5, "@"), Some(b"\x04zone\x07example\x00".to_vec()));
        assert_eq!(wire(16, r"a\032b"), Some(b"\x03a b".to_vec()));
        assert_eq!(wire(16, "\"\""), Some(vec![0]));
        assert_eq!(wire(33, "1 2 443 ."), Some(vec![0, 1, 0, 2, 1, 187, 0]));
        assert_eq!(
            wire(65, "1 . alpn=h2,h3 port=8443"),
            Some(b"\x00\x01\x00\x00\x01\x00\x06\x02h2\x02h3\x00\x03\x00\x02\x20\xfb".to_vec())
        );
        assert_eq!(wire(300, r"\# 3 0a0B 0c"), Some(vec![10, 11, 12]));
        assert_eq!(
            wire(
                52,
                "3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971"
            )
            .map(|d| d.len()),
            Some(35)
        );
    }

    #[test]
    fn a_location_reads_as_rfc_1876_writes_it() {
        let mut wanted = vec![0, 0x33, 0x16, 0x13];
        // 42 21 54 N, 71 06 18 W, 24 m below, of RFC 1876 §4, with a size of 30 m.
        wanted.extend_from_slice(&((1u32 << 31) + 152_514_000).to_be_bytes());
        wanted.extend_from_slice(&((1u32 << 31) - 255_978_000).to_be_bytes());
        wanted.extend_from_slice(&(10_000_000u32 - 2_400).to_be_bytes());
        assert_eq!(wire(29, "42 21 54 N 71 06 18 W -24m 30m"), Some(wanted));
        assert_eq!(wire(29, "52 N 4.5 E 0m"), None);
        assert!(wire(29, "52 14 05.123 N 00 08 50 E 10.25m").is_some());
        assert!(wire(29, "90 N 180 E 0 1 2 3").is_some());
        for text in [
            "91 N 0 E 0m",
            "90 0 1 N 0 E 0m",
            "1 60 N 0 E 0m",
            "1 N 0 E",
            "1 E 0 N 0m",
            "1 N 0 E 0m 1 2 3 4",
        ] {
            assert_eq!(wire(29, text), None, "{text}");
        }
    }

    #[test]
    fn what_does_not_read_is_refused() {
        for (rtype, text) in [
            (1, "192.0.2"),
            (1, "192.0.2.1 x"),
            (28, "192.0.2.1"),
            (15, "x mail."),
            (65, "1 . alpn=h2 alpn=h3"),
            (65, "1 . port=x"),
            (300, "x"),
            (1, r"\# 4 00"),
            (52, "3 1"),
        ] {
            assert_eq!(wire(rtype, text), None, "{rtype} {text}");
        }
    }

    #[test]
    fn text_reads_back_equal() {
        for (rtype, data) in [
            (1u16, vec![1, 2, 3, 4]),
            (28, vec![0; 16]),
            (16, b"\x01a".to_vec()),
            (1, vec![1]),
            (9, vec![]),
        ] {
            let text = text(rtype, &data);
            assert_eq!(wire(rtype, &text).as_deref(), Some(&data[..]), "{text}");
        }
        for (name, number) in TYPES {
            assert_eq!(type_number(&name.to_lowercase()), Some(number));
            assert_eq!(type_name(number), name);
        }
        assert_eq!(type_number("TYPE1234"), Some(1234));
        assert_eq!(type_number("TYPE99999"), None);
    }
}
