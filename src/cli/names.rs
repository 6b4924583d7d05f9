//! How this program's own downloads look up publishers' names: by `resolver.bootstrap`, or where it is empty, as all names.

use super::Failure;
use crate::clock;
use crate::dns::name::Name;
use crate::limits;
use crate::list::fetch::{Bounds, Fetcher, ListNames, Lookup};
use crate::resolver::bootstrap::Bootstrap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Names a PEM file with certificate authorities to trust beside the usual ones.
const ROOTS_VARIABLE: &str = "SSL_CERT_FILE";

/// A fetcher that asks `bootstrap`.
pub(super) fn fetcher(bootstrap: Arc<Bootstrap>) -> Result<Fetcher, Failure> {
    let extra_roots = std::env::var_os(ROOTS_VARIABLE)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    let names = Arc::new(ListNames(Arc::new(ByBootstrap(bootstrap))));
    Fetcher::new(names, extra_roots.as_deref(), Bounds::default())
        .map_err(|error| Failure::usage(format_args!("{ROOTS_VARIABLE}: {error}")))
}

struct ByBootstrap(Arc<Bootstrap>);

#[async_trait::async_trait]
impl Lookup for ByBootstrap {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let name = Name::parse(host).map_err(|error| format!("{host} is not a host name: {error}"))?;
        let deadline = clock::instant() + limits::FETCH_CONNECT;
        let found = self.0.lookup(&name, deadline).await;
        found.map_err(|failure| format!("{host} cannot be looked up: {failure}"))
    }
}
