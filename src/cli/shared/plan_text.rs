//! A plan as commands work on it: its files, the values of its variables, and what the language
//! makes of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::files::PlanFiles;
use crate::cli::shared::source_args::SourceArgs;
use crate::lang::{
    Config, Diagnostics, Inputs, Inspection, RawValue, Source, VariableInput, VariableOrigin,
};
use crate::world::files::{MAX_FILE_BYTES, read_confined, read_regular};
use crate::{graph, lang};

/// Prefix of environment variables that hold values of the plan's variables.
const ENVIRONMENT_PREFIX: &str = "ORTHID_VAR_";

/// A plan's text with everything that decides what it means.
#[derive(Debug)]
pub struct PlanText {
    /// The plan's folder; relative paths of the plan start here.
    pub base: PathBuf,
    sources: Vec<Source>,
    variables: BTreeMap<String, VariableInput>,
}

impl PlanText {
    /// Reads the files that the arguments name. Of two values for a variable, `-var` wins over
    /// `-var-file` and that over the environment.
    pub fn read(args: &SourceArgs) -> Result<PlanText, CommandError> {
        let PlanFiles { base, name: _, files } = PlanFiles::read(&args.file)?;
        let mut sources = Vec::with_capacity(files.len());
        for (path, bytes) in files {
            sources.push(Source::from_bytes(path, bytes)?);
        }
        let mut variables = from_environment();
        for path in &args.var_file {
            variables.extend(from_file(path)?);
        }
        variables.extend(from_flags(&args.var)?);
        Ok(PlanText { base, sources, variables })
    }

    /// As much of the plan as can be understood, with everything that is wrong with it.
    pub fn inspect(&self, require_variables: bool) -> Inspection {
        let files = |path: &str| read_confined(&self.base, path);
        let variables = self.variables.clone();
        lang::inspect(&self.sources, &Inputs { variables, files: &files, require_variables })
    }

    /// The plan, understood. Warnings go to stderr.
    pub fn load(&self, cx: &Context) -> Result<Config, CommandError> {
        let inspection = self.inspect(true);
        if inspection.diagnostics.has_errors() {
            return match graph::build_for_validation(inspection) {
                Ok((_, found)) | Err(found) => Err(found.into()),
            };
        }
        warn(&inspection.diagnostics, cx);
        Ok(inspection.config)
    }
}

/// Shows what is no reason to stop.
pub fn warn(found: &Diagnostics, cx: &Context) {
    if !found.is_empty() {
        terminal::note(&found.render(cx.terminal.width, cx.terminal.stderr_color));
    }
}

fn from_environment() -> BTreeMap<String, VariableInput> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            let name = name.to_str()?.strip_prefix(ENVIRONMENT_PREFIX)?.to_owned();
            let value = RawValue::Text(value.into_string().ok()?);
            Some((name, VariableInput { value, from: VariableOrigin::Environment }))
        })
        .collect()
}

fn from_flags(flags: &[String]) -> Result<BTreeMap<String, VariableInput>, CommandError> {
    let mut variables = BTreeMap::new();
    for flag in flags {
        // The value is not repeated: it may be one that nobody should see.
        let Some((name, value)) = flag.split_once('=') else {
            return Err(CommandError::with_help(
                "a value of a variable is given without `=`",
                "write it as -var NAME=VALUE",
            ));
        };
        let value = RawValue::Text(value.to_owned());
        let input = VariableInput { value, from: VariableOrigin::Flag };
        variables.insert(name.trim().to_owned(), input);
    }
    Ok(variables)
}

fn from_file(path: &Path) -> Result<BTreeMap<String, VariableInput>, CommandError> {
    let bytes = read_regular(path, MAX_FILE_BYTES)
        .map_err(|error| CommandError::io("read the variables in", path, &error))?;
    let shown = path.display().to_string();
    if path.extension().is_some_and(|extension| extension == "json") {
        return from_json(path, &bytes);
    }
    Ok(lang::variable_file(Source::from_bytes(shown, bytes)?)?)
}

fn from_json(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, VariableInput>, CommandError> {
    let values: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(bytes).map_err(|error| {
            CommandError::with_help(
                format!("cannot read the variables in {}: {error}", path.display()),
                "a JSON file of variables is one object: { \"NAME\": VALUE }",
            )
        })?;
    let origin = || VariableOrigin::File(path.display().to_string());
    let inputs = values.into_iter().map(|(name, value)| {
        (name, VariableInput { value: RawValue::Json(value), from: origin() })
    });
    Ok(inputs.collect())
}
