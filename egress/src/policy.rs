//! What may be reached.

use std::net::IpAddr;

use url::{Host, Url};

use crate::address::{Reach, reach};
use crate::{EgressError, Secret};

/// Scheme, host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an `http` or `https` address.
    ///
    /// # Errors
    /// [`EgressError::BadUrl`] for anything else, and for an address with a password in it.
    pub fn of(address: &str) -> Result<Self, EgressError> {
        Self::of_url(&parse(address)?)
    }

    pub(crate) fn of_url(url: &Url) -> Result<Self, EgressError> {
        let bad = |reason: &str| EgressError::BadUrl {
            url: shown(url),
            reason: reason.to_owned(),
        };
        let host = url.host_str().ok_or_else(|| bad("it names no host"))?;
        let port = url
            .port_or_known_default()
            .ok_or_else(|| bad("it names no port"))?;
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// The host: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// What a door lets through. The default: public addresses, no proxy, the system's certificates.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// When not empty, only these hosts besides `origins`: `example.org`, or `*.example.org` for
    /// everything below it.
    pub only_hosts: Vec<String>,
    /// Configured servers, which may be on this machine or in a private network.
    pub origins: Vec<Origin>,
    /// Nothing leaves this machine; configured servers on its loopback addresses still answer.
    pub offline: bool,
    /// Proxy for everything but `origins` on local addresses: `http://host:port`. It resolves names
    /// itself, so that address checks then hold for addresses that are written out only.
    pub proxy: Option<String>,
    /// User and password of the proxy.
    pub proxy_credentials: Option<(String, Secret)>,
    /// Certificates of authorities to trust besides the system's, in PEM.
    pub authorities_pem: Vec<Vec<u8>>,
}

/// How a request goes out, once it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To public addresses only.
    Public,
    /// To a configured server, wherever it is.
    Configured,
}

impl Policy {
    /// Judges a URL before any name is resolved.
    pub(crate) fn judge(&self, url: &Url) -> Result<Route, EgressError> {
        let origin = Origin::of_url(url)?;
        let configured = self.origins.contains(&origin);
        let host = origin.host.clone();
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            _ => None,
        };
        let loopback = host == "localhost" || literal.is_some_and(|ip| ip.is_loopback());
        if self.offline && !(configured && loopback) {
            return Err(EgressError::Offline { host });
        }
        if !configured
            && !self.only_hosts.is_empty()
            && !self.only_hosts.iter().any(|p| matches(p, &host))
        {
            return Err(EgressError::Forbidden {
                host,
                reason: "it is not on the list of allowed hosts".to_owned(),
            });
        }
        let route = if configured {
            Route::Configured
        } else {
            Route::Public
        };
        if let Some(address) = literal {
            check(route, &host, address)?;
        }
        Ok(route)
    }
}

/// Whether `route` may connect to `address`.
pub(crate) fn check(route: Route, host: &str, address: IpAddr) -> Result<(), EgressError> {
    let reason = match (reach(address), route) {
        (Reach::Public, _) | (Reach::Local, Route::Configured) => return Ok(()),
        (Reach::Local, Route::Public) => {
            "that is on this machine or in a private network; a server there has to be configured"
        }
        (Reach::Never, _) => "that is no address of a server",
    };
    Err(EgressError::Forbidden {
        host: host.to_owned(),
        reason: format!("it is at {address}: {reason}"),
    })
}

/// `*.example.org` matches below, not itself.
fn matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .strip_suffix(parent)
            .is_some_and(|front| front.len() > 1 && front.ends_with('.')),
        None => pattern == host,
    }
}

/// Reads an address and refuses what no request may have.
pub(crate) fn parse(address: &str) -> Result<Url, EgressError> {
    let url = Url::parse(address).map_err(|e| EgressError::BadUrl {
        // What cannot be read may hold anything: none of it is repeated.
        url: "(unreadable)".to_owned(),
        reason: e.to_string(),
    })?;
    acceptable(&url)?;
    Ok(url)
}

pub(crate) fn acceptable(url: &Url) -> Result<(), EgressError> {
    let reason = if !matches!(url.scheme(), "http" | "https") {
        "only http and https are spoken"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it carries a user name or password; give credentials by configuration"
    } else if url.host_str().is_none_or(str::is_empty) {
        "it names no host"
    } else {
        return Ok(());
    };
    Err(EgressError::BadUrl {
        url: shown(url),
        reason: reason.to_owned(),
    })
}

/// A URL as logs and errors show it: without user, query and fragment, where secrets hide.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(policy: &Policy, url: &str) -> Result<Route, EgressError> {
        policy.judge(&parse(url)?)
    }

    #[test]
    fn disguised_loopback_is_loopback() {
        let policy = Policy::default();
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://0.0.0.0/",
            "http://0/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[fe80::1]/",
            "http://①②⑦.⓪.⓪.①/",
        ] {
            assert!(
                matches!(judge(&policy, url), Err(EgressError::Forbidden { .. })),
                "{url}"
            );
        }
        assert_eq!(judge(&policy, "https://1.1.1.1/x").unwrap(), Route::Public);
    }

    #[test]
    fn other_schemes_and_credentials_are_refused_without_being_repeated() {
        for url in [
            "file:///etc/passwd",
            "ftp://x.org/",
            "http://user:hunter2@x.org/?k=hunter2",
            "data:,x",
            "http:///",
            "hunter2",
        ] {
            let error = parse(url).expect_err(url).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_configured_origin_is_that_port_only() {
        let policy = Policy {
            origins: vec![Origin::of("http://127.0.0.1:8000/v1").unwrap()],
            ..Policy::default()
        };
        assert_eq!(
            judge(&policy, "http://127.0.0.1:8000/other").unwrap(),
            Route::Configured
        );
        assert!(judge(&policy, "http://127.0.0.1:8001/").is_err());
        assert!(judge(&policy, "https://127.0.0.1:8000/").is_err());
        let metadata = Policy {
            origins: vec![Origin::of("http://169.254.169.254").unwrap()],
            ..Policy::default()
        };
        assert!(
            judge(&metadata, "http://169.254.169.254/").is_err(),
            "not even when configured"
        );
    }

    #[test]
    fn a_list_of_hosts_and_the_offline_switch_bind() {
        let only = Policy {
            only_hosts: vec!["*.example.org".into(), "a.net".into()],
            ..Policy::default()
        };
        for (url, wanted) in [
            ("https://www.example.org/", true),
            ("https://a.net/", true),
            ("https://example.org/", false),
            ("https://b.a.net/", false),
            ("https://evilexample.org/", false),
        ] {
            assert_eq!(judge(&only, url).is_ok(), wanted, "{url}");
        }
        let offline = Policy {
            offline: true,
            origins: vec![
                Origin::of("http://localhost:8000").unwrap(),
                Origin::of("https://api.x.org").unwrap(),
            ],
            ..Policy::default()
        };
        assert!(judge(&offline, "http://localhost:8000/v1").is_ok());
        assert!(matches!(
            judge(&offline, "https://api.x.org/"),
            Err(EgressError::Offline { .. })
        ));
    }

    proptest! {
        #[test]
        fn no_spelling_of_a_special_address_passes(bits: u32, form in 0_u8..4) {
            let v4 = std::net::Ipv4Addr::from(bits);
            let host = match form {
                0 => v4.to_string(),
                1 => bits.to_string(),
                2 => format!("0x{bits:x}"),
                _ => format!("[{}]", v4.to_ipv6_mapped()),
            };
            let passes = judge(&Policy::default(), &format!("http://{host}/")).is_ok();
            prop_assert_eq!(passes, reach(v4.into()) == Reach::Public);
        }

        #[test]
        fn reading_an_address_never_panics(text in ".{0,60}") {
            let _ = judge(&Policy::default(), &text);
            let _ = judge(&Policy::default(), &format!("http://{text}"));
        }
    }
}
