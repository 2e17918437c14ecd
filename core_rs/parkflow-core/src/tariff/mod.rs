//! Tariffs in the language PTL/1: a text is parsed once, then prices stays exactly.
//!
//! A fee is built by one small meter (bands, ladders, cycles, edges), then by filters: caps, minimum, one rounding.
//! It is a pure function of the text, the stay and the compiled-in tz database.

mod amount;
mod batch;
mod calendar;
mod candidate;
mod canonical;
mod caps;
mod compiled;
mod day_table;
mod error;
mod fee;
mod flat;
mod history;
mod history_json;
mod lines;
mod lint;
mod lint_days;
mod meter;
mod model;
mod parse;
mod parse_plan;
mod parse_when;
mod place;
mod quick;
mod receipt;
mod reciprocal;
mod steady;
mod sugar;
mod template;
mod terms;
mod text;
mod validity;
mod wall;

pub use batch::{Columns, Fees, Instants, Kind, NO_ACCOUNT};
pub use calendar::tzdata_version;
pub use error::{PriceError, TariffError};
pub use fee::{Fee, Stay};
pub use history::History;
pub use history_json::HISTORY_BYTES_MAX;
pub use lines::{FeeLine, LineKind};
pub use lint::Lint;
pub use model::Tariff;
pub use terms::{Payment, Terms, Voucher, VoucherKind};
pub use text::TEXT_BYTES_MAX;
