//! `orthid approve`: signs a plan's approval, with nothing but the plan and a key.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::holder::holder;
use crate::cli::shared::keys::Signer;
use crate::cli::shared::write::{Readers, write};
use crate::cli::shared::{environment, saved};
use crate::model::{Address, PublicKey};
use crate::plan::Plan;
use crate::run::approval;
use crate::run::approval::{approve_steps, lists};

/// Sign an approval of a saved plan
#[derive(clap::Args, Debug)]
#[command(after_help = "\
An approval is for one plan, by its digest, and needs neither the cluster nor the state. The plan's `approve` step lists the
public keys that may approve it; one without keys is approved at the terminal, or with `apply -approve STEP`.

Example:
  openssl genpkey -algorithm ed25519 -out approver.pem        # once; it stays with its owner
  orthid approve -key approver.pem -public-key                # goes into the plan's `keys`
  orthid approve upgrade.plan -key approver.pem -out approval.json
  orthid approve upgrade.plan -key ~/.ssh/id_ed25519.pub -expires-in 24h -out approval.json   # the SSH agent signs
  orthid apply upgrade.plan -approval approval.json           # or: orthid resume -approval approval.json")]
pub struct Args {
    /// A file that `orthid plan -out` wrote
    #[arg(value_name = "PLAN", required_unless_present = "public_key")]
    plan: Option<PathBuf>,

    /// The approver's key: an ed25519 private key, or the public half of one that the SSH agent holds
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// Print the key's public half and do nothing else
    #[arg(long)]
    public_key: bool,

    /// Approve only this step; may be given again (default: every approve step that lists the key)
    #[arg(long, value_name = "STEP")]
    step: Vec<Address>,

    /// Who approves, as the report will show it (default: user@machine)
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    /// The approval counts no longer than this from now (24h, 30m)
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::shared::execute::duration)]
    expires_in: Option<Duration>,

    /// Write the approval to this file (default: stdout)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args, _cx: &Context) -> Result<Exit, CommandError> {
    let key = Signer::read(&args.key)?;
    let Some(path) = args.plan.as_ref().filter(|_| !args.public_key) else {
        terminal::result(&format!("{}\n", key.public()))?;
        return Ok(Exit::Done);
    };
    let (saved, _) = saved::read(path)?;
    let steps = steps(&saved.plan, &args.step, key.public())?;
    let names: Vec<String> = steps.iter().map(ToString::to_string).collect();
    let by = args.by.clone().unwrap_or_else(|| holder(&environment::read()).who);
    let now = environment::now();
    let expires_at = args.expires_in.map(|after| now.saturating_add(after)).transpose();
    let expires_at = expires_at.map_err(|error| CommandError::from(miette::miette!("{error}")))?;
    let at = now.to_string();
    let mut envelope = approval::statement(&saved.digest, steps, &by, &at, expires_at);
    key.add_to(&mut envelope)?;
    let text = format!("{}\n", serde_json::to_string_pretty(&envelope).expect("plain data"));
    match &args.out {
        None => terminal::result(&text)?,
        Some(out) => {
            write(out, text.as_bytes(), Readers::Everyone)?;
            let file = out.display();
            terminal::note(&format!(
                "{by} approves {} of the plan {}; hand it over with `-approval {file}`",
                names.join(", "),
                saved.digest.get(..16).unwrap_or(&saved.digest)
            ));
        }
    }
    Ok(Exit::Done)
}

/// The steps that this key may approve, or those of them that were named.
fn steps(plan: &Plan, named: &[Address], key: &PublicKey) -> Result<Vec<Address>, CommandError> {
    let gates = approve_steps(plan);
    let may: Vec<Address> = gates
        .iter()
        .filter(|(step, keys)| lists(keys, key) || (keys.is_empty() && named.contains(step)))
        .map(|(step, _)| step.clone())
        .collect();
    if let Some(other) = named.iter().find(|step| !may.contains(step)) {
        let message = match gates.contains_key(other) {
            true => format!("{other} does not list this key: {key}"),
            false => format!("the plan has no approve step `{other}`"),
        };
        return Err(CommandError::with_help(message, listing(&gates)));
    }
    let steps = if named.is_empty() { may } else { named.to_vec() };
    if steps.is_empty() {
        let message = format!("no approve step of the plan lists this key: {key}");
        return Err(CommandError::with_help(message, listing(&gates)));
    }
    Ok(steps)
}

fn listing(gates: &std::collections::BTreeMap<Address, &[String]>) -> String {
    let line = |(step, keys): (&Address, &&[String])| match keys.is_empty() {
        true => format!("{step} lists no key: `apply -approve {step}`, or yes at the terminal"),
        false => format!("{step} lists {}", keys.join(", ")),
    };
    match gates.is_empty() {
        true => "the plan has no approve step".to_owned(),
        false => gates.iter().map(line).collect::<Vec<_>>().join("; "),
    }
}
