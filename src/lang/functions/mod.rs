//! The function library: Terraform's names where Terraform has the function. Each function is one
//! row of one of the tables here, with an example that a test runs and that the book shows.
//!
//! Must not: have an effect or depend on anything but the arguments. There is no clock and no
//! randomness.

mod collections;
mod conversion;
mod csv;
mod dates;
mod encoding;
mod formats;
mod function;
mod numeric;
mod objects;
mod paths;
mod patterns;
mod sets;
mod strings;
mod versions;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use function::{Function, Group};
pub(super) use function::{Run, Special, Wrong};

/// Every function, by group.
pub static ALL: LazyLock<Vec<Function>> = LazyLock::new(|| {
    let mut all = Vec::new();
    all.extend(strings::functions());
    all.extend(paths::functions());
    all.extend(collections::functions());
    all.extend(objects::functions());
    all.extend(sets::functions());
    all.extend(numeric::functions());
    all.extend(encoding::functions());
    all.extend(csv::functions());
    all.extend(dates::functions());
    all.extend(versions::functions());
    all.extend(conversion::functions());
    all
});

static BY_NAME: LazyLock<HashMap<&'static str, usize>> =
    LazyLock::new(|| ALL.iter().enumerate().map(|(index, f)| (f.name, index)).collect());

pub(super) fn find(name: &str) -> Option<&'static Function> {
    BY_NAME.get(name).map(|index| &ALL[*index])
}

/// The reference of all functions, as a page of the book.
pub fn reference() -> String {
    let mut out = String::from(
        "# Functions\n\nFunctions have Terraform's names where Terraform has them. They depend on nothing but their \
         arguments: there is no clock and no randomness, so that a plan is the same every time. A call with an \
         argument that is known only later is itself known only later.\n\nThis page is made from the function \
         table; every example on it is run by a test.\n",
    );
    for group in Group::ALL {
        out.push_str(&format!("\n## {}\n", group.title()));
        for function in ALL.iter().filter(|function| function.group == group) {
            let (example, result) = function.example;
            out.push_str(&format!(
                "\n### `{}`\n\n{}\n\n```hcl\n{example}  # {result}\n```\n",
                function.signature, function.doc
            ));
        }
    }
    out
}
