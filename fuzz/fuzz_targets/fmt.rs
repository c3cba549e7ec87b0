//! Any text, formatted: twice is once.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orthid::lang::Source;
use orthid::lang::fmt::format;

fuzz_target!(|text: &str| {
    let source = |text: &str| Source::new("fuzz.hcl", text);
    let Ok(once) = format(&source(text)) else { return };
    match format(&source(&once)) {
        Ok(twice) => assert_eq!(once, twice, "formatting twice is not formatting once"),
        Err(found) => panic!("what was formatted can't be formatted: {found}"),
    }
});
