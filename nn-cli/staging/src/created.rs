//! Folders created for a result, removed again if the result does not come about.

use nn_core::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders that were created. Dropping it removes those that are still empty.
#[derive(Debug)]
pub struct CreatedFolders {
    /// The deepest first.
    created: Vec<PathBuf>,
}

impl CreatedFolders {
    /// Creates `folder` and its missing parents.
    ///
    /// # Errors
    /// If that fails; folders created so far are removed.
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
            // Fails if the folder is not empty, which is intended.
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
