//! Changes of objects as people want to read them: what every object of a chart changes at every
//! release is said once.

use crate::plan::{Change, ChangeAction, HopDiff, ObjectChange};

/// Labels and annotations that charts derive from their own version, and that change with every
/// release.
const ROUTINE: [&str; 4] =
    ["helm.sh/chart", "app.kubernetes.io/version", "chart", "app.kubernetes.io/managed-by"];

/// One object with what is worth showing of it.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub object: &'a ObjectChange,
    pub changes: Vec<&'a Change>,
}

/// Objects to show, and how many more change in nothing but their version labels.
#[derive(Debug)]
pub(super) struct Grouped<'a> {
    pub shown: Vec<Shown<'a>>,
    pub labels_only: usize,
}

pub(super) fn grouped(diff: &HopDiff) -> Grouped<'_> {
    let mut grouped = Grouped { shown: Vec::new(), labels_only: 0 };
    for object in &diff.objects {
        let changes: Vec<&Change> =
            object.changes.iter().filter(|change| !is_routine(change)).collect();
        if object.action == ChangeAction::Update && changes.is_empty() {
            grouped.labels_only += 1;
        } else {
            grouped.shown.push(Shown { object, changes });
        }
    }
    grouped
}

fn is_routine(change: &Change) -> bool {
    change.action == ChangeAction::Update
        && ROUTINE.iter().any(|label| {
            let quoted = format!("labels[\"{label}\"]");
            change.path.ends_with(&quoted) || change.path.ends_with(&format!("labels.{label}"))
        })
}
