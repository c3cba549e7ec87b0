//! Passwords: hashed with Argon2id, compared at a bounded cost.
//!
//! A hash takes 19 MiB and tens of milliseconds on purpose, so no more than [`CONCURRENT`] are computed
//! at once, off the threads that serve requests.
//!
//! Must not: store or log a password.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use tokio::task;

/// Hashes computed at once: what bounds the memory of a burst of sign-ins.
const CONCURRENT: usize = 2;

static TURNS: Semaphore = Semaphore::const_new(CONCURRENT);

/// Compared with where there is no such user, so that an unknown name takes as long as a wrong password.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password"));

/// Hashes a password with a salt of its own, as a PHC string.
pub async fn hash(password: String) -> String {
    in_turn(move || hash_now(&password)).await
}

/// Whether the password is the one of this hash. `None`, for an unknown user, takes as long and is false.
pub async fn verify(password: String, hash: Option<String>) -> bool {
    in_turn(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let matches = PasswordHash::new(&hash).is_ok_and(|parsed| {
            Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok()
        });
        known && matches
    })
    .await
}

fn hash_now(password: &str) -> String {
    Argon2::default()
        .hash_password(password.as_bytes())
        .expect("Argon2's default parameters and a salt of its own are always valid")
        .to_string()
}

async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let _turn = TURNS.acquire().await.expect("the semaphore is never closed");
    task::spawn_blocking(work).await.expect("hashing does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_is_accepted() {
        let hash = hash("correct horse".to_owned()).await;
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify("correct horse".to_owned(), Some(hash.clone())).await);
        assert!(!verify("battery staple".to_owned(), Some(hash)).await);
        assert!(!verify("nobody has this password".to_owned(), None).await);
        assert!(!verify("anything".to_owned(), Some("not a hash".to_owned())).await);
    }
}
