//! The example gate, compiled and linked as a gate maker would, decides as the Rust library does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

#[path = "../../parkflow-gate/tests/operator/mod.rs"]
mod operator;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use operator::{at, content, filter_over, rule, sealed, spread, Card, LANE_ID, LOT_ID, NOW_S, ROOT_SECRET};
use parkflow_core::bundle::{BundleContent, DenyFilter, RiskOutcome};
use parkflow_core::ed25519::public_key;
use parkflow_gate::{Capacities, Decision, Direction, Gate, Outcome, Post, Visit};
use tempfile::TempDir;

/// What a static link needs besides, on Linux: `cargo rustc … -- --print native-static-libs` says it for others.
const STATIC_NEEDS: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where Cargo put the libraries that it built with this test.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_path_buf()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}

/// Compiles the example with further flags, and links it as `link` says.
fn compile(folder: &Path, flags: &[&str], link: &[&str]) -> Result<PathBuf, String> {
    let gate = folder.join("gate");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let output = Command::new(&compiler)
        .args(["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1", "-g"])
        .args(flags)
        .arg("-I")
        .arg(here("include"))
        .arg(here("examples/gate.c"))
        .arg("-o")
        .arg(&gate)
        .arg("-L")
        .arg(libraries())
        .args(link)
        .output()
        .map_err(|error| format!("{compiler}: {error}"))?;
    if output.status.success() {
        Ok(gate)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn compile_static(folder: &Path, flags: &[&str]) -> Result<PathBuf, String> {
    compile(
        folder,
        flags,
        &[&["-l:libparkflow_gate_c.a"], &STATIC_NEEDS[..]].concat(),
    )
}

/// A folder with bundles and filters, as the service would give them.
struct Service {
    folder: TempDir,
    bundles: Vec<PathBuf>,
}

impl Service {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            bundles: vec![],
        }
    }

    fn offer(&mut self, bytes: &[u8]) {
        let path = self.folder.path().join(format!("bundle-{}", self.bundles.len()));
        fs::write(&path, bytes).unwrap();
        self.bundles.push(path);
    }

    fn keep_filter(&self, filter: &DenyFilter) {
        let name = format!("{}.filter", hex(&filter.name().sha256));
        fs::write(self.folder.path().join(name), filter.bytes()).unwrap();
    }

    /// Runs the gate on all bundles and these lines; `before` is what runs it, if it is not run by itself.
    fn run(&self, before: &[&str], gate: &Path, state: &Path, lines: &[Vec<u8>]) -> Output {
        let input = self.folder.path().join("lines");
        fs::write(&input, lines.join(&b'\n')).unwrap();
        let mut words: Vec<String> = before.iter().map(ToString::to_string).collect();
        words.push(gate.to_str().unwrap().into());
        words.extend([
            hex(&public_key(&ROOT_SECRET)),
            LOT_ID.to_string(),
            LANE_ID.to_string(),
            NOW_S.to_string(),
        ]);
        words.extend([state, self.folder.path()].map(|path| path.to_str().unwrap().to_owned()));
        words.extend(self.bundles.iter().map(|path| path.to_str().unwrap().to_owned()));
        Command::new(&words[0])
            .args(&words[1..])
            .env("LD_LIBRARY_PATH", libraries())
            .stdin(Stdio::from(File::open(&input).unwrap()))
            .output()
            .unwrap()
    }
}

fn decide(gate: &mut Gate, direction: Direction, text: &[u8]) -> Decision {
    gate.decide(&Visit {
        text,
        direction,
        fee_due_units: None,
        now_s: NOW_S,
    })
}

/// The line that the example prints for a decision.
fn line_of(decision: &Decision) -> String {
    let outcome = match decision.outcome {
        Outcome::Accept => "accept",
        Outcome::AcceptAndFlag => "accept_and_flag",
        Outcome::Refuse => "refuse",
    };
    let certain = if decision.certain { "certain" } else { "likely" };
    let reason = decision.reason;
    format!("{outcome}\t{}\t{certain}\t{}\n", reason.name(), reason.display())
}

/// Some hundreds of visits, alike in every run: good ones, stale ones, repeated ones, denied ones, spoiled ones.
fn visits() -> Vec<(Direction, Vec<u8>)> {
    let visit = |number: u64| {
        let mixed = spread(number);
        let subject = if mixed[0] < 20 {
            [4; 16]
        } else {
            spread(u64::from(mixed[1] % 64))
        };
        let mut card = Card::new(subject).with_ceiling(u16::from(mixed[2]));
        card.fields.kid += u32::from(mixed[3] < 10);
        if mixed[4] < 10 {
            card.issuer_secret = [99; 32];
        }
        let age_s = i64::from(mixed[5] % 75) - 5;
        let mut text = card.text(NOW_S - age_s, u16::from(mixed[6] % 4));
        match mixed[7] {
            0..10 => text[usize::from(mixed[8])] ^= 1,
            10..16 => text.truncate(usize::from(mixed[8])),
            16..20 => text.extend([b'0'; 200]),
            _ => {}
        }
        // The example reads lines of text.
        text.retain(|byte| *byte != b'\n' && *byte != 0);
        let direction = if mixed[9].is_multiple_of(3) {
            Direction::Exit
        } else {
            Direction::Entry
        };
        (direction, text)
    };
    (0..400).map(visit).collect()
}

fn lines(visits: &[(Direction, Vec<u8>)]) -> Vec<Vec<u8>> {
    let line = |(direction, text): &(Direction, Vec<u8>)| match direction {
        Direction::Entry => [b"entry ", &text[..]].concat(),
        Direction::Exit => [b"exit ", &text[..]].concat(),
    };
    visits.iter().map(line).collect()
}

/// A bundle with a filter, exact lists, passback and a risk budget.
fn rich_content(version: u64, filter: &DenyFilter) -> BundleContent {
    let mut content = content(version);
    content.filter = Some(filter.name());
    content.denied = (0..8).map(spread).collect();
    content.cleared = vec![spread(7), spread(8)];
    content.lots[0].passback_s = 600;
    content.lots[0].risk = vec![
        rule(200, 40, 0, RiskOutcome::Refuse),
        rule(100, 20, 0, RiskOutcome::Flag),
    ];
    content
}

/// The service of [`visits`], and what the Rust library says of them.
fn service_and_expected_lines() -> (Service, String) {
    let filter = filter_over(4, 5_000);
    let mut service = Service::new();
    service.keep_filter(&filter);
    let bundle = sealed(rich_content(1, &filter));
    service.offer(&bundle);
    let post = Post {
        root_key: public_key(&ROOT_SECRET),
        lot_id: LOT_ID,
        lane_id: LANE_ID,
    };
    let mut gate = Gate::new(post, Capacities::default(), None).unwrap();
    gate.take_bundle(&bundle, Some(filter.bytes()), NOW_S).unwrap();
    let expected = visits()
        .iter()
        .map(|(direction, text)| line_of(&decide(&mut gate, *direction, text)))
        .collect();
    (service, expected)
}

fn assert_decides_as_rust_does(before: &[&str], gate: &Path) {
    let (service, expected) = service_and_expected_lines();
    let state = tempfile::tempdir().unwrap();
    let output = service.run(before, gate, state.path(), &lines(&visits()));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    assert!(
        String::from_utf8(output.stdout).unwrap() == expected,
        "the decisions differ"
    );
}

#[test]
fn the_visits_of_this_file_have_all_sorts_of_answers() {
    let (_, expected) = service_and_expected_lines();
    let wanted = [
        "accept\taccepted\tcertain",
        "accept_and_flag\trisk\tcertain",
        "accept_and_flag\tdenied\tlikely",
        "accept_and_flag\tdenied\tcertain",
        "refuse\tdenied\tlikely",
        "refuse\tdenied\tcertain",
        "refuse\treplayed\tcertain",
        "refuse\tcode_stale",
        "refuse\tpassback",
        "refuse\trisk",
        "refuse\tbad_issuer_signature",
        "refuse\tbad_code_signature",
        "refuse\tunknown_kid",
        "refuse\tbad_base45",
        "refuse\tbad_length",
        "refuse\ttoo_long",
    ];
    for answer in wanted {
        assert!(expected.contains(answer), "{answer}");
    }
}

#[test]
fn linked_statically_it_decides_as_the_rust_library_does() {
    let folder = tempfile::tempdir().unwrap();
    assert_decides_as_rust_does(&[], &compile_static(folder.path(), &[]).unwrap());
}

#[test]
fn linked_to_the_shared_library_it_decides_as_the_rust_library_does() {
    let folder = tempfile::tempdir().unwrap();
    let gate = compile(folder.path(), &[], &["-lparkflow_gate_c"]).unwrap();
    assert_decides_as_rust_does(&[], &gate);
}

#[test]
fn sanitizers_find_nothing_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    match compile_static(folder.path(), &flags) {
        Ok(gate) => assert_decides_as_rust_does(&[], &gate),
        Err(why) => println!("skipped, the compiler has no sanitizers: {why}"),
    }
}

#[test]
fn valgrind_finds_nothing_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let gate = compile_static(folder.path(), &[]).unwrap();
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped, there is no valgrind here");
        return;
    }
    let valgrind = [
        "valgrind",
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect,possible",
    ];
    assert_decides_as_rust_does(&valgrind, &gate);
}

#[test]
fn it_shows_what_a_gate_maker_has_to_expect() {
    let folder = tempfile::tempdir().unwrap();
    let gate = compile_static(folder.path(), &[]).unwrap();
    let state = tempfile::tempdir().unwrap();
    let text = Card::new([5; 16]).text(NOW_S, 0);
    let run = |service: &Service| {
        let output = service.run(&[], &gate, state.path(), std::slice::from_ref(&text));
        let words = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), words(&output.stdout), words(&output.stderr))
    };
    // No bundle yet.
    let mut service = Service::new();
    let (code, printed, told) = run(&service);
    assert_eq!((code, &told[..]), (Some(0), ""));
    assert_eq!(
        printed,
        "refuse\tno_bundle\tcertain\tGate out of service: please use the help button\n"
    );
    // An expired bundle.
    let mut expired = content(1);
    expired.expires_at_s = at(NOW_S);
    service.offer(&sealed(expired));
    let (code, printed, told) = run(&service);
    assert_eq!(code, Some(1));
    assert!(told.ends_with(": status 7 expired\n") && printed.starts_with("refuse\tno_bundle\t"));
    // A filter that cannot be fetched.
    let filter = filter_over(9, 50);
    service.bundles.clear();
    service.offer(&sealed(rich_content(2, &filter)));
    let (code, _, told) = run(&service);
    assert!(code == Some(1) && told.ends_with(": status 9 filter_missing\n"));
    // And one that can: the bundle stays for the next start, which knows the version.
    service.keep_filter(&filter);
    let (code, printed, _) = run(&service);
    assert_eq!((code, &printed[..]), (Some(0), "accept\taccepted\tcertain\tWelcome\n"));
    let (code, printed, told) = run(&service);
    assert!(code == Some(1) && told.ends_with(": status 6 not_newer\n") && printed.starts_with("accept\t"));
    // Wrong use.
    let output = Command::new(&gate).arg("abc").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty() && output.stderr.starts_with(b"usage: "));
}
