//! `stairgate health`: asks the running server a question that needs nobody else. For Docker's HEALTHCHECK and the like.

use super::{Exit, Failure, Outcome, settings};
use crate::clock;
use crate::dns::query::HEADER_BYTES;
use crate::dns::rcode;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

/// How long the server has to answer.
const PATIENCE_MS: u64 = 2000;
/// How often the question is sent again: a datagram may be lost.
const AGAIN_MS: u64 = 500;
/// `localhost. IN A`, which every resolver answers by itself (RFC 6761 §6.3).
const QUESTION: &[u8] = b"\x09localhost\x00\x00\x01\x00\x01";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Settings file of the running server; without it 127.0.0.1:5300 is asked
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    let settings = settings::load(args.config.as_deref())?;
    let Some(&listen) = settings.server.listen.first() else {
        return Err(Failure::usage("server.listen names no address to ask"));
    };
    let server = reachable(listen);
    match ask(server)? {
        // One that answers REFUSED is alive; whom it serves is its operator's choice.
        code @ (rcode::NOERROR | rcode::NXDOMAIN | rcode::REFUSED) => {
            let what = if code == rcode::REFUSED {
                "answers, but refuses queries from this address"
            } else {
                "answers"
            };
            writeln!(io::stdout(), "{server} {what}")?;
            Ok(Exit::Done)
        }
        code => Err(Failure::failed(format_args!(
            "{server} answers localhost with response code {code}; see its log"
        ))),
    }
}

/// Where to reach a server that listens here: any address is every address, so also the loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Sends the question until an answer comes; its response code.
fn ask(server: SocketAddr) -> Result<u16, Failure> {
    let broken = |error: io::Error| {
        Failure::failed(format_args!(
            "{server} cannot be asked: {error}; is the server running?"
        ))
    };
    let own: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((own, 0)).map_err(broken)?;
    socket.connect(server).map_err(broken)?;
    let id: [u8; 2] = rand::random();
    let mut query = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend_from_slice(QUESTION);

    let end_ms = clock::now().mono_ms + PATIENCE_MS;
    let mut refused = None;
    while let Some(left_ms) = left_ms_until(end_ms) {
        let again_ms = clock::now().mono_ms + AGAIN_MS.min(left_ms);
        // An ICMP error of the last datagram may be told here; a server just starting may still come up.
        if let Err(error) = socket.send(&query) {
            refused = Some(error);
        }
        while let Some(wait_ms) = left_ms_until(again_ms) {
            let wait = Duration::from_millis(wait_ms);
            socket.set_read_timeout(Some(wait)).map_err(broken)?;
            let mut response = [0; 512];
            match socket.recv(&mut response) {
                Ok(length) => {
                    if let Some(code) = judge(&response[..length], id) {
                        return Ok(code);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    refused = Some(error);
                    std::thread::sleep(wait);
                }
                Err(_) => break,
            }
        }
    }
    Err(match refused {
        Some(error) => broken(error),
        None => Failure::failed(format_args!("{server} did not answer within {} s", PATIENCE_MS / 1000)),
    })
}

/// Milliseconds until then; `None` when there are none left.
fn left_ms_until(mono_ms: u64) -> Option<u64> {
    mono_ms.checked_sub(clock::now().mono_ms).filter(|&left_ms| left_ms > 0)
}

/// The response code, if this is the answer to our question.
fn judge(response: &[u8], id: [u8; 2]) -> Option<u16> {
    let header = response.first_chunk::<HEADER_BYTES>()?;
    let ours = header[..2] == id && header[2] & 0x80 != 0 && header[4..6] == [0, 1];
    let question = response.get(HEADER_BYTES..HEADER_BYTES + QUESTION.len())?;
    (ours && question.eq_ignore_ascii_case(QUESTION)).then(|| u16::from(header[3] & 15))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// A server that answers each query with what `answers` makes of it.
    fn server(queries: usize, answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            for _ in 0..queries {
                let mut query = [0; 512];
                let (length, from) = socket.recv_from(&mut query).unwrap();
                for answer in answers(&query[..length]) {
                    socket.send_to(&answer, from).unwrap();
                }
            }
        });
        address
    }

    fn answered(query: &[u8], code: u8) -> Vec<u8> {
        let mut response = query.to_vec();
        response[2] |= 0x80;
        response[3] = code;
        response
    }

    #[test]
    fn a_server_that_answers_is_healthy_and_its_code_is_told() {
        for code in [0, 2, 5] {
            assert_eq!(
                ask(server(1, move |query| vec![answered(query, code)])).unwrap(),
                u16::from(code)
            );
        }
    }

    #[test]
    fn what_is_no_answer_to_the_question_does_not_count() {
        let address = server(1, |query| {
            let mut other_id = answered(query, 2);
            other_id[0] ^= 1;
            let mut other_name = answered(query, 2);
            other_name[14] ^= 1;
            vec![query.to_vec(), other_id, other_name, vec![1, 2, 3], answered(query, 0)]
        });
        assert_eq!(ask(address).unwrap(), 0);
    }

    #[test]
    fn a_lost_datagram_is_sent_again() {
        let first = std::sync::atomic::AtomicBool::new(true);
        let address = server(2, move |query| {
            match first.swap(false, std::sync::atomic::Ordering::Relaxed) {
                true => Vec::new(),
                false => vec![answered(query, 0)],
            }
        });
        assert_eq!(ask(address).unwrap(), 0);
    }

    #[test]
    fn nobody_there_and_nobody_answering_are_told_apart() {
        let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let failure = ask(silent.local_addr().unwrap()).unwrap_err();
        assert!(failure.sentence.ends_with("did not answer within 2 s"), "{failure}");
        assert_eq!(failure.exit, Exit::Failed);
        let address = silent.local_addr().unwrap();
        drop(silent);
        let failure = ask(address).unwrap_err();
        assert!(failure.sentence.contains("is the server running?"), "{failure}");
    }

    #[test]
    fn a_server_on_every_address_is_asked_on_loopback() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:53"), "127.0.0.1:53");
        assert_eq!(asked("[::]:5300"), "[::1]:5300");
        assert_eq!(asked("192.0.2.1:53"), "192.0.2.1:53");
    }
}
