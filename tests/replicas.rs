//! Replicas drift and come together, in many cases: see `common/drift.rs`.
//!
//! `ESTORE_CASES` says how many cases are tried, `ESTORE_SEED` which is the first.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/drift.rs"]
mod drift;

#[test]
fn replicas_end_up_equal_whatever_happens_on_the_way() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (cases, first) = (number("ESTORE_CASES", 4_000), number("ESTORE_SEED", 0));
    for seed in first..first + cases {
        let outcome = std::panic::catch_unwind(|| drift::case(seed));
        assert!(outcome.is_ok(), "to see it again: ESTORE_SEED={seed} ESTORE_CASES=1 cargo test --test replicas");
    }
    println!("{cases} cases");
}
