//! What the kernel offers a UDP server beside recvmmsg and sendmmsg of 64, each tried in a bare answer loop: other batches, no
//! control messages, trains of datagrams (UDP_GRO, UDP_SEGMENT), busy polling, io_uring, and ways to choose between two sockets.
//!
//! In: nothing. Out: tables on standard output; decision 17 tells what follows from them. Never fails by a figure.
//! Always: every server is a child process on the first core (two workers: on both), and the load is on the second (both);
//! variants run in turns, and figures are medians of the rounds. All sockets are on loopback, none on port 53.
//!
//! `sockets [--rounds N] [--millis N] [GROUP...]`; a round of one variant takes `--millis`.

mod calls;
mod load;
mod messages;
mod ring;
mod server;
mod trials;
#[path = "../yardstick_udp.rs"]
mod yardstick;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve", "yardstick"] => {
            calls::keep_to_core(0);
            yardstick::serve();
        }
        ["serve", settings @ ..] => server::serve(&server::Settings::parse(settings.iter().copied())),
        _ => trials::run(&words),
    }
}
