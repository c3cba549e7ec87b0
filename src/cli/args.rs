//! Arguments as they were typed. Commands resolve them into their own types before acting.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use super::commands::Command;

const ABOUT: &str =
    "Upgrade a Helm release with a migrating database, by a plan that was reviewed first";

const AFTER_HELP: &str = "\
Options are written --option or, as Terraform does, -option.

Exit codes:
  0    done, or nothing to change
  1    error
  2    changes are present (plan --detailed-exitcode)
  3    stale or tampered plan, journal or approval; files to format (fmt --check)
  4    blocked by a finding
  5    waiting for an approval
  6    failed and rolled back
  7    stuck
  8    another run holds the lease
  9    failed, not rolled back
  130  interrupted, resumable";

#[derive(Debug, Parser)]
#[command(name = "orthid", version, about = ABOUT, after_help = AFTER_HELP, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// Print without colour (NO_COLOR in the environment does the same)
    #[arg(long, global = true)]
    pub no_color: bool,

    /// Enter this folder before doing anything else
    #[arg(long, global = true, value_name = "DIR")]
    pub chdir: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

/// The whole command line, for what is made from its definition.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Parses a command line, `argv[0]` included.
pub fn parse(argv: Vec<OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(with_long_options(argv))
}

/// Rewrites `-option` and `-option=value` to `--option…` where some command has an option of that
/// name. Short options (`-h`), values and everything after `--` stay as they are.
fn with_long_options(argv: Vec<OsString>) -> Vec<OsString> {
    let names = long_names(&Cli::command());
    let mut literal = false;
    argv.into_iter()
        .map(|arg| {
            literal |= arg == "--";
            match arg.to_str() {
                Some(text) if !literal && is_terraform_style(text, &names) => {
                    OsString::from(format!("-{text}"))
                }
                Some(_) | None => arg,
            }
        })
        .collect()
}

fn is_terraform_style(text: &str, names: &[String]) -> bool {
    let Some(option) = text.strip_prefix('-') else { return false };
    let name = option.split_once('=').map_or(option, |(name, _)| name);
    name.len() > 1 && names.iter().any(|known| known == name)
}

fn long_names(command: &clap::Command) -> Vec<String> {
    let mut names: Vec<String> = vec!["help".into(), "version".into()];
    let mut pending = vec![command];
    while let Some(command) = pending.pop() {
        names.extend(command.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_owned));
        pending.extend(command.get_subcommands());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(argv: &[&str]) -> Vec<String> {
        with_long_options(argv.iter().map(OsString::from).collect())
            .into_iter()
            .map(|arg| arg.into_string().unwrap())
            .collect()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn single_dashes_are_accepted_where_an_option_has_that_name() {
        assert_eq!(
            rewritten(&["orthid", "-chdir=x", "-no-color"]),
            ["orthid", "--chdir=x", "--no-color"]
        );
        assert_eq!(rewritten(&["orthid", "-h", "-nonsense"]), ["orthid", "-h", "-nonsense"]);
        assert_eq!(rewritten(&["orthid", "--", "-no-color"]), ["orthid", "--", "-no-color"]);
        assert_eq!(rewritten(&["orthid", "-", "-no-colour"]), ["orthid", "-", "-no-colour"]);
    }

    #[test]
    fn a_timeout_is_written_as_in_a_plan() {
        let parsed = |timeout: &str| {
            parse(["orthid", "resume", "-timeout", timeout].map(OsString::from).to_vec()).is_ok()
        };
        for timeout in ["1d", "1h30m", "10m", "500ms"] {
            assert!(parsed(timeout), "{timeout} is refused");
        }
        for timeout in ["10", "1x", "-5m", "1 day"] {
            assert!(!parsed(timeout), "{timeout} is taken");
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = command.get_name();
            assert!(help.contains(&format!("orthid {name}")), "{name} has no example in its help");
            assert!(command.get_about().is_some(), "{name} does not say what it does");
        }
    }
}
