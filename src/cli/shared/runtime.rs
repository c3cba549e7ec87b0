//! The runtime of commands that wait for the outside.

use crate::cli::shared::error::CommandError;

/// Runs a command that waits for the outside.
pub fn wait<T>(command: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    // One of two may wait for the disk: the embedded store writes on the thread that asks.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(command);
    // A task that is stuck in a system call does not keep the program.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}
