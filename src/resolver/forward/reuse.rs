//! One connection that many exchanges share.
//!
//! Always: at most one connection is being made; whoever needs it meanwhile waits for that one. It goes on being made when
//! the query that wanted it gives up, so that the next finds it.

use crate::resolver::exchange::ExchangeError;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use std::sync::{Mutex, PoisonError};

/// A connection that can tell whether it is still worth using.
pub(in crate::resolver) trait Connection: Clone + Send + Sync + 'static {
    fn is_usable(&self) -> bool;
}

type Connecting<C> = Shared<BoxFuture<'static, Result<C, ExchangeError>>>;

/// The connection, made when first needed and made again when it has ended.
pub(in crate::resolver) struct Reused<C: Connection> {
    slot: Mutex<Option<Connecting<C>>>,
}

impl<C: Connection> Default for Reused<C> {
    fn default() -> Self {
        Reused { slot: Mutex::new(None) }
    }
}

impl<C: Connection> Reused<C> {
    /// Whether there is a connection worth using, or one is being made.
    pub(in crate::resolver) fn is_usable(&self) -> bool {
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().is_some_and(|connecting| match connecting.peek() {
            None => true,
            Some(connection) => connection.as_ref().is_ok_and(Connection::is_usable),
        })
    }

    /// The connection, and whether it was there before: only then may its ending mean no more than that the server was
    /// tired of waiting (RFC 7766 §6.2.4), and the exchange be tried again.
    pub(in crate::resolver) async fn get(
        &self,
        connect: impl FnOnce() -> BoxFuture<'static, Result<C, ExchangeError>>,
    ) -> Result<(C, bool), ExchangeError> {
        let (connecting, was_there) = {
            let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
            let state = slot.as_ref().map(|connecting| match connecting.peek() {
                None => (connecting.clone(), false, true),
                Some(Ok(connection)) => (connecting.clone(), true, connection.is_usable()),
                Some(Err(_)) => (connecting.clone(), false, false),
            });
            match state {
                Some((connecting, was_there, true)) => (connecting, was_there),
                _ => {
                    let connecting = connect().shared();
                    tokio::spawn(connecting.clone());
                    *slot = Some(connecting.clone());
                    (connecting, false)
                }
            }
        };
        connecting.await.map(|connection| (connection, was_there))
    }
}
