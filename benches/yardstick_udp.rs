//! The bare loop that the UDP listener is measured against: recvmmsg and sendmmsg of 64 on one SO_REUSEPORT socket, with the
//! listener's socket options and control messages, and a constant answer.
//!
//! It understands nothing: the query comes back as it is with QR and RA set and one constant record behind it. It was written
//! once and is not changed, so that figures of different times can be compared; it shares no code with the program.
//!
//! `yardstick_udp serve` binds a free port of 127.0.0.1, prints it, and answers. Each line on standard input is replied to
//! with the CPU time used so far: user and system, in microseconds. The end of standard input ends it. Without `serve` it says
//! how it is used; `benches/udp.rs` drives it.

use std::io::{BufRead, Write};
use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

const BATCH: usize = 64;
const QUERY_BYTES: usize = 4096;
const RECORD: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04\0\0\0\0";
const BUFFER_BYTES: usize = QUERY_BYTES + RECORD.len();
const CONTROL_BYTES: usize = 64;

#[allow(dead_code, reason = "benches/udp.rs takes this file in as a module")]
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        _ => println!("yardstick_udp: `cargo bench --bench udp` runs it beside the listener"),
    }
}

/// Answers until standard input ends.
pub fn serve() {
    let socket = open();
    println!("{}", socket.local_addr().unwrap().port());
    std::thread::spawn(move || answer(&socket));
    usage_on_request();
}

/// Replies to each line with the CPU time of this process.
pub fn usage_on_request() {
    for _ in std::io::stdin().lock().lines() {
        // SAFETY: a plain C struct of integers, for which all zeros is a value; getrusage fills it.
        let usage = unsafe {
            let mut usage: libc::rusage = mem::zeroed();
            assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
            usage
        };
        let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
        println!("{} {}", micros(usage.ru_utime), micros(usage.ru_stime));
        std::io::stdout().flush().unwrap();
    }
}

fn open() -> UdpSocket {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_reuse_port(true).unwrap();
    let _ = socket.set_recv_buffer_size(4 << 20);
    let _ = socket.set_send_buffer_size(4 << 20);
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    for (option, value) in [(libc::IP_PKTINFO, 1), (libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)] {
        // SAFETY: the option's value is one C int, and its length is given.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_IP,
                option,
                ptr::from_ref(&value).cast(),
                4,
            )
        };
        assert_eq!(result, 0);
    }
    socket
        .bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.into()
}

fn answer(socket: &UdpSocket) {
    // SAFETY: plain C structs of integers and pointers, for which all zeros is a value.
    let (source, header, slice): (libc::sockaddr_storage, libc::mmsghdr, libc::iovec) =
        unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
    let mut buffers = vec![0u8; BATCH * BUFFER_BYTES];
    // In units of 8 bytes, so that control messages are aligned.
    let mut controls = vec![0u64; BATCH * CONTROL_BYTES / 8];
    let mut sources = vec![source; BATCH];
    let mut headers = vec![header; BATCH];
    let mut slices = vec![slice; BATCH];
    loop {
        for index in 0..BATCH {
            slices[index].iov_base = buffers[index * BUFFER_BYTES..].as_mut_ptr().cast();
            slices[index].iov_len = QUERY_BYTES;
            let message = &mut headers[index].msg_hdr;
            message.msg_name = ptr::from_mut(&mut sources[index]).cast();
            message.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            message.msg_iov = &mut slices[index];
            message.msg_iovlen = 1;
            message.msg_control = controls[index * CONTROL_BYTES / 8..].as_mut_ptr().cast();
            message.msg_controllen = CONTROL_BYTES as _;
            message.msg_flags = 0;
        }
        // SAFETY: every header points to one iovec, buffer, source and control buffer of the vectors above, with their true
        // lengths; none of them is touched during the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_WAITFORONE as _,
                ptr::null_mut(),
            )
        };
        let Ok(received) = usize::try_from(received) else {
            continue;
        };
        for index in 0..received {
            let bytes = headers[index].msg_len as usize;
            let buffer = &mut buffers[index * BUFFER_BYTES..][..BUFFER_BYTES];
            buffer[2] |= 0x80;
            buffer[3] |= 0x80;
            buffer[7] = 1;
            buffer[bytes..bytes + RECORD.len()].copy_from_slice(RECORD);
            slices[index].iov_base = buffer.as_mut_ptr().cast();
            slices[index].iov_len = bytes + RECORD.len();
            // The interface the query came by; the route is left to the kernel.
            controls[index * CONTROL_BYTES / 8 + 2] &= u64::from_ne_bytes([0, 0, 0, 0, 255, 255, 255, 255]);
        }
        let mut sent = 0;
        while sent < received {
            // SAFETY: the first `received` headers were filled by the kernel and point to what they pointed to then, the
            // iovecs to the answers within the buffers.
            let more = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    headers[sent..received].as_mut_ptr(),
                    (received - sent) as libc::c_uint,
                    0,
                )
            };
            sent += usize::try_from(more).unwrap_or(1).max(1);
        }
    }
}
