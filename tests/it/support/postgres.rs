//! Throwaway PostgreSQL servers on 127.0.0.1, gone with the test process however it ends.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A server with its data in a folder of its own.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    bin: PathBuf,
    pub port: u16,
    /// Holds the writing end of a pipe; when it closes, the reader stops the server and removes the folder.
    _watch: Child,
}

impl Server {
    /// One server for all tests that do not stop it.
    pub fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Server::start)
    }

    pub fn start() -> Server {
        Server::start_with("fsync = off\n")
    }

    /// A server with these lines in its configuration.
    pub fn start_with(more: &str) -> Server {
        let bin = binaries();
        let folder = tempfile::Builder::new().prefix("orthid-pg-").tempdir().unwrap().keep();
        if root() {
            run(Command::new("chown").arg("postgres:").arg(&folder));
        }
        let data = folder.join("data");
        run(as_owner(&bin.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "-D"])
            .arg(&data));
        let watch = watch(&bin, &folder);
        let mut attempts = 0;
        let port = loop {
            // Another process may take the port before the server does.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let settings = format!(
                "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n\
                 max_connections = 200\n{more}"
            );
            std::fs::write(data.join("postgresql.auto.conf"), settings).unwrap();
            attempts += 1;
            if start(&bin, &folder) {
                break port;
            }
            assert!(attempts < 5, "{}", std::fs::read_to_string(folder.join("log")).unwrap());
        };
        Server { folder, bin, port, _watch: watch }
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Runs statements by psql and gives what they print.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let output = Command::new(self.bin.join("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-p"])
            .arg(self.port.to_string())
            .args(["-d", database, "-c", statements])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Stops the server: `fast` ends sessions in order, `immediate` is as good as a crash.
    pub fn stop(&self, mode: &str) {
        run(as_owner(&self.bin.join("pg_ctl"))
            .args(["stop", "-w", "-m", mode, "-D"])
            .arg(self.folder.join("data")));
    }

    pub fn start_again(&self) {
        assert!(start(&self.bin, &self.folder), "the server did not start again");
    }
}

/// The newest installed server's programs.
fn binaries() -> PathBuf {
    let installed = glob::glob("/usr/lib/postgresql/*/bin/initdb").unwrap().flatten();
    let newest = installed.max_by_key(|path| {
        let version = path.components().rev().nth(2);
        version.and_then(|v| v.as_os_str().to_string_lossy().parse::<u32>().ok())
    });
    match newest {
        Some(initdb) => initdb.parent().unwrap().to_owned(),
        None => {
            let output = Command::new("pg_config").arg("--bindir").output();
            let output = output.expect(
                "PostgreSQL's server programs are needed (Debian: apt-get install postgresql)",
            );
            PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
        }
    }
}

fn start(bin: &Path, folder: &Path) -> bool {
    as_owner(&bin.join("pg_ctl"))
        .args(["start", "-w", "-t", "60", "-D"])
        .arg(folder.join("data"))
        .arg("-l")
        .arg(folder.join("log"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

fn watch(bin: &Path, folder: &Path) -> Child {
    const SCRIPT: &str = r#"trap '' INT TERM HUP
        cat
        "$1/pg_ctl" stop -m immediate -D "$2/data"
        rm -rf "$2""#;
    as_owner(Path::new("sh"))
        .args(["-c", SCRIPT, "sh"])
        .args([bin, folder])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// PostgreSQL refuses to run as root.
fn as_owner(program: &Path) -> Command {
    let mut command = if root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
