//! What is looked at before anything is done. One file a family; each check has a code that never
//! changes and a page in the book.
//!
//! Must not: change the plan. A check reads the situation and says what it found.

mod access;
mod api;
mod backup;
mod changelog;
mod chart;
mod check;
mod helm_range;
mod release;
mod report;
mod values;
mod workload;

#[cfg(test)]
mod tests;

pub use check::Check;
pub use report::{Report, Subject};

/// Makes every check that applies.
pub fn run(subject: &Subject<'_>, report: &mut Report) {
    backup::check(subject, report);
    if subject.situation.release().is_none() {
        return;
    }
    release::check(subject, report);
    access::check(subject, report);
    if subject.situation.hops.is_empty() {
        return;
    }
    changelog::check(subject, report);
    chart::check(subject, report);
    values::check(subject, report);
    api::check(subject, report);
    workload::check(subject, report);
}
