//! The header is the one that the source gives, and both C and C++ read it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cbindgen::{Builder, Config, DocumentationStyle, Language, SortKey};

const INTRODUCTION: &str = "\
/*
 * parkflow's gate library: bundles in, one decision about each code out, no network.
 *
 * Written from the Rust source; do not edit. README.md beside this folder says how to build and link.
 *
 * The way of a gate
 *   pf_gate_new, pf_gate_load, pf_gate_note_passage for the last minutes of the journal;
 *   then pf_gate_take_bundle whenever the service has a newer one, and pf_gate_decide for every code.
 *
 * What holds for every function
 *   Pointers: NULL is answered with PF_ERROR_NULL, except where NULL is said to mean something. Another pointer must
 *     point to what it says, for the length that is given or that the struct's struct_size says, during the call.
 *     Nothing is kept of it after the call. Alignment does not matter.
 *   Memory: the caller owns everything but the handle; there is nothing to free but that. Strings that are returned
 *     live as long as the process.
 *   Structs: set struct_size to the sizeof before the call. Later versions only add fields at the end.
 *   Threads: a handle is used by one thread at a time, any thread. A call that meets another one on the same handle
 *     does nothing and answers PF_ERROR_BUSY. Different handles have nothing to do with each other.
 *   Failure: no call ever unwinds or aborts because of its arguments' values. A status that is not PF_DONE means that
 *     the call changed nothing in the gate. Numbers that are not listed here may come from a later library: treat an unknown
 *     status as an error, an unknown reason as a refusal's or flag's reason.
 *   Time: the library reads no clock. now_s is always the gate's own, in unix seconds.
 */";

const SIZES: &str = "\
/* Where these fail, the compiler packs structs in a way that the library does not. */
#if defined(__cplusplus) ? __cplusplus >= 201103L : __STDC_VERSION__ >= 201112L
#ifdef __cplusplus
#define PF_SIZE_IS(type, bytes) static_assert(sizeof(type) == (bytes), #type)
#else
#define PF_SIZE_IS(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
#endif
PF_SIZE_IS(struct pf_post, 56);
PF_SIZE_IS(struct pf_capacities, 16);
PF_SIZE_IS(struct pf_decision, 52);
#undef PF_SIZE_IS
#endif";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn generated() -> String {
    let config = Config {
        language: Language::C,
        header: Some(INTRODUCTION.into()),
        trailer: Some(SIZES.into()),
        include_guard: Some("PARKFLOW_GATE_H".into()),
        no_includes: true,
        sys_includes: vec!["stddef.h".into(), "stdint.h".into()],
        cpp_compat: true,
        usize_is_size_t: true,
        line_length: 120,
        tab_width: 4,
        documentation_style: DocumentationStyle::C99,
        function: cbindgen::FunctionConfig {
            sort_by: Some(SortKey::None),
            ..Default::default()
        },
        ..Default::default()
    };
    let sources = ["numbers.rs", "structs.rs", "handle.rs", "calls.rs", "names.rs"];
    let builder = sources
        .iter()
        .fold(Builder::new().with_config(config), |builder, source| {
            builder.with_src(here("src").join(source))
        });
    let mut bytes = Vec::new();
    builder.generate().expect("the source is in order").write(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// `PARKFLOW_WRITE_HEADER=1 cargo test --package parkflow-gate-c --test header` writes it anew.
#[test]
fn the_header_in_the_tree_is_what_the_source_gives() {
    let path = here("include/parkflow_gate.h");
    let generated = generated();
    if std::env::var_os("PARKFLOW_WRITE_HEADER").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == generated, "write the header anew, as this test's comment says");
}

#[test]
fn c_and_cpp_compilers_read_the_header_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let c = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let cpp = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    for (compiler, language, standards) in [
        (c, "c", &["-std=c99", "-std=c11"][..]),
        (cpp, "c++", &["-std=c++11", "-std=c++17"]),
    ] {
        let source = folder.path().join("twice");
        fs::write(&source, "#include \"parkflow_gate.h\"\n#include \"parkflow_gate.h\"\n").unwrap();
        for standard in standards {
            let run = Command::new(&compiler)
                .args([
                    "-fsyntax-only",
                    "-Wall",
                    "-Wextra",
                    "-Werror",
                    "-pedantic",
                    standard,
                    "-x",
                    language,
                ])
                .arg("-I")
                .arg(here("include"))
                .arg(&source)
                .output();
            match run {
                Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
                // A gate maker needs C; a machine without C++ has nothing to check there.
                Err(error) if language == "c++" => println!("skipped, no C++ compiler: {error}"),
                Err(error) => panic!("{compiler}: {error}"),
            }
        }
    }
}
