//! Measures orthid side by side with Terraform, the disk and DBOS, and prints one table. `benches/run` builds and starts it.
//!
//! Where two things are compared they take turns, so that a busy machine slows both.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own: it runs others and prints a table"
)]

mod disk;
mod engine;
#[path = "../tests/it/support/hostile.rs"]
mod hostile;
mod plans;
#[allow(dead_code, reason = "tests use more of it")]
#[path = "../tests/it/support/postgres.rs"]
mod postgres;
mod process;
mod stats;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use stats::{Report, Samples, Wanted, number};

/// Measure orthid against Terraform, the disk and DBOS.
#[derive(Parser)]
struct Args {
    /// The orthid that is measured; the one that was built with this by default.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_orthid"))]
    orthid: PathBuf,
    /// A Python that has DBOS.
    #[arg(long)]
    python: PathBuf,
    /// A tenth of the steps: to see that everything works.
    #[arg(long)]
    quick: bool,
    /// Given by `cargo bench` to every benchmark.
    #[allow(dead_code, reason = "it says nothing that is not known")]
    #[arg(long, hide = true)]
    bench: bool,
    /// What to measure; everything by default.
    sections: Vec<String>,
}

const SECTIONS: [&str; 7] = ["layers", "disk", "linear", "share", "static", "hostile", "dbos"];

struct Bench {
    args: Args,
    /// On the disk that is measured.
    folder: tempfile::TempDir,
    report: Report,
}

fn main() {
    let mut args = Args::parse();
    args.orthid = std::path::absolute(&args.orthid).unwrap();
    args.python = std::path::absolute(&args.python).unwrap();
    let place = args.orthid.parent().unwrap();
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(place).unwrap();
    let mut bench = Bench { args, folder, report: Report::default() };
    for section in SECTIONS {
        if !bench.args.sections.is_empty() && !bench.args.sections.iter().any(|s| s == section) {
            continue;
        }
        eprintln!("bench: {section}");
        match section {
            "layers" => bench.layers(),
            "disk" => bench.disk(),
            "linear" => bench.linear(),
            "share" => bench.share(),
            "static" => bench.without_applying(),
            "hostile" => bench.hostile(),
            "dbos" => bench.dbos(),
            other => unreachable!("{other} is in the list"),
        }
    }
    println!("{}", bench.report.table());
}

/// As the command line runs its commands.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

impl Bench {
    fn scale(&self, steps: usize) -> usize {
        if self.args.quick { steps / 10 } else { steps }
    }

    /// A new, empty folder.
    fn fresh(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    fn state(&self) -> String {
        format!("sqlite:{}", self.fresh("state").join("state.db").display())
    }

    fn write_plan(&self, steps: usize) -> PathBuf {
        let file = self.fresh(&format!("plan-{steps}")).join("plan.hcl");
        std::fs::write(&file, plans::orthid(steps)).unwrap();
        file
    }

    fn orthid(&self, arguments: &[&str], file: &Path) -> process::Ran {
        let mut command = Command::new(&self.args.orthid);
        command.args(arguments).arg(file).current_dir(file.parent().unwrap());
        command.env("ORTHID_STATE", self.state());
        process::run(&mut command)
    }

    fn apply(&self, file: &Path) -> process::Ran {
        self.orthid(&["apply", "--auto-approve", "--input=false"], file)
    }

    /// Ten-wide layers by `orthid apply` and by `terraform apply`.
    fn layers(&mut self) {
        let steps = self.scale(1_000);
        let file = self.write_plan(steps);
        let mut ours = Samples::default();
        self.apply(&file);
        for _ in 0..7 {
            ours.add_seconds(self.apply(&file).took);
        }
        let theirs = self.terraform(steps);
        let ratio = theirs.median() / ours.median();
        let what = format!(
            "apply of {steps} steps in ten-wide layers; terraform apply of as many terraform_data"
        );
        let wanted =
            if theirs.median().is_nan() { Wanted::Nothing } else { Wanted::AtLeast(100.0) };
        self.report.row(&what, ours.show("s"), theirs.show("s"), ratio, wanted);
    }

    fn terraform(&self, steps: usize) -> Samples {
        let mut samples = Samples::default();
        let found = Command::new("terraform").arg("version").output();
        if !found.is_ok_and(|output| output.status.success()) {
            eprintln!("bench: no terraform on the PATH: its measurement is left out");
            return samples;
        }
        let folder = self.fresh("terraform");
        std::fs::write(folder.join("main.tf"), plans::terraform(steps)).unwrap();
        let terraform = |arguments: &[&str]| {
            let mut command = Command::new("terraform");
            command.args(arguments).current_dir(&folder).env("CHECKPOINT_DISABLE", "1");
            process::run(&mut command)
        };
        terraform(&["init", "-input=false", "-no-color"]);
        let apply = ["apply", "-auto-approve", "-input=false", "-no-color"];
        samples.add_seconds(terraform(&apply).took);
        samples
    }

    /// One step after the other, against what its commits must cost on this disk.
    fn disk(&mut self) {
        let steps = self.scale(1_000);
        let (mut cost, mut sync) = (Samples::default(), Samples::default());
        let (mut ratios, mut commits) = (Samples::default(), 0.0);
        for _ in 0..9 {
            let disk = disk::fdatasync(self.folder.path(), steps / 2);
            let measured = block_on(engine::measure(&self.state(), 1, steps));
            let again = disk::fdatasync(self.folder.path(), steps / 2);
            let fdatasync = f64::midpoint(disk, again);
            sync.add(fdatasync * 1e3);
            cost.add(measured.seconds_per_step() * 1e3);
            commits = measured.commits_per_step();
            ratios.add(measured.seconds_per_step() / (commits * fdatasync));
        }
        let what = format!("a step without effect, {steps} in a row; its commits on this disk");
        let beside = format!("{} × fdatasync {}", number(commits), sync.show("ms"));
        self.report.row(&what, cost.show("ms"), beside, ratios.median(), Wanted::AtMost(1.3));
    }

    /// The same plan, ten and a hundred times as long.
    fn linear(&mut self) {
        let sizes = [1_000, 10_000, 100_000].map(|steps| self.scale(steps));
        let mut before: Option<(f64, f64)> = None;
        for (steps, rounds) in sizes.into_iter().zip([5, 3, 1]) {
            let file = self.write_plan(steps);
            let (mut took, mut peak) = (Samples::default(), Samples::default());
            for _ in 0..rounds {
                let ran = self.apply(&file);
                took.add(ran.took.as_secs_f64() * 1e3 / steps as f64);
                peak.add(ran.peak_mib);
            }
            let what =
                format!("apply of {steps} steps: time a step, peak memory; ten times fewer steps");
            let ours = format!("{}; {}", took.show("ms"), peak.show("MiB"));
            let now = (took.median(), peak.median());
            let (beside, ratio, wanted) = match before {
                Some((time, memory)) => (
                    format!("{} ms; {} MiB", number(time), number(memory)),
                    now.0 / time,
                    Wanted::AtMost(1.3),
                ),
                None => (String::new(), f64::NAN, Wanted::Nothing),
            };
            self.report.row(&what, ours, beside, ratio, wanted);
            before = Some(now);
        }
    }

    /// Sixty-four rows of steps that share commits, against one row.
    fn share(&mut self) {
        let length = self.scale(500);
        let (mut many, mut one) = (Samples::default(), Samples::default());
        let mut commits = 0.0;
        for _ in 0..5 {
            one.add(1.0 / block_on(engine::measure(&self.state(), 1, length)).seconds_per_step());
            let measured = block_on(engine::measure(&self.state(), 64, length / 5));
            many.add(1.0 / measured.seconds_per_step());
            commits = measured.commits_per_step();
        }
        let what =
            format!("64 steps ready at a time ({} commits a step); one at a time", number(commits));
        let ratio = many.median() / one.median();
        let (many, one) = (many.show("steps/s"), one.show("steps/s"));
        self.report.row(&what, many, one, ratio, Wanted::AtLeast(10.0));
    }

    fn without_applying(&mut self) {
        let mut before: Option<(f64, f64)> = None;
        for (steps, most_s) in [(1_000, 1.0), (10_000, 1.0), (100_000, f64::NAN)] {
            let steps = self.scale(steps);
            let file = self.write_plan(steps);
            let (mut validate, mut graph) = (Samples::default(), Samples::default());
            for _ in 0..3 {
                validate.add_seconds(self.orthid(&["validate"], &file).took);
                graph.add_seconds(self.orthid(&["graph"], &file).took);
            }
            let what = format!("{steps} steps: validate, graph; ten times fewer steps");
            let ours = format!("{}; {}", validate.show("s"), graph.show("s"));
            let now = (validate.median(), graph.median());
            let (beside, ratio) = match before {
                Some((one, two)) => (
                    format!("{} s; {} s", number(one), number(two)),
                    (now.0 / one).max(now.1 / two),
                ),
                None => (String::new(), f64::NAN),
            };
            self.report.row(&what, ours, beside, ratio, Wanted::Nothing);
            if !most_s.is_nan() {
                let slower = now.0.max(now.1);
                let what = format!("{steps} steps: the slower of the two; a second");
                let (ours, most) = (format!("{} s", number(slower)), Wanted::AtMost(1.0));
                self.report.row(&what, ours, format!("{most_s} s"), slower / most_s, most);
            }
            before = Some(now);
        }
    }

    /// Plans that mean harm: `validate` ends, soon and small.
    fn hostile(&mut self) {
        const MOST_MIB: f64 = 256.0;
        for (name, text) in hostile::plans() {
            let file = self.fresh("hostile").join("plan.hcl");
            std::fs::write(&file, text).unwrap();
            let (mut took, mut peak) = (Samples::default(), Samples::default());
            for _ in 0..3 {
                let mut command = Command::new(&self.args.orthid);
                command.args(["validate", "plan.hcl"]).current_dir(file.parent().unwrap());
                let ran = process::run_to(&mut command, &[0, 1]);
                took.add_seconds(ran.took);
                peak.add(ran.peak_mib);
            }
            let what = format!("validate of a hostile plan, {name}; 1 s, {MOST_MIB} MiB");
            let ours = format!("{}; {}", took.show("s"), peak.show("MiB"));
            let ratio = took.median().max(peak.median() / MOST_MIB);
            self.report.row(&what, ours, String::new(), ratio, Wanted::AtMost(1.0));
        }
    }

    /// A step on PostgreSQL, against a DBOS step on the same server.
    fn dbos(&mut self) {
        let steps = self.scale(1_000);
        let server = postgres::Server::start_with("fsync = on\n");
        let (mut ours, mut theirs) = (Samples::default(), Samples::default());
        let url = server.database();
        let dbos = server.database();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/dbos_steps.py");
        for _ in 0..5 {
            let measured = block_on(engine::measure(&url, 1, steps));
            ours.add(measured.seconds_per_step() * 1e3);
            let mut command = Command::new(&self.args.python);
            command.arg(&script).args([&dbos, &steps.to_string(), "1"]);
            match command.output() {
                Ok(output) if output.status.success() => {
                    let text = String::from_utf8(output.stdout).unwrap();
                    let took: f64 = text.trim().parse().unwrap();
                    theirs.add(took * 1e3 / steps as f64);
                }
                Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
                Err(error) => eprintln!("bench: no DBOS ({error}): its measurement is left out"),
            }
        }
        let what =
            format!("a step without effect on PostgreSQL, {steps} in a row; a DBOS step there");
        let ratio = theirs.median() / ours.median();
        self.report.row(&what, ours.show("ms"), theirs.show("ms"), ratio, Wanted::Nothing);
    }
}
