//! An installed OrthID of a test's own: its namespace, its database, its node port, and the program run against it.
//!
//! Places stand side by side. A test that ends something that all of them need has the cluster for itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use orthid::plan::{Plan, SavedPlan};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::running::{Ended, Running};

/// On the namespaces of these tests: the id of the process that made them.
const LABEL: &str = "orthid.dev/test";
/// Two pods that drain fast: what is looked at is the upgrade.
const SMALL: [&str; 5] = [
    "replicaCount=2",
    "podDisruptionBudget.minAvailable=1",
    "drain.preStopSeconds=1",
    "drain.seconds=1",
    "service.type=NodePort",
];

static CLUSTER: RwLock<()> = RwLock::new(());

/// Whether others may use the cluster at the same time.
#[derive(Clone, Copy)]
pub enum Turn {
    BesideOthers,
    Alone,
}

/// Held as long as the place is there.
enum Held {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Exclusive { _guard: RwLockWriteGuard<'static, ()> },
}

impl Turn {
    fn take(self) -> Held {
        match self {
            Turn::BesideOthers => {
                Held::Shared { _guard: CLUSTER.read().unwrap_or_else(PoisonError::into_inner) }
            }
            Turn::Alone => {
                Held::Exclusive { _guard: CLUSTER.write().unwrap_or_else(PoisonError::into_inner) }
            }
        }
    }
}

pub struct Place {
    namespace: String,
    vars: BTreeMap<String, String>,
    /// The database server's URL as the quickstart gives it.
    server: String,
    folder: tempfile::TempDir,
    _turn: Held,
}

/// The quickstart's environment; none where no cluster is wanted.
fn quickstart(helm: &str) -> Option<BTreeMap<String, String>> {
    if std::env::var("ORTHID_TEST_CLUSTER").as_deref() != Ok("on") {
        return None;
    }
    let script = "source <(examples/quickstart/world env) && kubectl get --raw /readyz >/dev/null && \
                  curl --silent --fail --output /dev/null $ORTHID_VAR_repository/index.yaml && env -0";
    let out = Command::new("bash")
        .args(["-c", script])
        .env("ORTHID_HELM_VERSION", helm)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "start it with `examples/quickstart/world up`: {why}");
    let text = String::from_utf8(out.stdout).unwrap();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let mut vars: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // The tests look for their own program, which is not everywhere the one that the quickstart built.
    let program = assert_cmd::cargo::cargo_bin("orthid");
    let path = format!("{}:{}", program.parent().unwrap().display(), vars["PATH"]);
    vars.insert("PATH".to_owned(), path);
    Some(vars)
}

fn on_database(url: &str, database: &str) -> String {
    let (head, _) = url.rsplit_once('/').unwrap();
    format!("{head}/{database}")
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

pub fn statement(url: &str, sql: &str) {
    block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    });
}

impl Place {
    /// Installs a release into a namespace and a database of this name.
    pub fn new(
        turn: Turn,
        namespace: &str,
        helm: &str,
        version: &str,
        sets: &[&str],
    ) -> Option<Place> {
        let mut vars = quickstart(helm)?;
        let held = turn.take();
        let server = vars["ORTHID_DATABASE_URL"].clone();
        let database = namespace.replace('-', "_");
        for name in ["ORTHID_DATABASE_URL", "ORTHID_POD_DATABASE_URL"] {
            let url = on_database(&vars[name], &database);
            vars.insert(name.to_owned(), url);
        }
        vars.insert("ORTHID_VAR_namespace".to_owned(), namespace.to_owned());
        let folder = tempfile::tempdir().unwrap();
        let namespace = namespace.to_owned();
        let mut place = Place { namespace, vars, server, folder, _turn: held };
        place.remove_what_dead_tests_left();
        place.install(version, sets);
        place.vars.insert("ORTHID_VAR_base_url".to_owned(), place.base_url());
        Some(place)
    }

    fn install(&self, version: &str, sets: &[&str]) {
        let namespace = &self.namespace;
        self.tool("kubectl", &["delete", "namespace", namespace, "--ignore-not-found"]);
        self.drop_database();
        self.tool("kubectl", &["create", "namespace", namespace]);
        let label = format!("{LABEL}={}", std::process::id());
        self.tool("kubectl", &["label", "namespace", namespace, &label]);
        statement(&self.server, &format!("create database {}", self.database()));
        let repository = &self.vars["ORTHID_VAR_repository"];
        let mut args =
            vec!["--version", version, "--repo", repository, "--namespace", &self.namespace];
        for set in SMALL.iter().chain(sets) {
            args.extend(["--set", set]);
        }
        self.tool("examples/orthid/install", &args);
    }

    /// The node port is the cluster's choice.
    fn base_url(&self) -> String {
        let port = "jsonpath={.spec.ports[0].nodePort}";
        let port = self.kubectl(&["get", "service", "orthid-api", "-o", port]);
        format!("http://127.0.0.1:{port}")
    }

    fn database(&self) -> String {
        self.namespace.replace('-', "_")
    }

    fn drop_database(&self) {
        let database = self.database();
        statement(&self.server, &format!("drop database if exists {database} with (force)"));
    }

    /// Removes the namespaces of test processes that ended before they could.
    fn remove_what_dead_tests_left(&self) {
        static REMOVED: Once = Once::new();
        REMOVED.call_once(|| {
            let query = ["get", "namespaces", "--selector", LABEL, "--no-headers"];
            let columns = ["-o", "custom-columns=:.metadata.name,:.metadata.labels"];
            let listed = self.tool("kubectl", &[&query[..], &columns[..]].concat());
            for line in listed.lines() {
                let (name, labels) = line.split_once(char::is_whitespace).unwrap();
                let pid = labels.split_once(&format!("{LABEL}:")).map(|(_, rest)| rest);
                let pid: String =
                    pid.into_iter().flat_map(str::chars).take_while(char::is_ascii_digit).collect();
                if !Path::new("/proc").join(&pid).is_dir() || pid.is_empty() {
                    self.tool("kubectl", &["delete", "namespace", name, "--wait=false"]);
                }
            }
        });
    }

    /// Databases that this place's runs made and did not drop.
    pub fn scratch_databases(&self) -> Vec<String> {
        let runs: Vec<String> = fs::read_dir(self.folder.path().join(".orthid/runs"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let named =
            "select datname from pg_database where datname ~ '^orthid_(verify|restored|replaced)_'";
        let all: Vec<String> = block_on(async {
            let mut connection = PgConnection::connect(&self.server).await.unwrap();
            sqlx::query_scalar(named).fetch_all(&mut connection).await.unwrap()
        });
        // The name holds the run's last eight letters.
        let is_ours = |name: &String| {
            runs.iter().any(|run| name.contains(&format!("_{}_", &run[run.len() - 8..])))
        };
        all.into_iter().filter(is_ours).collect()
    }

    /// Runs a program that is to succeed, in the project's folder; gives its stdout.
    pub fn tool(&self, program: &str, args: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(&self.vars).env("HELM", "helm");
        let out = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{program} {args:?}: {error}");
        String::from_utf8(out.stdout).unwrap()
    }

    pub fn kubectl(&self, args: &[&str]) -> String {
        let mut all = vec!["--namespace", &self.namespace];
        all.extend(args);
        self.tool("kubectl", &all)
    }

    /// Copies a plan of `plans/` into the place's folder, with these passages replaced.
    pub fn plan(&self, name: &str, edits: &[(&str, &str)]) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(name);
        let mut text = fs::read_to_string(path).unwrap();
        let namespace = format!("namespace  = \"{}\"", self.namespace);
        text = text.replace("namespace  = \"orthid\"", &namespace);
        for (from, to) in edits {
            assert!(text.contains(from), "{name} has no `{from}`");
            text = text.replace(from, to);
        }
        self.write("plan.hcl", &text);
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub fn set_var(&mut self, name: &str, value: &str) {
        self.vars.insert(name.to_owned(), value.to_owned());
    }

    pub fn unset_var(&mut self, name: &str) {
        self.vars.remove(name);
    }

    pub fn maybe(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    pub fn vars(&self) -> &BTreeMap<String, String> {
        &self.vars
    }

    pub fn var(&self, name: &str) -> &str {
        &self.vars[name]
    }

    /// The program with these arguments, in the place's folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("orthid"));
        command.args(args).current_dir(self.folder.path()).env_clear().envs(&self.vars);
        command.stdin(Stdio::null());
        command
    }

    pub fn orthid(&self, args: &[&str]) -> Ended {
        let out = self.command(args).output().unwrap();
        Ended {
            code: out.status.code(),
            stdout: String::from_utf8(out.stdout).unwrap(),
            stderr: String::from_utf8(out.stderr).unwrap(),
        }
    }

    /// Plans, saves and applies, as the quick start does.
    pub fn upgrade(&self) -> Ended {
        self.orthid(&["plan", "plan.hcl", "-out", "saved.plan"]).code(0);
        self.orthid(&["apply", "saved.plan"])
    }

    /// The plan as it is saved.
    pub fn planned(&self) -> Plan {
        self.orthid(&["plan", "plan.hcl", "-out", "saved.plan"]).code(0);
        let bytes = fs::read(self.folder.path().join("saved.plan")).unwrap();
        SavedPlan::parse(&bytes).unwrap().plan
    }

    /// Begins an upgrade whose events can be waited for.
    pub fn begin(&self) -> Running {
        self.orthid(&["plan", "plan.hcl", "-out", "saved.plan"]).code(0);
        self.carry(&["apply", "saved.plan", "-json"])
    }

    pub fn carry(&self, args: &[&str]) -> Running {
        Running::new(self.command(args), self.folder.path())
    }

    /// Helm's revisions, as `status chart`.
    pub fn revisions(&self) -> Vec<String> {
        let text = self.helm(&["history", "orthid", "-o", "json"]);
        let history: Vec<Value> = serde_json::from_str(&text).unwrap();
        let field = |revision: &Value, name: &str| revision[name].as_str().unwrap().to_owned();
        history.iter().map(|r| format!("{} {}", field(r, "status"), field(r, "chart"))).collect()
    }

    pub fn helm(&self, args: &[&str]) -> String {
        let mut all = args.to_vec();
        all.extend(["--namespace", &self.namespace]);
        self.tool("helm", &all)
    }

    /// What the app says of itself, and what its database is at.
    pub fn serves(&self) -> (String, u64) {
        let url = format!("{}/v1/version", self.vars["ORTHID_VAR_base_url"]);
        let answer = self.tool("curl", &["--silent", "--fail", "--retry", "5", &url]);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let status = self.kubectl(&[
            "exec",
            "deploy/orthid-api",
            "--",
            "orthid",
            "migrate",
            "status",
            "--json",
        ]);
        let status: Value = serde_json::from_str(&status).unwrap();
        (answer["version"].as_str().unwrap().to_owned(), status["schema"].as_u64().unwrap())
    }

    /// The status with which the demo user's sign-in is answered.
    pub fn signs_in(&self) -> u16 {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("{}/v1/sign-in", self.vars["ORTHID_VAR_base_url"]);
        let password = &self.vars["ORTHID_DEMO_PASSWORD"];
        let body = serde_json::json!({"email": "demo@orthid.example", "password": password});
        let answer = block_on(reqwest::Client::new().post(url).json(&body).send());
        answer.unwrap().status().as_u16()
    }

    /// Records of the newest run's journal, of one type and step.
    pub fn events(&self, kind: &str, step: &str) -> usize {
        let log = self.orthid(&["log", "-json"]).code(0).stdout;
        let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["type"] == kind && event["step"] == step).count()
    }

    pub fn statement(&self, sql: &str) {
        statement(&self.vars["ORTHID_DATABASE_URL"], sql);
    }

    /// Holds a table against everybody: whoever dumps or migrates it stands still.
    pub fn hold(&self, table: &str) -> Hold {
        let url = self.vars["ORTHID_DATABASE_URL"].clone();
        let sql = format!("begin; lock table {table} in access exclusive mode");
        let (held, is_held) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            block_on(async {
                let mut connection = PgConnection::connect(&url).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
                held.send(()).unwrap();
                let _ = released.recv();
            });
        });
        is_held.recv().unwrap();
        Hold { release: Some(release), thread: Some(thread) }
    }

    /// Every file that the runs left here, and the journal's text.
    pub fn evidence(&self) -> Vec<(PathBuf, String)> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(&self.folder.path().join(".orthid"), &mut found);
        let read = |path: PathBuf| {
            let bytes = fs::read(&path).unwrap();
            (path, String::from_utf8_lossy(&bytes).into_owned())
        };
        found.into_iter().map(read).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.orthid(&["log"]);
            eprintln!("{}: the journal of the run that failed:\n{}", self.namespace, log.stdout);
            return;
        }
        self.tool("kubectl", &["delete", "namespace", &self.namespace, "--wait=false"]);
        self.drop_database();
        for database in self.scratch_databases() {
            statement(&self.server, &format!("drop database {database} with (force)"));
        }
    }
}

/// A lock on a table, until it is dropped.
pub struct Hold {
    release: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        drop(self.release.take());
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}
