//! Canonical JSON of a scan (RFC 8785), and the part of it that is kept as evidence.

use core::fmt::Write as _;
use std::borrow::Cow;

use super::journal::{Medium, Scan, Shown, Span, Upload, CHAIN_BEGIN};
use super::wire::WireScan;
use crate::stay::Direction;
use sha2::{Digest, Sha256};

/// Of a text that is no code, this much is kept as evidence; a code has 298 characters.
const EVIDENCE_CHARS_MAX: usize = 400;

/// The scan with its canonical text written to the end of `text`; its place in the chain is for the caller.
pub(super) fn write_scan(text: &mut String, scan: &WireScan<'_>) -> Scan {
    let begin = text.len();
    let members = write_members(text, scan);
    let canonical = begin..text.len();
    let content_sha256 = Sha256::digest(&text.as_bytes()[canonical.clone()]).into();
    let shown = members.shown.map(|(member, value)| {
        let said = scan.shown().map_or("", |(_, said)| said);
        // A text that stands there as it is need not be kept twice.
        if value.len() == said.len() {
            return Shown { text: value, member };
        }
        let begin = text.len();
        text.push_str(said);
        Shown {
            text: begin..text.len(),
            member,
        }
    });
    Scan {
        seq: scan.seq.0,
        at_ms: scan.at_ms.0,
        direction: scan.direction.0,
        medium: scan.medium.0,
        manual: scan.manual == Some(true),
        content_sha256,
        chain_sha256: CHAIN_BEGIN,
        canonical,
        shown,
        verdict: members.verdict,
        lifted_by: members.lifted_by,
    }
}

/// Where some members' values were written; of what was shown also the whole member.
struct Members {
    shown: Option<(Span, Span)>,
    verdict: Span,
    lifted_by: Option<Span>,
}

/// All members that were sent, in the order of their names.
fn write_members(out: &mut String, scan: &WireScan<'_>) -> Members {
    let direction = match scan.direction.0 {
        Direction::Entry => "entry",
        Direction::Exit => "exit",
    };
    let mut shown = None;
    let mut write_shown = |out: &mut String, medium: Medium| {
        if let Some((_, said)) = scan.shown().filter(|(found, _)| *found == medium) {
            let begin = out.len();
            let value = write_text(out, medium.name(), said);
            out.push(',');
            shown = Some((begin..out.len(), value));
        }
    };
    // Writing to a String cannot fail.
    let _ = write!(out, "{{\"at_ms\":{},", scan.at_ms.0);
    write_shown(out, Medium::Code);
    let _ = write!(out, "\"direction\":\"{direction}\",");
    if let Some(flag) = &scan.flag {
        write_text(out, "flag", &flag.text);
        out.push(',');
    }
    write_text(out, "lane", &scan.lane.text);
    out.push(',');
    let lifted_by = scan.lifted_by.as_ref().map(|name| {
        let value = write_text(out, "lifted_by", &name.text);
        out.push(',');
        value
    });
    if let Some(manual) = scan.manual {
        let _ = write!(out, "\"manual\":{manual},");
    }
    let _ = write!(out, "\"medium\":\"{}\",", scan.medium.0.name());
    write_shown(out, Medium::Plate);
    let _ = write!(out, "\"seq\":{},", scan.seq.0);
    write_shown(out, Medium::Ticket);
    let verdict = write_text(out, "verdict", &scan.verdict.text);
    out.push('}');
    Members {
        shown,
        verdict,
        lifted_by,
    }
}

/// `"name":"text"`; where the escaped text stands.
fn write_text(out: &mut String, name: &str, text: &str) -> Span {
    out.push('"');
    out.push_str(name);
    out.push_str("\":\"");
    let begin = out.len();
    write_escaped(out, text);
    let value = begin..out.len();
    out.push('"');
    value
}

/// RFC 8785, section 3.2.2.2: the shortest escapes, and only where JSON demands one.
fn write_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(place) = rest
        .bytes()
        .position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
    {
        let (plain, escaped) = rest.split_at(place);
        out.push_str(plain);
        let mut chars = escaped.chars();
        let _ = match chars.next() {
            Some('"') => write!(out, "\\\""),
            Some('\\') => write!(out, "\\\\"),
            Some('\u{8}') => write!(out, "\\b"),
            Some('\t') => write!(out, "\\t"),
            Some('\n') => write!(out, "\\n"),
            Some('\u{c}') => write!(out, "\\f"),
            Some('\r') => write!(out, "\\r"),
            Some(control) => write!(out, "\\u{:04x}", u32::from(control)),
            None => return,
        };
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// The scan as it is kept in the open: a text that was never a code cut short and without NUL, which no database of
/// ours can hold; a plate or a ticket is left out.
pub(super) fn evidence<'a>(upload: &'a Upload, scan: &Scan) -> Cow<'a, str> {
    let canonical = upload.canonical(scan);
    let Some(shown) = &scan.shown else {
        return Cow::Borrowed(canonical);
    };
    let before = upload.at(&(scan.canonical.start..shown.member.start));
    let after = upload.at(&(shown.member.end..scan.canonical.end));
    if scan.medium != Medium::Code {
        return Cow::Owned([before, after].concat());
    }
    match kept(upload.at(&shown.text)) {
        Cow::Borrowed(said) if said.len() == shown.text.len() => Cow::Borrowed(canonical),
        said => {
            let mut content = before.to_owned();
            write_text(&mut content, scan.medium.name(), &said);
            content.push(',');
            content.push_str(after);
            Cow::Owned(content)
        }
    }
}

fn kept(text: &str) -> Cow<'_, str> {
    let cut = match text.char_indices().nth(EVIDENCE_CHARS_MAX) {
        Some((place, _)) => &text[..place],
        None => text,
    };
    without_nul(cut)
}

/// The text with U+FFFD for each NUL.
pub(super) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        return Cow::Owned(text.replace('\0', "\u{fffd}"));
    }
    Cow::Borrowed(text)
}
