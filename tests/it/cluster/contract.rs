//! The real cluster keeps the contract that the simulated world keeps.

use std::sync::Arc;

use super::{HELM_3, HELM_4, installed};
use crate::world_contract::{real, upgrade_contract};

fn kept(namespace: &str, helm: &str) {
    let place = installed!(namespace, helm, "2.6.0");
    place.plan("orthid-2.7.hcl", &[]);
    let mut outside = real(Arc::new(place.planned()), place.vars().clone());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(upgrade_contract(&mut outside));
}

#[test]
fn the_real_world_with_helm_3() {
    kept("orthid-contract-helm3", HELM_3);
}

#[test]
fn the_real_world_with_helm_4() {
    kept("orthid-contract-helm4", HELM_4);
}
