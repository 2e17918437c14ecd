//! What the fuzz targets share: how one is declared, where its seeds go, and how it reads its choices from the input.
//!
//! A target is one file in `src/bin`: what it does with an input, and inputs to start from. Built as usual, it is a
//! program that runs the input files it is given, or its own seeds, once. Built by `bench/fuzz.py`, it is a libFuzzer.
//! A new one is such a file and a line in that script's list of targets.

use std::path::PathBuf;
use std::{env, fs};

/// Where an instrumented target writes its seeds before it starts.
pub const SEEDS_VARIABLE: &str = "PARKFLOW_FUZZ_SEEDS";

/// Makes a program of what is done with each input, a `fn(&[u8])`, and of the seeds, a `fn() -> Vec<Vec<u8>>`.
#[macro_export]
macro_rules! target {
    ($check:path, $seeds:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(init: $crate::write_seeds($seeds), |bytes: &[u8]| $check(bytes));

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::replay($check, $seeds);
        }
    };
}

/// Writes the seeds into the folder that [`SEEDS_VARIABLE`] names, if it does.
///
/// # Panics
/// If a file cannot be written.
#[expect(clippy::expect_used, reason = "a search without its seeds would only seem to be one")]
pub fn write_seeds(seeds: fn() -> Vec<Vec<u8>>) {
    let Some(folder) = env::var_os(SEEDS_VARIABLE).map(PathBuf::from) else {
        return;
    };
    for (number, seed) in seeds().iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed).expect("the folder of the seeds can be written");
    }
}

/// Runs the input files named on the command line, or the seeds if none is named.
///
/// # Panics
/// If a file cannot be read, and as the check does.
pub fn replay(check: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) {
    let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let inputs = if paths.is_empty() {
        seeds()
    } else {
        let read = |path: &PathBuf| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        paths.iter().map(read).collect()
    };
    for input in &inputs {
        check(input);
    }
    println!("{} inputs, nothing found", inputs.len());
}

/// Reads choices from the front of an input. Behind its end there are only zeros, so that every input is one.
#[derive(Debug, Clone, Copy)]
pub struct Choices<'a>(pub &'a [u8]);

impl<'a> Choices<'a> {
    /// Whether anything is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// The next bytes.
    pub fn array<const LENGTH: usize>(&mut self) -> [u8; LENGTH] {
        let mut array = [0; LENGTH];
        let taken = self.bytes(LENGTH);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// At most so many bytes.
    pub fn bytes(&mut self, length_max: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length_max.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// One of the given things, of which there must be some.
    pub fn one_of<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        let place = usize::from(self.byte());
        &things[place.checked_rem(things.len()).unwrap_or(0)]
    }
}

/// Coefficients for batches: any numbers do where nobody attacks. Steps of splitmix64.
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
