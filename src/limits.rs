//! Every bound of the program, why it is this number, and what happens when it is reached. Grouped by road.

use std::time::Duration;

// ---- The list road ----

/// Largest unpacked list. Above it the source is refused: no public list comes near, an endless one does.
pub const LIST_BYTES: u64 = 1 << 30;
/// Longest line of a list. One real list is a single line of 934 kB. A longer line is rejected and counted.
pub const LIST_LINE_BYTES: usize = 16 << 20;
/// Rejected entries kept with line and reason for each source. The counts go on past it.
pub const LIST_REJECTS_KEPT: usize = 100;
/// Longest regular expression of a list, in bytes. A longer one is rejected.
pub const PATTERN_BYTES: usize = 4096;
/// The patterns that one profile uses, as one automaton, in bytes; all public lists together take a fiftieth. Past it the
/// profile does not load.
pub const PATTERN_STATES_BYTES: usize = 64 << 20;
/// Longest wait for a list to download, first byte to last. Then the fetch has failed and the last snapshot stays.
pub const FETCH_TIME: Duration = Duration::from_secs(120);
/// Longest wait between two pieces of a download; a server that stalls has failed.
pub const FETCH_STALL: Duration = Duration::from_secs(20);
/// Longest wait for a connection to a publisher.
pub const FETCH_CONNECT: Duration = Duration::from_secs(10);
/// Redirects followed for one download: publishers use one or two, a loop has no end.
pub const FETCH_REDIRECTS: usize = 5;
/// Downloads under way at once; the rest wait their turn.
pub const FETCHES: usize = 4;
/// First wait after a failed download; it doubles up to the list's refresh.
pub const FETCH_RETRY: Duration = Duration::from_secs(60);
/// The same for a list that never arrived, which somebody is waiting for.
pub const FETCH_RETRY_NEEDED: Duration = Duration::from_secs(2);
/// How long a start waits for lists that never arrived before it gives up.
pub const START_WAIT: Duration = Duration::from_secs(60);
/// How often files are looked at for changes. A change counts when two looks in a row agree, so nothing is read while it
/// is being written.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// A new version with fewer rules than the last good one's, divided by this, is held back.
pub const GUARD_SHRINK: u64 = 2;
/// A new version with more rules than the last good one's times this is held back.
pub const GUARD_GROWTH: u64 = 4;
/// Below this many rules in both versions a list may shrink and grow freely.
pub const GUARD_FLOOR_RULES: u64 = 100;
/// Shortest refresh of a list that settings may ask for: publishers ban clients that ask more often.
pub const REFRESH_FLOOR: Duration = Duration::from_secs(15 * 60);

// ---- Settings ----

/// Largest settings file, in bytes. One with a thousand clients stays under a tenth of it. A larger one is refused.
pub const SETTINGS_BYTES: u64 = 4 << 20;
/// Contacts that blocked answers name, in bytes altogether: some addresses. With the organization and a justification they stay within
/// what an answer over UDP has room for (`dns::structured::JSON_BYTES`). More are refused.
pub const CONTACT_BYTES: usize = 256;
/// The name of the organization that blocked answers name, in bytes. A longer one is refused.
pub const ORGANIZATION_BYTES: usize = 96;
/// Largest household file, in bytes: as many people as there may be, in 256 bytes each. A larger one is refused.
pub const HOUSEHOLD_BYTES: u64 = 512 << 20;
/// Largest household file that commands change, in bytes, since each version is kept whole: one with some ten thousand rules. A larger one is
/// refused; a provisioning system writes it.
pub const HOUSEHOLD_EDIT_BYTES: u64 = 4 << 20;
/// Versions of a household file that are kept, the present one among them: some weeks of a family's evenings. The oldest makes room.
pub const HOUSEHOLD_VERSIONS: usize = 50;
/// People and devices of a household file, of each so many: the subscribers of a large carrier. A file with more is refused; a second
/// server takes the others.
pub const HOUSEHOLD_PEOPLE: usize = 2_000_000;
/// Groups of a household file, as many as a carrier has schools and families that share rules. A file with more is refused.
pub const HOUSEHOLD_GROUPS: usize = 100_000;
/// Windows, quotas, grants, pauses and own services of a household file, of each so many. A family has some dozens; a provisioning system that
/// writes one for each subscriber means a profile or a group. A file with more is refused.
pub const HOUSEHOLD_RULES: usize = 10_000;
/// Longest name of a person, a device, a group or a quota, in bytes: two of them make the key of an account ([`QUOTA_KEY_BYTES`]). A longer
/// one is refused.
pub const HOUSEHOLD_NAME_BYTES: usize = 250;
/// Groups within groups within groups: families and classes need two. A deeper one is refused.
pub const GROUP_DEPTH: usize = 16;
/// Members of all groups and of all that is for somebody, written out, four bytes each: a file of a few lines could name everybody a
/// million times over. A file with more is refused.
pub const HOUSEHOLD_MEMBERS: usize = 20_000_000;
/// Most minutes that one grant adds to a quota: a week of them. More is a slip of the finger.
pub const GRANT_MINUTES: i64 = 7 * 24 * 60;
/// Longest duration that settings may name; a longer one is a slip of the finger.
pub const SETTINGS_DURATION: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Smallest answer cache that settings may ask for, in bytes: the cache is split between cores, and a smaller one holds
/// nothing long enough to answer twice.
pub const CACHE_FLOOR_BYTES: u64 = 1 << 20;

// ---- The query road ----

/// Largest DNS message (RFC 1035 §4.2.2: two bytes of length on TCP).
pub const MESSAGE_BYTES: usize = 65_535;
/// Largest query taken over UDP; a longer datagram is a bad packet.
pub const QUERY_BYTES: usize = 4096;
/// Largest response sent over UDP when the query had no OPT (RFC 1035 §4.2.1).
pub const PLAIN_UDP_BYTES: usize = 512;
/// Datagrams of one recvmmsg or sendmmsg call: past 64 the saving per datagram is below one percent.
pub const UDP_BATCH: usize = 64;
/// Queries of a batch whose look-ups are brought near together: about as many reads as a core waits for at a time. What they bring is still near when
/// the last of them is answered.
pub const LOOKED_AHEAD: usize = 16;
/// Default of `server.rate_limit`: responses a second over UDP to one prefix whose clients have shown no cookie; over it every n-th is
/// cut to nothing and the others are dropped. A family behind one address asks some tens a second when all its devices are busy, an
/// office hardly more, and for moments one or two hundred, which one second's worth at once allows. To somebody whose address is forged, 200
/// responses of 1232 bytes are 2 Mbit/s, which no line dies of. The clients of a carrier behind one /24 are thousands: they
/// belong into `rate_limit_exempt`, and what is cut meanwhile comes back by TCP or with a cookie.
pub const RATE_LIMIT: u32 = 200;
/// Largest rate that settings may ask for: more than a worker can send.
pub const RATE_LIMIT_MOST: u32 = 1_000_000;
/// Default of `server.rate_limit_slip`: every second. A stub that asks three times comes through seven times in eight, and an attacker
/// gets half as many packets back as it sends, each no longer than its own but for a cookie.
pub const RATE_LIMIT_SLIP: u32 = 2;
/// Fewest that settings may let slip, one in so many; below that nobody comes through in time.
pub const RATE_LIMIT_SLIP_MOST: u32 = 100;
/// Least part of the rate, in responses a second, that each worker has for itself where the rate is shared by many: the kernel spreads
/// clients by port, so one that keeps its port is one worker's. With 200 and more than four workers the rate of a prefix whose
/// ports vary can come to this times the workers.
pub const RATE_LIMIT_SHARE: u32 = 50;
/// Prefixes whose rates each UDP worker keeps in mind, 16 bytes each: those of a second of a busy resolver, or of an attack on a /16.
/// Of more, that which is furthest below its rate is forgotten first.
pub const RATE_LIMIT_PREFIXES: usize = 8192;
/// Who is one client to the rate limit: whoever forges an address in a network harms all of it, and a house has a /56 of IPv6 (RFC 6177).
pub const RATE_LIMIT_IPV4_BITS: u8 = 24;
pub const RATE_LIMIT_IPV6_BITS: u8 = 56;
/// TCP connections open at once; the idlest is closed for a new one. As long as connections may idle that is two thousand new ones a
/// second, and some 2 kB each. Where the process may open few files it is what they leave.
pub const TCP_CONNECTIONS: usize = 20_000;
/// TCP connections of one client (an IPv4 address, an IPv6 /64) open at once; its idlest is closed for a new one. Stubs hold one
/// or two, a router that forwards for a house some tens; seventy clients that mean harm do not fill all places, one did.
/// Connections from this machine itself are exempt: a proxy here brings those of everybody.
pub const TCP_CONNECTIONS_PER_CLIENT: usize = 256;
/// Files that are neither connections of clients nor sockets towards other servers, and kept free for them: UDP sockets of listeners, the
/// control socket, lists being read. No more than half of what is left where there is little.
pub const OPEN_FILES_KEPT: usize = 256;
/// Bytes read from a TCP connection at once: some 400 queries, past which a system call is no longer what a query costs. One such buffer for each
/// thread.
pub const TCP_READ_BYTES: usize = 16 << 10;
/// How often a TCP connection reads or writes before others have their turn: a millisecond of work, more or less.
pub const TCP_TURNS: usize = 8;
/// Queries of one TCP connection in flight; more wait unread in the socket (RFC 7766 §6.2.1.1 allows pipelining).
pub const TCP_IN_FLIGHT: usize = 100;
/// A TCP connection without a query is closed after this (RFC 7766 §6.2.3: seconds).
pub const TCP_IDLE: Duration = Duration::from_secs(10);
/// A TCP connection that takes none of its responses for this long is closed.
pub const TCP_STALL: Duration = Duration::from_secs(10);
/// Responses of one TCP connection that are written together, in bytes. Above it no more of its queries are taken until they are.
pub const TCP_UNSENT_BYTES: usize = 64 << 10;
/// Responses that TCP clients do not take, all connections together, in bytes: five hundred clients that read nothing and ask for the
/// largest. Above it the connection that would add to them is closed.
pub const TCP_UNSENT_ALL_BYTES: usize = 64 << 20;
/// Buffers of a UDP socket in each direction, asked of the kernel: a burst of some 5000 queries at 800 bytes of kernel memory
/// each. The kernel may grant less; what then does not fit is lost there, as the network loses packets.
pub const SOCKET_BYTES: usize = 4 << 20;
/// How soon a UDP worker that has nothing to do sees that it should stop.
pub const STOP_NOTICE: Duration = Duration::from_millis(200);
/// Queries that wait for the resolver at once, all listeners together. Over it the oldest gets SERVFAIL, counted; cached and
/// blocked names are still answered.
pub const PENDING_QUERIES: usize = 10_000;
/// Queries of one client (an IPv4 address, an IPv6 /64) that wait for the resolver at once. Its newest gets SERVFAIL, which stubs take
/// better than silence: that they would ask again. A browser has a hundred, a router that forwards for a house some hundreds while
/// the line is bad; ten clients that mean harm take all places, one did. Queries from this machine itself are exempt: a proxy here
/// brings those of everybody.
pub const PENDING_QUERIES_PER_CLIENT: usize = PENDING_QUERIES / 10;
/// Queries so shed whose response is not yet out: a flood can be faster than they go. Over it the newest gets SERVFAIL.
pub const PENDING_ENDING: usize = 1000;
/// Largest response the cache keeps. Above it the response is served and not kept: one such would push out a hundred.
pub const CACHED_MESSAGE_BYTES: usize = 16_384;
/// A cached answer that is asked for when no more than this part of its lifetime is left, and was asked for before, is renewed for
/// those to come: a tenth costs at most a tenth more queries upstream (Unbound has the same).
pub const RENEWED_PART: u32 = 10;
/// Shortest lifetime of such an answer, in seconds: a tenth of less is no time to renew it in.
pub const RENEWED_LIFETIME_S: u32 = 10;
/// How soon an answer may be renewed again that stayed as it was, because servers failed, had nothing newer or there was no room; later
/// where it has long left.
pub const RENEWAL_PAUSE: Duration = Duration::from_secs(30);
/// Answers being renewed at once. More stay as they are. Well below [`ZONE_IN_FLIGHT`], so that one zone's popular names leave room for
/// those that somebody waits for.
pub const RENEWALS: usize = 200;
/// Queries waiting for the resolver, all listeners together, above which nothing is renewed: those who wait come first.
pub const RENEWALS_UP_TO_PENDING: usize = PENDING_QUERIES / 4;
/// Longest a negative answer is kept, in seconds, whatever its SOA says (RFC 2308 §5: one to three hours work well, a day
/// makes trouble).
pub const CACHED_NEGATIVE_S: u32 = 3 * 3600;
/// Names that one in other letters is taken for, tried for each query of a profile with `look_alikes`: four letters that can be read in two
/// ways. Further ones stay as they are.
pub const LOOK_ALIKES: usize = 16;
/// Names in an answer that are followed when it is inspected (CNAME, SVCB targets); an answer with more is SERVFAIL.
pub const INSPECTED_NAMES: usize = 32;
/// Times in a row that lists rewrite what a rewrite led to; two lists that do are rare. Past it, the answer is SERVFAIL.
pub const REWRITES_IN_A_ROW: usize = 8;
/// After SIGTERM, how long queries in flight may still be answered.
pub const STOP_GRACE: Duration = Duration::from_secs(5);

/// Aliases followed from one local zone to the next; no network needs three. Past it the answer is SERVFAIL.
pub const LOCAL_CHAIN: usize = 8;
/// Largest zone file of a `[[zone]]`, in bytes: some 300,000 records. A larger one is refused; it wants a server of its own.
pub const ZONE_FILE_BYTES: usize = 16 << 20;

// ---- The resolver ----

/// Extended DNS Errors of one upstream answer that are passed on; more say nothing new. The rest are left out.
pub const EDE_OPTIONS: usize = 4;
/// Longest EXTRA-TEXT of an Extended DNS Error that is passed on, in bytes. A longer one is cut: it is for people.
pub const EDE_TEXT_BYTES: usize = 200;
/// Largest datagram taken from an upstream, in bytes; it is asked for less (`edns_buffer`). What is longer is cut by the system
/// and then does not parse.
pub const UPSTREAM_DATAGRAM_BYTES: usize = 4096;
/// Sockets open towards upstreams and authorities at once, and never more than half of the files the process may open. More
/// exchanges wait for one, within their time.
pub const UPSTREAM_SOCKETS: usize = PENDING_QUERIES;
/// Sockets that are done with and kept for the next exchange: as many as a busy resolver of one core has in use at a time. Each is
/// one file and some 2 kB in the kernel; what is over is closed.
pub const IDLE_SOCKETS: usize = 256;
/// Datagrams of one exchange that match neither its ID nor its question before the question moves to TCP: an attacker needs
/// thousands to guess right (RFC 5452 §4), a confused server sends a few.
pub const STRANGE_DATAGRAMS: u32 = 16;
/// Longest wait for a connection to an upstream, handshakes included, and for one write to it.
pub const UPSTREAM_CONNECT: Duration = Duration::from_secs(3);
/// An upstream connection nobody used for this long is closed (RFC 7766 §6.2.3); public resolvers close at 10 to 30 seconds.
pub const UPSTREAM_IDLE: Duration = Duration::from_secs(15);
/// Queries in flight on one upstream stream; more wait for a place, within their deadline.
pub const UPSTREAM_STREAM_IN_FLIGHT: usize = 200;
/// First wait for a UDP answer from an upstream whose time is not known yet: most of the world is within it.
pub const UPSTREAM_WAIT_UNKNOWN: Duration = Duration::from_millis(600);
/// Shortest and longest first wait for an upstream; each further try of the same question waits twice as long.
pub const UPSTREAM_WAIT_MIN: Duration = Duration::from_millis(200);
pub const UPSTREAM_WAIT_MAX: Duration = Duration::from_millis(1500);
/// How long other upstreams go first after two misses in a row, doubled with each further one, and at most.
pub const UPSTREAM_AVOID_MIN: Duration = Duration::from_secs(2);
pub const UPSTREAM_AVOID_MAX: Duration = Duration::from_secs(60);
/// How much longer an upstream is listened to once the patience with it has ended and the next is asked.
pub const UPSTREAM_LAST_WORDS: Duration = Duration::from_millis(1500);
/// How far ahead of the next the first of raced upstreams starts: twice its usual time within these bounds, so that only answers
/// slower than usual cost a second query.
pub const RACE_AHEAD_MIN: Duration = Duration::from_millis(10);
pub const RACE_AHEAD_MAX: Duration = Duration::from_millis(250);
/// Upstreams that are chosen by time are measured this often: one question a minute goes to two of them at once.
pub const UPSTREAM_MEASURE: Duration = Duration::from_secs(60);
/// TTL of an address made for a network without IPv4 where nothing says how long there will be none of its own (RFC 6147 §5.1.7), and of
/// what everybody knows (RFC 8880 §7.1), in seconds.
pub const DNS64_TTL_S: u32 = 600;
pub const IPV4_ONLY_TTL_S: u32 = 86_400;
/// The part of the time that AAAA records get where A records take their place if there are none.
pub const DNS64_SHARE: f64 = 0.6;
/// The part of the time that the usual way to answers gets where there is another behind it, and how long recursion must have reached
/// nobody before upstreams are asked in its place: a zone that is dead fails while others answer.
pub const FALLBACK_SHARE: f64 = 0.6;
pub const FALLBACK_SILENCE: Duration = Duration::from_secs(10);
/// Exchanges with upstreams for one question, all upstreams and repetitions together; then it has failed.
pub const FORWARD_EXCHANGES: usize = 8;
/// UDP payload size of bootstrap queries, the size that passes everywhere (RFC 9715 §3.1).
pub const BOOTSTRAP_EDNS_BUFFER: u16 = 1232;
/// How long a bootstrap server is waited for at a time, and how often each is asked again. A machine that starts after a
/// power cut may be up before its line is: the deadline of who waits for the address bounds it all.
pub const BOOTSTRAP_WAIT: Duration = Duration::from_millis(1500);
pub const BOOTSTRAP_ATTEMPTS: usize = 2;
/// Bounds of the TTL of a bootstrapped address, in seconds: a name is not looked up with every query, and a moved server is
/// found within the day.
pub const BOOTSTRAP_TTL_MIN_S: u32 = 30;
pub const BOOTSTRAP_TTL_MAX_S: u32 = 86_400;
/// Names whose addresses are kept for this program's own use; upstreams and list publishers are a few dozen. More are
/// looked up each time.
pub const BOOTSTRAP_NAMES: usize = 1000;
/// Addresses of one name that are tried; the rest are left out.
pub const BOOTSTRAP_ADDRESSES: usize = 8;
/// How long past its TTL an answer may still be given when nothing better can be had, and the TTL it then gets (RFC 8767 §5:
/// one to three days; 30 seconds).
pub const STALE_S: u32 = 3 * 86_400;
pub const STALE_TTL_S: u32 = 30;
/// How long a client waits for the resolver before it gets a stale answer instead, while the resolver goes on (RFC 8767 §5):
/// stubs ask again, or somebody else, after two seconds or more.
pub const STALE_WAIT: Duration = Duration::from_millis(1800);
/// Questions whose failures are remembered (RFC 9520 §3.2); the soonest forgotten make room.
pub const FAILURES: usize = 10_000;
/// The part of `cache.size` that is added for them: of a small cache fewer are remembered.
pub const FAILURES_SHARE: usize = 32;
/// How long a failure is remembered at first, doubled each time the question fails again, and at most: RFC 9520 §3.2 asks for 1
/// second to 5 minutes. A home whose line comes back should not wait minutes for a name.
pub const FAILURE_TTL_MIN: Duration = Duration::from_secs(5);
pub const FAILURE_TTL_MAX: Duration = Duration::from_secs(30);

/// Queries to authorities for one question, repetitions and those for validation included; then it has failed. A cold name of 34
/// labels below servers of which one in two is silent takes about 60, and as many again where no signature tells its zones.
pub const AUTHORITY_QUERIES: usize = 150;
/// How often what came is asked for again, of other servers, when it or the keys for it are bogus: once for each zone on the way and
/// its DS and DNSKEY sets, if one server of each spoils them.
pub const BOGUS_RETRIES: usize = 5;
/// Names of servers whose addresses are looked up for one question (NXNSAttack, CVE-2020-8616); servers found later are left
/// out. A zone whose servers are all in zones without glue needs one for each level.
pub const SIDE_TRIPS: usize = 16;
/// Of these, how many may lead nowhere. A referral full of made-up names ends here.
pub const SIDE_TRIPS_FRUITLESS: usize = 5;
/// How many such look-ups may need one another (TsuNAME, glueless chains). Real ones need two.
pub const SIDE_TRIP_DEPTH: usize = 6;
/// Queries to one zone for the sake of such look-ups, for one question: what a victim of a made-up referral gets at most.
pub const SIDE_QUERIES_A_ZONE: usize = 10;
/// Queries for one name to the servers of one zone; then the zone has failed for this question.
pub const STEP_QUERIES: usize = 16;
/// Of these, how many are listened to at once. The oldest makes room.
pub const STEP_LISTENING: usize = 4;
/// How often one server is asked one thing: over UDP, again with more patience, over TCP, once more.
pub const SERVER_TRIES: u32 = 4;
/// Names and zones gone through for one name. A name of 127 labels with a zone at each takes less with minimization's bound.
pub const WALK_STEPS: usize = 160;
/// Aliases in a row that are followed; a longer chain is SERVFAIL. Unbound stops at 11, no real chain has more than 8.
pub const ALIAS_HOPS: usize = 16;
/// Names shorter than the whole one that are shown on the way to it, and how many of these are one label longer than the one
/// before (RFC 9156 §2.3 gives both numbers).
pub const MINIMIZE_STEPS: usize = 10;
pub const MINIMIZE_SINGLE_STEPS: usize = 4;
/// How long a resolution waits for another that asks the same servers the same thing, in milliseconds, and how soon it looks
/// for the first time. After that it asks as well.
pub const FOLLOW_MS: u64 = 1500;
pub const FOLLOW_LOOK_MS: u64 = 4;
/// Resolutions that ask one zone's servers at the same time. More fail at once: a flood of random names below one zone must not
/// take the places of all others. The busiest zone of a carrier's resolver, `com`, sees some 2,000 misses a second of 50 ms.
pub const ZONE_IN_FLIGHT: usize = 500;
/// Queries on their way to one server. At it others are preferred.
pub const SERVER_IN_FLIGHT: u32 = 500;
/// RRsets in one section of a response, and records in one set; a response with more is useless. The largest sets seen have some
/// 300 records.
pub const ANSWER_SETS: usize = 128;
pub const SET_RECORDS: usize = 1000;
/// Servers of one NS set, and addresses of one server, that are kept. The root has 13 and 2.
pub const REFERRAL_SERVERS: usize = 20;
pub const SERVER_ADDRESSES: usize = 8;
/// Messages that wait for a busy resolution; more are dropped, as a full socket would.
pub const TASK_INBOX: usize = 64;
/// Steps of one trace; it is read by people.
pub const TRACE_STEPS: usize = 2000;

/// Patience with a server never met before, at most. It shrinks to what such servers really take: half the world is within 100 ms.
pub const SERVER_PATIENCE_STRANGER: Duration = Duration::from_millis(400);
/// Shortest and longest patience with a server, whatever was measured: no scheduling hiccup counts as silence, and no server
/// eats the deadline.
pub const SERVER_PATIENCE_MIN: Duration = Duration::from_millis(40);
pub const SERVER_PATIENCE_MAX: Duration = Duration::from_millis(1500);
/// Shortest patience with a server over TCP, whose handshake comes first.
pub const TCP_PATIENCE_MIN: Duration = Duration::from_millis(500);
/// How long a server is listened to after the patience with it ended.
pub const SERVER_LAST_WORDS: Duration = Duration::from_millis(1500);
/// Silences in a row after which a server is down: two are bad luck on a line that loses one packet in fifty.
pub const SERVER_SILENCES: u32 = 4;
/// How long a server that is down is left alone before one question probes it, doubled with each further silence, and at most:
/// one query in eight seconds hurts no server, and a home whose line comes back should not wait longer.
pub const SERVER_REST_MIN: Duration = Duration::from_millis(1000);
pub const SERVER_REST_MAX: Duration = Duration::from_secs(8);
/// How often a question whose servers are all down looks whether one is back.
pub const REST_LOOK: Duration = Duration::from_millis(100);
/// How long a question waits when this host has no socket for it.
pub const LOCAL_PAUSE: Duration = Duration::from_millis(50);
/// Silences in a row, of all servers of one address family, after which the other family is preferred, and for how long.
pub const FAMILY_SILENCES: u32 = 12;
pub const FAMILY_SHUNNED: Duration = Duration::from_secs(30);
/// The same while nothing was ever heard of the family since the start: most lines without IPv6 lose what is sent that way.
pub const FAMILY_SILENCES_UNHEARD: u32 = 3;
/// How long the first words of a family are waited for before the other one is tried as well; most root servers answer sooner.
pub const FAMILY_FIRST_WAIT: Duration = Duration::from_millis(100);
/// How long a look-up of a server's address usually takes. After that the next server's begins, or that of its other family.
pub const SIDE_TRIP_USUAL: Duration = Duration::from_millis(300);
/// Such look-ups at the same time, for one zone; those more wait for one that finds nothing.
pub const SIDE_TRIPS_AT_ONCE: usize = 3;
/// How long a server that knows no EDNS is asked without: servers are replaced now and then.
pub const SERVER_PLAIN: Duration = Duration::from_secs(3600);
/// How long a server that only TCP reaches is asked over TCP first.
pub const SERVER_TCP: Duration = Duration::from_secs(600);
/// How long servers that do not serve a zone are asked last for it, and those that failed in some other way.
pub const LAME: Duration = Duration::from_secs(600);
pub const LAME_SHORT: Duration = Duration::from_secs(30);
/// Servers remembered as lame for one zone; the oldest makes room.
pub const LAME_SERVERS_A_ZONE: usize = 16;
/// Shortest life of a delegation, in seconds: one of no time at all could not be followed.
pub const DELEGATION_TTL_MIN_S: u32 = 5;
/// The iterator gets this part of `cache.size` for RRsets, delegations, servers, keys and proofs, beside the answers: 42 MiB of the
/// usual 128 hold some 40,000 sets, 10,000 zones and the keys of 13,000. The least used make room.
pub const STORE_SHARE: usize = 3;
/// Who validates what upstreams say gets this part of it for keys of zones.
pub const VALIDATOR_SHARE: usize = 16;
/// A zone is asked this often before it is asked for its own NS set, if that has not come along by itself: zones that matter have
/// theirs checked, and a name asked once costs no more for it.
pub const REVALIDATE_ASKS: usize = 16;
/// Longest life of a set in the store, in seconds (RFC 8767 §4 asks for days at most; a day follows every change within one).
pub const STORE_TTL_MAX_S: u32 = 86_400;
/// Names below a denied one that must be found missing before others are denied without asking, where nothing is proven (RFC 8020
/// §2 wants none): servers that deny empty non-terminals are still about, and one missing name below such is not rare.
pub const DENIAL_CONFIRMED: u8 = 2;
/// How long a denial without an SOA is kept, in seconds. RFC 2308 §5 would not keep it; a broken zone would then get every query.
pub const DENIAL_BARE_S: u32 = 5;

/// Bounds of how long it is kept who serves the zones on the way to a name, in seconds: it costs queries to find out, and a zone that
/// moves to servers that rules are about is noticed within the hour. Shorter where not all could be learned.
pub const NAMESERVERS_TTL_MIN_S: u32 = 30;
pub const NAMESERVERS_TTL_MAX_S: u32 = 3600;
pub const NAMESERVERS_PARTIAL_TTL_S: u64 = 300;
/// Names and addresses of such servers that count for one name, the deepest zones' first; the rest are left out. A domain with its
/// top-level one has some 20 and 50.
pub const NAMESERVERS: usize = 100;
pub const NAMESERVERS_ADDRESSES: usize = 400;
/// Servers without glue whose addresses recursion looks up for the sake of rules, and how long looking up addresses may take. Whose
/// address is not known then cannot match.
pub const NAMESERVER_LOOK_UPS: usize = 6;
pub const NAMESERVER_LOOK_UP_TIME: Duration = Duration::from_secs(1);
/// Upstreams that are asked for the NS records on the way to a name: so many questions, one after the other. Real names lie in at most
/// four zones; the shortest names are left out.
pub const NAMESERVER_STEPS: usize = 12;
/// Servers whose addresses upstreams are asked for, and so many questions for addresses at once. Those of the deepest zones go first.
pub const NAMESERVER_UPSTREAM_LOOK_UPS: usize = 32;
pub const NAMESERVER_AT_ONCE: usize = 16;
/// The part of the time that is left which upstreams get to tell who serves a name's zones; what is learned by then counts.
pub const NAMESERVER_SHARE: f64 = 0.7;
/// The part of `cache.size` that is added for what upstreams said about name servers, where rules ask for them: 4 MiB beside the usual
/// 128 hold some 10,000 answers.
pub const NAMESERVER_MEMORY_SHARE: usize = 32;

/// Longest work on an errand that no client waits for, and on one TCP exchange with an authority.
pub const ERRAND: Duration = Duration::from_secs(10);
/// TCP connections to authorities that are remembered; at it, those that ended are forgotten, then all that nobody uses.
pub const AUTHORITY_STREAMS: usize = 1000;
/// When priming failed, how long until it is tried again; hints serve meanwhile.
pub const PRIME_RETRY: Duration = Duration::from_secs(60);
/// Bounds of how long a priming response serves, in seconds: the root's NS records live six days (RFC 9609 §3).
pub const PRIME_TTL_MIN_S: u32 = 3600;
pub const PRIME_TTL_MAX_S: u32 = 6 * 86_400;

// ---- Beside the roads ----

/// Longest request on the control socket, its newline included. A longer one ends the connection.
pub const CONTROL_LINE_BYTES: u64 = 4096;
/// Connections to the control socket at once; more wait to be accepted. Commands and a page need a handful.
pub const CONTROL_CONNECTIONS: usize = 16;
/// A control connection on which nothing is asked, or no answer read, is closed after this.
pub const CONTROL_IDLE: Duration = Duration::from_secs(60);
/// How long the control socket waits when it cannot accept.
pub const CONTROL_RETRY: Duration = Duration::from_millis(200);
/// Entries of a cache dump gathered ahead of who reads it; the gathering waits at it, no lock held.
pub const CONTROL_DUMP_AHEAD: usize = 256;

// ---- The block page ----

/// Connections to the block page at once, all its addresses together; the oldest is closed for a new one. One lives for one request, which
/// takes a millisecond, so that these are more than a house makes.
pub const PAGE_CONNECTIONS: usize = 256;
/// Connections of one client (an IPv4 address, an IPv6 /64) at once; its oldest is closed for a new one. A browser opens six to a site.
/// Connections from this machine itself are exempt.
pub const PAGE_CONNECTIONS_PER_CLIENT: usize = 16;
/// Longest head of a request, in bytes: browsers send the cookies of the closed site along. A longer one is answered 431.
pub const PAGE_HEAD_BYTES: usize = 32 << 10;
/// Header fields of a request; browsers send some twenty. More are answered 431.
pub const PAGE_HEADERS: usize = 100;
/// Longest body that is read, in bytes: a form with a token and a note, each of whose characters may take twelve. A longer one is answered 413.
pub const PAGE_BODY_BYTES: usize = 8 << 10;
/// How long the head of a request may take to come in. Then the connection is closed.
pub const PAGE_HEAD_TIME: Duration = Duration::from_secs(5);
/// How long a connection may take in all. Then it is closed.
pub const PAGE_TIME: Duration = Duration::from_secs(15);
/// How long the form of a page can be sent, in seconds. Later the page is shown anew.
pub const PAGE_TOKEN_S: u64 = 3600;
/// Forms sent that are remembered, so that none is taken twice. At it the oldest is forgotten; what it asked for is bounded otherwise too.
pub const PAGE_TOKENS_USED: usize = 4096;
/// Longest `page.contact` and `page.message`, in characters: a few names, a few sentences. Longer ones are refused.
pub const PAGE_CONTACT_CHARS: usize = 80;
pub const PAGE_MESSAGE_CHARS: usize = 500;
/// Changes of windows that are looked at to find until when a name is closed. Past them no time is said.
pub const PAGE_CHANGES: usize = 64;
/// How far ahead that is, in seconds: no clock time says much about what ends in two weeks.
pub const PAGE_AHEAD_S: u64 = 14 * 86_400;
/// Requests that are kept, open and decided ones. The oldest decided one makes room; where all are open a further one is refused.
pub const REQUESTS: usize = 1000;
/// Requests of one person, or of one device that is nobody's, within a day. A further one is refused: more is not asking.
pub const REQUESTS_A_DAY: usize = 10;
/// Open requests of one person or device, and of all strangers with one profile together. A further one is refused until some are decided.
pub const REQUESTS_OPEN: usize = 20;
/// Longest note of a request, in characters. It is cut off there.
pub const REQUEST_NOTE_CHARS: usize = 200;
/// Largest file of requests, in bytes: as many as are kept, in some 4 kB each. What is behind it is not read.
pub const REQUESTS_BYTES: u64 = 4 << 20;

// ---- DNSSEC ----

/// Signatures checked for one RRset (KeyTrap, CVE-2023-50387): an honest set in the middle of a rollover has two or four, with key
/// tags that collide a few more. Past it the set is bogus. Unbound stops at 8 as well.
pub const SIGNATURE_CHECKS_A_SET: u32 = 8;
/// Signatures checked for one client query, whole chains included. Ten zones deep with an alias at each stays under 100. A check takes
/// 50 to 400 µs.
pub const SIGNATURE_CHECKS: u32 = 200;
/// Of these, how many may not match. Honest zones have none but for colliding key tags.
pub const SIGNATURE_FAILURES: u32 = 16;
/// Keys of one tag and algorithm that are tried. Two collide in one zone of some ten thousand.
pub const KEYS_A_TAG: usize = 4;
/// DNSKEY records of one zone, and DS records of one delegation, that count; the rest are left out. The most seen are about ten.
pub const ZONE_KEYS: usize = 32;
pub const DS_RECORDS: usize = 16;
/// Zones that claim to have signed one set that are followed up; more than one is a curiosity.
pub const SIGNERS_A_SET: usize = 3;
/// NSEC and NSEC3 sets of one response that are looked at. A proof takes three at most, a response with an alias some more.
pub const PROOF_SETS: usize = 12;
/// NSEC3 iterations past which a zone's denials are insecure, and past which they are bogus (RFC 9276 §3.2 wants 0; BIND, Knot Resolver and
/// PowerDNS stop at 50).
pub const NSEC3_ITERATIONS: u16 = 50;
pub const NSEC3_ITERATIONS_BOGUS: u16 = 500;
/// SHA-1 blocks hashed for NSEC3 proofs of one client query (CVE-2023-50868); past it the proof is bogus. A name of 34 labels at 50 iterations
/// takes about 2,000. A block takes some 0.2 µs.
pub const NSEC3_BLOCKS: u32 = 12_000;
/// Questions for DS and DNSKEY sets that one client query may cause; past it the answer is bogus. A reverse name of IPv6 takes up to
/// 34 where no signature tells where the cuts are.
pub const CHAIN_FETCHES: u32 = 80;
/// Longest that a zone's keys, or their absence, are remembered, in seconds: a day, as for all records.
pub const ZONE_TRUST_TTL_MAX_S: u32 = 86_400;
/// How long a zone that cannot be believed is remembered, in seconds, so that each question does not check it anew; and one that could
/// not be checked because nobody answered.
pub const BOGUS_TTL_S: u32 = 30;
pub const BOGUS_PASSING_TTL_S: u32 = 5;
/// Most memory for zones' keys, in bytes, however large the cache: some 30,000 secure zones or 100,000 insecure ones. The least used
/// make room.
pub const ZONES_TRUSTED_BYTES: usize = 24 << 20;
/// Most memory for proofs that answer other questions (RFC 8198), in bytes: some 20,000 of them. The least used zones make room.
pub const AGGRESSIVE_BYTES: usize = 16 << 20;
/// Longest that such a proof is used, in seconds: negative answers live three hours at most.
pub const AGGRESSIVE_TTL_MAX_S: u32 = CACHED_NEGATIVE_S;
/// Types of one wildcard that are kept to be put in the place of other names; more than two or three are rare. The oldest makes room.
pub const WILDCARD_TYPES: usize = 8;
/// Trust anchors that settings may name; more are refused.
pub const ANCHORS: usize = 1000;
/// Keys of one anchor that are followed (RFC 5011), those removed long ago included; further new ones are not taken up.
pub const ANCHOR_KEYS: usize = 32;
/// How long a new key must be seen before it is trusted, and a revoked one remembered as such, in seconds (RFC 5011 §2.4: 30 days).
pub const ANCHOR_HOLD_DOWN_S: u64 = 30 * 86_400;
/// Bounds of how soon the keys of an anchor are looked at again, in seconds, and at most after a failure (RFC 5011 §2.3).
pub const ANCHOR_LOOK_MIN_S: u64 = 3600;
pub const ANCHOR_LOOK_MAX_S: u64 = 15 * 86_400;
pub const ANCHOR_RETRY_MAX_S: u64 = 86_400;

// ---- Schedules ----

/// Windows and spans of one schedule. A family writes a dozen, and what was granted once is dropped when it is over. A
/// schedule with more is refused.
pub const SCHEDULE_ITEMS: usize = 512;
/// Dates and ranges of dates of one window, the excepted ones apart. A school year has a dozen holidays. A window with
/// more is refused.
pub const SCHEDULE_DATES: usize = 512;
/// Changes of one timetable, 10 bytes each: a week in which every window of the largest schedule begins and ends every
/// day has half as many. Past it the timetable ends sooner, and is compiled anew sooner.
pub const TIMETABLE_CHANGES: usize = 16_384;
/// Indexes that the states of one timetable list together, two bytes each: the largest schedule still gets past
/// 256 changes. Past it the timetable ends sooner, likewise.
pub const TIMETABLE_INDEXES: usize = 1 << 17;
/// Longest time that one timetable covers, in seconds: the year that `check` looks at, and some more. A longer one is
/// shortened.
pub const TIMETABLE_SECONDS: i64 = 400 * 86_400;
/// Days in which overlapping windows are looked for: every date of a year comes once.
pub const OVERLAP_DAYS: i64 = 366;

// ---- Quotas ----

/// Accounts of quotas that something was counted for: two quotas for each of [`HOUSEHOLD_PEOPLE`], some 200 bytes each. What goes beyond it is
/// not counted until those are forgotten that no setting names any more, which is tried once an hour.
pub const QUOTA_KEYS: usize = 4_000_000;
/// Longest key of an account, in bytes: two names of settings. A longer one is refused.
pub const QUOTA_KEY_BYTES: usize = 512;
/// Periods that an account remembers: the current one, the one before for minutes that come late, and as many for a clock
/// that went wrong. The one that was longest not used is forgotten.
pub const QUOTA_PERIODS: usize = 4;
/// Longest time in seconds that an answer is kept whose name counts towards a quota: what is used between two queries of a device goes
/// uncounted, and what is spent goes on so long.
pub const QUOTA_TTL_S: u64 = 60;

// ---- Activity ----

/// Most days that settings may have activity kept for: a school term. More is an error.
pub const ACTIVITY_DAYS: u16 = 90;
/// Persons, devices and profiles of whom activity is kept: a household, a school. Of those behind nothing is kept, and the log says so.
pub const ACTIVITY_WHOSE: usize = 4096;
/// Names kept of one person or device and one day; those that come later are counted as left out. A phone asks for some hundreds.
pub const ACTIVITY_NAMES_A_DAY: usize = 2000;
/// Names kept in all, some hundred bytes each; those that come later are counted as left out.
pub const ACTIVITY_NAMES: usize = 100_000;
/// Categories counted for one person or device and one day; those behind go together as "other".
pub const ACTIVITY_CATEGORIES: usize = 64;
/// Largest file of what is kept, in bytes: as many names of full length and counts as there may be. A larger one is not read.
pub const ACTIVITY_FILE_BYTES: u64 = 256 << 20;
/// Queries that a thread holds until they are noted, each second: of those who chose that something is kept. Those that come
/// while it is full are counted as dropped.
pub const ACTIVITY_RING: usize = 4096;
/// Devices of which it is known when they last asked, four bytes each. Where settings name more, of none: an operator has other means.
pub const ASKED_CLIENTS: usize = 65_536;
/// Longest answer of the kernel about neighbors that is read, in bytes: some ten thousand entries. The rest is left out.
pub const NEIGHBORS_BYTES: usize = 1 << 20;
/// Minutes without a query after which a device that was active counts as silent: phones ask for something every few minutes while
/// they are used, and answers are kept for some.
pub const SILENT_MINUTES: u64 = 10;
