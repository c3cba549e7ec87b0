//! Rehearsing: the real executor against a simulated world, in virtual time, killed and made to fail on demand.
//!
//! The same engine serves `orthid rehearse` and orthid's own tests. Reading order: [`Stage`] (one plan, one world, many
//! processes), [`wrongs`] (what must hold afterwards).

mod mortal;
mod play;
mod stage;
mod table;
mod verdict;

pub use mortal::{MortalStore, Trouble, Troubles};
pub use play::End;
pub use stage::{Disguise, Ended, Interrupt, Stage};
pub use table::{Kills, Rehearsal, Row, rehearse};
pub use verdict::wrongs;
