//! The plans that are measured, as orthid and as Terraform read them.

use std::fmt::Write;

/// Layers of this many steps, each depending on the whole layer before.
pub const WIDTH: usize = 10;

fn before(step: usize, one: impl Fn(usize) -> String) -> String {
    let layer = step / WIDTH;
    let first = layer.saturating_sub(1) * WIDTH;
    let last = layer * WIDTH;
    (first..last).map(one).collect::<Vec<_>>().join(", ")
}

pub fn orthid(steps: usize) -> String {
    let mut text = String::new();
    for step in 0..steps {
        let before = before(step, |step| format!("checkpoint.s{step}"));
        writeln!(text, "checkpoint \"s{step}\" {{\n  depends_on = [{before}]\n}}\n").unwrap();
    }
    text
}

pub fn terraform(steps: usize) -> String {
    let mut text = String::new();
    for step in 0..steps {
        let before = before(step, |step| format!("terraform_data.s{step}"));
        writeln!(
            text,
            "resource \"terraform_data\" \"s{step}\" {{\n  depends_on = [{before}]\n}}\n"
        )
        .unwrap();
    }
    text
}
