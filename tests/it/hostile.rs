//! Input that means harm: whatever it is, reading it ends soon, with a diagnostic or a plan, and never with a panic.
//!
//! Inside of this process, times are not asserted beyond what tells linear from worse: machines differ. The program
//! itself runs under limits that the kernel keeps: 256 MiB of data and a second of processor time (more where it was
//! built for debugging).

use std::time::{Duration, Instant};

use crate::support::hostile;
use orthid::lang::{Code, Config, Diagnostics, Inputs, Inspection, Source, inspect};

/// Far above what any of these takes, far below what a quadratic one would.
const LONGEST: Duration = Duration::from_secs(60);

fn read(text: impl Into<String>) -> (Config, Diagnostics) {
    let text: String = text.into();
    let started = Instant::now();
    let Inspection { config, outline: _, diagnostics: found } =
        inspect(&[Source::new("hostile.hcl", text)], &Inputs::none());
    // What is said about it must end, too.
    let rendered = found.render(100, false);
    assert!(rendered.len() < 1 << 20, "{} bytes are said about it", rendered.len());
    assert!(started.elapsed() < LONGEST, "it took {:?}", started.elapsed());
    (config, found)
}

fn codes(text: impl Into<String>) -> Vec<Code> {
    let (_, found) = read(text);
    let mut codes: Vec<_> = found.iter().map(|diagnostic| diagnostic.code).collect();
    codes.dedup();
    codes
}

fn local(expr: &str) -> String {
    format!("locals {{\n  x = {expr}\n}}\n")
}

const DEEP: usize = 100_000;

/// Ends a program by a signal where it takes more, and fails its allocations.
fn limited(arguments: &[&str], folder: &std::path::Path) -> std::process::Output {
    const DATA_KIB: u32 = 256 << 10;
    const SECONDS: u32 = if cfg!(debug_assertions) { 40 } else { 1 };
    std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -d {DATA_KIB} && ulimit -t {SECONDS} && exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_orthid"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn the_program_ends_within_its_limits() {
    let mut failed = Vec::new();
    for (name, text) in hostile::plans() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("plan.hcl"), text).unwrap();
        let output = limited(&["validate", "plan.hcl"], dir.path());
        let said = String::from_utf8_lossy(&output.stderr);
        if !matches!(output.status.code(), Some(0 | 1)) || said.len() > 1 << 20 {
            let end: String = said.chars().take(200).collect();
            failed.push(format!("{name}: {}, {} bytes: {end}", output.status, said.len()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn files_outside_of_the_plans_folder_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let plan = dir.path().join("plan");
    std::fs::create_dir(&plan).unwrap();
    std::fs::write(dir.path().join("secret"), "hunter2").unwrap();
    std::os::unix::fs::symlink("../secret", plan.join("link")).unwrap();
    for path in ["../secret", "link", "/etc/hostname", "a/../../secret"] {
        let text = format!("run \"a\" {{\n  command = [\"echo\", file(\"{path}\")]\n}}\n");
        std::fs::write(plan.join("plan.hcl"), text).unwrap();
        let output = limited(&["graph", "plan.hcl"], &plan);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{path}: {said}");
        assert!(said.contains("plan's folder") && !said.contains("hunter2"), "{path}: {said}");
    }
}

#[test]
fn deep_nesting_is_a_diagnostic() {
    let pairs = [("[", "]"), ("(", ")"), ("{ a = ", " }"), ("f(", ")"), ("!", ""), ("-", "")];
    for (open, close) in pairs {
        let text = local(&format!("{}1{}", open.repeat(DEEP), close.repeat(DEEP)));
        assert_eq!(codes(text), [Code::TooDeep], "{open}");
    }
    let templates = local(&format!("{}1{}", "\"${".repeat(DEEP), "}\"".repeat(DEEP)));
    assert_eq!(codes(templates), [Code::TooDeep]);
    let directives = local(&format!("\"{}x\"", "%{ if true }".repeat(DEEP)));
    assert_eq!(codes(directives), [Code::TooDeep]);
    let loops = local(&"[for a in ".repeat(DEEP));
    assert_eq!(codes(loops), [Code::TooDeep]);
    let blocks = "a {\n".repeat(DEEP);
    assert!(codes(blocks).contains(&Code::TooDeep));
}

#[test]
fn long_chains_are_a_diagnostic() {
    for (head, link) in [
        ("1", " + 1"),
        ("true", " ? 1 : true"),
        ("a", ".b"),
        ("a", "[0]"),
        ("true", " && true"),
        ("a", "[*]"),
        ("1", " * 1 + 1"),
    ] {
        let text = local(&format!("{head}{}", link.repeat(DEEP)));
        let found = codes(text);
        assert_eq!(found, [Code::TooDeep], "{link}");
    }
}

#[test]
fn unclosed_things_are_a_diagnostic() {
    for open in ["[", "(", "{", "\"", "\"${", "<<EOT\n", "/*", "\"%{ if x }", "{ a =", "[for x in"]
    {
        let once = local(open);
        assert!(!codes(once).is_empty(), "{open}");
        let often: String = (0..20_000).map(|n| format!("a{n} = {open}\n")).collect();
        assert!(!codes(often).is_empty(), "{open}");
    }
}

#[test]
fn large_files_are_read() {
    let attributes: String =
        (0..250_000).map(|n| format!("  name{n} = \"value value value\"\n")).collect();
    let text = format!("locals {{\n{attributes}}}\n");
    assert!(text.len() > 8 << 20);
    assert_eq!(codes(text), [Code::BudgetExceeded]);
    let comments =
        "# nothing but comments, a line of some length so that it adds up\n".repeat(160_000);
    assert!(codes(comments).is_empty());
    let one_line = local(&format!("\"{}\"", "x".repeat(10 << 20)));
    assert!(codes(one_line).is_empty());
    let one_list = local(&format!("[{}]", "1, ".repeat(3_000_000)));
    let (_, found) = read(one_list);
    assert!(found.len() <= 1);
    let one_object: String = (0..300_000).map(|n| format!("k{n} = {n}, ")).collect();
    let (_, found) = read(local(&format!("{{ {one_object} }}")));
    assert!(found.len() <= 1);
    let garbage = "%$#@!~`|\\ ".repeat(1 << 20);
    assert!(!codes(garbage).is_empty());
}

#[test]
fn a_hundred_thousand_steps_are_read() {
    let first = "checkpoint \"c0\" {\n}\n".to_owned();
    let rest = (1..100_000)
        .map(|n| format!("checkpoint \"c{n}\" {{\n  depends_on = [checkpoint.c{}]\n}}\n", n - 1));
    let text = first + &rest.collect::<String>();
    let (config, found) = read(text);
    assert!(found.is_empty(), "{found}");
    assert_eq!(config.step_blocks.len(), 100_000);
    assert_eq!(config.validate_steps().map(|steps| steps.len()).ok(), Some(100_000));
}

#[test]
fn a_hundred_thousand_mistakes_are_counted() {
    let text: String = (0..100_000)
        .map(|n| format!("run \"c{n}\" {{\n  comand = [var.x{n}, backup.b{n}.id, uper(1)]\n}}\n"))
        .collect();
    let (_, found) = read(text);
    assert!(found.len() >= 90, "only {} are kept", found.len());
}

#[test]
fn cycles_of_locals_are_shortened() {
    let count = 10_000;
    let ring: String =
        (0..count).map(|n| format!("  a{n} = local.a{}\n", (n + 1) % count)).collect();
    let (_, found) = read(format!("locals {{\n{ring}}}\n"));
    let cycle: Vec<_> = found.iter().filter(|d| d.code == Code::DependencyCycle).collect();
    assert_eq!(cycle.len(), 1);
    assert!(cycle[0].message.contains("… 9992 more …"), "{}", cycle[0].message);
    assert!(cycle[0].message.chars().count() < 300);
}

#[test]
fn long_chains_of_locals_are_computed() {
    let count = 50_000;
    let chain: String = (1..count).map(|n| format!("  a{n} = local.a{}\n", n - 1)).collect();
    assert!(codes(format!("locals {{\n  a0 = 1\n{chain}}}\n")).is_empty());
    let deeper: String = (1..count).map(|n| format!("  a{n} = [local.a{}]\n", n - 1)).collect();
    assert_eq!(codes(format!("locals {{\n  a0 = 1\n{deeper}}}\n")), [Code::TooDeep]);
    let later: String =
        (1..count).map(|n| format!("  a{n} = \"${{local.a{}}}!\"\n", n - 1)).collect();
    assert_eq!(codes(format!("locals {{\n  a0 = env(\"X\")\n{later}}}\n")), [Code::TooDeep]);
}

#[test]
fn expansions_use_up_their_budget() {
    let fors = (0..8).map(|n| format!("[for x{n} in range(1000) : ")).collect::<String>();
    let doubling = |first: &str, twice: &str| {
        let lines = (1..64)
            .map(|n| format!("  a{n} = {}\n", twice.replace('?', &format!("local.a{}", n - 1))));
        format!("locals {{\n  a0 = {first}\n{}}}\n", lines.collect::<String>())
    };
    let texts = [
        local(&format!("{fors}1{}", "]".repeat(8))),
        local("range(1000000000000)"),
        local("setproduct(range(1000), range(1000), range(1000), range(1000))"),
        local("join(\"\", [for x in range(100000) : join(\"\", range(1000))])"),
        local("indent(1000000000000, \"a\\nb\")"),
        local("replace(join(\"\", range(100000)), \"\", join(\"\", range(100000)))"),
        local("\"%{ for a in range(10000) }%{ for b in range(10000) }x%{ endfor }%{ endfor }\""),
        local("[for n in range(100000) : regexall(\"(a|b|c)*\", \"abcabc\")]"),
        doubling("\"xxxxxxxx\"", "\"${?}${?}\""),
        doubling("[1, 2, 3]", "concat(?, ?)"),
        doubling("env(\"X\")", "\"${?}${?}\""),
        doubling("{ a = 1 }", "jsonencode([?, ?])"),
    ];
    for text in texts {
        let found = codes(text.clone());
        let ended = [Code::BudgetExceeded, Code::TooDeep];
        assert!(
            !found.is_empty() && found.iter().all(|code| ended.contains(code)),
            "{found:?}: {}",
            &text[..60]
        );
    }
}

#[test]
fn sharing_is_not_copying() {
    // The same list named twice over and over is small in memory; writing it out would not be.
    let lines: String =
        (1..60).map(|n| format!("  a{n} = [local.a{0}, local.a{0}]\n", n - 1)).collect();
    let text = format!("locals {{\n  a0 = [1]\n{lines}  out = jsonencode(local.a59)\n}}\n");
    assert_eq!(codes(text), [Code::BudgetExceeded]);
    let text = format!("locals {{\n  a0 = [1]\n{lines}  b = flatten(local.a59)\n}}\n");
    assert_eq!(codes(text), [Code::BudgetExceeded]);
    let text = format!("locals {{\n  a0 = [1]\n{lines}  b = local.a59 == local.a59\n}}\n");
    assert_eq!(codes(text), [Code::BudgetExceeded]);
    let text = format!(
        "locals {{\n  a0 = [env(\"X\")]\n{lines}}}\nrun \"a\" {{\n  command = [\"${{jsonencode(local.a59)}}\"]\n}}\n"
    );
    assert_eq!(codes(text), [Code::BudgetExceeded]);
}

#[test]
fn yaml_bombs_and_regular_expressions_end() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\\n";
    assert!(!codes(local(&format!("yamldecode(\"{bomb}\")"))).is_empty());
    let deep = "[".repeat(DEEP);
    assert!(!codes(local(&format!("jsondecode(\"{deep}\")"))).is_empty());
    assert!(!codes(local(&format!("yamldecode(\"{deep}\")"))).is_empty());
    assert!(!codes(local("regex(\"(((a{100}){100}){100}){100}\", \"a\")")).is_empty());
    let (_, found) = read(local("regexall(\"(a*)*$\", \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\")"));
    assert!(found.is_empty());
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for bytes in [&b"\xff"[..], b"a = \"\xc3\x28\"", b"\0", b"a = 1\0", b"\xed\xa0\x80"] {
        let error = Source::from_bytes("hostile.hcl", bytes.to_vec()).unwrap_err();
        assert_eq!(error.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::NotUtf8]);
    }
}

#[test]
fn nothing_that_a_terminal_obeys_is_printed() {
    let hidden =
        ["\u{1b}[31m", "\u{7}", "\u{8}", "\u{9b}2J", "\u{202e}", "\u{200b}", "\r", "\u{7f}"];
    for sequence in hidden {
        for text in [
            format!("run \"a{sequence}b\" {{\n}}\n"),
            format!("{sequence}\n"),
            format!("x{sequence}y = 1\n"),
            format!("run \"a\" {{\n  command = [var.x] # {sequence}\n}}\n"),
            format!("locals {{\n  a = {{ \"{sequence}\" = 1, \"{sequence}\" = 2 }}\n}}\n"),
            format!("locals {{\n  a = regex(\"({sequence}\", \"x\")\n}}\n"),
            format!("run \"a\" {{\n  command = [\"x\"]\n  on_failure = \"{sequence}\"\n}}\n"),
        ] {
            let path = format!("pl{sequence}an.hcl");
            let found = inspect(&[Source::new(path, text.clone())], &Inputs::none()).diagnostics;
            for printed in [found.render(100, false), found.to_string()] {
                let bad = printed.chars().find(|c| {
                    (c.is_control() && *c != '\n')
                        || ('\u{2028}'..='\u{202e}').contains(c)
                        || *c == '\u{200b}'
                });
                assert_eq!(bad, None, "{text:?}");
            }
        }
    }
}
