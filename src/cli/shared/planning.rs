//! A plan made from a plan file.

use std::path::PathBuf;

use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::plan_text::PlanText;
use crate::cli::shared::source_args::SourceArgs;
use crate::cli::shared::state::StateArgs;
use crate::cli::shared::{environment, facts, history};
use crate::facts::Facts;
use crate::plan;
use crate::plan::SavedPlan;
use crate::text::secret::Redactor;
use crate::world::{Environment, WorldError};

/// A plan that was just made, and the folder its relative paths start in.
#[derive(Debug)]
pub struct Made {
    pub saved: SavedPlan,
    pub base: PathBuf,
}

/// Loads the file, observes the world where no recording was given, and plans. Earlier runs only
/// tell how long it may take.
pub async fn make(
    source: &SourceArgs,
    facts: Option<Facts>,
    state: &StateArgs,
    environment: &Environment,
    redactor: &Redactor,
    cx: &Context,
) -> Result<Made, CommandError> {
    let text = PlanText::read(source)?;
    let config = text.load(cx)?;
    let facts = match facts {
        Some(facts) => {
            // The recording was made elsewhere, where other secrets were known.
            let steps = config.validate_steps()?;
            facts::subject(&config, &text.base, &steps).make_known(environment, redactor);
            redactor.without_known(facts).map_err(secret_in_facts)?
        }
        None => facts::of_config(&config, &text.base, environment, redactor).await?,
    };
    let mut plan = plan::plan(&config, &facts)?;
    if let Some(state) = state.open_if_there().await {
        history::expect(&state, &mut plan).await;
    }
    let base = environment::shown(&text.base).display().to_string();
    let saved = SavedPlan::new(plan, &facts, &base);
    Ok(Made { saved, base: text.base })
}

fn secret_in_facts(error: serde_json::Error) -> CommandError {
    let error = WorldError::SecretInFacts { reason: error.to_string() };
    CommandError::from(miette::Report::new(error))
}
