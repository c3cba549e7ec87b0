//! A report as one self-contained page. The template escapes every text.

use askama::Template;

use super::{details, head};
use crate::run::{Report, StepOutcome, StepReport};
use crate::text::duration;
use crate::text::safe::masked;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
}

/// The page.
pub fn html(report: &Report) -> String {
    let page = Page { report }.render();
    masked(&page.expect("the template writes to a String, which does not fail"))
}

/// The style class of a step's outcome on the page.
fn class(step: &StepReport) -> &'static str {
    match step.outcome {
        StepOutcome::Succeeded | StepOutcome::Adopted | StepOutcome::Undone => "succeeded",
        StepOutcome::Failed | StepOutcome::UndoFailed => "failed",
        StepOutcome::NotStarted
        | StepOutcome::Started
        | StepOutcome::Skipped(_)
        | StepOutcome::Undoing => "",
    }
}
