//! How publishers' names are looked up: through bootstrap, never through the system's resolver, which may be this server.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Looks up addresses of a host name.
#[async_trait::async_trait]
pub trait Lookup: Send + Sync + 'static {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String>;
}

/// A [`Lookup`] as the HTTP client asks it.
pub struct ListNames(pub Arc<dyn Lookup>);

impl reqwest::dns::Resolve for ListNames {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let lookup = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = lookup.addresses(name.as_str()).await?;
            // Port 0 stands for the port of the URL.
            let sockets = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as reqwest::dns::Addrs)
        })
    }
}
