//! Faults that a release can be told to have, because a test of safety needs releases that misbehave.
//!
//! Each is an `ORTHID_FAULT_*` variable, which the chart sets from `faults.*`; all are off by default.
//!
//! Must not: act. A fault is only described here; the place that misbehaves asks for it.

use clap::{ArgAction, Args};

/// Faults of `orthid serve`.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ServeFaults {
    /// Never report ready.
    #[arg(long, env = "ORTHID_FAULT_NEVER_READY", action = ArgAction::Set, default_value_t = false, value_name = "BOOL")]
    pub never_ready: bool,

    /// Exit with status 1 this many seconds after the first ready answer; 0 is never.
    #[arg(
        long,
        env = "ORTHID_FAULT_CRASH_AFTER_READY",
        default_value_t = 0,
        value_name = "SECONDS"
    )]
    pub crash_after_ready: u64,

    /// Wait this many seconds before listening.
    #[arg(long, env = "ORTHID_FAULT_SLOW_START", default_value_t = 0, value_name = "SECONDS")]
    pub slow_start: u64,

    /// Exit at once on SIGTERM, dropping what is in flight.
    #[arg(long, env = "ORTHID_FAULT_DROP_ON_SIGTERM", action = ArgAction::Set, default_value_t = false, value_name = "BOOL")]
    pub drop_on_sigterm: bool,

    /// At start, sign with a new key and delete those before it: tokens in circulation stop verifying.
    #[arg(long, env = "ORTHID_FAULT_FORGET_KEYS", action = ArgAction::Set, default_value_t = false, value_name = "BOOL")]
    pub forget_keys: bool,
}

/// Faults of `orthid migrate up`. Both strike in the last pending migration, inside its transaction.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct MigrateFaults {
    /// Fail after the last migration's statements ran and before it commits; those before it stay applied.
    #[arg(long, env = "ORTHID_FAULT_MIGRATE_FAIL_HALFWAY", action = ArgAction::Set, default_value_t = false, value_name = "BOOL")]
    pub fail_halfway: bool,

    /// Hang at the same place, holding the locks, until stopped.
    #[arg(long, env = "ORTHID_FAULT_MIGRATE_HANG", action = ArgAction::Set, default_value_t = false, value_name = "BOOL")]
    pub hang: bool,
}
