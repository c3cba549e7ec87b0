//! From start to end: listening, becoming ready, draining.
//!
//! - **Start.** The process listens at once and says that it is alive; it is ready when the schema is one it
//!   runs on, there is a signing key and the demo user is there. It waits for that as long as it takes.
//! - **Ready** is asked of the database each time: a schema that moves out of range makes the pod not ready.
//! - **End.** On SIGTERM it says that it is not ready but goes on serving for a while, so that whoever
//!   routes requests notices; then it takes no more connections and finishes the requests it has.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time;

use crate::api::{self, App};
use crate::config::Config;
use crate::faults::ServeFaults;
use crate::releases::Release;
use crate::store::Store;
use crate::tokens::SigningKey;
use crate::{log, passwords, tokens};

/// Between two tries to become ready.
const PREPARE_PAUSE: Duration = Duration::from_millis(500);

/// Between two sweeps of expired rows.
const SWEEP_PAUSE: Duration = Duration::from_secs(3600);

/// The longest that requests in flight are waited for. Longer than any request may take.
const FINISH_LIMIT: Duration = Duration::from_secs(15);

/// Where the process is in its life.
#[derive(Debug, Default)]
pub struct Lifecycle {
    prepared: AtomicBool,
    draining: AtomicBool,
    ready_once: AtomicBool,
}

impl Lifecycle {
    /// Whether it was told to end.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The schema's number where requests can be served.
    ///
    /// # Errors
    ///
    /// The reason why not, for people.
    pub async fn readiness(&self, app: &App) -> Result<usize, String> {
        if self.is_draining() {
            return Err("draining".to_owned());
        }
        if app.config.faults.never_ready {
            return Err("fault: never ready".to_owned());
        }
        let schema = app.store.schema().await.map_err(|error| {
            log::error("the schema can't be read", &[("error", &error)]);
            "the database does not answer".to_owned()
        })?;
        app.release.judge(schema).map_err(|mismatch| mismatch.to_string())?;
        if !self.prepared.load(Ordering::Relaxed) {
            return Err("starting".to_owned());
        }
        Ok(schema)
    }

    /// Notes that a probe was answered with ready. The fault `crash_after_ready` counts from the first.
    pub fn was_ready(&self, faults: ServeFaults) {
        let first = !self.ready_once.swap(true, Ordering::Relaxed);
        if first && faults.crash_after_ready > 0 {
            tokio::spawn(async move {
                time::sleep(Duration::from_secs(faults.crash_after_ready)).await;
                log::error("fault: crash after ready", &[]);
                exit(1);
            });
        }
    }
}

/// Serves until told to end.
///
/// # Errors
///
/// A sentence, where it can't listen.
pub async fn serve(release: &'static Release, config: Config, store: Store) -> Result<(), String> {
    if config.faults.slow_start > 0 {
        log::info("fault: slow start", &[("seconds", &config.faults.slow_start)]);
        time::sleep(Duration::from_secs(config.faults.slow_start)).await;
    }
    let app = Arc::new(App { release, config, store, lifecycle: Lifecycle::default() });
    let listener = TcpListener::bind(app.config.listen)
        .await
        .map_err(|error| format!("can't listen on {}: {error}", app.config.listen))?;
    log::info("listening", &[("address", &app.config.listen), ("version", &release.version)]);

    tokio::spawn(prepare(Arc::clone(&app)));
    let ending = Arc::clone(&app);
    let serving = axum::serve(listener, api::router(Arc::clone(&app)))
        .with_graceful_shutdown(async move { drain(&ending).await });
    let overdue = Arc::clone(&app);
    tokio::select! {
        result = serving => result.map_err(|error| format!("serving failed: {error}"))?,
        () = finish_limit(&overdue) => log::error("requests in flight were cut off", &[]),
    }
    log::info("ended", &[]);
    Ok(())
}

/// Makes the database fit to serve from, once its schema is.
async fn prepare(app: Arc<App>) {
    let mut told = None;
    loop {
        let reason = match try_prepare(&app).await {
            Ok(()) => break,
            Err(reason) => reason,
        };
        if told.as_ref() != Some(&reason) {
            log::info("waiting to become ready", &[("reason", &reason)]);
            told = Some(reason);
        }
        time::sleep(PREPARE_PAUSE).await;
    }
    app.lifecycle.prepared.store(true, Ordering::Relaxed);
    log::info("prepared", &[]);
    loop {
        if let Err(error) = app.store.sweep(app.config.sign_in_log_retention_days).await {
            log::error("the sweep failed", &[("error", &error)]);
        }
        time::sleep(SWEEP_PAUSE).await;
    }
}

async fn try_prepare(app: &App) -> Result<(), String> {
    let unavailable = |error: sqlx::Error| error.to_string();
    let schema = app.store.schema().await.map_err(unavailable)?;
    app.release.judge(schema).map_err(|mismatch| mismatch.to_string())?;

    let key = SigningKey::generate();
    if app.config.faults.forget_keys {
        app.store.replace_keys(&key).await.map_err(unavailable)?;
        log::info("fault: a new key replaced those before it", &[("kid", &key.kid)]);
    } else if app.store.ensure_key(&key).await.map_err(unavailable)? {
        log::info("made the first signing key", &[("kid", &key.kid)]);
    }

    if let Some(user) = &app.config.demo_user
        && app.store.user_by_login(&user.email).await.map_err(unavailable)?.is_none()
    {
        let hash = passwords::hash(user.password.clone()).await;
        let id = tokens::id("usr");
        if app.store.add_user(&id, &user.email, &hash).await.map_err(unavailable)? {
            log::info("added the demo user", &[("id", &id)]);
        }
    }
    Ok(())
}

/// Ends when no more connections are to be taken.
async fn drain(app: &App) {
    terminated().await;
    if app.config.faults.drop_on_sigterm {
        log::error("fault: dropped on SIGTERM", &[]);
        exit(0);
    }
    app.lifecycle.draining.store(true, Ordering::Relaxed);
    log::info("draining", &[("seconds", &app.config.drain.as_secs())]);
    time::sleep(app.config.drain).await;
}

async fn finish_limit(app: &App) {
    terminated().await;
    time::sleep(app.config.drain + FINISH_LIMIT).await;
}

/// Ends when the process is told to: SIGTERM from Kubernetes, SIGINT from a terminal.
pub async fn terminated() {
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be handled");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "a fault that ends the process where it stands")]
fn exit(status: i32) -> ! {
    process::exit(status)
}
