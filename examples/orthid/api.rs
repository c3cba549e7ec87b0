//! The HTTP API: routes, what they take and what they answer.
//!
//! | route | |
//! |---|---|
//! | `POST /v1/sign-in` | `{email, password}` → `{access_token, refresh_token, token_type, expires_in}` |
//! | `POST /v1/token/refresh` | `{refresh_token}` → the same; the old refresh token is spent |
//! | `GET /v1/me` | the user of the bearer token |
//! | `PUT /v1/me` | `{display_name}` (since 2.8.0) |
//! | `GET /v1/me/sign-ins` | the last sign-ins (since 2.7.0) |
//! | `GET /v1/userinfo` | the old name of `/v1/me` (deprecated since 2.6.0, gone in 3.0.0) |
//! | `GET /v1/version` | the release and the schema it runs on |
//! | `GET /.well-known/jwks.json` | the keys that verify tokens |
//! | `GET /healthz`, `GET /readyz` | alive; fit to be sent requests, or 503 with the reason |
//!
//! An error is `{"error": {"code", "message"}}`; what the database said is in the log, not in the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::Config;
use crate::lifecycle::Lifecycle;
use crate::releases::Release;
use crate::store::{Spent, Store, User};
use crate::tokens::{self, Claims, DEFAULT_AUDIENCE};
use crate::{clock, log, passwords};

/// A request larger than this, or slower, is refused.
const BODY_LIMIT_BYTES: usize = 16 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest display name, in characters.
const DISPLAY_NAME_CHARS: usize = 100;

/// What every handler sees.
#[derive(Debug)]
pub struct App {
    pub release: &'static Release,
    pub config: Config,
    pub store: Store,
    pub lifecycle: Lifecycle,
}

type Shared = State<Arc<App>>;

/// The routes of the release.
pub fn router(app: Arc<App>) -> Router {
    let features = app.release.features;
    let mut router = Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/readyz", get(readyz))
        .route("/v1/version", get(version))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/v1/sign-in", post(sign_in))
        .route("/v1/token/refresh", post(refresh))
        .route("/v1/me", get(me));
    if features.display_name {
        router = router.route("/v1/me", put(update_me));
    }
    if features.sign_in_log {
        router = router.route("/v1/me/sign-ins", get(sign_ins));
    }
    if features.userinfo {
        router = router.route("/v1/userinfo", get(userinfo));
    }
    router
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such endpoint"))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), bounded))
        .with_state(app)
}

/// Bounds a request's time, and asks kept-alive clients to come back elsewhere once this process is going.
async fn bounded(State(app): Shared, request: Request, next: Next) -> Response {
    let mut response = match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "the request took too long")
                .into_response()
        }
    };
    if app.lifecycle.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn readyz(State(app): Shared) -> Response {
    match app.lifecycle.readiness(&app).await {
        Ok(schema) => {
            app.lifecycle.was_ready(app.config.faults);
            Json(json!({ "status": "ready", "version": app.release.version, "schema": schema }))
                .into_response()
        }
        Err(reason) => {
            let body =
                json!({ "status": "not ready", "version": app.release.version, "reason": reason });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn version(State(app): Shared) -> Result<Json<Value>, ApiError> {
    let release = app.release;
    Ok(Json(json!({
        "version": release.version,
        "schema": {
            "applied": app.store.schema().await?,
            "min": release.schema_min,
            "max": release.schema_max,
        },
    })))
}

async fn jwks(State(app): Shared) -> Result<Json<Value>, ApiError> {
    let keys: Vec<Value> =
        app.store.public_keys().await?.iter().map(tokens::PublicKey::jwk).collect();
    Ok(Json(json!({ "keys": keys })))
}

#[derive(Deserialize)]
struct SignIn {
    #[serde(alias = "login")]
    email: String,
    password: String,
}

async fn sign_in(
    State(app): Shared,
    Json(SignIn { email, password }): Json<SignIn>,
) -> Result<Json<Value>, ApiError> {
    let user = app.store.user_by_login(&email).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let accepted = passwords::verify(password, hash).await;
    if let Some(user) = &user
        && app.release.features.sign_in_log
    {
        app.store.log_sign_in(&user.id, accepted).await?;
    }
    match user {
        Some(user) if accepted => issue(&app, &user.id, None).await,
        Some(_) | None => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "invalid_credentials",
            "the e-mail address or the password is wrong",
        )),
    }
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

async fn refresh(
    State(app): Shared,
    Json(Refresh { refresh_token }): Json<Refresh>,
) -> Result<Json<Value>, ApiError> {
    match app.store.spend_refresh_token(&tokens::digest(&refresh_token)).await? {
        Spent::Accepted { user, family } => issue(&app, &user, family.as_deref()).await,
        Spent::Rejected => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "invalid_refresh_token",
            "the refresh token is unknown, expired or spent",
        )),
    }
}

/// Issues an access token and a refresh token.
async fn issue(app: &App, user: &str, family: Option<&str>) -> Result<Json<Value>, ApiError> {
    let key = app.store.signing_key().await?.ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_signing_key", "there is no signing key")
    })?;
    let aud = if app.release.features.audience {
        Some(app.store.audience(user).await?.unwrap_or_else(|| DEFAULT_AUDIENCE.to_owned()))
    } else {
        None
    };
    let lifetime = app.config.access_ttl_seconds;
    let now = clock::now();
    let exp = now.saturating_add_unsigned(lifetime);
    let claims =
        Claims { iss: app.config.issuer.clone(), sub: user.to_owned(), iat: now, exp, aud };
    let access_token = key.sign(&claims).map_err(|error| {
        log::error("signing failed", &[("kid", &key.kid), ("error", &error)]);
        ApiError::internal()
    })?;
    let refresh_token = tokens::refresh_token();
    app.store.add_refresh_token(&tokens::digest(&refresh_token), user, family).await?;
    Ok(Json(json!({
        "access_token": access_token,
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": lifetime,
    })))
}

async fn me(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let user = bearer(&app, &headers).await?;
    profile(&app, &user).await
}

async fn userinfo(State(app): Shared, headers: HeaderMap) -> Result<Response, ApiError> {
    let user = bearer(&app, &headers).await?;
    let mut response = profile(&app, &user).await?.into_response();
    // RFC 9745: says so to clients that look.
    response.headers_mut().insert("deprecation", HeaderValue::from_static("@1770595200"));
    Ok(response)
}

async fn profile(app: &App, user: &User) -> Result<Json<Value>, ApiError> {
    let mut body = json!({ "id": user.id, "email": user.login });
    if app.release.features.audience {
        body["audience"] = json!(app.store.audience(&user.id).await?);
    }
    if app.release.features.display_name {
        body["display_name"] = json!(app.store.display_name(&user.id).await?);
    }
    Ok(Json(body))
}

#[derive(Deserialize)]
struct UpdateMe {
    display_name: String,
}

async fn update_me(
    State(app): Shared,
    headers: HeaderMap,
    Json(UpdateMe { display_name }): Json<UpdateMe>,
) -> Result<Json<Value>, ApiError> {
    let user = bearer(&app, &headers).await?;
    if display_name.chars().count() > DISPLAY_NAME_CHARS {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "display_name_too_long",
            "a display name has 100 characters at most",
        ));
    }
    app.store.set_display_name(&user.id, &display_name).await?;
    profile(&app, &user).await
}

async fn sign_ins(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let user = bearer(&app, &headers).await?;
    let sign_ins: Vec<Value> = app
        .store
        .sign_ins(&user.id)
        .await?
        .into_iter()
        .map(|(at, outcome)| json!({ "at": at, "outcome": outcome }))
        .collect();
    Ok(Json(json!({ "sign_ins": sign_ins })))
}

/// The user of the request's bearer token.
async fn bearer(app: &App, headers: &HeaderMap) -> Result<User, ApiError> {
    let refused = || {
        ApiError::new(StatusCode::UNAUTHORIZED, "invalid_token", "a valid bearer token is required")
    };
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(refused)?;
    let keys = app.store.public_keys().await?;
    let claims = tokens::verify(token, &keys, &app.config.accepted_issuers())
        .map_err(|_invalid| refused())?;
    app.store.user_by_id(&claims.sub).await?.ok_or_else(refused)
}

/// What a client is told when a request fails.
#[derive(Debug)]
struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: &'static str) -> ApiError {
        ApiError { status, code, message }
    }

    fn internal() -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong here")
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> ApiError {
        log::error("a query failed", &[("error", &error)]);
        if matches!(error, sqlx::Error::Database(_)) {
            ApiError::internal()
        } else {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "database_unavailable",
                "the database does not answer",
            )
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        (self.status, Json(body)).into_response()
    }
}
