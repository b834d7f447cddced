//! Where a model is.

use indago_egress::{EgressError, Origin};

use super::PullError;

/// The folder of a model on some server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name that it has there.
    pub name: String,
    /// Address of the folder, ending in `/`.
    folder: String,
    /// Address that lists a hub's folder.
    listing: Option<String>,
    origin: Origin,
}

impl Source {
    /// Reads `owner/name` or `owner/name@revision` of the hub at `hub`, the address of a model's page
    /// there, or the address of a folder anywhere.
    ///
    /// # Errors
    /// [`PullError::BadSource`] with what is wrong.
    pub fn parse(what: &str, hub: &str) -> Result<Self, PullError> {
        let what = what.trim();
        let bad = |reason: &str| PullError::BadSource {
            what: what.to_owned(),
            reason: reason.to_owned(),
        };
        let hub = hub.trim().trim_end_matches('/');
        let hub_origin = Origin::of(hub).map_err(|e| PullError::BadSource {
            what: hub.to_owned(),
            reason: reason_of(e),
        })?;
        if !what.contains("://") {
            return Self::of_hub(what, hub, hub_origin).ok_or_else(|| {
                bad("write `owner/name`, `owner/name@revision`, or the address of a folder")
            });
        }
        let origin = Origin::of(what).map_err(|e| bad(&reason_of(e)))?;
        if what.contains(['?', '#']) {
            return Err(bad("the address of a folder has no `?` and no `#`"));
        }
        let folder = what.trim_end_matches('/');
        // The page that a browser shows: `HUB/owner/name` or `HUB/owner/name/tree/revision`.
        if let Some(page) = folder.strip_prefix(hub).and_then(|p| p.strip_prefix('/')) {
            let parts: Vec<&str> = page.split('/').collect();
            let named = match parts[..] {
                [owner, name] => Some(format!("{owner}/{name}")),
                [owner, name, "tree", revision] => Some(format!("{owner}/{name}@{revision}")),
                _ => None,
            };
            if let Some(source) = named.and_then(|n| Self::of_hub(&n, hub, hub_origin)) {
                return Ok(source);
            }
        }
        let name = folder.rsplit('/').next().unwrap_or_default();
        Ok(Self {
            name: name.to_owned(),
            folder: format!("{folder}/"),
            listing: None,
            origin,
        })
    }

    fn of_hub(what: &str, hub: &str, origin: Origin) -> Option<Self> {
        let (id, revision) = what.split_once('@').unwrap_or((what, "main"));
        let (owner, name) = id.split_once('/')?;
        let is_name = crate::registry::is_name;
        (is_name(owner) && is_name(name) && is_name(revision)).then(|| Self {
            name: name.to_owned(),
            folder: format!("{hub}/{owner}/{name}/resolve/{revision}/"),
            listing: Some(format!(
                "{hub}/api/models/{owner}/{name}/tree/{revision}?recursive=true"
            )),
            origin,
        })
    }

    /// Scheme, host and port of the server.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Address of the folder, ending in `/`.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    pub(super) fn listing(&self) -> Option<&str> {
        self.listing.as_deref()
    }
}

fn reason_of(error: EgressError) -> String {
    match error {
        EgressError::BadUrl { reason, .. } => reason,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "https://hub.example";

    #[test]
    fn names_pages_and_folders_are_told_apart() {
        let folder = |what: &str| {
            Source::parse(what, HUB)
                .map(|s| (s.name, s.folder))
                .unwrap()
        };
        let on_hub = |revision: &str| {
            let folder = format!("https://hub.example/acme/tiny/resolve/{revision}/");
            ("tiny".to_owned(), folder)
        };
        assert_eq!(folder("acme/tiny"), on_hub("main"));
        assert_eq!(folder(" acme/tiny@v1.2 "), on_hub("v1.2"));
        assert_eq!(folder("https://hub.example/acme/tiny"), on_hub("main"));
        assert_eq!(
            folder("https://hub.example/acme/tiny/tree/v2"),
            on_hub("v2")
        );
        assert_eq!(
            folder("http://mirror:8080/models/tiny/"),
            (
                "tiny".to_owned(),
                "http://mirror:8080/models/tiny/".to_owned()
            )
        );
    }

    #[test]
    fn what_names_no_model_is_said_to() {
        for what in [
            "",
            "tiny",
            "acme/",
            "a/b/c",
            "../tiny",
            "acme/..",
            "acme/tiny@../x",
            "acme/ti ny",
            "ftp://x/y",
            "http://user:pw@x/y",
            "https://x/y?token=1",
            "file:///etc/passwd",
        ] {
            let error = Source::parse(what, HUB).unwrap_err();
            assert!(
                matches!(error, PullError::BadSource { .. }),
                "{what}: {error}"
            );
        }
        assert!(Source::parse("acme/tiny", "no address").is_err());
    }
}
