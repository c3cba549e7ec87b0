//! "Did you mean": the name that was probably meant.

/// The candidate that is nearest to what was written, if it is near enough to be meant.
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    const MOST: usize = 2_000;
    if written.len() > LONGEST {
        return None;
    }
    known
        .into_iter()
        .take(MOST)
        .filter(|candidate| candidate.len() <= LONGEST && *candidate != written)
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1.max(written.len().max(candidate.len()) / 3)
                && *distance < written.chars().count()
        })
        .min_by_key(|(distance, candidate)| (*distance, *candidate))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let kinds = ["roll", "run", "backup", "verify"];
        assert_eq!(closest("rol", kinds), Some("roll"));
        assert_eq!(closest("bakcup", kinds), Some("backup"));
        assert_eq!(closest("frobnicate", kinds), None);
        assert_eq!(closest("x", kinds), None);
    }
}
