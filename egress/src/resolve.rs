//! From names to addresses, with the rules applied to what a name means *now*.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use indago_core::ports::BoxFuture;

use crate::policy::{Route, check};

/// Looks names up. A hook, so that tests can answer as a hostile server would.
pub trait Resolve: Send + Sync {
    /// The addresses of `host`; empty when it has none.
    fn resolve(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Lets the client connect to addresses that were checked and to no others: the client asks once
/// per connection and uses exactly what it is given, so a name that changes its meaning between
/// check and use (DNS rebinding) gains nothing.
#[derive(Clone)]
pub(crate) struct Checked {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) route: Route,
}

impl reqwest::dns::Resolve for Checked {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let host = name.as_str().to_owned();
        let lookup = self.resolver.resolve(host.clone());
        let route = self.route;
        Box::pin(async move {
            let addresses = lookup.await?;
            // One bad address among good ones is reason enough: an honest name has none.
            for address in &addresses {
                check(route, &host, *address)?;
            }
            let sockets: Vec<SocketAddr> = addresses
                .into_iter()
                .map(|ip| SocketAddr::new(ip, 0))
                .collect();
            Ok(Box::new(sockets.into_iter()) as reqwest::dns::Addrs)
        })
    }
}
