//! Version ranges as Helm charts write them in `kubeVersion` (the Masterminds/semver language):
//! `>=1.25.0-0`, `1.x || ^2.1`, `1.2 - 1.4`.
//!
//! Cargo's ranges differ: no `||`, no hyphen, and a pre-release suffix such as `v1.34.4-gke.1`
//! never matches a plain one. Here a server's pre-release is judged by its numbers, because
//! providers put their build into it.

use semver::Version;

/// Alternatives, each a list of conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmRange(Vec<Vec<Condition>>);

type Triple = (u64, u64, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// At least.
    From(Triple),
    /// Less than.
    Below(Triple),
    /// Outside of `[from, below)`.
    Not(Triple, Triple),
}

impl HelmRange {
    pub fn parse(text: &str) -> Result<HelmRange, String> {
        text.split("||").map(alternative).collect::<Result<_, _>>().map(HelmRange)
    }

    pub fn matches(&self, version: &Version) -> bool {
        let at = (version.major, version.minor, version.patch);
        self.0.iter().any(|conditions| {
            conditions.iter().all(|condition| match condition {
                Condition::From(from) => at >= *from,
                Condition::Below(below) => at < *below,
                Condition::Not(from, below) => at < *from || at >= *below,
            })
        })
    }
}

fn alternative(text: &str) -> Result<Vec<Condition>, String> {
    if let Some((from, to)) = text.split_once(" - ") {
        let (_, upto) = span(to.trim())?;
        return Ok(vec![Condition::From(span(from.trim())?.0), Condition::Below(upto)]);
    }
    let mut conditions = Vec::new();
    let spaced = text.replace(',', " ");
    let mut words = spaced.split_whitespace().peekable();
    while let Some(word) = words.next() {
        // An operator may stand apart from its version.
        let is_operator = word.chars().all(|c| "<>=!~^".contains(c));
        let whole = match words.peek() {
            Some(next) if is_operator => {
                let joined = format!("{word}{next}");
                words.next();
                joined
            }
            Some(_) | None => word.to_owned(),
        };
        condition(&whole, &mut conditions)?;
    }
    Ok(conditions)
}

fn condition(text: &str, out: &mut Vec<Condition>) -> Result<(), String> {
    let split = text.find(|c| !"<>=!~^".contains(c)).unwrap_or(text.len());
    let (operator, version) = text.split_at(split);
    let (from, below) = span(version)?;
    match operator {
        "" | "=" => out.extend([Condition::From(from), Condition::Below(below)]),
        "!=" => out.push(Condition::Not(from, below)),
        ">" => out.push(Condition::From(below)),
        ">=" | "=>" => out.push(Condition::From(from)),
        "<" => out.push(Condition::Below(from)),
        "<=" | "=<" => out.push(Condition::Below(below)),
        "~" | "~>" => {
            let upto = if version.contains('.') { (from.0, from.1 + 1, 0) } else { below };
            out.extend([Condition::From(from), Condition::Below(upto)]);
        }
        "^" => {
            let upto = match from {
                (0, 0, patch) if version.matches('.').count() == 2 => (0, 0, patch + 1),
                (0, minor, _) if version.contains('.') => (0, minor + 1, 0),
                (major, _, _) => (major + 1, 0, 0),
            };
            out.extend([Condition::From(from), Condition::Below(upto)]);
        }
        other => return Err(format!("`{other}` is not a comparison")),
    }
    Ok(())
}

/// The versions that a possibly partial version stands for, as `[from, below)`.
fn span(text: &str) -> Result<(Triple, Triple), String> {
    let plain = text.trim_start_matches('v');
    let plain = plain.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = Vec::new();
    for part in plain.split('.') {
        if matches!(part, "x" | "X" | "*") {
            break;
        }
        numbers.push(part.parse::<u64>().map_err(|_| format!("`{text}` is not a version"))?);
    }
    match numbers[..] {
        [] => Ok(((0, 0, 0), (u64::MAX, 0, 0))),
        [major] => Ok(((major, 0, 0), (major + 1, 0, 0))),
        [major, minor] => Ok(((major, minor, 0), (major, minor + 1, 0))),
        [major, minor, patch] => Ok(((major, minor, patch), (major, minor, patch + 1))),
        _ => Err(format!("`{text}` is not a version")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_mean_what_helm_means() {
        for (range, inside, outside) in [
            (">=1.25.0-0", "1.25.0 1.34.4 2.0.0 1.34.4-gke.1", "1.24.9"),
            (">= 1.25.0, < 1.33.0", "1.25.0 1.32.9", "1.33.0"),
            ("1.x || ^3.1", "1.0.0 1.99.0 3.1.0 3.9.9", "2.0.0 3.0.9 4.0.0"),
            ("1.25 - 1.30", "1.25.0 1.30.7", "1.31.0 1.24.9"),
            ("~1.30.2", "1.30.2 1.30.9", "1.30.1 1.31.0"),
            ("~1", "1.0.0 1.40.0", "2.0.0"),
            ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"),
            (">1.30", "1.31.0", "1.30.9"),
            ("<=1.30", "1.30.9 1.0.0", "1.31.0"),
            ("!=1.30.x", "1.29.0 1.31.0", "1.30.4"),
            ("*", "0.1.0 9.9.9", ""),
            ("v1.34.4", "1.34.4", "1.34.5"),
        ] {
            let parsed = HelmRange::parse(range).unwrap();
            let matches = |v: &str| parsed.matches(&v.parse().unwrap());
            assert!(inside.split_whitespace().all(matches), "{range} has {inside}");
            assert!(!outside.split_whitespace().any(matches), "{range} lacks {outside}");
        }
        assert!(HelmRange::parse("latest").is_err());
        assert!(HelmRange::parse(">>1").is_err());
    }
}
