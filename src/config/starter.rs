//! The starter lists, which are part of the program, so that it filters something true before anybody sets it up.

use super::settings::ListSource;

/// One starter list: its file under `blocklists/starter/` and its bytes. The folder is its category, the file name less
/// the extension its name.
struct Starter {
    file: &'static str,
    bytes: &'static [u8],
}

macro_rules! starter {
    ($($file:literal),* $(,)?) => {
        &[$(Starter {
            file: $file,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/blocklists/starter/", $file)),
        }),*]
    };
}

/// Sorted by path.
const STARTERS: &[Starter] = starter![
    "adult/adult.domains",
    "bypass/doh-servers.hosts",
    "bypass/encrypted-dns.domains",
    "bypass/vpn-proxy-tor.domains",
    "drugs/drugs.domains",
    "gambling/gambling.domains",
    "malware/malware.domains",
    "phishing/phishing.domains",
    "violence/violence.domains",
];

/// The starter lists: name, category, source.
pub fn lists() -> impl Iterator<Item = (&'static str, &'static str, ListSource)> {
    STARTERS.iter().map(|starter| {
        let (category, file) = starter.file.split_once('/').unwrap_or(("starter", starter.file));
        let name = file.split_once('.').map_or(file, |(name, _)| name);
        let source = ListSource::Embedded {
            file: starter.file,
            bytes: starter.bytes,
        };
        (name, category, source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_of_the_starter_folder_is_part_of_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("blocklists/starter");
        let mut found = Vec::new();
        for folder in std::fs::read_dir(&root).unwrap().map(Result::unwrap) {
            if folder.file_type().unwrap().is_dir() {
                for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
                    let path = file.path();
                    found.push(path.strip_prefix(&root).unwrap().to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        let embedded: Vec<&str> = STARTERS.iter().map(|starter| starter.file).collect();
        assert_eq!(found, embedded);
        assert!(STARTERS.iter().all(|starter| !starter.bytes.is_empty()));
    }
}
