//! `orthid unlock`: ends a lease whose holder is gone.

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::refusals::store_error;
use crate::cli::shared::state::StateArgs;

/// Release the lease of a process that no longer exists
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  orthid unlock                    # lists the leases: who holds them, where, since when
  orthid unlock 0198c2f4-1c3e-7d4a-9a53-0c5c7a1f6a10

Whatever a holder that comes back still tries to write is refused: every write carries the lease's epoch.")]
pub struct Args {
    /// The lease to end, as the error or the listing named it
    lease_id: Option<String>,

    #[command(flatten)]
    state: StateArgs,
}

pub async fn run(args: &Args, _cx: &Context) -> Result<Exit, CommandError> {
    let state = args.state.open_existing().await?;
    let Some(lease_id) = &args.lease_id else {
        let leases = state.store.leases().await.map_err(store_error)?;
        if leases.is_empty() {
            terminal::note("no lease is held");
        }
        for lease in leases {
            terminal::result(&format!("{}  {}\n", lease.id, described(&lease)))?;
        }
        return Ok(Exit::Done);
    };
    let lease = state.store.break_lease(lease_id).await.map_err(store_error)?;
    terminal::note(&format!("ended the lease {}", described(&lease)));
    terminal::note("`orthid resume` goes on with its run");
    Ok(Exit::Done)
}

fn described(lease: &crate::store::Lease) -> String {
    format!(
        "on {}: held by {} (pid {}) since {}, until {}, epoch {}",
        lease.subject,
        lease.holder.who,
        lease.holder.pid,
        lease.acquired_at,
        lease.expires_at,
        lease.epoch
    )
}
