//! Who holds a lease, and whether that process still runs.
//!
//! Linux: the machine's name, the user and running processes are read from `/proc`.

use std::path::Path;

use crate::cli::shared::error::CommandError;
use crate::cli::shared::refusals::store_error;
use crate::cli::shared::state::State;
use crate::store::Holder;
use crate::world::Environment;

/// `user@machine`, as far as it can be told.
pub fn holder(environment: &Environment) -> Holder {
    let named = environment.var("USER").or(environment.var("LOGNAME")).map(str::to_owned);
    // Services and jobs often have no name in their environment.
    let user = named.unwrap_or_else(|| format!("uid {}", nix::unistd::geteuid()));
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Holder { who: format!("{user}@{}", machine.trim()), pid: std::process::id() }
}

/// A lease whose holder was a process of this machine that is gone protects nobody: there is no
/// need to wait for its end.
pub async fn end_dead_lease(
    state: &State,
    subject: &str,
    environment: &Environment,
) -> Result<(), CommandError> {
    let Some(lease) = state.store.lease(subject).await.map_err(store_error)? else {
        return Ok(());
    };
    let here = holder(environment).who == lease.holder.who;
    if here && !Path::new(&format!("/proc/{}", lease.holder.pid)).exists() {
        state.store.break_lease(&lease.id).await.map_err(store_error)?;
    }
    Ok(())
}
