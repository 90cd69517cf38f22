//! DEFLATE (RFC 1951), both directions.

mod against_zlib;
mod properties;
