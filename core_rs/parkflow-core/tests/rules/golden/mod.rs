//! Reads the vectors that Rust and Python share.

pub mod signatures;

use std::path::PathBuf;

use serde_json::Value;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/golden", name]
        .iter()
        .collect()
}

pub fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn json(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn rows(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

pub fn string(value: &Value) -> &str {
    value.as_str().expect("a string")
}

pub fn number<T: TryFrom<i64>>(value: &Value) -> T {
    value
        .as_i64()
        .and_then(|number| T::try_from(number).ok())
        .expect("a number of this size")
}

pub fn hex(value: &Value) -> Vec<u8> {
    bytes_of_hex(string(value))
}

pub fn hex_exact<const LENGTH: usize>(value: &Value) -> [u8; LENGTH] {
    hex(value).try_into().expect("so many bytes")
}

pub fn bytes_of_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).expect("a hex digit").try_into().unwrap())
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Coefficients for tests: any numbers do where nobody attacks. Steps of splitmix64.
pub fn coefficients(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed;
    move |buffer| {
        for chunk in buffer.chunks_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 27)).to_le_bytes()[..chunk.len()]);
        }
    }
}
