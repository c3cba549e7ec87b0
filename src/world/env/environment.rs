//! What the outside is reached with: environment variables, program paths, kubeconfig.
//!
//! Must not: read the process' own environment; the CLI hands it in once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::world::WorldError;

/// The environment variables of the invocation. Children get these and nothing else.
#[derive(Clone, Default)]
pub struct Environment {
    pub vars: BTreeMap<String, String>,
}

impl fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Environment { vars } = self;
        f.debug_struct("Environment").field("vars", &vars.keys().collect::<Vec<_>>()).finish()
    }
}

impl Environment {
    pub fn new(vars: BTreeMap<String, String>) -> Self {
        Environment { vars }
    }

    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The kubeconfig files, as kubectl finds them: `KUBECONFIG` (a list), else `~/.kube/config`.
    pub fn kubeconfigs(&self) -> Vec<PathBuf> {
        match (self.var("KUBECONFIG"), self.var("HOME")) {
            (Some(list), _) => {
                list.split(':').filter(|p| !p.is_empty()).map(PathBuf::from).collect()
            }
            (None, Some(home)) => vec![Path::new(home).join(".kube/config")],
            (None, None) => Vec::new(),
        }
    }

    /// Finds an executable on `PATH`.
    pub fn program(&self, name: &str) -> Result<PathBuf, WorldError> {
        let path = self.var("PATH").unwrap_or_default();
        path.split(':')
            .filter(|dir| !dir.is_empty())
            .map(|dir| Path::new(dir).join(name))
            .find(|candidate| is_executable(candidate))
            .ok_or_else(|| WorldError::ProgramMissing {
                program: name.to_owned(),
                path: path.to_owned(),
            })
    }

    /// Where Helm keeps releases: `secret` unless `HELM_DRIVER` says otherwise.
    pub fn helm_driver(&self) -> &str {
        self.var("HELM_DRIVER").unwrap_or("secret")
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
