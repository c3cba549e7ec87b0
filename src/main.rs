//! Arguments → cli → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // One TLS provider for kube, reqwest and sqlx; a second one, or none, panics at the first handshake.
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("main installs the only TLS provider, first of all");
    orthid::cli::main(std::env::args_os().collect())
}
