//! What the operator's hand tells a running server: SIGTERM and SIGINT stop it, SIGHUP reloads.

use std::io;

/// Heard from the moment it is made, so a signal that comes during the start is not lost.
pub(super) struct Signals {
    #[cfg(unix)]
    unix: Unix,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Stop,
    Reload,
}

#[cfg(unix)]
struct Unix {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub(super) fn new() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let unix = Unix {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        };
        Ok(Signals { unix })
    }

    #[cfg(not(unix))]
    pub(super) fn new() -> io::Result<Signals> {
        Ok(Signals {})
    }

    /// Waits for the next signal.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.unix.terminate.recv() => Signal::Stop,
            _ = self.unix.interrupt.recv() => Signal::Stop,
            _ = self.unix.hang_up.recv() => Signal::Reload,
        }
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> Signal {
        // Without a console there is nobody to say stop.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Stop
    }

    /// Waits for a signal to stop; a reload during the start has nothing to reload yet.
    pub(super) async fn stop(&mut self) {
        while self.next().await != Signal::Stop {}
    }
}
