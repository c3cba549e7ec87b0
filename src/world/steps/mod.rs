//! What each step kind does outside: one file a kind.

pub(super) mod backup;
pub(super) mod migrate;
pub(super) mod probe;
pub(super) mod restore;
pub(super) mod roll;
pub(super) mod run;
pub(super) mod smoke;
pub(super) mod verify;
