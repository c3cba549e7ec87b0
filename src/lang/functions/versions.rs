//! Semantic versions, with the rules that the path uses.

use semver::{Version, VersionReq};

use crate::lang::Value;
use crate::lang::functions::function::{Arguments, Function, Group, Made, Run, Wrong, row};

const G: Group = Group::Versions;

pub(super) fn functions() -> Vec<Function> {
    vec![
        row(
            G,
            "semver_compare(a, b)",
            "-1, 0 or 1, as the first version is lower than, the same as or higher than the second.",
            (r#"semver_compare("2.10.0", "2.9.0")"#, "1"),
            (2, Some(2)),
            Run::Known(semver_compare),
        ),
        row(
            G,
            "semver_major(version)",
            "The first number.",
            (r#"semver_major("2.7.1")"#, "2"),
            (1, Some(1)),
            Run::Known(semver_major),
        ),
        row(
            G,
            "semver_minor(version)",
            "The second number.",
            (r#"semver_minor("2.7.1")"#, "7"),
            (1, Some(1)),
            Run::Known(semver_minor),
        ),
        row(
            G,
            "semver_patch(version)",
            "The third number.",
            (r#"semver_patch("2.7.1")"#, "1"),
            (1, Some(1)),
            Run::Known(semver_patch),
        ),
        row(
            G,
            "semver_prerelease(version)",
            "What follows the `-`; empty for a release.",
            (r#"semver_prerelease("3.0.0-rc.1")"#, r#""rc.1""#),
            (1, Some(1)),
            Run::Known(semver_prerelease),
        ),
        row(
            G,
            "semver_satisfies(version, range)",
            "Is the version in the range? Pre-releases are in no range that does not name them.",
            (r#"semver_satisfies("2.6.3", ">= 2.6.0, < 2.7.0")"#, "true"),
            (2, Some(2)),
            Run::Known(semver_satisfies),
        ),
        row(
            G,
            "semver_sort(versions)",
            "From the lowest to the highest.",
            (r#"semver_sort(["2.10.0", "2.9.0"])"#, r#"["2.9.0", "2.10.0"]"#),
            (1, Some(1)),
            Run::Known(semver_sort),
        ),
    ]
}

fn parse(index: usize, text: &str) -> Result<Version, Wrong> {
    Version::parse(text.strip_prefix('v').unwrap_or(text)).map_err(|error| {
        Wrong::Argument(index, format!("this is not a version (three numbers, \"2.7.1\"): {error}"))
    })
}

fn version(a: &Arguments, index: usize) -> Result<Version, Wrong> {
    parse(index, &a.text(index)?)
}

fn semver_compare(a: &Arguments) -> Made {
    Ok(Value::int(version(a, 0)?.cmp_precedence(&version(a, 1)?) as i64))
}

fn semver_major(a: &Arguments) -> Made {
    Ok(Value::int(version(a, 0)?.major as i64))
}

fn semver_minor(a: &Arguments) -> Made {
    Ok(Value::int(version(a, 0)?.minor as i64))
}

fn semver_patch(a: &Arguments) -> Made {
    Ok(Value::int(version(a, 0)?.patch as i64))
}

fn semver_prerelease(a: &Arguments) -> Made {
    a.string(version(a, 0)?.pre.as_str().to_owned())
}

fn semver_satisfies(a: &Arguments) -> Made {
    let range = VersionReq::parse(&a.text(1)?)
        .map_err(|error| Wrong::Argument(1, format!("this is not a range of versions: {error}")))?;
    Ok(Value::Bool(range.matches(&version(a, 0)?)))
}

fn semver_sort(a: &Arguments) -> Made {
    let texts = a.texts(0)?;
    a.spend(texts.len() * 16, 0)?;
    let mut versions = Vec::with_capacity(texts.len());
    for text in texts {
        versions.push((parse(0, &text)?, text));
    }
    versions.sort();
    a.make_list(versions.into_iter().map(|(_, text)| Value::String(text)).collect())
}
