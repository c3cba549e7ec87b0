//! Writing runs and records to the shared store, under a lease.
//!
//! Must not: begin or end a transaction; its caller does both.

use sqlx::postgres::PgConnection;

use crate::journal::RunId;

use super::super::rows::{Batch, FoundColumns, RecordRow, fenced, stored};
use super::super::{Lease, NewRun, StoreError};
use super::connect::{Failure, query, query_as, query_scalar};

/// Waits for a takeover that is under way, and keeps later ones waiting until this transaction is over.
async fn lease_in_force(connection: &mut PgConnection, lease: &Lease) -> Result<bool, sqlx::Error> {
    let found: Option<i32> = query_scalar(
        "SELECT 1 FROM orthid_state.leases
         WHERE subject = $1 AND epoch = $2 AND id = $3 AND held FOR SHARE",
    )
    .bind(&lease.subject)
    .bind(stored(lease.epoch))
    .bind(&lease.id)
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}

/// Inserts the batch if the lease is in force and the journal ends where the batch begins, and otherwise nothing of
/// it; tells whether it did. Two that insert at the same moment collide on the key, and the later one tries again.
pub(super) async fn insert(
    connection: &mut PgConnection,
    lease: &Lease,
    batch: &Batch,
) -> Result<bool, sqlx::Error> {
    let column =
        |pick: fn(&RecordRow) -> i64| -> Vec<i64> { batch.rows.iter().map(pick).collect() };
    let inserted = query(
        "WITH lease AS MATERIALIZED (
            SELECT subject FROM orthid_state.leases
            WHERE subject = $1 AND epoch = $2 AND id = $3 AND held FOR SHARE)
         INSERT INTO orthid_state.records (run, seq, epoch, hash, body)
         SELECT r.key, j.seq, j.epoch, j.hash, j.body
         FROM lease
         JOIN orthid_state.runs r ON r.subject = lease.subject AND r.id = $4
         CROSS JOIN unnest($5::bigint[], $6::bigint[], $7::text[], $8::text[]) AS j (seq, epoch, hash, body)
         WHERE ($9 = 1 OR EXISTS (
                SELECT 1 FROM orthid_state.records p
                WHERE p.run = r.key AND p.seq = $9 - 1 AND p.hash = $10))
           AND NOT EXISTS (
                SELECT 1 FROM orthid_state.records p WHERE p.run = r.key AND p.seq >= $9)",
    )
    .bind(&lease.subject)
    .bind(stored(lease.epoch))
    .bind(&lease.id)
    .bind(&batch.run.0)
    .bind(column(|row| row.seq))
    .bind(column(|row| row.epoch))
    .bind(batch.rows.iter().map(|row| row.hash.as_str()).collect::<Vec<_>>())
    .bind(batch.rows.iter().map(|row| row.body.as_str()).collect::<Vec<_>>())
    .bind(batch.first_seq())
    .bind(&batch.previous)
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == batch.rows.len() as u64)
}

/// Why a batch was not inserted.
pub(super) async fn refusal(
    connection: &mut PgConnection,
    lease: &Lease,
    batch: &Batch,
) -> Result<(), Failure> {
    if !lease_in_force(connection, lease).await? {
        return Err(fenced(lease).into());
    }
    let run: Option<(i64, String)> =
        query_as("SELECT key, subject FROM orthid_state.runs WHERE id = $1")
            .bind(&batch.run.0)
            .fetch_optional(&mut *connection)
            .await?;
    let (key, subject) = run.ok_or_else(|| StoreError::NoSuchRun(batch.run.clone()))?;
    if subject != lease.subject {
        return Err(fenced(lease).into());
    }
    let found: Vec<FoundColumns> = query_as(
        "SELECT seq, epoch, hash FROM orthid_state.records
         WHERE run = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq",
    )
    .bind(key)
    .bind(batch.first_seq() - 1)
    .bind(batch.last_seq())
    .fetch_all(&mut *connection)
    .await?;
    Ok(batch.explain(&found)?)
}

pub(super) async fn create(
    connection: &mut PgConnection,
    lease: &Lease,
    run: &NewRun,
    batch: &Batch,
) -> Result<(), Failure> {
    if !lease_in_force(connection, lease).await? {
        return Err(fenced(lease).into());
    }
    let key: Option<i64> = query_scalar(
        "INSERT INTO orthid_state.runs (id, subject, plan_digest, created_at)
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING key",
    )
    .bind(&run.id.0)
    .bind(&run.subject)
    .bind(&run.plan_digest)
    .bind(&run.created_at)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(key) = key else {
        let there: String =
            query_scalar("SELECT id FROM orthid_state.runs WHERE plan_digest = $1 OR id = $2")
                .bind(&run.plan_digest)
                .bind(&run.id.0)
                .fetch_one(&mut *connection)
                .await?;
        if there == run.id.0 {
            return refusal(connection, lease, batch).await;
        }
        let digest = run.plan_digest.clone();
        return Err(StoreError::PlanConsumed { digest, run: RunId(there) }.into());
    };
    query("INSERT INTO orthid_state.plans (run, bytes) VALUES ($1, $2)")
        .bind(key)
        .bind(&run.plan)
        .execute(&mut *connection)
        .await?;
    if insert(connection, lease, batch).await? {
        Ok(())
    } else {
        refusal(connection, lease, batch).await
    }
}
