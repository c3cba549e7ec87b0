//! What Helm would apply: a server-side dry run for each values policy.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::release::Release;
use super::{ChartReference, Helm, Upgrade, policy_name};
use crate::facts::Render;
use crate::model::{ReleaseSpec, ValuesPolicy};
use crate::text::secret::Redactor;
use crate::world::env::Resolver;
use crate::world::error::WorldError;
use crate::world::process;

/// The values of a plan as files for Helm. The `set` values, which may be secret, are in memory alone: they are gone when
/// orthid and the Helm that reads them are.
#[derive(Debug)]
pub struct ValuesFiles {
    pub paths: Vec<PathBuf>,
    /// To be inherited by the Helm that is given the paths.
    pub set: Option<Arc<OwnedFd>>,
}

impl ValuesFiles {
    /// Resolves the plan's values.
    pub fn write(
        spec: &ReleaseSpec,
        base: &Path,
        resolver: &Resolver<'_>,
    ) -> Result<ValuesFiles, WorldError> {
        let mut paths = Vec::new();
        for file in &spec.values.files {
            let path = base.join(&file.path);
            if !path.is_file() {
                let reason = "the values file does not exist".to_owned();
                return Err(WorldError::File { path: path.display().to_string(), reason });
            }
            paths.push(path);
        }
        if spec.values.set.is_empty() {
            return Ok(ValuesFiles { paths, set: None });
        }
        let mut root = Map::new();
        for (path, arg) in &spec.values.set {
            let text = resolver.text(&format!("value `{path}`"), arg)?;
            insert(&mut root, path, scalar(&text));
        }
        // JSON is YAML.
        let file = process::memory_file(Value::Object(root).to_string().as_bytes())
            .map_err(|e| WorldError::File { path: "values".into(), reason: e.to_string() })?;
        paths.push(format!("/proc/self/fd/{}", file.as_raw_fd()).into());
        Ok(ValuesFiles { paths, set: Some(Arc::new(file)) })
    }
}

/// `a.b.c` → nested objects; `\.` is a dot inside a name, as with Helm's `--set`.
fn insert(root: &mut Map<String, Value>, path: &str, value: Value) {
    let marked = path.replace("\\.", "\u{0}");
    let mut names: Vec<String> = marked.split('.').map(|n| n.replace('\u{0}', ".")).collect();
    let last = names.pop().unwrap_or_default();
    let mut map = root;
    for name in names {
        let child = map.entry(name).or_insert_with(|| Value::Object(Map::new()));
        if !child.is_object() {
            *child = Value::Object(Map::new());
        }
        let Value::Object(next) = child else { unreachable!("it was made an object") };
        map = next;
    }
    map.insert(last, value);
}

/// `--set`'s typing: true, false, null and integers are themselves, all else is a string.
fn scalar(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        other => match other.parse::<i64>() {
            Ok(number) if number.to_string() == other => Value::from(number),
            _ => Value::String(other.to_owned()),
        },
    }
}

/// Renders chart packages for the installed release.
#[derive(Debug)]
pub struct Renderer<'a> {
    helm: &'a Helm,
    spec: &'a ReleaseSpec,
    values: ValuesFiles,
    redactor: &'a Redactor,
}

impl<'a> Renderer<'a> {
    pub fn new(
        helm: &'a Helm,
        spec: &'a ReleaseSpec,
        base: &Path,
        resolver: &Resolver<'_>,
        redactor: &'a Redactor,
    ) -> Result<Self, WorldError> {
        let values = ValuesFiles::write(spec, base, resolver)?;
        Ok(Renderer { helm, spec, values, redactor })
    }

    /// One render for each policy, by the policy's name.
    pub async fn all(&self, package: &Path) -> BTreeMap<String, Render> {
        let policies = [ValuesPolicy::Reuse, ValuesPolicy::ResetThenReuse, ValuesPolicy::Reset];
        let mut renders = BTreeMap::new();
        for policy in policies {
            let render = match self.release(package, policy).await {
                Ok(release) => clean(&release, self.redactor),
                Err(reason) => failed(reason),
            };
            renders.insert(policy_name(policy).to_owned(), render);
        }
        renders
    }

    /// The unredacted release that Helm would make.
    pub async fn release(&self, package: &Path, policy: ValuesPolicy) -> Result<Release, String> {
        let upgrade = Upgrade {
            release: &self.spec.name,
            namespace: &self.spec.namespace,
            chart: ChartReference {
                chart: package.display().to_string(),
                repository: None,
                version: None,
            },
            policy,
            values: &self.values.paths,
        };
        let args = upgrade.dry_run();
        let args: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let set = self.values.set.clone();
        let text = self.helm.output_with("render the chart", &args, set).await;
        let text = text.map_err(|e| e.to_string())?;
        let start = text.find('{').ok_or("helm printed no JSON")?;
        serde_json::from_str(&text[start..]).map_err(|e| format!("helm's answer: {e}"))
    }
}

fn failed(reason: String) -> Render {
    Render { manifest: String::new(), hooks: Vec::new(), values: Value::Null, error: Some(reason) }
}

fn clean(release: &Release, redactor: &Redactor) -> Render {
    let mut values =
        release.config.clone().filter(Value::is_object).unwrap_or_else(|| Map::new().into());
    redactor.values(&mut values);
    match redactor.manifest(&release.manifest) {
        Ok(manifest) => Render { manifest, hooks: release.hook_names(), values, error: None },
        Err(error) => failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn set_values_nest_and_keep_their_types() {
        let mut root = Map::new();
        insert(&mut root, "a.b", scalar("true"));
        insert(&mut root, "a.c\\.d", scalar("007"));
        insert(&mut root, "e", scalar("12"));
        assert_eq!(Value::Object(root), json!({"a": {"b": true, "c.d": "007"}, "e": 12}));
    }
}
