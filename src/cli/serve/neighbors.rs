//! Asks the kernel which neighbors it has heard lately.
//!
//! In: nothing. Out: [`Neighbor`]s of both families; on systems other than Linux none.
//! Always: it waits for nothing; what the kernel does not say at once it does not say.

use crate::activity::evidence::Neighbor;
use std::io;

#[cfg(target_os = "linux")]
pub(super) fn look() -> io::Result<Vec<Neighbor>> {
    use crate::activity::evidence::{read, request};
    use crate::limits::NEIGHBORS_BYTES;
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // NETLINK_ROUTE is protocol 0.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    sendto(&socket, &request(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut neighbors = Vec::new();
    // The kernel fills at most 32 KiB at a time.
    let mut buffer = vec![0; 32 << 10];
    let mut received = 0;
    while received < NEIGHBORS_BYTES {
        let (bytes, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        received += bytes.max(1);
        if read(&buffer[..bytes], &mut neighbors) {
            break;
        }
    }
    Ok(neighbors)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn look() -> io::Result<Vec<Neighbor>> {
    Ok(Vec::new())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_kernel_answers_to_its_end() {
        // Which neighbors there are is the machine's affair.
        assert!(super::look().is_ok());
    }
}
