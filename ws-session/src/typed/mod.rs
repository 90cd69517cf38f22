//! Messages that hold values.

mod json;

pub use self::json::JsonError;
pub(crate) use self::json::from_json;
