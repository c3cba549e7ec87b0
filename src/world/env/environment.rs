//! What the outside is reached with: environment variables, program paths, kubeconfig.
//!
//! Must not: read the process' own environment; the CLI hands it in once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::world::WorldError;

/// The environment variables of the invocation. Each child gets those of them that it needs.
#[derive(Clone, Default)]
pub struct Environment {
    pub vars: BTreeMap<String, String>,
}

/// What every program may have.
const EVERYBODY: [&str; 3] = ["PATH", "HOME", "LANG"];
/// Beginnings of names, in upper case: Helm, Kubernetes and the credential plugins of its clients, proxies, certificates.
const HELM: [&str; 22] = [
    "HELM_",
    "KUBE",
    "XDG_",
    "TMPDIR",
    "USER",
    "LOGNAME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_",
    "DOCKER_CONFIG",
    "REGISTRY_AUTH_FILE",
    "GNUPGHOME",
    "AWS_",
    "AZURE_",
    "AAD_",
    "ARM_",
    "GOOGLE_",
    "CLOUDSDK_",
    "USE_GKE_",
    "DIGITALOCEAN_",
];

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
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

    /// What Helm, its Kubernetes client with credential plugins, and proxies need.
    pub fn for_helm(&self) -> BTreeMap<String, String> {
        self.only(&HELM)
    }

    /// What PostgreSQL's client programs need, besides their connection.
    pub fn for_postgres(&self) -> BTreeMap<String, String> {
        self.only(&["PG"])
    }

    /// What a command of the plan gets: these names more.
    pub fn for_command(&self, names: &[String]) -> BTreeMap<String, String> {
        let mut vars = self.only(&[]);
        vars.extend(self.vars.iter().filter(|(name, _)| names.contains(name)).map(owned));
        vars
    }

    /// Variables that every program needs, and those whose names begin so.
    fn only(&self, prefixes: &[&str]) -> BTreeMap<String, String> {
        let is_wanted = |name: &str| {
            EVERYBODY.contains(&name)
                || name.starts_with("LC_")
                || prefixes.iter().any(|prefix| name.to_ascii_uppercase().starts_with(prefix))
        };
        self.vars.iter().filter(|(name, _)| is_wanted(name)).map(owned).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_get_what_they_need_and_no_more() {
        let names = [
            "PATH",
            "LANG",
            "LC_ALL",
            "PGSSLROOTCERT",
            "KUBECONFIG",
            "HELM_DRIVER",
            "https_proxy",
            "AWS_PROFILE",
            "CI_JOB_TOKEN",
            "ORTHID_VAR_pat",
            "DEPLOY_KEY",
        ];
        let vars = names.map(|name| (name.to_owned(), "x".to_owned()));
        let env = Environment::new(vars.into());
        let list = |vars: BTreeMap<String, String>| vars.into_keys().collect::<Vec<_>>().join(" ");
        assert_eq!(
            list(env.for_helm()),
            "AWS_PROFILE HELM_DRIVER KUBECONFIG LANG LC_ALL PATH https_proxy"
        );
        assert_eq!(list(env.for_postgres()), "LANG LC_ALL PATH PGSSLROOTCERT");
        assert_eq!(
            list(env.for_command(&["DEPLOY_KEY".to_owned()])),
            "DEPLOY_KEY LANG LC_ALL PATH"
        );
    }
}
