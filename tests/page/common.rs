//! A household with a block page, and a browser that writes its requests byte by byte.

use jiff::tz::TimeZone;
use stairgate::config::household::{
    Household, OwnName, PauseSettings, Paused, Person, QuotaSettings, Subjects, Target,
};
use stairgate::config::settings::*;
use stairgate::dns::name::Name;
use stairgate::generation::{Generation, Generations};
use stairgate::list::set::Gate;
use stairgate::local::Zones;
use stairgate::page::{Pages, Service};
use stairgate::policy::Policy;
use stairgate::requests::Store;
use stairgate::schedule::quota::Period;
use stairgate::telemetry::counters::Counters;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Her devices; what asks from elsewhere on this machine is a stranger with the profile `default`.
pub const MASHA: &str = "127.0.0.2";
pub const MASHAS_TABLET: &str = "127.0.0.12";
pub const PETYA: &str = "127.0.0.3";
/// Nobody's.
pub const CONSOLE: &str = "127.0.0.4";
/// Whose internet is off for three hours.
pub const PAUSED: &str = "127.0.0.5";
pub const STRANGER: &str = "127.0.0.1";

const LISTS: &[(&str, &str, &str)] = &[
    ("adult-list", "adult", "adult.example\nxn--bcher-kva.example\n"),
    ("own-list", "homework", "homework.example\n"),
    ("court", "court", "court.example\n"),
];

/// Seconds since 1970, by the clock that the page reads.
pub fn now_s() -> u64 {
    stairgate::clock::now().unix_s()
}

pub fn name(text: &str) -> OwnName {
    Name::parse(text).unwrap().into()
}

fn list(name: &str, category: &str, imposed_by: ImposedBy) -> ListSettings {
    ListSettings {
        name: name.to_owned(),
        source: ListSource::Path(name.into()),
        category: category.to_owned(),
        action: ListAction::Block,
        format: None,
        match_scope: None,
        rank: 100,
        rewrite: false,
        refresh: Duration::from_secs(86_400),
        imposed_by,
        observe: false,
    }
}

fn client(name: &str, address: &str, person: Option<u32>) -> ClientSettings {
    ClientSettings {
        name: name.to_owned(),
        tags: Vec::new(),
        networks: vec![format!("{address}/32").parse().unwrap()],
        profile: "default".to_owned(),
        person,
    }
}

pub fn settings() -> Settings {
    let mut settings = Settings::builtin(Path::new("/"));
    settings.page.contact = Some("Mum & <Dad>".to_owned());
    settings.lists = vec![
        list("adult-list", "adult", ImposedBy::Household),
        list("own-list", "homework", ImposedBy::Household),
        list("court", "court", ImposedBy::Law),
    ];
    let mut profile = ProfileSettings::named("default");
    profile.answer = AnswerKind::Page;
    profile.answer_addresses = vec!["127.0.0.1".parse().unwrap()];
    profile.block = vec!["adult".to_owned(), "homework".to_owned(), "court".to_owned()];
    profile.services = vec!["tiktok".to_owned()];
    profile.deny = vec![name("denied.example")];
    settings.profiles = vec![profile];
    settings.clients = vec![
        client("phone", MASHA, Some(0)),
        client("tablet", MASHAS_TABLET, Some(0)),
        client("petya-phone", PETYA, Some(1)),
        client("console", CONSOLE, None),
        client("paused", PAUSED, None),
    ];
    let person = |id: &str| Person {
        id: id.to_owned(),
        name: id.to_owned(),
        profile: "default".to_owned(),
        zone: TimeZone::UTC,
        allow: Vec::new(),
        deny: Vec::new(),
        log: LogSettings::default(),
    };
    settings.household = Some(Household {
        zone: TimeZone::UTC,
        people: vec![person("masha"), person("petya")],
        quotas: vec![QuotaSettings {
            name: "games".to_owned(),
            line: 1,
            subjects: Subjects {
                everyone: true,
                ..Subjects::default()
            },
            of: Target {
                names: vec![name("game.example")],
                ..Target::default()
            },
            limit: Duration::from_secs(3600),
            per: Period::Day,
            carry: Duration::ZERO,
            reach: Target::default(),
        }],
        pauses: vec![PauseSettings {
            line: 1,
            subjects: Subjects {
                devices: vec![4],
                ..Subjects::default()
            },
            what: Paused::Internet,
            from: None,
            until: (now_s() + 3 * 3600) as i64,
        }],
        ..Household::default()
    });
    settings
}

/// A server with nothing but the block page.
pub struct World {
    pub generations: Arc<Generations>,
    pub requests: Arc<Store>,
    pub counters: Arc<Counters>,
    pub pages: Pages,
    _runtime: Runtime,
}

impl World {
    pub fn new(settings: Settings, state_dir: &Path) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let gate = Gate::from_lists(LISTS);
        let generation = Generation {
            number: 1,
            policy: Policy::build_at(&gate, &settings, &[], now_s()).unwrap(),
            gate: Arc::new(gate),
            local: Zones::build(&settings).unwrap(),
            settings: Arc::new(settings),
        };
        let generations = Arc::new(Generations::from_pointee(generation));
        let (requests, remark) = Store::open(state_dir);
        assert_eq!(remark, None);
        let requests = Arc::new(requests);
        let counters = Arc::new(Counters::new());
        let service = Service {
            generations: Arc::clone(&generations),
            requests: Arc::clone(&requests),
            counters: Arc::clone(&counters),
        };
        let entered = runtime.enter();
        let pages = Pages::start(&["127.0.0.1:0".parse().unwrap()], service).unwrap();
        drop(entered);
        World {
            generations,
            requests,
            counters,
            pages,
            _runtime: runtime,
        }
    }

    pub fn connect(&self, from: &str) -> TcpStream {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let local: SocketAddr = format!("{from}:0").parse().unwrap();
        socket.bind(&local.into()).unwrap();
        socket.connect(&self.pages.addresses()[0].into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends these bytes and reads to the end.
    pub fn send(&self, from: &str, bytes: &[u8]) -> Reply {
        let mut stream = self.connect(from);
        // Who is answered early may find the other side gone.
        let _ = stream.write_all(bytes);
        Reply::read(stream)
    }

    /// What a browser sends that opens a page.
    pub fn open(&self, from: &str, host: &str, language: &str) -> Reply {
        self.send(
            from,
            format!(
                "GET /some/where?q=1 HTTP/1.1\r\nHost: {host}\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\
                 Accept-Language: {language}\r\nCookie: a=b\r\n\r\n"
            )
            .as_bytes(),
        )
    }

    /// The form of a page, sent back.
    pub fn ask(&self, from: &str, host: &str, token: &str, note: &str) -> Reply {
        let note: String = note.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.post(from, host, &format!("token={token}&note={note}"))
    }

    pub fn post(&self, from: &str, host: &str, body: &str) -> Reply {
        self.send(
            from,
            format!(
                "POST /.stairgate/ask HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
    }
}

/// An answer, as it came.
#[derive(Debug)]
pub struct Reply {
    /// 0: there was none.
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn read(mut stream: TcpStream) -> Reply {
        let mut bytes = Vec::new();
        // A reset after the answer is an end as well.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).expect("an answer is text");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        Reply {
            status: head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .into_iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }

    /// What the form of the page holds.
    pub fn token(&self) -> Option<&str> {
        let (_, rest) = self.body.split_once("name=\"token\" value=\"")?;
        Some(rest.split_once('"')?.0)
    }
}
