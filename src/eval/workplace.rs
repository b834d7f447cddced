//! Where data sets are indexed before they are measured.

use std::path::{Path, PathBuf};

use indago_core::Cancel;

use super::data::{Changes, Dataset, write_changed};
use crate::{Error, IndexRequest, Progress, Project, wire};

/// Name of the corpus inside each set's own project.
pub(super) const CORPUS: &str = "default";

/// A folder with one project per data set; temporary unless it is named.
#[derive(Debug)]
pub struct Workplace {
    folder: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Workplace {
    /// The folder given, which keeps its indexes for the next time, or a temporary one.
    ///
    /// # Errors
    /// When no folder can be made.
    pub fn new(folder: Option<&Path>) -> Result<Self, Error> {
        match folder {
            Some(folder) => {
                std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
                Ok(Self {
                    folder: folder.to_owned(),
                    _temporary: None,
                })
            }
            None => {
                let temporary = tempfile::tempdir()
                    .map_err(|e| Error::io("create", std::env::temp_dir(), e))?;
                Ok(Self {
                    folder: temporary.path().to_owned(),
                    _temporary: Some(temporary),
                })
            }
        }
    }

    /// Indexes a data set, with `changes`, under `variant`'s name; all of it has vectors of each of
    /// `encoders` ([`wire::encoder_named`]) that makes vectors of texts afterwards.
    ///
    /// # Errors
    /// When the set cannot be read or indexed.
    #[expect(clippy::too_many_arguments, reason = "one call, all of it needed")]
    pub fn prepare(
        &self,
        dataset: &Dataset,
        variant: &str,
        changes: &Changes,
        encoders: &[String],
        threads: usize,
        progress: &mut dyn FnMut(Progress<'_>),
        cancel: &Cancel,
    ) -> Result<Project, Error> {
        let root = self.folder.join(format!("{}-{variant}", dataset.name));
        std::fs::create_dir_all(&root).map_err(|e| Error::io("create", &root, e))?;
        let project = Project::at(&root);
        let mut corpus = dataset.corpus.clone();
        if changes.no_titles || !changes.without.is_empty() {
            corpus = root.join("corpus.jsonl");
            write_changed(dataset, changes, &corpus)?;
        }
        let request = IndexRequest {
            threads,
            ..IndexRequest::new(CORPUS, vec![corpus])
        };
        crate::index(&project, &request, progress, cancel)?;
        for name in encoders {
            let encoder = wire::encoder_named(name)?;
            // Vectors of tokens are made for the retriever that needs them.
            if encoder.dim() == 0 {
                continue;
            }
            crate::embed(&project, CORPUS, encoder.as_ref(), progress, cancel)?;
        }
        Ok(project)
    }

    /// Makes what one retriever needs beside vectors, where it is not there yet.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn prepare_for(
        &self,
        project: &Project,
        retriever: &str,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        let (name, encoder) = wire::split_retriever(retriever);
        if name == "sparse" {
            let named = retriever.contains('@').then_some(encoder);
            let sparse = named.map(wire::sparse_encoder).transpose()?;
            crate::index_sparse(project, CORPUS, sparse.as_deref().zip(named), cancel)?;
        } else if name == "ann" {
            let encoder = wire::encoder_named(encoder)?;
            crate::link(project, CORPUS, encoder.as_ref(), true, cancel)?;
        } else if wire::LATE_INTERACTION.contains(&name) {
            let encoder = wire::encoder_named(encoder)?;
            let mut quiet = |_: Progress<'_>| {};
            crate::embed_tokens(project, CORPUS, encoder.as_ref(), true, &mut quiet, cancel)?;
        }
        Ok(())
    }
}
