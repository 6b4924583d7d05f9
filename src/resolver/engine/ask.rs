//! Asks the servers of one zone one thing, until one of them says something useful.
//!
//! In: a zone's servers, a name and a type. Out: a [`Reading`], or why no server gave one.
//! Always: the server whose time is up is still listened to while another is asked; a useless answer is the next server's turn
//! at once; no server is asked more than [`SERVER_TRIES`](limits::SERVER_TRIES) times, and all together at most
//! [`STEP_QUERIES`](limits::STEP_QUERIES) times; what is learned of a server is remembered.
//! Keeps: RFC 5452 §9 (what is believed, and TCP when somebody is guessing), RFC 6891 §7 (EDNS fallback), RFC 7766 §5 (TCP),
//! RFC 9715 §3.2 (no fragments are asked for).

use super::addresses::Missing;
use super::choose::{Candidate, choose};
use super::classify::{self, Asked, End, Flaw, Reading};
use super::delegations::Cut;
use super::query::{self, Dress, Match};
use super::race::Race;
use super::response::Response;
use super::servers::InFlight;
use super::task::{Heard, Open, Transport, Why};
use super::trace::{Step, Verdict};
use super::trouble::Trouble;
use super::walk::{Trip, Walk};
use crate::dns::name::Name;
use crate::dns::rcode;
use crate::limits;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// A server among those that may be asked.
pub(super) struct Choice {
    pub address: IpAddr,
    pub tier: u8,
    tries: u32,
    /// It said something useless, or cannot be reached at all.
    done: bool,
}

impl Choice {
    pub fn new(address: IpAddr, tier: u8) -> Choice {
        Choice {
            address,
            tier,
            tries: 0,
            done: false,
        }
    }
}

/// One query on its way.
struct Try {
    open: Open,
    server: IpAddr,
    transport: Transport,
    dress: Dress,
    /// Why it is dressed plainly, if so.
    plain: Plain,
    query: Vec<u8>,
    sent_ms: u64,
    /// Until then nothing else is tried.
    patient_until_ms: u64,
    /// How long the server may take before it counts as silent.
    patience_ms: u64,
    /// The patience with it is at an end.
    given_up: bool,
    strangers: u32,
    _in_flight: InFlight,
}

/// Why a query carries no EDNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plain {
    No,
    /// It is known that the server cannot bear it.
    Known,
    /// To find out whether it can: it said that it does not understand.
    Trial,
    /// The same: it said nothing.
    Silence,
}

/// What to do after a response.
enum Next {
    Done(Box<Reading>),
    /// Of no use; somebody else's turn.
    Useless(Trouble),
    /// The same server again, in another way.
    Again(Transport, Plain),
    /// It was none.
    Ignore,
}

/// What a wait ended with.
enum Came {
    Heard(Heard),
    /// Addresses of a server, with its tier, or that there are none.
    LookedUp(Option<(u8, Vec<IpAddr>)>),
}

/// What a server said that can be used, and which.
type Usable = (Box<Reading>, IpAddr);

/// What one call of [`Walk::ask`] has going.
struct Asking<'a> {
    walk: &'a Walk,
    cut: &'a Cut,
    qname: &'a Name,
    qtype: u16,
    /// The question is not the client's own, so an error says little about the zone.
    minimized: bool,
    trip: &'a Trip<'a>,
    choices: Vec<Choice>,
    running: Vec<Try>,
    /// Servers whose answer over UDP had the question in another letter case, so that they were asked over TCP.
    other_case: Vec<IpAddr>,
    sent: usize,
    weak: Option<Usable>,
    trouble: Trouble,
}

impl Walk {
    /// Asks the servers of `cut` for `qtype` at `qname`. Addresses that are missing are looked up as they are needed.
    pub(super) async fn ask(
        &self,
        cut: &Cut,
        qname: &Name,
        qtype: u16,
        minimized: bool,
        trip: &Trip<'_>,
    ) -> Result<(Reading, IpAddr), Trouble> {
        let _inside = cut
            .state
            .enter(limits::ZONE_IN_FLIGHT)
            .ok_or(Trouble::Limit("too many questions for one zone are under way"))?;
        let (choices, mut missing) = self.addresses(cut);
        let spare_at = missing.partition_point(|missing| !missing.spare);
        let mut spare = missing.split_off(spare_at);
        spare.extend(missing.iter().filter_map(Missing::other_family));
        let look_up = |missing| self.look_up_server(missing, trip);
        let mut side = Race::new(&self.io, missing.into_iter().map(look_up));
        let mut asking = Asking {
            walk: self,
            cut,
            qname,
            qtype,
            minimized,
            trip,
            choices,
            running: Vec::new(),
            other_case: Vec::new(),
            sent: 0,
            weak: None,
            trouble: Trouble::Unreachable,
        };
        let mut noted = false;
        loop {
            // Nobody is asked any more, so nobody's address helps.
            let spent = asking.sent >= limits::STEP_QUERIES;
            if !asking.running.iter().any(|running| !running.given_up) {
                let pick = asking.pick();
                // Unheard servers are worth a look-up before a known one is asked a second time, or one that did badly before.
                let fresh = pick.as_ref().is_some_and(|pick| pick.fresh);
                if !fresh && !spent && !side.is_awaited() {
                    // Other addresses of the same servers, where those known cannot be reached.
                    if pick.as_ref().is_none_or(|pick| pick.worn) {
                        side.add(spare.drain(..).map(look_up));
                    }
                    if side.begin() && !noted {
                        let why =
                            "the servers with known addresses are of no use; the addresses of others are looked up";
                        self.io.note(|| Step::Fallback {
                            zone: cut.zone.clone(),
                            why,
                        });
                        noted = true;
                    }
                }
                match pick {
                    // What is looked up has its time first.
                    _ if !fresh && !spent && side.is_young() => {}
                    Some(pick) => asking.send_next(pick.at, pick.patience_ms)?,
                    None if !asking.running.is_empty() || (side.is_running() && !spent) => {}
                    None => {
                        if let Some((weak, server)) = asking.weak.take() {
                            return Ok((*weak, server));
                        }
                        if !asking.is_worth_waiting() {
                            return Err(asking.trouble);
                        }
                        let until_ms = self.io.now_ms() + limits::REST_LOOK.as_millis() as u64;
                        self.io.heard(&[], until_ms).await;
                        continue;
                    }
                }
            }
            if let Some((reading, server)) = asking.listen(&mut side).await? {
                return Ok((*reading, server));
            }
        }
    }
}

/// A server to ask next.
struct Pick {
    at: usize,
    patience_ms: u64,
    /// It is of good repute and was not asked before.
    fresh: bool,
    /// It, or its address family, did not answer lately, or not when it was asked this.
    worn: bool,
}

impl Asking<'_> {
    fn pick(&self) -> Option<Pick> {
        if self.sent >= limits::STEP_QUERIES {
            return None;
        }
        let now_ms = self.walk.io.now_ms();
        let distrusted = self.walk.io.purse(|purse| purse.distrusted.clone());
        let mut at = Vec::with_capacity(self.choices.len());
        let mut candidates = Vec::with_capacity(self.choices.len());
        for (position, choice) in self.choices.iter().enumerate() {
            if choice.done || choice.tries >= limits::SERVER_TRIES {
                continue;
            }
            let view = self.walk.engine.servers.view(choice.address, now_ms);
            // One that is down is probed with one query.
            if view.down && choice.tries > 0 {
                continue;
            }
            at.push(position);
            candidates.push(Candidate {
                address: choice.address,
                view,
                tier: choice.tier,
                lame: distrusted.contains(&choice.address) || self.cut.state.is_lame(choice.address, now_ms),
                tries: choice.tries,
            });
        }
        let (picked, patience_ms) = self.walk.io.chance(|random| choose(&candidates, random))?;
        let candidate = &candidates[picked];
        let view = &candidate.view;
        let unreachable = view.down || view.shunned;
        Some(Pick {
            at: at[picked],
            patience_ms,
            fresh: candidate.tries == 0 && !candidate.lame && !unreachable,
            worn: unreachable || candidate.tries >= 2,
        })
    }

    /// Whether a server that is down may be asked before the deadline, or is being tried by somebody else.
    fn is_worth_waiting(&self) -> bool {
        if self.sent >= limits::STEP_QUERIES {
            return false;
        }
        let (now_ms, deadline_ms) = (self.walk.io.now_ms(), self.walk.io.deadline_ms());
        let untried = self.choices.iter().filter(|choice| !choice.done && choice.tries == 0);
        untried
            .map(|choice| self.walk.engine.servers.view(choice.address, now_ms).rested_at_ms)
            .any(|rested_at_ms| rested_at_ms < deadline_ms)
    }

    fn send_next(&mut self, at: usize, patience_ms: u64) -> Result<(), Trouble> {
        let choice = &mut self.choices[at];
        let tries = choice.tries;
        choice.tries += 1;
        let server = choice.address;
        let view = self.walk.engine.servers.view(server, self.walk.io.now_ms());
        // UDP keeps failing: perhaps only UDP does (RFC 7766 §5).
        let transport = if view.tcp || tries == 2 {
            Transport::Tcp
        } else {
            Transport::Udp
        };
        let plain = if !view.edns {
            Plain::Known
        } else if tries == 1 && !view.speaks_edns && !self.other_case.contains(&server) {
            Plain::Silence
        } else {
            Plain::No
        };
        self.send(server, transport, plain, patience_ms)
    }

    fn send(&mut self, server: IpAddr, transport: Transport, plain: Plain, patience_ms: u64) -> Result<(), Trouble> {
        let walk = self.walk;
        walk.spend(&self.cut.zone, self.trip)?;
        self.sent += 1;
        // Only so many are listened to at a time; the oldest has had its chance.
        if self.running.len() >= limits::STEP_LISTENING {
            self.running.remove(0);
        }
        let settings = &walk.engine.settings;
        let view = walk.engine.servers.view(server, walk.io.now_ms());
        // Over TCP it did not answer: what it said over UDP was its own.
        let loses_case = view.loses_case || (transport == Transport::Udp && self.other_case.contains(&server));
        let dress = Dress {
            edns_buffer: (plain == Plain::No).then_some(settings.edns_buffer),
            random_case: settings.random_case && !loses_case,
        };
        let query = walk
            .io
            .chance(|random| query::write(self.qname, self.qtype, dress, random));
        let patience_ms = match transport {
            Transport::Udp => patience_ms,
            // A handshake goes first.
            Transport::Tcp => (patience_ms * 2).clamp(
                limits::TCP_PATIENCE_MIN.as_millis() as u64,
                limits::SERVER_PATIENCE_MAX.as_millis() as u64,
            ),
        };
        walk.io.note(|| Step::Sent {
            zone: self.cut.zone.clone(),
            server,
            transport,
            name: self.qname.clone(),
            qtype: self.qtype,
            edns: dress.edns_buffer.is_some(),
            patience_ms,
        });
        let sent_ms = walk.io.now_ms();
        self.running.push(Try {
            open: walk.io.open(server, transport, query.clone()),
            server,
            transport,
            dress,
            plain,
            query,
            sent_ms,
            patient_until_ms: sent_ms + patience_ms,
            patience_ms: view.patience_ms,
            given_up: false,
            strangers: 0,
            _in_flight: walk.engine.servers.sent(server),
        });
        Ok(())
    }

    /// Waits until something comes, or the patience with the latest query is at an end, or with what is looked up.
    async fn listen(&mut self, side: &mut Race<'_, (u8, Vec<IpAddr>)>) -> Result<Option<Usable>, Trouble> {
        let walk = self.walk;
        // Something may have come late, on a busy host, and been of no use: then nobody waits any more for whose time is up.
        let now_ms = walk.io.now_ms();
        if self
            .running
            .iter()
            .any(|running| !running.given_up && running.patient_until_ms <= now_ms)
        {
            self.lose_patience();
            return Ok(None);
        }
        let ids: Vec<u32> = self.running.iter().map(|running| running.open.id).collect();
        let last_words = limits::SERVER_LAST_WORDS.as_millis() as u64;
        let until_ms = self
            .running
            .iter()
            .map(|running| match running.given_up {
                false => running.patient_until_ms,
                true => running.patient_until_ms + last_words,
            })
            .chain(side.is_young().then_some(side.young_until_ms()))
            .filter(|&until_ms| until_ms > walk.io.now_ms())
            .min()
            // Who is down may be back before a look-up ends.
            .unwrap_or(match side.is_running() {
                true => now_ms + limits::REST_LOOK.as_millis() as u64,
                false => 0,
            });
        let mut heard = walk.io.heard(&ids, until_ms);
        let came = std::future::poll_fn(|cx| match Pin::new(&mut heard).poll(cx) {
            Poll::Ready(heard) => Poll::Ready(Came::Heard(heard)),
            Poll::Pending => side.poll(cx).map(Came::LookedUp),
        });
        let heard = match came.await {
            Came::Heard(heard) => heard,
            Came::LookedUp(found) => {
                for (tier, address) in found
                    .into_iter()
                    .flat_map(|(tier, all)| all.into_iter().map(move |one| (tier, one)))
                {
                    if self.choices.iter().all(|choice| choice.address != address) {
                        self.choices.push(Choice::new(address, tier));
                    }
                }
                return Ok(None);
            }
        };
        match heard {
            Heard::Nothing => {
                self.lose_patience();
                Ok(None)
            }
            Heard::Failed { id, why } => {
                let Some(at) = self.running.iter().position(|running| running.open.id == id) else {
                    return Ok(None);
                };
                let failed = self.running.remove(at);
                walk.io.note(|| Step::Lost {
                    server: failed.server,
                    why,
                });
                walk.engine
                    .servers
                    .failed(failed.server, why, failed.sent_ms, walk.io.now_ms());
                if why == Why::Local {
                    // Nothing was sent, and it is not the server's fault: once more in a moment.
                    let choice = self.choice(failed.server);
                    choice.tries = choice.tries.saturating_sub(1);
                    self.sent -= 1;
                    let until_ms = walk.io.now_ms() + limits::LOCAL_PAUSE.as_millis() as u64;
                    walk.io.heard(&[], until_ms).await;
                } else {
                    // No connection in time is silence, over TCP.
                    if why != Why::NoConnection {
                        self.fails(Trouble::Lost(format!("{}: {why}", failed.server)));
                    }
                    if failed.transport == Transport::Udp {
                        self.choice(failed.server).done = true;
                    }
                }
                Ok(None)
            }
            Heard::Reply { id, bytes } => {
                let Some(at) = self.running.iter().position(|running| running.open.id == id) else {
                    return Ok(None);
                };
                self.reply(at, bytes)
            }
        }
    }

    /// Those whose time is up no longer hold up the others; those long past it are no longer listened to.
    fn lose_patience(&mut self) {
        let now_ms = self.walk.io.now_ms();
        let last_words = limits::SERVER_LAST_WORDS.as_millis() as u64;
        for running in &mut self.running {
            if running.given_up || now_ms < running.patient_until_ms {
                continue;
            }
            running.given_up = true;
            let waited_ms = now_ms - running.sent_ms;
            self.walk.io.note(|| Step::Silent {
                server: running.server,
                waited_ms,
            });
            // A short wait for the sake of others proves nothing but that it is not fast.
            if waited_ms >= running.patience_ms {
                self.walk.engine.servers.silent(running.server, running.sent_ms, now_ms);
            } else {
                self.walk.engine.servers.slow(running.server, waited_ms, now_ms);
            }
        }
        self.running
            .retain(|running| !running.given_up || now_ms < running.patient_until_ms + last_words);
    }

    /// What to say should nothing better come.
    fn fails(&mut self, trouble: Trouble) {
        let so_far = std::mem::replace(&mut self.trouble, Trouble::Unreachable);
        self.trouble = so_far.or_later(trouble);
        self.walk.io.worry(self.trouble.clone());
    }

    fn choice(&mut self, server: IpAddr) -> &mut Choice {
        self.choices
            .iter_mut()
            .find(|choice| choice.address == server)
            .expect("only servers among the choices are asked")
    }

    fn reply(&mut self, at: usize, bytes: Vec<u8>) -> Result<Option<Usable>, Trouble> {
        match self.judge(at, bytes) {
            Next::Done(reading) if reading.weak => {
                let asked = self.running.remove(at);
                self.choice(asked.server).done = true;
                self.mark_lame(asked.server, limits::LAME);
                self.weak.get_or_insert((reading, asked.server));
                Ok(None)
            }
            Next::Done(reading) => Ok(Some((reading, self.running[at].server))),
            Next::Useless(trouble) => {
                let asked = self.running.remove(at);
                self.choice(asked.server).done = true;
                self.fails(trouble);
                Ok(None)
            }
            Next::Again(transport, plain) => {
                let asked = self.running.remove(at);
                if self.sent < limits::STEP_QUERIES {
                    self.send(asked.server, transport, plain, asked.patience_ms)?;
                }
                Ok(None)
            }
            Next::Ignore => Ok(None),
        }
    }

    /// What to make of bytes that came for the exchange at `at`.
    fn judge(&mut self, at: usize, mut bytes: Vec<u8>) -> Next {
        let walk = self.walk;
        let now_ms = walk.io.now_ms();
        let asked = &mut self.running[at];
        let (server, took_ms) = (asked.server, now_ms - asked.sent_ms);
        let note = |verdict: Verdict| {
            walk.io.note(|| Step::Heard {
                server,
                took_ms,
                verdict,
            });
        };
        match query::compare(&asked.query, &bytes) {
            Match::Yes => {}
            Match::OtherCase if !asked.dress.random_case => {}
            // Over TCP nobody else can have answered: the server is like that.
            Match::OtherCase if asked.transport == Transport::Tcp => walk.engine.servers.loses_case(server),
            Match::OtherCase => {
                note(Verdict::Stranger);
                self.other_case.push(server);
                return Next::Again(Transport::Tcp, asked.plain);
            }
            Match::No => {
                note(Verdict::Stranger);
                asked.strangers += 1;
                // Somebody is guessing (RFC 5452 §9.3), or the server is confused.
                if asked.strangers >= limits::STRANGE_DATAGRAMS && asked.transport == Transport::Udp {
                    return Next::Again(Transport::Tcp, asked.plain);
                }
                return Next::Ignore;
            }
        }
        // Asked again in one letter case, it answers over UDP: with the next question it need not be tried over TCP first.
        if !asked.dress.random_case && self.other_case.contains(&server) {
            walk.engine.servers.loses_case(server);
        }
        query::settle_case(&mut bytes, self.qname);
        let mut response = match Response::read(&bytes, self.qtype) {
            Ok(response) => response,
            Err(cause) => {
                note(Verdict::Unreadable(cause));
                walk.engine.servers.heard(server, took_ms, false);
                self.mark_lame(server, limits::LAME_SHORT);
                return Next::Useless(Trouble::unusable(format!("{server}: unreadable: {cause}")));
            }
        };
        match asked.transport {
            Transport::Udp => walk.engine.servers.heard(server, took_ms, response.has_opt),
            // The handshake took half of it.
            Transport::Tcp => {
                walk.engine.servers.heard(server, took_ms / 2, response.has_opt);
                if asked.strangers == 0
                    && self
                        .choices
                        .iter()
                        .any(|choice| choice.address == server && choice.tries > 2)
                {
                    walk.engine.servers.wants_tcp(server, now_ms);
                }
            }
        }
        if response.truncated {
            note(Verdict::Truncated);
            return match asked.transport {
                Transport::Udp => Next::Again(Transport::Tcp, asked.plain),
                Transport::Tcp => Next::Useless(Trouble::unusable(format!("{server}: truncated over TCP"))),
            };
        }
        let refuses_edns = matches!(response.rcode, rcode::FORMERR | rcode::NOTIMP | rcode::BADVERS);
        if refuses_edns && asked.plain == Plain::No {
            note(Verdict::NoEdns);
            return Next::Again(asked.transport, Plain::Trial);
        }
        match asked.plain {
            Plain::Trial if !refuses_edns => walk.engine.servers.knows_no_edns(server, now_ms),
            Plain::Silence if !refuses_edns => walk.engine.servers.was_silent_to_edns(server, now_ms),
            _ => {}
        }
        // RFC 8914 §3: whose words they are is said with them.
        let words = std::mem::take(&mut response.ede).into_iter();
        let ede = words.map(|(code, text)| match text.as_str() {
            "" => (code, server.to_string()),
            text => (code, format!("{server}: {text}")),
        });
        let ede = ede.collect();
        let reading = classify::read(
            response,
            Asked {
                zone: &self.cut.zone,
                qname: self.qname,
                qtype: self.qtype,
                now_ms,
            },
        );
        match reading {
            Ok(reading) => {
                note(verdict(&reading));
                Next::Done(Box::new(reading))
            }
            Err(flaw) => {
                note(Verdict::Flawed(flaw));
                match flaw {
                    Flaw::Code(rcode::REFUSED | rcode::NOTAUTH) | Flaw::Lame | Flaw::Astray => {
                        self.mark_lame(server, limits::LAME);
                    }
                    // Perhaps only for this name.
                    Flaw::Code(_) | Flaw::Circle => self.mark_lame(server, limits::LAME_SHORT),
                }
                Next::Useless(Trouble::Unusable {
                    what: format!("{server}: {flaw}"),
                    ede,
                })
            }
        }
    }

    fn mark_lame(&self, server: IpAddr, how_long: Duration) {
        if !self.minimized {
            let until_ms = self.walk.io.now_ms() + how_long.as_millis() as u64;
            self.cut.state.mark_lame(server, until_ms);
        }
    }
}

fn verdict(reading: &Reading) -> Verdict {
    if reading.weak {
        return Verdict::Weak;
    }
    match &reading.end {
        End::Found { .. } => Verdict::Answer,
        End::Denied { nxdomain: true, .. } => Verdict::NxDomain,
        End::Denied { .. } => Verdict::NoData,
        End::Elsewhere(target) => Verdict::Alias { target: target.clone() },
        End::TooLong => Verdict::Answer,
        End::Referral(referral) => Verdict::Referral {
            zone: referral.zone.clone(),
            servers: referral.servers.servers.len(),
        },
    }
}
