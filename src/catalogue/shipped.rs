//! The tables that come with the program.

use super::{Bypass, BypassAddresses, Names, SafeSearch, Services};
use crate::dns::name::Name;
use std::sync::LazyLock;

/// All tables together.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Those of `services.tsv`, and search engines that have no safe mode a resolver could switch on.
    pub services: Services,
    pub safe_search: SafeSearch,
    pub bypass: Bypass,
    pub bypass_addresses: BypassAddresses,
    /// What is reachable although the internet is off.
    pub reachable: Names,
    /// The starter list of a children's internet, each name with all below it.
    pub kids: Vec<Name>,
}

impl Catalogue {
    /// The tables that were built in. They are read at the first call.
    pub fn shipped() -> &'static Catalogue {
        static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
            macro_rules! table {
                ($parse:expr, $file:literal) => {
                    $parse(include_str!(concat!("../../blocklists/catalogue/", $file)))
                        .unwrap_or_else(|error| unreachable!("a table that a test reads: {error}"))
                };
            }
            let kids = include_str!("../../blocklists/catalogue/kids.txt").lines();
            let names = kids
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            let engines = table!(Names::search_without_safe_mode, "search-without-safe-mode.tsv");
            Catalogue {
                services: table!(Services::parse, "services.tsv").with_search_engines(&engines),
                safe_search: table!(SafeSearch::parse, "safesearch.tsv"),
                bypass: table!(Bypass::parse, "bypass.tsv"),
                bypass_addresses: table!(BypassAddresses::parse, "bypass-addresses.tsv"),
                reachable: table!(Names::always_reachable, "always-reachable.tsv"),
                kids: names.filter_map(|name| Name::parse(name).ok()).collect(),
            }
        });
        &SHIPPED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_that_comes_with_the_program_can_be_read_and_holds_something() {
        let shipped = Catalogue::shipped();
        assert!(shipped.services.iter().count() >= 120);
        assert!(shipped.safe_search.iter().count() >= 194);
        let engines = shipped.services.group(Services::WITHOUT_SAFE_MODE);
        assert!(engines.is_some_and(|engines| engines.count() >= 20));
        assert!(shipped.bypass.iter().count() >= 1000);
        assert!(shipped.bypass_addresses.networks().count() >= 50);
        assert!(shipped.reachable.iter().count() >= 20);
        assert!(shipped.kids.len() >= 60);
    }
}
