//! Durations, read and printed as plans write them: `500ms`, `10m`, `1h 30m`.

use std::time::Duration;

/// In milliseconds. Errors: a sentence for a message.
pub fn parse(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 5] =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let wrong =
        || "this is not a duration; one is written \"500ms\", \"10m\" or \"1h30m\"".to_owned();
    let mut total = 0u64;
    let mut rest = text;
    let mut last = u64::MAX;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = UNITS.iter().find(|(name, _)| *name == &rest[..letters]);
        let (_, milliseconds) = unit.ok_or_else(wrong)?;
        if *milliseconds >= last {
            return Err("the parts of a duration go from the largest to the smallest".to_owned());
        }
        last = *milliseconds;
        rest = &rest[letters..];
        total = number
            .checked_mul(*milliseconds)
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= 366 * 86_400_000)
            .ok_or_else(|| "a duration is at most a year".to_owned())?;
    }
    Ok(total)
}

/// `850ms`, `4.2s`, `3m 20s`, `2h 5m`, `1d 4h`: the two largest units that say something.
pub fn print(duration: Duration) -> String {
    print_ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// As [`print`], of milliseconds.
pub fn print_ms(ms: u64) -> String {
    let tenths = ms.saturating_add(50) / 100;
    let seconds = ms.saturating_add(500) / 1_000;
    let two = |whole: u64, unit: &str, rest: u64, smaller: &str| match rest {
        0 => format!("{whole}{unit}"),
        rest => format!("{whole}{unit} {rest}{smaller}"),
    };
    match (ms, seconds) {
        (0..1_000, _) => format!("{ms}ms"),
        (_, _) if tenths < 600 => match tenths % 10 {
            0 => format!("{}s", tenths / 10),
            tenth => format!("{}.{tenth}s", tenths / 10),
        },
        (_, 0..3_600) => two(seconds / 60, "m", seconds % 60, "s"),
        (_, 3_600..86_400) => two(seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        (_, _) => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, print_ms};

    #[test]
    fn durations_are_read_in_milliseconds() {
        let read = ["500ms", "10m", "1h30m", "2d", "0s", "1m1s1ms"].map(|text| parse(text).ok());
        let expected = [500, 600_000, 5_400_000, 172_800_000, 0, 61_001].map(Some);
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "10", "m", "-5m", "1.5h", "10 m", "1m1h", "1m1m", "99999999999d", "1y"] {
            assert!(parse(text).is_err(), "{text} was read");
        }
    }

    #[test]
    fn durations_are_printed_in_the_two_largest_units() {
        let cases = [
            (0, "0ms"),
            (850, "850ms"),
            (4_200, "4.2s"),
            (12_000, "12s"),
            (59_949, "59.9s"),
            (59_960, "1m"),
            (185_000, "3m 5s"),
            (7_500_000, "2h 5m"),
            (100_800_000, "1d 4h"),
        ];
        for (ms, expected) in cases {
            assert_eq!(print_ms(ms), expected);
        }
    }
}
