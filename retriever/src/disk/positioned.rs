//! Reading at a position, without a memory map.
//!
//! For files of which a search reads a little here and there: each page of a map that was touched
//! once counts as the process's memory from then on, with its neighbours, until the whole file does.

use std::fs::File;
use std::io;
use std::path::Path;

use indago_core::ports::RetrieveError;

use crate::error::read_error;

/// A file that several threads read anywhere.
#[derive(Debug)]
pub(crate) struct Positioned(File);

impl Positioned {
    pub(crate) fn open(path: &Path) -> Result<Self, RetrieveError> {
        File::open(path).map(Self).map_err(|e| read_error(path, e))
    }

    /// Fills `buffer` from byte `at` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the file ends before.
    #[cfg(unix)]
    pub(crate) fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, at)
    }

    /// Fills `buffer` from byte `at` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the file ends before.
    #[cfg(windows)]
    pub(crate) fn read(&self, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let n = std::os::windows::fs::FileExt::seek_read(&self.0, buffer, at)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[n..];
            at += n as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_span_within_the_file_is_read_and_nothing_beyond() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, [1, 2, 3, 4, 5]).unwrap();
        let file = Positioned::open(&path).unwrap();
        let mut three = [0; 3];
        file.read(&mut three, 2).unwrap();
        assert_eq!(three, [3, 4, 5]);
        file.read(&mut [], 5).unwrap();
        for at in [3, 5, 1 << 40] {
            let error = file.read(&mut three, at).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{at}");
        }
        assert!(Positioned::open(&dir.path().join("none")).is_err());
    }
}
