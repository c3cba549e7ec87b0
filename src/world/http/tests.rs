use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::*;
use crate::journal::FailureClass;
use crate::model::{Arg, Outputs};
use crate::world::Environment;
use crate::world::env::HeldOutputs;

async fn serve() -> String {
    let app = Router::new()
        .route(
            "/sign-in",
            post(|body: String| async move {
                assert!(body.contains("ann"), "{body}");
                Json(json!({"access_token": "tok-secret-1", "expires": 900}))
            }),
        )
        .route(
            "/me",
            get(|headers: axum::http::HeaderMap| async move {
                let authorised =
                    headers.get("authorization").is_some_and(|v| v == "Bearer tok-secret-1");
                match authorised {
                    true => (axum::http::StatusCode::OK, "{\"user\":{\"name\":\"ann\"}}"),
                    false => (axum::http::StatusCode::UNAUTHORIZED, "who are you"),
                }
            }),
        )
        .route("/down", get(|| async { axum::http::StatusCode::SERVICE_UNAVAILABLE }))
        .route(
            "/slow",
            get(|| async {
                tokio::time::sleep(Duration::from_millis(400)).await;
                "ok"
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}

fn request(method: &str, url: String) -> HttpRequest {
    HttpRequest {
        name: "it".into(),
        method: method.into(),
        url: Arg::Known(url),
        headers: BTreeMap::new(),
        body: None,
        expect: Expectation::default(),
        capture: Vec::new(),
        timeout_ms: 200,
    }
}

async fn send(request: &HttpRequest, captures: &mut Captures) -> Result<Answer, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (env, outputs, redactor) =
        (Environment::default(), BTreeMap::<_, Outputs>::new(), Redactor::default());
    let resolver = Resolver {
        env: &env,
        outputs: &outputs,
        held: &HeldOutputs::default(),
        redactor: &redactor,
    };
    let prepared = Prepared::new(request, &resolver)?;
    prepared.send(&Client::new(), captures, &redactor).await
}

#[tokio::test]
async fn what_one_answer_gives_the_next_request_uses() {
    let base = serve().await;
    let mut captures = Captures::new();
    let mut sign_in = request("post", format!("{base}/sign-in"));
    sign_in.body = Some(Arg::Known("{\"login\":\"ann\"}".into()));
    sign_in.expect.json.insert("/expires".into(), json!(900.0));
    sign_in.capture.push(Capture { name: "token".into(), pointer: "/access_token".into() });
    send(&sign_in, &mut captures).await.unwrap();
    let mut me = request("GET", format!("{base}/me"));
    assert_eq!(send(&me, &mut captures).await.unwrap_err().class, FailureClass::Permanent);
    me.headers.insert("authorization".into(), Arg::Known("Bearer {{token}}".into()));
    me.expect.json.insert("/user/name".into(), json!("ann"));
    assert_eq!(send(&me, &mut captures).await.unwrap().status, 200);
    me.expect.json.insert("/user/name".into(), json!("bob"));
    let failure = send(&me, &mut captures).await.unwrap_err();
    assert_eq!(failure.message, "request `it`: `/user/name` is \"ann\", expected \"bob\"");
}

#[tokio::test]
async fn what_may_pass_is_transient() {
    let base = serve().await;
    for url in [format!("{base}/down"), format!("{base}/slow"), "http://127.0.0.1:1/".to_owned()] {
        let failure = send(&request("GET", url.clone()), &mut Captures::new()).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Transient, "{url}: {}", failure.message);
    }
    let failure = send(&request("GET", format!("{base}/none")), &mut Captures::new()).await;
    assert_eq!(failure.unwrap_err().class, FailureClass::Permanent);
}

#[test]
fn a_token_is_verified_by_the_key_it_names_and_no_other() {
    use ed25519_dalek::SigningKey;
    use ed25519_dalek::pkcs8::EncodePrivateKey;
    use jsonwebtoken::{EncodingKey, Header, encode};

    let jwk = |seed: u8| {
        use base64::Engine;
        let key = SigningKey::from_bytes(&[seed; 32]);
        let x =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": format!("k{seed}"), "alg": "EdDSA", "x": x})
    };
    let sign = |seed: u8, kid: &str, exp: u64| {
        let der = SigningKey::from_bytes(&[seed; 32]).to_pkcs8_der().unwrap();
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(kid.to_owned());
        encode(
            &header,
            &json!({"sub": "ann", "exp": exp}),
            &EncodingKey::from_ed_der(der.as_bytes()),
        )
        .unwrap()
    };
    let jwks: JwkSet = serde_json::from_value(json!({"keys": [jwk(1), jwk(2)]})).unwrap();
    let future = 4_102_444_800;
    assert_eq!(verify_token(&sign(1, "k1", future), &jwks), Ok(()));
    assert!(verify_token(&sign(1, "k2", future), &jwks).unwrap_err().contains("does not verify"));
    assert!(verify_token(&sign(1, "k9", future), &jwks).unwrap_err().contains("no key `k9`"));
    assert!(verify_token(&sign(1, "k1", 1), &jwks).unwrap_err().contains("does not verify"));
    let symmetric = encode(
        &Header::new(Algorithm::HS256),
        &json!({"exp": future}),
        &EncodingKey::from_secret(b"x"),
    );
    assert!(verify_token(&symmetric.unwrap(), &jwks).unwrap_err().contains("not accepted"));
}
