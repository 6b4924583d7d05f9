//! One resolution as a state machine: bytes and the time in, packets to send and at last a result out.
//!
//! In: events, each with the present time. Out: commands, and the result once.
//! Always: no socket, no clock, no runtime, no source of randomness but the seed: the same seed and events give the same
//! commands. The machine is written as `async fn` over two leaves, `Io::open` and `Io::heard`, and the compiler turns it into
//! states; nothing ever wakes it but [`Task::step`]. It ends at its deadline.

use super::trace::{Step, Traced};
use super::trouble::Trouble;
use crate::dns::name::Name;
use crate::limits;
use crate::now::Now;
use crate::resolver::validate::Work;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::VecDeque;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// One exchange of a task. Never used twice within it.
pub type Id = u32;

/// How a query travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// From a socket of its own with an unpredictable port, connected to the server (RFC 5452 §9.2).
    Udp,
    /// Over a connection that other exchanges may share (RFC 7766 §6.2.1).
    Tcp,
}

/// What a task wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Send {
        id: Id,
        server: IpAddr,
        transport: Transport,
        bytes: Vec<u8>,
    },
    /// Nothing more that comes for this exchange matters.
    Cancel(Id),
    /// Step the task at this time, in milliseconds of the clock that never goes back, unless an event comes first. The latest
    /// such command counts.
    WakeAt(u64),
    /// Worth doing beside this resolution, which does not wait for it.
    Also(Errand),
}

/// Work that no client waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Ask who the root servers are (RFC 9609).
    Prime,
    /// Ask a zone for its own NS set, so far known from its parent only.
    Revalidate(Name),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes came for an exchange. More may follow: the first need not be genuine.
    Reply { id: Id, bytes: Vec<u8> },
    /// An exchange ended without.
    Failed { id: Id, why: Why },
    /// The time is up, or nothing in particular: also the first step.
    Timer,
}

/// Why an exchange failed before its time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Why {
    #[error("nobody listens there")]
    PortClosed,
    #[error("there is no way to it")]
    NoRoute,
    #[error("the connection ended")]
    Closed,
    #[error("no connection in time")]
    NoConnection,
    /// This host has no socket or port left, or may not send; the server is not to blame.
    #[error("this host cannot send")]
    Local,
}

/// What a wait for exchanges ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Reply { id: Id, bytes: Vec<u8> },
    Failed { id: Id, why: Why },
    Nothing,
}

type Machine<T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send>>;

/// A resolution under way.
pub struct Task<T> {
    machine: Option<Machine<T>>,
    io: Arc<Io>,
}

impl<T> Task<T> {
    /// A task that has not sent anything yet: step it once to begin. `seed` is all the chance there is in it.
    pub(super) fn start<F>(seed: u64, deadline_ms: u64, traced: bool, work: impl FnOnce(Arc<Io>) -> F) -> Task<T>
    where
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let io = Arc::new(Io {
            state: Mutex::new(State {
                now: Now::default(),
                deadline_ms,
                wake_ms: u64::MAX,
                told_wake_ms: u64::MAX,
                next_id: 0,
                open: Vec::new(),
                inbox: VecDeque::new(),
                commands: Vec::new(),
                random: StdRng::seed_from_u64(seed),
                trace: traced.then(Vec::new),
                purse: Purse::default(),
                trouble: Trouble::Unreachable,
            }),
        });
        Task {
            machine: Some(Box::pin(work(Arc::clone(&io)))),
            io,
        }
    }

    /// Goes on as far as possible. Commands are appended to `commands`; the result comes once, and then the task is over.
    pub fn step(&mut self, now: Now, event: Event, commands: &mut Vec<Command>) -> Option<Result<T, Trouble>> {
        let machine = self.machine.as_mut()?;
        let late = {
            let mut state = self.io.lock();
            state.now = now;
            state.wake_ms = state.deadline_ms;
            state.take_in(event);
            now.mono_ms >= state.deadline_ms
        };
        let result = if late {
            Some(Err(self.io.lock().trouble.clone()))
        } else {
            match machine.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            }
        };
        if result.is_some() {
            // Its open exchanges are canceled as it goes.
            self.machine = None;
        }
        let mut state = self.io.lock();
        commands.append(&mut state.commands);
        if result.is_none() && state.wake_ms != state.told_wake_ms {
            state.told_wake_ms = state.wake_ms;
            commands.push(Command::WakeAt(state.wake_ms));
        }
        result
    }

    /// What happened since the last call, where the task was started with a trace.
    pub fn take_trace(&mut self) -> Vec<Traced> {
        self.io.lock().trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Queries sent so far.
    pub fn queries(&self) -> usize {
        self.io.lock().purse.queries
    }
}

/// What a machine has of the world.
pub(super) struct Io {
    state: Mutex<State>,
}

struct State {
    now: Now,
    deadline_ms: u64,
    /// The soonest moment that somebody waits for.
    wake_ms: u64,
    told_wake_ms: u64,
    next_id: Id,
    open: Vec<Id>,
    inbox: VecDeque<Heard>,
    commands: Vec<Command>,
    random: StdRng,
    trace: Option<Vec<Traced>>,
    purse: Purse,
    /// What to say at the deadline.
    trouble: Trouble,
}

/// What one resolution has used up. Bounds stand in `limits`.
#[derive(Debug, Default)]
pub(super) struct Purse {
    pub queries: usize,
    /// Look-ups of name servers' addresses that led nowhere.
    pub fruitless: usize,
    /// Look-ups of name servers' addresses.
    pub side_trips: usize,
    /// Queries sent on side trips, by a hash of the zone asked.
    pub side_queries: Vec<(u64, usize)>,
    /// What is left for validation, once it has begun.
    pub work: Option<Work>,
    /// Servers whose words turned out bogus: they are asked last.
    pub distrusted: Vec<IpAddr>,
    /// Something was bogus: what validation needs to know is asked for anew.
    pub renew: bool,
    /// Who said what validation asked for.
    pub witnesses: Vec<(Name, u16, IpAddr)>,
}

impl State {
    fn take_in(&mut self, event: Event) {
        let heard = match event {
            Event::Timer => return,
            Event::Reply { id, bytes } => Heard::Reply { id, bytes },
            Event::Failed { id, why } => Heard::Failed { id, why },
        };
        let (Heard::Reply { id, .. } | Heard::Failed { id, .. }) = heard else {
            return;
        };
        // A machine that is busy elsewhere must not be drowned by forgeries meanwhile.
        if self.open.contains(&id) && self.inbox.len() < limits::TASK_INBOX {
            self.inbox.push_back(heard);
        }
    }
}

impl Io {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present, in milliseconds of the clock that never goes back.
    pub fn now_ms(&self) -> u64 {
        self.lock().now.mono_ms
    }

    /// The present, by both clocks.
    pub fn now(&self) -> Now {
        self.lock().now
    }

    /// When the resolution ends, whatever it has found.
    pub fn deadline_ms(&self) -> u64 {
        self.lock().deadline_ms
    }

    /// Begins an exchange. It ends when the returned value is dropped.
    pub fn open(self: &Arc<Self>, server: IpAddr, transport: Transport, bytes: Vec<u8>) -> Open {
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.open.push(id);
        state.purse.queries += 1;
        state.commands.push(Command::Send {
            id,
            server,
            transport,
            bytes,
        });
        Open {
            id,
            io: Arc::clone(self),
        }
    }

    /// Waits until something comes for one of `exchanges`, or until `until_ms`.
    pub fn heard<'a>(&'a self, exchanges: &'a [Id], until_ms: u64) -> Wait<'a> {
        Wait {
            io: self,
            exchanges,
            until_ms,
        }
    }

    /// Has the task stepped at this time, whatever else it waits for.
    pub fn wake_at(&self, at_ms: u64) {
        let mut state = self.lock();
        state.wake_ms = state.wake_ms.min(at_ms);
    }

    /// Does something that needs chance.
    pub fn chance<T>(&self, with: impl FnOnce(&mut StdRng) -> T) -> T {
        with(&mut self.lock().random)
    }

    /// Looks at, and changes, what is used up.
    pub fn purse<T>(&self, with: impl FnOnce(&mut Purse) -> T) -> T {
        with(&mut self.lock().purse)
    }

    pub fn also(&self, errand: Errand) {
        self.lock().commands.push(Command::Also(errand));
    }

    /// Remembers what to say should the deadline come.
    pub fn worry(&self, trouble: Trouble) {
        self.lock().trouble = trouble;
    }

    /// Notes a step, if anybody wants to know.
    pub fn note(&self, step: impl FnOnce() -> Step) {
        let mut state = self.lock();
        let at_ms = state.now.mono_ms;
        if let Some(trace) = &mut state.trace
            && trace.len() < limits::TRACE_STEPS
        {
            trace.push(Traced { at_ms, step: step() });
        }
    }
}

/// An exchange under way.
pub(super) struct Open {
    pub id: Id,
    io: Arc<Io>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.io.lock();
        let id = self.id;
        state.open.retain(|open| *open != id);
        state
            .inbox
            .retain(|heard| !matches!(heard, Heard::Reply { id: theirs, .. } | Heard::Failed { id: theirs, .. } if *theirs == id));
        state.commands.push(Command::Cancel(id));
    }
}

/// See [`Io::heard`].
pub(super) struct Wait<'a> {
    io: &'a Io,
    exchanges: &'a [Id],
    until_ms: u64,
}

impl Future for Wait<'_> {
    type Output = Heard;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Heard> {
        let mut state = self.io.lock();
        let ours = |heard: &Heard| match heard {
            Heard::Reply { id, .. } | Heard::Failed { id, .. } => self.exchanges.contains(id),
            Heard::Nothing => false,
        };
        if let Some(at) = state.inbox.iter().position(ours)
            && let Some(heard) = state.inbox.remove(at)
        {
            return Poll::Ready(heard);
        }
        if state.now.mono_ms >= self.until_ms {
            return Poll::Ready(Heard::Nothing);
        }
        state.wake_ms = state.wake_ms.min(self.until_ms);
        Poll::Pending
    }
}
