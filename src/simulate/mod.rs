//! The simulated outside and the rehearsal: the real executor against a world of its own, in virtual time, killed and made
//! to fail on demand.
//!
//! The same engine serves `orthid rehearse` and orthid's own tests. Reading order: [`SimulatedWorld`] (the outside),
//! [`Stage`] (one plan, one world, many processes), [`wrongs`] (what must hold afterwards), [`rehearse`] (the table).

mod clock;
mod fault;
mod judge;
mod life;
mod matrix;
mod model;
mod mortal;
mod play;
mod session;
mod steps;
mod world;

pub use clock::{Held, VirtualClock};
pub use fault::{Fault, Faults, Moment, Phase};
pub use judge::wrongs;
pub use life::Life;
pub use matrix::{Kills, Rehearsal, Row, rehearse};
pub use model::Model;
pub use mortal::{Mortal, MortalStore, Trouble, Troubles};
pub use play::End;
pub use session::{Disguise, Ended, Interrupt, Stage};
pub use world::{Ledger, SimulatedWorld, Site};
