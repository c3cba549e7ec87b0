//! Any bytes as a plan: read to the end, with a diagnostic or a configuration, and what is said of it can be printed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orthid::lang::{Inputs, Source, inspect};

fuzz_target!(|bytes: &[u8]| {
    let rendered = match Source::from_bytes("fuzz.hcl", bytes.to_vec()) {
        Ok(source) => inspect(&[source], &Inputs::none()).diagnostics.render(80, false),
        Err(found) => found.render(80, false),
    };
    assert!(!rendered.contains('\u{1b}'), "a terminal escape is printed");
});
