//! The system calls that std and socket2 do not offer, each behind a safe function.
#![allow(unsafe_code, reason = "system calls that std does not offer")]

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;

/// Sets an option whose value is one C int.
pub fn set_option(socket: &UdpSocket, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the option's value is one C int on this stack frame, and its length is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(&value).cast(),
            mem::size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    outcome(result)
}

/// Lets the core on which a packet came in choose the socket of the group: the one with that place in the order of binding.
pub fn steer_by_core(socket: &UdpSocket) -> io::Result<()> {
    // "Load the ancillary word that holds the core's number; return it."
    const ANCILLARY_CORE: i32 = libc::SKF_AD_OFF + libc::SKF_AD_CPU;
    let mut code = [
        libc::sock_filter {
            code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
            jt: 0,
            jf: 0,
            k: ANCILLARY_CORE as u32,
        },
        libc::sock_filter {
            code: (libc::BPF_RET | libc::BPF_A) as u16,
            jt: 0,
            jf: 0,
            k: 0,
        },
    ];
    let program = libc::sock_fprog {
        len: code.len() as u16,
        filter: code.as_mut_ptr(),
    };
    // SAFETY: the option's value is a sock_fprog on this stack frame that points to two instructions on it; the kernel copies both.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            ptr::from_ref(&program).cast(),
            mem::size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    outcome(result)
}

/// Keeps the calling thread, and those it starts from now on, to one core.
pub fn keep_to_core(core: usize) {
    // SAFETY: a plain C struct of integers, for which all zeros is a value.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set is on this stack frame; a number beyond its size is an index out of bounds, which panics.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the set is on this stack frame and its size is given; 0 is the calling thread.
    let result = unsafe { libc::sched_setaffinity(0, mem::size_of::<libc::cpu_set_t>(), &set) };
    outcome(result).unwrap_or_else(|error| panic!("this bench needs core {core}: {error}"));
}

/// The core this thread is on.
pub fn core() -> usize {
    // SAFETY: takes nothing and touches no memory of ours.
    usize::try_from(unsafe { libc::sched_getcpu() }).unwrap_or(0)
}

/// User and system time of this process so far, in microseconds. Their sum is exact; how it is divided is told by ticks.
pub fn usage() -> (u64, u64) {
    // SAFETY: a plain C struct of integers, for which all zeros is a value; getrusage fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage
    };
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    (micros(usage.ru_utime), micros(usage.ru_stime))
}

fn outcome(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
