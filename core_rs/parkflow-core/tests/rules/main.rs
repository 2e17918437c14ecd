//! The rules of parkflow-core, a file for each subject: one program, because each of its own would be linked anew and
//! would compile anew what several share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod golden;
mod random_tariff;
mod tick_meter;

mod account_history;
mod batch_is_single;
mod bundles;
mod code_properties;
mod ed25519_corners;
mod ed25519_oracles;
mod lotqr;
mod stays_and_ledger;
mod tariff_language;
mod tariff_oracle;
mod tariff_random;
mod tariff_random_properties;
mod tariff_refusals;
mod tariff_templates;
mod tariff_vectors;
mod tariff_warnings;
mod upload_judgements;
mod uploads;
mod vectors;
