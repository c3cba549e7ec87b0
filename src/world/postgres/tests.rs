//! URLs, and what is never said of them.

use super::*;
use expect_test::{Expect, expect};

fn check(url: &str, expected: Expect) {
    let text = match Target::parse("main", url) {
        Ok(target) => target
            .env(&BTreeMap::from([
                ("PGOPTIONS".into(), "stale".into()),
                ("LANG".into(), "C".into()),
            ]))
            .into_iter()
            .map(|(k, v)| format!("{k}={v}\n"))
            .collect(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn urls_become_libpq_variables() {
    check(
        "postgres://app:p%40ss%2Fword@db.example:5433/orthid?sslmode=require",
        expect![[r#"
            LANG=C
            PGAPPNAME=orthid
            PGCONNECT_TIMEOUT=8
            PGDATABASE=orthid
            PGHOST=db.example
            PGPASSWORD=p@ss/word
            PGPORT=5433
            PGSSLMODE=require
            PGUSER=app
        "#]],
    );
    check(
        "postgresql://app@/orthid?host=/run/postgresql",
        expect![[r#"
            LANG=C
            PGAPPNAME=orthid
            PGCONNECT_TIMEOUT=8
            PGDATABASE=orthid
            PGHOST=/run/postgresql
            PGPORT=5432
            PGUSER=app
        "#]],
    );
}

#[test]
fn refusals_never_repeat_the_password() {
    for url in [
        "mysql://u:hunter2@h/d",
        "postgres://u:hunter2@h",
        "postgres://:hunter2@h/d",
        "hunter2",
        "postgres://u:hunter2/x@h/d",
        "postgres://u:12345/hunter2@h/d",
        "postgres://u:12345?hunter2@h/d",
        "postgres://u:hunter2#x@h/d",
    ] {
        let error = Target::parse("main", url).unwrap_err().to_string();
        assert!(!error.contains("hunter2") && !error.contains("12345"), "{error}");
    }
    let error = Target::parse("main", "postgres://u:1/2@h/d").unwrap_err().to_string();
    assert!(error.contains("percent-encode it"), "{error}");
    assert!(Target::parse("main", "postgres://h/d?user=ann@server&password=x").is_ok());
}

#[test]
fn debug_shows_no_password() {
    let target = Target::parse("main", "postgres://u:hunter2@h/d").unwrap();
    assert!(!format!("{target:?}").contains("hunter2"));
}

#[test]
fn client_versions_are_read() {
    assert_eq!(
        parse_client_version("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
        Some(15)
    );
    assert_eq!(parse_client_version("pg_dump (PostgreSQL) 18beta1"), Some(18));
}
