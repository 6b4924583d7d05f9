//! What a reload may change, and what has to wait for a restart.

use super::settings::{CacheSettings, PageSettings, Server, Settings};

impl Settings {
    /// The settings to go on with when `new` was read while `self` is running, and the keys that `new` changes but that
    /// take effect only at a restart. Lists, gate, household, profiles, clients, what clients are told and `rebinding_allow` are taken
    /// from `new`, all else stays.
    pub fn reloaded(&self, new: Settings) -> (Settings, Vec<&'static str>) {
        let waiting = self.needs_restart(&new);
        let merged = Settings {
            file: self.file.clone(),
            folder: self.folder.clone(),
            state_dir: self.state_dir.clone(),
            gate: new.gate,
            household_file: new.household_file,
            server: Server {
                // What needs no socket.
                organization: new.server.organization,
                contact: new.server.contact,
                rebinding_allow: new.server.rebinding_allow,
                ..self.server.clone()
            },
            cache: CacheSettings {
                // Who no longer wants what people looked up to be written is heard at once.
                keep: self.cache.keep && new.cache.keep,
                ..self.cache.clone()
            },
            resolver: self.resolver.clone(),
            page: PageSettings {
                listen: self.page.listen.clone(),
                ..new.page
            },
            zones: self.zones.clone(),
            records: self.records.clone(),
            lists: new.lists,
            profiles: new.profiles,
            clients: new.clients,
            household: new.household,
        };
        (merged, waiting)
    }

    /// The keys that differ between two settings and that a reload leaves as they were, in the order of the reference file.
    pub fn needs_restart(&self, new: &Settings) -> Vec<&'static str> {
        let mut keys = Vec::new();
        macro_rules! compare {
            ($($key:literal: $($field:ident).+;)*) => {
                $(if self.$($field).+ != new.$($field).+ { keys.push($key); })*
            };
        }
        compare! {
            "state_dir": state_dir;
            "server.listen": server.listen;
            "server.allow": server.allow;
            "server.unmatched": server.unmatched;
            "server.workers": server.workers;
            "server.cookies": server.cookies;
            "server.cookie_secret": server.cookie_secret;
            "server.rate_limit": server.rate_limit;
            "server.rate_limit_slip": server.rate_limit_slip;
            "server.rate_limit_exempt": server.rate_limit_exempt;
            "cache.size": cache.size_bytes;
            "cache.min_ttl": cache.min_ttl;
            "cache.max_ttl": cache.max_ttl;
            "cache.prefetch": cache.prefetch;
            "resolver.mode": resolver.mode;
            "resolver.root_hints": resolver.root_hints;
            "resolver.prime": resolver.prime;
            "resolver.validate": resolver.validate;
            "resolver.trust_anchor": resolver.trust_anchor;
            "resolver.trust_anchors": resolver.trust_anchors;
            "resolver.insecure": resolver.insecure;
            "resolver.sha1": resolver.sha1;
            "resolver.signature_skew": resolver.signature_skew;
            "resolver.qname_minimization": resolver.qname_minimization;
            "resolver.case_randomization": resolver.case_randomization;
            "resolver.ipv4": resolver.ipv4;
            "resolver.ipv6": resolver.ipv6;
            "resolver.edns_buffer": resolver.edns_buffer;
            "resolver.deadline": resolver.deadline;
            "resolver.query_private": resolver.query_private;
            "resolver.bootstrap": resolver.bootstrap;
            "resolver.forward": resolver.forward;
            "resolver.forward_order": resolver.forward_order;
            "resolver.fallback": resolver.fallback;
            "resolver.dns64": resolver.dns64;
            "page.listen": page.listen;
            "zone": zones;
            "record": records;
        }
        if new.cache.keep && !self.cache.keep {
            keys.push("cache.keep");
        }
        keys
    }
}
