//! Versions on offer.

use serde_json::Value;

use super::table;
use crate::model::Hop;
use crate::plan::{Offer, Reach, Versions};
use crate::text::safe::masked;

/// The table of versions. Width in columns.
pub fn text(found: &Versions, width: usize) -> String {
    let mut table = table::bare(["version", "", "way"], width);
    for offer in &found.offered {
        let mark = if offer.version == found.target { "the plan's target" } else { "" };
        table.add_row([offer.version.to_string(), mark.to_owned(), way(offer)]);
    }
    let lines = table.to_string();
    masked(&lines.lines().map(|line| format!("{}\n", line.trim())).collect::<String>())
}

/// The document that `--json` prints.
pub fn json(found: &Versions) -> Value {
    let mut document = serde_json::json!({"format_version": 1});
    let found = serde_json::to_value(found).expect("versions are plain data");
    document.as_object_mut().into_iter().for_each(|all| {
        all.extend(found.as_object().cloned().unwrap_or_default());
    });
    document
}

fn way(offer: &Offer) -> String {
    match &offer.reach {
        Reach::Installed => "installed".to_owned(),
        Reach::Older => "older than what is installed".to_owned(),
        Reach::OutOfReach { reason } => reason.clone(),
        Reach::ByHops { hops } => {
            let hop = |hop: &Hop| format!("{} ({})", hop.to, hop.kind.as_str());
            hops.iter().map(hop).collect::<Vec<_>>().join(" → ")
        }
    }
}
