//! Plans from the files that people start from and from recorded facts, as reviewers see them.

use std::collections::BTreeMap;

use super::render::{Style, json, text};
use super::*;
use crate::facts::{Facts, recording};
use crate::lang::{self, Inputs, Source};

const MINOR: &str = include_str!("../../plans/orthid-2.7.hcl");
const PATCH: &str = include_str!("../../plans/orthid-2.7.1.hcl");
const TWO_HOPS: &str = include_str!("../../plans/orthid-2.5-to-2.7.hcl");
const MAJOR: &str = include_str!("../../plans/orthid-3.0.hcl");

macro_rules! recorded {
    ($version:literal) => {
        recording::read(include_bytes!(concat!(
            "../../tests/fixtures/facts/orthid-",
            $version,
            ".json"
        )))
        .unwrap()
    };
}

fn config(hcl: &str) -> lang::Config {
    let source = Source::new("upgrade.hcl", hcl.to_owned());
    lang::load(&[source], &Inputs::none()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn planned(hcl: &str, facts: &Facts) -> Plan {
    plan(&config(hcl), facts).unwrap_or_else(|error| panic!("{error}"))
}

const PLAIN: Style = Style { color: false, width: 100 };

#[test]
fn a_minor_upgrade_as_text() {
    insta::assert_snapshot!(text(&planned(MINOR, &recorded!("2.6.0")), PLAIN));
}

#[test]
fn a_patch_as_text() {
    insta::assert_snapshot!(text(&planned(PATCH, &recorded!("2.7.0")), PLAIN));
}

#[test]
fn two_hops_as_text() {
    insta::assert_snapshot!(text(&planned(TWO_HOPS, &recorded!("2.5.0")), PLAIN));
}

#[test]
fn a_major_as_text() {
    insta::assert_snapshot!(text(&planned(MAJOR, &recorded!("2.8.0")), PLAIN));
}
