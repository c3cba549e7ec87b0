//! File paths as text: nothing is looked up.

use crate::lang::functions::function::{Arguments, Function, Group, Made, Run, row};

const G: Group = Group::Strings;

pub(super) fn functions() -> Vec<Function> {
    vec![
        row(
            G,
            "basename(path)",
            "The last part of a path.",
            (r#"basename("values/prod.yaml")"#, r#""prod.yaml""#),
            (1, Some(1)),
            Run::Known(basename),
        ),
        row(
            G,
            "dirname(path)",
            "A path without its last part; `.` where there is only one.",
            (r#"dirname("values/prod.yaml")"#, r#""values""#),
            (1, Some(1)),
            Run::Known(dirname),
        ),
    ]
}

fn basename(a: &Arguments) -> Made {
    let path = a.text(0)?;
    let trimmed = path.trim_end_matches('/');
    let last = trimmed.rsplit('/').next().unwrap_or("");
    a.string(match last {
        "" if path.is_empty() => ".".to_owned(),
        "" => "/".to_owned(),
        last => last.to_owned(),
    })
}

fn dirname(a: &Arguments) -> Made {
    let path = a.text(0)?;
    let Some((folder, _)) = path.rsplit_once('/') else { return a.string(".".to_owned()) };
    let folder = folder.trim_end_matches('/');
    a.string(if folder.is_empty() { "/".to_owned() } else { folder.to_owned() })
}
