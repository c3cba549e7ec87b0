//! Plans that mean harm, for the tests and for the table of `make bench`.

use std::fmt::Write;

const DEEP: usize = 100_000;
const STEPS: usize = 100_000;
const RING: usize = 10_000;
/// Ten megabytes.
const LARGE: usize = 10 << 20;

fn local(expr: &str) -> String {
    format!("locals {{\n  x = {expr}\n}}\n")
}

/// One line after the other until there are ten megabytes of them.
fn lines(line: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(LARGE + 100);
    for n in 0.. {
        if text.len() >= LARGE {
            break;
        }
        text.push_str(&line(n));
    }
    text
}

fn steps(line: impl Fn(usize) -> String) -> String {
    (0..STEPS).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "checkpoint \"c{n}\" {{\n{}}}", line(n));
        text
    })
}

fn doubling() -> String {
    let doubled = |n: usize| format!("  a{n} = \"${{local.a{0}}}${{local.a{0}}}\"\n", n - 1);
    format!("locals {{\n  a0 = \"xxxxxxxx\"\n{}}}\n", (1..64).map(doubled).collect::<String>())
}

/// Name and text of each.
pub fn plans() -> Vec<(&'static str, Vec<u8>)> {
    let fors: String = (0..8).map(|n| format!("[for x{n} in range(1000) : ")).collect();
    let ring = |n: usize| (n + 1) % RING;
    let texts = [
        ("lists 100,000 deep", local(&format!("{}1{}", "[".repeat(DEEP), "]".repeat(DEEP)))),
        ("blocks 100,000 deep", "a {\n".repeat(DEEP)),
        ("10 MB of steps", lines(|n| format!("run \"c{n}\" {{\n  command = [\"x\", \"y\"]\n}}\n"))),
        (
            "10 MB of locals",
            format!("locals {{\n{}}}\n", lines(|n| format!("  name{n} = \"value\"\n"))),
        ),
        (
            "10 MB of heredocs",
            format!("locals {{\n{}}}\n", lines(|n| format!("a{n} = <<E\nx\nE\n"))),
        ),
        ("10 MB of one object", local(&format!("{{ {} }}", lines(|n| format!("k{n} = {n}, "))))),
        ("10 MB of one list", local(&format!("[{}]", lines(|_| "1, ".to_owned())))),
        ("10 MB of one string", local(&format!("\"{}\"", "x".repeat(LARGE)))),
        ("10 MB of comments", lines(|n| format!("# comment {n}\n"))),
        ("10 MB of garbage", "%$#@!~`|\\ ".repeat(LARGE / 10)),
        ("10 MB of unclosed strings", lines(|n| format!("a{n} = \"\n"))),
        ("100,000 steps", steps(|_| String::new())),
        (
            "100,000 steps in a row",
            steps(|n| match n {
                0 => String::new(),
                n => format!("  depends_on = [checkpoint.c{}]\n", n - 1),
            }),
        ),
        (
            "100,000 steps of a for_each",
            "checkpoint \"c\" {\n  for_each = toset([for n in range(100000) : \"x${n}\"])\n}\n"
                .to_owned(),
        ),
        ("100,000 mistakes", steps(|n| format!("  wehn = var.x{n}\n"))),
        (
            "a ring of 10,000 locals",
            format!(
                "locals {{\n{}}}\n",
                (0..RING).map(|n| format!("  a{n} = local.a{}\n", ring(n))).collect::<String>()
            ),
        ),
        (
            "a ring of 10,000 steps",
            (0..RING)
                .map(|n| {
                    format!(
                        "checkpoint \"c{n}\" {{\n  depends_on = [checkpoint.c{}]\n}}\n",
                        ring(n)
                    )
                })
                .collect(),
        ),
        ("for in for, to 10^24", local(&format!("{fors}1{}", "]".repeat(8)))),
        ("text doubled 63 times", doubling()),
    ];
    let bytes = [("invalid UTF-8", vec![0xff; LARGE]), ("a NUL byte", b"a = 1\0\n".to_vec())];
    texts.into_iter().map(|(name, text)| (name, text.into_bytes())).chain(bytes).collect()
}
