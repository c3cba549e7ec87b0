//! The cluster itself: version, APIs, and what these credentials may do.

use std::collections::BTreeSet;

use futures::StreamExt;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;
use serde_json::Value;

use super::{PARALLEL, live, refused};
use crate::facts::{ClusterFacts, Permission};
use crate::model::rights::{self, On};
use crate::world::WorldError;
use crate::world::kubernetes::Cluster;

pub async fn cluster_facts(
    cluster: &Cluster,
    uid: String,
    namespace: &str,
    manifest: &[Value],
) -> Result<ClusterFacts, WorldError> {
    let client = &cluster.client;
    let what = "show its version";
    let version =
        cluster.read(what, || client.apiserver_version()).await.map_err(|e| refused(what, e))?;
    let what = "list its APIs";
    let core = cluster
        .read(what, || client.list_core_api_versions())
        .await
        .map_err(|e| refused(what, e))?;
    let groups =
        cluster.read(what, || client.list_api_groups()).await.map_err(|e| refused(what, e))?;
    let mut api_versions: BTreeSet<String> = core.versions.into_iter().collect();
    for group in groups.groups {
        api_versions.extend(group.versions.into_iter().map(|v| v.group_version));
    }
    Ok(ClusterFacts {
        uid,
        server_version: version.git_version,
        context: cluster.context.clone(),
        api_versions: api_versions.into_iter().collect(),
        permissions: permissions(cluster, namespace, manifest).await?,
    })
}

async fn permissions(
    cluster: &Cluster,
    namespace: &str,
    manifest: &[Value],
) -> Result<Vec<Permission>, WorldError> {
    let mut asked: BTreeSet<(String, String, String, &str)> = BTreeSet::new();
    let manifest = live::resources(cluster, manifest).await;
    for right in rights::every() {
        let resources = match right.on {
            On::Resource(name) => vec![parts(name)],
            On::Manifest => manifest
                .iter()
                .map(|(group, resource)| (group.clone(), resource.clone(), String::new()))
                .collect(),
        };
        for (group, resource, sub) in resources {
            for verb in right.verbs {
                asked.insert((group.clone(), resource.clone(), sub.clone(), verb));
            }
        }
    }
    let questions = asked.into_iter().map(|question| ask(cluster, namespace, question));
    futures::stream::iter(questions)
        .buffered(PARALLEL)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

/// `jobs.batch` → batch, jobs; `pods/log` → pods, log.
fn parts(resource: &str) -> (String, String, String) {
    let (name, group) = resource.split_once('.').unwrap_or((resource, ""));
    let (name, sub) = name.split_once('/').unwrap_or((name, ""));
    (group.to_owned(), name.to_owned(), sub.to_owned())
}

async fn ask(
    cluster: &Cluster,
    namespace: &str,
    (group, resource, sub, verb): (String, String, String, &str),
) -> Result<Permission, WorldError> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                verb: Some(verb.to_owned()),
                group: Some(group.clone()),
                resource: Some(resource.clone()),
                subresource: Some(sub.clone()).filter(|s| !s.is_empty()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let what = "review its permissions";
    // A review is a question that is asked with POST; repeating it changes nothing.
    let params = PostParams::default();
    let answer = cluster
        .read(what, || reviews.create(&params, &review))
        .await
        .map_err(|e| refused(what, e))?;
    let mut name = resource;
    if !sub.is_empty() {
        name = format!("{name}/{sub}");
    }
    if !group.is_empty() {
        name = format!("{name}.{group}");
    }
    Ok(Permission {
        verb: verb.to_owned(),
        resource: name,
        namespace: namespace.to_owned(),
        allowed: answer.status.is_some_and(|s| s.allowed),
    })
}
