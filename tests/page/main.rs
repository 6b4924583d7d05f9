//! The block page over real sockets on loopback: what a browser is shown, what a hostile one is not, and how a child asks for a site.

mod common;
mod hostile;
mod reasons;
mod requests;
