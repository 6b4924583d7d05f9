//! The upstream of every server: answers each question for A with one address, and others with NODATA.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What every name has that no list holds.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// Longer than a run, so that a name is asked for once.
const TTL_SECONDS: u32 = 3600 * 12;

pub struct Upstream {
    pub address: SocketAddr,
    asked: Arc<AtomicU64>,
}

impl Upstream {
    /// On a thread that ends with the program.
    pub fn start() -> Upstream {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        let upstream = Upstream {
            address: socket.local_addr().expect("it is bound"),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&upstream.asked);
        std::thread::spawn(move || {
            let (mut query, mut response) = ([0; 4096], Vec::new());
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                asked.fetch_add(1, Ordering::Relaxed);
                if answer(&query[..length], &mut response).is_some() {
                    let _ = socket.send_to(&response, client);
                }
            }
        });
        upstream
    }

    /// Queries so far.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

/// `None` for what is no query.
fn answer(query: &[u8], response: &mut Vec<u8>) -> Option<()> {
    let mut end = 12;
    while *query.get(end)? != 0 {
        end += usize::from(query[end]) + 1;
    }
    let question = query.get(12..end + 5)?;
    let is_address = query[end + 1..end + 3] == [0, 1];
    let has_edns = query[11] == 1;
    response.clear();
    response.extend([query[0], query[1], 0x80 | query[2] & 1, 0x80, 0, 1]);
    response.extend([0, u8::from(is_address), 0, 0, 0, u8::from(has_edns)]);
    response.extend(question);
    if is_address {
        response.extend(b"\xc0\x0c\0\x01\0\x01");
        response.extend(TTL_SECONDS.to_be_bytes());
        response.extend([0, 4]);
        response.extend(ADDRESS.octets());
    }
    if has_edns {
        response.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
    }
    Some(())
}
