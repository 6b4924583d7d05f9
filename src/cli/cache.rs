//! `stairgate cache`: looks at and empties the running server's answer cache, through its control socket.

use super::{Exit, Failure, Outcome, settings};
use crate::control::{CacheEntry, Client, ClientError, Flushed};
use crate::dns::name::Name;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List what is kept: name, seconds left, type, response code, flags, bytes
    Dump {
        #[command(flatten)]
        which: Which,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Forget answers and what they were made of: all, those of a name, or with --below also those of names below it
    Flush {
        /// The name whose answers to forget, all types
        name: Option<String>,
        /// Names below it too
        #[arg(long, requires = "name")]
        below: bool,
        #[command(flatten)]
        which: Which,
    },
}

/// Which server.
#[derive(Debug, clap::Args)]
struct Which {
    /// Settings file of the running server; without it the built-in home example's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    match args.action {
        Action::Dump { which, json } => dump(&mut connect(which.config.as_deref())?, json),
        Action::Flush { name, below, which } => {
            if let Some(text) = &name {
                Name::parse(text).map_err(|error| Failure::usage(format_args!("{text:?} is not a name: {error}")))?;
            }
            let Flushed { flushed, known } = connect(which.config.as_deref())?.cache_flush(name, below)?;
            writeln!(
                io::stdout(),
                "forgotten: {flushed} answers, and {known} records, delegations and failures behind them"
            )?;
            Ok(Exit::Done)
        }
    }
}

/// Asks the server that runs with these settings.
pub fn connect(config: Option<&Path>) -> Result<Client, Failure> {
    Ok(Client::connect(&settings::load(config)?.state_dir)?)
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        Failure::failed(error)
    }
}

fn dump(client: &mut Client, json: bool) -> Outcome {
    let mut out = BufWriter::new(io::stdout().lock());
    if json {
        let mut separator = "";
        write!(out, "{{\"entries\":[")?;
        client.cache_dump::<Failure>(|entry| {
            writeln!(out, "{separator}")?;
            separator = ",";
            serde_json::to_writer(&mut out, &entry).map_err(io::Error::from)?;
            Ok(())
        })?;
        writeln!(out, "\n]}}")?;
    } else {
        client.cache_dump::<Failure>(|entry| Ok(writeln!(out, "{}", line(&entry))?))?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// One entry, columns apart by tabs.
fn line(entry: &CacheEntry) -> String {
    let rcode = match entry.rcode {
        0 => "NOERROR",
        3 => "NXDOMAIN",
        _ => "other",
    };
    let flags = match (entry.dnssec_ok, entry.checking_disabled) {
        (false, false) => "-",
        (true, false) => "do",
        (false, true) => "cd",
        (true, true) => "do,cd",
    };
    format!(
        "{}\t{}\t{}\t{rcode}\t{flags}\t{}",
        entry.name, entry.remaining_s, entry.qtype, entry.bytes
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_an_entry_is() {
        let entry = CacheEntry {
            name: "www.example.".to_owned(),
            qtype: "HTTPS".to_owned(),
            dnssec_ok: true,
            checking_disabled: false,
            rcode: 3,
            remaining_s: 57,
            bytes: 256,
        };
        assert_eq!(line(&entry), "www.example.\t57\tHTTPS\tNXDOMAIN\tdo\t256");
    }
}
