//! Folders made on the way to a result, removed again if no result comes.

use nn_core::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders that had to be made. Dropping it removes those that are empty.
#[derive(Debug)]
pub struct CreatedFolders {
    /// The deepest first.
    created: Vec<PathBuf>,
}

impl CreatedFolders {
    /// Makes `folder` and the folders above it that are not there.
    ///
    /// # Errors
    /// If that fails; none of them is left then.
    pub fn make(folder: &Path) -> Result<Self> {
        let above = folder.ancestors().filter(|path| !path.as_os_str().is_empty());
        let missing = above.take_while(|path| !path.exists());
        let folders = Self { created: missing.map(Path::to_path_buf).collect() };
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        Ok(folders)
    }
}

impl Drop for CreatedFolders {
    fn drop(&mut self) {
        for folder in &self.created {
            // Fails where there is something in it, as it should.
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_folders_that_it_made_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("there");
        fs::create_dir(&there).unwrap();
        drop(CreatedFolders::make(&there).unwrap());
        assert!(there.is_dir());

        let deep = there.join("a/b");
        let created = CreatedFolders::make(&deep).unwrap();
        assert!(deep.is_dir());
        drop(created);
        assert!(there.is_dir() && !there.join("a").exists());

        let created = CreatedFolders::make(&deep).unwrap();
        fs::write(there.join("a/result"), "x").unwrap();
        drop(created);
        assert!(there.join("a/result").is_file() && !deep.exists());
    }
}
