//! `orthid init`: a first plan, from the release that is installed.
//!
//! What can be seen is filled in; what can't (how the app migrates, where it answers) is filled in
//! as OrthID has it and marked with a comment. The text is read and laid out again before it is
//! written, so that it is always a valid plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use semver::Version;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::facts::ReleaseFacts;
use crate::lang::Source;
use crate::model::{HopKind, ReleaseSpec, ValuesSpec, VersionOf};
use crate::text::secret;
use crate::text::secret::Redactor;
use crate::world::{Environment, Wanted};
use crate::{lang, world};

/// Write a first plan from the release that is installed
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Looks at the cluster and the chart source and changes nothing. An existing file is not overwritten.

Examples:
  orthid init
  orthid init my-release -namespace apps -chart bitnami/keycloak -out upgrade.hcl")]
pub struct Args {
    /// Name of the Helm release
    #[arg(value_name = "RELEASE", default_value = "orthid")]
    release: String,

    /// Namespace of the release; its name when absent
    #[arg(long)]
    namespace: Option<String>,

    /// Chart: repo/name, oci://…, a local folder or a .tgz; RELEASE/RELEASE when absent
    #[arg(long)]
    chart: Option<String>,

    /// Chart repository URL; helm's own configuration when absent
    #[arg(long, value_name = "URL")]
    repository: Option<String>,

    /// kubeconfig context; the current one when absent
    #[arg(long)]
    context: Option<String>,

    /// Version to upgrade to; the newest of the installed major version when absent
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,

    /// Where to write
    #[arg(long, value_name = "FILE", default_value = "upgrade.hcl")]
    out: PathBuf,
}

pub async fn run(args: Args, cx: &Context) -> Result<Exit, CommandError> {
    let Args { release, namespace, chart, repository, context, to, out } = args;
    if out.exists() {
        return Err(CommandError::with_help(
            format!("{} exists and is not overwritten", out.display()),
            "name another file with -out, or remove it",
        ));
    }
    let spec = ReleaseSpec {
        namespace: namespace.unwrap_or_else(|| release.clone()),
        chart: chart.unwrap_or_else(|| format!("{release}/{release}")),
        name: release,
        context,
        repository,
        workloads: Vec::new(),
        version_of: VersionOf::Chart,
        values: ValuesSpec::default(),
    };
    cx.redactor.disclose(&format!("{} {} {}", spec.name, spec.namespace, spec.chart));
    let facts = observed(&spec, &cx.redactor).await?;
    let target = match to {
        Some(version) => version,
        None => newest(&facts)?,
    };
    let text = plan_text(&spec, &facts, &target)?;
    let mut file =
        File::create_new(&out).map_err(|error| CommandError::io("write", &out, &error))?;
    file.write_all(text.as_bytes()).map_err(|error| CommandError::io("write", &out, &error))?;
    terminal::note(&format!(
        "Wrote {}: {} {} → {target}. Read it, then:\n\n  orthid plan {}",
        out.display(),
        facts.name,
        facts.chart_version,
        out.display()
    ));
    Ok(Exit::Done)
}

async fn observed(spec: &ReleaseSpec, redactor: &Redactor) -> Result<ReleaseFacts, CommandError> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment = Environment::new(environment.collect());
    let wanted = Wanted {
        observed_at: jiff::Timestamp::now().to_string(),
        base: std::env::current_dir()?,
        release: Some(spec.clone()),
        target: None,
        changelog: None,
        stops: BTreeSet::new(),
        databases: BTreeMap::new(),
        backup_destinations: BTreeSet::new(),
        status: None,
    };
    let facts =
        world::survey(&environment, redactor, &wanted).await.map_err(miette::Report::new)?;
    facts.release.ok_or_else(|| {
        CommandError::with_help(
            format!("the release {} was not observed", spec.name),
            "name another release",
        )
    })
}

/// The newest version of the installed major: what can be reached without an upgrade guide.
fn newest(facts: &ReleaseFacts) -> Result<Version, CommandError> {
    let ReleaseFacts { chart_version: installed, available, .. } = facts;
    let newer = available.iter().filter(|v| v.pre.is_empty() && *v > installed);
    newer.filter(|v| v.major == installed.major).max().cloned().ok_or_else(|| {
        CommandError::with_help(
            format!(
                "the chart source offers nothing newer than {installed} in {}.x",
                installed.major
            ),
            "name the version with -to, or the chart source with -chart and -repository",
        )
    })
}

/// The plan, in canonical layout.
fn plan_text(
    spec: &ReleaseSpec,
    facts: &ReleaseFacts,
    target: &Version,
) -> Result<String, CommandError> {
    let ReleaseFacts { chart_version: installed, .. } = facts;
    let kind = HopKind::between(installed, target);
    let mut text = head(spec, installed, target);
    text.push_str(&release(spec, facts));
    if kind != HopKind::Patch {
        if kind == HopKind::Major {
            text.push_str(&guide(target));
        }
        text.push_str(&schema(&facts.chart_name, kind));
    }
    text.push_str(AFTER);
    let source = Source::new("upgrade.hcl", text);
    Ok(lang::fmt::format(&source)?)
}

/// A template string that says exactly this.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::String(text.to_owned()).to_string();
    json.replace("${", "$${").replace("%{", "%%{")
}

fn head(spec: &ReleaseSpec, installed: &Version, target: &Version) -> String {
    let Version { major, minor, .. } = installed;
    let name = if is_name(&spec.name) { spec.name.as_str() } else { "release" };
    format!(
        "# Upgrades {} from {installed} to {target}. Written by `orthid init`: read it, correct it, keep it in git.\n\
         #\n\
         #   orthid validate upgrade.hcl\n\
         #   orthid plan upgrade.hcl -out upgrade.plan\n\
         #   orthid apply upgrade.plan\n\n\
         upgrade \"{name}\" {{\n\
         # Installed versions that this plan was written for. Another one stops the plan before anything happens.\n\
         from = \">= {installed}, < {major}.{}.0\"\n\
         to = \"{target}\" # exact; the stops between are computed\n\
         }}\n\n",
        spec.name,
        minor + 1,
    )
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && text.chars().all(|c| c == '_' || c == '-' || c.is_ascii_alphanumeric())
}

fn release(spec: &ReleaseSpec, facts: &ReleaseFacts) -> String {
    let label = quoted(&spec.name);
    let mut text = format!("release {label} {{\n");
    if let Some(context) = &spec.context {
        text.push_str(&format!("context = {}\n", quoted(context)));
    }
    text.push_str(&format!("namespace = {}\n", quoted(&spec.namespace)));
    text.push_str(&format!("chart = {}\n", quoted(&spec.chart)));
    if let Some(repository) = &spec.repository {
        text.push_str(&format!("repository = {}\n", quoted(repository)));
    }
    let workloads: Vec<String> = workloads(&facts.manifest).iter().map(|w| quoted(w)).collect();
    text.push_str(&format!(
        "\n# What must have rolled out before the step `roll` is done.\nworkloads = [{}]\n\n",
        workloads.join(", ")
    ));
    text.push_str(
        "values {\n\
         # reuse: the values of the installed release. reset_then_reuse: those, on top of the new chart's defaults.\n\
         policy = \"reset_then_reuse\"\n}\n}\n\n",
    );
    text
}

/// Deployments and StatefulSets of the release's manifest.
fn workloads(manifest: &str) -> BTreeSet<String> {
    let documents = secret::documents(manifest).unwrap_or_default();
    let name = |document: &serde_json::Value| {
        let kind = match document["kind"].as_str()? {
            "Deployment" => "deployment",
            "StatefulSet" => "statefulset",
            _ => return None,
        };
        Some(format!("{kind}/{}", document["metadata"]["name"].as_str()?))
    };
    documents.iter().filter_map(name).collect()
}

fn guide(target: &Version) -> String {
    format!(
        "# A major version is entered only with its upgrade guide read: the SHA-256 of the text that was read.\n\
         # changelog {{\n#   guide \"{target}\" {{\n#     sha256 = \"…\"\n#   }}\n# }}\n\n"
    )
}

/// The steps around a migration.
fn schema(app: &str, kind: HopKind) -> String {
    let app = quoted(app);
    let (quiesce, way_back) = match kind {
        HopKind::Major => (
            "quiesce = true # the old app may not run on the new schema\n",
            "\n# A migration that breaks the old app has no other way back.\n\
             rollback {\nrestore = verify.before.id\n}\n",
        ),
        HopKind::Minor | HopKind::Patch => ("", ""),
    };
    format!(
        "# Read from the environment when a step needs it: never stored in a plan, never printed.\n\
         database \"main\" {{\nurl = env(\"ORTHID_DATABASE_URL\")\n}}\n\n\
         backup \"before\" {{\ndatabase = database.main\n\
         to = \"backups\" # a folder, in this one\n}}\n\n\
         # Restores the backup into a scratch database and compares. Only a verified backup stands behind a migration.\n\
         verify \"before\" {{\nbackup = backup.before.id\n\n\
         # What must be true in the restored copy, as SQL:\n\
         # checks = [\"select count(*) > 0 from users\"]\n}}\n\n\
         migrate \"schema\" {{\nbackup = verify.before.id\n\n\
         # How this app migrates, and how it lists its migrations as JSON: check both.\n\
         exec = [{app}, \"migrate\", \"up\"]\n\
         status = [{app}, \"migrate\", \"status\", \"--json\"]\n{quiesce}{way_back}}}\n\n"
    )
}

const AFTER: &str = r#"
roll "app" {
timeout = "10m"

rollback {} # helm rollback to the revision that was live before
}

# Where the app answers, as seen from where the plan is applied.
variable "base_url" {
type = string
default = "http://127.0.0.1:8080"
}

# What proves that it works. A sign-in says more than a health check: see plans/orthid-2.7.hcl.
smoke "serves" {
request "ready" {
url = "${var.base_url}/readyz"

expect {
status = 200
}
}
}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph;
    use crate::lang::Inputs;

    const MANIFEST: &str = "---\nkind: Service\nmetadata: {name: api}\n---\nkind: Deployment\nmetadata: {name: orthid-api}\n---\nkind: StatefulSet\nmetadata: {name: cache}\n";

    fn facts(installed: &str, available: &str) -> ReleaseFacts {
        let facts = serde_json::json!({
            "name": "orthid", "namespace": "orthid", "revision": 3, "status": "deployed",
            "chart_name": "orthid", "chart_version": installed, "app_version": null,
            "manifest": MANIFEST, "hooks": [], "values": {}, "workloads": [], "live": [],
            "policies": [], "available": available.split(' ').collect::<Vec<_>>(),
            "changelog_source": null, "charts": {}, "migrations": null, "migrations_error": null,
        });
        serde_json::from_value(facts).unwrap()
    }

    fn spec() -> ReleaseSpec {
        ReleaseSpec {
            name: "orthid".into(),
            context: None,
            namespace: "or\"th${x}id".into(),
            chart: "orthid/orthid".into(),
            repository: Some("https://charts.example".into()),
            workloads: vec![],
            version_of: VersionOf::Chart,
            values: ValuesSpec::default(),
        }
    }

    fn check(installed: &str, target: &str) -> String {
        let text = plan_text(&spec(), &facts(installed, target), &target.parse().unwrap()).unwrap();
        let inspection = lang::inspect(&[Source::new("upgrade.hcl", &*text)], &Inputs::none());
        let config = inspection.config.clone();
        graph::build_for_validation(inspection).unwrap_or_else(|found| panic!("{found}\n{text}"));
        assert_eq!(config.release.unwrap().namespace, spec().namespace);
        text
    }

    #[test]
    fn every_kind_of_first_plan_is_valid() {
        expect_test::expect_file!["./snapshots/init.hcl"].assert_eq(&check("2.6.0", "2.7.1"));
        assert!(!check("2.7.0", "2.7.1").contains("migrate"));
        assert!(check("2.8.0", "3.0.0").contains("restore"));
    }

    #[test]
    fn the_newest_of_the_major_is_taken() {
        let of = |installed, available| newest(&facts(installed, available));
        let newest = of("2.6.0", "2.6.3 2.7.1 2.8.0-rc.1 3.0.0 2.5.0").unwrap();
        assert_eq!(newest.to_string(), "2.7.1");
        assert!(of("2.8.0", "2.7.1 3.0.0").is_err());
    }
}
