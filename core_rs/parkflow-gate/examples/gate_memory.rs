//! How many bytes a gate's process grows when it loads its bundle and filter: `gate_memory FOLDER ROOT_KEY_HEX LOT LANE`.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a measurement")]

use std::env;
use std::fs;
use std::path::Path;

use parkflow_gate::{BundleStore, Capacities, Gate, Post};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, root_key, lot_id, lane_id] = arguments.as_slice() else {
        panic!("usage: gate_memory FOLDER ROOT_KEY_HEX LOT LANE");
    };
    let byte = |place: usize| u8::from_str_radix(&root_key[2 * place..2 * place + 2], 16).unwrap();
    let post = Post {
        root_key: core::array::from_fn(byte),
        lot_id: lot_id.parse().unwrap(),
        lane_id: lane_id.parse().unwrap(),
    };
    let store = BundleStore::new(Path::new(folder), "gate");
    let mut gate = Gate::new(post, Capacities::default(), Some(store)).unwrap();
    let before = resident_bytes();
    assert!(gate.load().unwrap(), "there is a bundle");
    println!("{}", resident_bytes() - before);
}

/// What the kernel counts as this process's own memory (Linux).
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}
