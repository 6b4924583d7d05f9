//! What becomes of a query: pure, no sockets, no clock.

pub mod decision;
