//! The room in which a thread reads queries of streams and has their responses written.
//!
//! Always: one for each thread that serves streams, not one for each connection. What a connection cannot do away with at once it
//! copies out, so that those that wait hold nothing.

use crate::limits::{MESSAGE_BYTES, QUERY_BYTES, TCP_READ_BYTES, TCP_UNSENT_BYTES};
use std::cell::RefCell;

pub(super) struct Buffers {
    /// What is read, behind room for the part of a query that came before it.
    pub input: Box<[u8]>,
    /// Responses, each with its length: at least [`TCP_UNSENT_BYTES`] and a largest one.
    pub output: Box<[u8]>,
}

/// Bytes of the length before each message.
pub(super) const LENGTH_BYTES: usize = 2;
/// Room before what is read: less than one query with its length is left over of what came before.
pub(super) const KEPT_BYTES: usize = LENGTH_BYTES + QUERY_BYTES;

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers {
        input: vec![0; KEPT_BYTES + TCP_READ_BYTES].into(),
        output: vec![0; TCP_UNSENT_BYTES + LENGTH_BYTES + MESSAGE_BYTES].into(),
    });
}

/// Lends this thread's buffers to `work`, which must not ask for them again.
pub(super) fn with<R>(work: impl FnOnce(&mut Buffers) -> R) -> R {
    BUFFERS.with_borrow_mut(work)
}
