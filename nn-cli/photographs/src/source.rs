//! Where the photographs were published, and the sources they can be fetched from.

use std::path::PathBuf;

/// Where the photographs were published.
pub const REPOSITORY: &str = "https://github.com/shaivimalik/covid_illegitimate_features";

/// The commit whose files the manifest lists.
pub const COMMIT: &str = "d76e391";

/// The archive that is downloaded unless another source is given.
pub fn default_url() -> String {
    format!("{REPOSITORY}/archive/{COMMIT}.tar.gz")
}

/// Where the photographs come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The archive of the published commit, see [`default_url`].
    Default,
    /// An archive at another http or https address.
    Url(String),
    /// A folder or an archive (`.tar.gz`, `.tar`, `.zip`) on this machine.
    Path(PathBuf),
}
