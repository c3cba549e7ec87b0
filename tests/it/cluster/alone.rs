//! Kills of what every test needs: PostgreSQL and the API server. None of them runs beside another test.

use super::kills::{begun, once, survived, upgraded};
use super::running::wait_until;
use super::{HELM_3, installed};

#[test]
fn postgresql_killed_while_it_migrates() {
    let place = installed!(alone: "orthid-kill-postgres", HELM_3, "2.6.0");
    let run = begun(&place, "migrate.schema");
    place.tool("examples/cluster/cluster", &["postgres", "restart", "--kill"]);
    survived(&place, run);
    once(&place);
}

#[test]
fn postgresql_restarted_while_it_dumps() {
    let place = installed!(alone: "orthid-restart-postgres", HELM_3, "2.6.0");
    let held = place.hold("users");
    let run = begun(&place, "backup.before");
    place.tool("examples/cluster/cluster", &["postgres", "restart", "--kill"]);
    drop(held);
    survived(&place, run);
    once(&place);
}

#[test]
fn the_api_server_killed_while_it_rolls() {
    let place = installed!(alone: "orthid-kill-apiserver", HELM_3, "2.6.0");
    let run = begun(&place, "roll.app");
    wait_until("revision 2", || place.revisions().len() == 2);
    place.tool("examples/cluster/cluster", &["restart-apiserver"]);
    survived(&place, run);
    upgraded(&place);
    assert_eq!(place.events("step_started", "migrate.schema"), 1);
}
