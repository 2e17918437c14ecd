//! Published and crafted Ed25519 signatures, each with the answer that PF-1 must give.

use parkflow_core::ed25519::{Equation, VerifyingKey};
use serde_json::Value;

use super::{bytes_of_hex, hex, json, rows, string, text};

/// A signature to judge.
pub struct Triple {
    pub name: String,
    pub key: Vec<u8>,
    pub message: Vec<u8>,
    pub signature: Vec<u8>,
    /// Whether PF-1 takes it.
    pub valid: bool,
}

impl Triple {
    /// What reaches a batch: `None` if PF-1 refuses the key or an encoding.
    pub fn equation(&self) -> Option<Equation> {
        Equation::new(&VerifyingKey::enrol(&self.key).ok()?, &[&self.message], &self.signature)
    }

    /// The same with a key that slipped through enrolment unchecked.
    pub fn certified_equation(&self) -> Option<Equation> {
        let key = self.key.as_slice().try_into().ok()?;
        Equation::new(&VerifyingKey::certified(key).ok()?, &[&self.message], &self.signature)
    }
}

pub fn wycheproof() -> Vec<Triple> {
    let file = json("vectors/wycheproof_ed25519_test.json");
    let mut triples = Vec::new();
    for group in rows(&file["testGroups"]) {
        for test in rows(&group["tests"]) {
            triples.push(Triple {
                name: format!("wycheproof {}", test["tcId"]),
                key: hex(&group["publicKey"]["pk"]),
                message: hex(&test["msg"]),
                signature: hex(&test["sig"]),
                valid: string(&test["result"]) == "valid",
            });
        }
    }
    triples
}

/// The column of the rule in speccheck's table of answers; PF-1 is `rule_p`.
pub fn speccheck(rule: &str) -> Vec<Triple> {
    let expected = json("vectors/speccheck_expected.json");
    let triple = |(case, row): (&Value, &Value)| Triple {
        name: format!("speccheck {}", row["case"]),
        key: hex(&case["pub_key"]),
        message: hex(&case["message"]),
        signature: hex(&case["signature"]),
        valid: row[rule].as_bool().expect("a bit"),
    };
    rows(&json("vectors/speccheck_cases.json"))
        .iter()
        .zip(rows(&expected))
        .map(triple)
        .collect()
}

/// Secrets and what they signed.
pub fn sign_input() -> Vec<(Vec<u8>, Triple)> {
    let parse = |(number, line): (usize, &str)| {
        let [secret, key, message, signed] = line.splitn(5, ':').take(4).collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}");
        };
        let triple = Triple {
            name: format!("sign.input {number}"),
            key: bytes_of_hex(key),
            message: bytes_of_hex(message),
            signature: bytes_of_hex(signed)[..64].to_vec(),
            valid: true,
        };
        (bytes_of_hex(secret)[..32].to_vec(), triple)
    };
    text("vectors/sign.input.128").lines().enumerate().map(parse).collect()
}

pub fn rfc8032() -> Vec<Triple> {
    let file = json("vectors/rfc8032_section7_1.json");
    let triple = |row: &Value| Triple {
        name: format!("rfc8032 {}", row["name"]),
        key: hex(&row["pk"]),
        message: hex(&row["msg"]),
        signature: hex(&row["sig"]),
        valid: true,
    };
    rows(&file).iter().map(triple).collect()
}

pub fn rfc9421() -> Triple {
    let file = json("vectors/rfc9421_b26_ed25519.json");
    Triple {
        name: "rfc9421 B.2.6".to_owned(),
        key: bytes_of_base64(string(&file["public_x_b64u"])),
        message: string(&file["signature_base"]).as_bytes().to_vec(),
        signature: bytes_of_base64(string(&file["signature_b64"])),
        valid: true,
    }
}

/// All published signatures, in the order of the functions above.
pub fn published() -> Vec<Triple> {
    let mut triples = wycheproof();
    triples.extend(speccheck("rule_p"));
    triples.extend(sign_input().into_iter().map(|(_, triple)| triple));
    triples.extend(rfc8032());
    triples.push(rfc9421());
    triples
}

/// A signature of `ed25519_crafted.json`, which was judged there without parkflow.
pub struct Crafted {
    pub triple: Triple,
    /// Its most telling feature, such as `mixed_order_key`.
    pub cause: String,
    /// Whether R's bytes are the encoding of `[S]B - [k]A`.
    pub cofactorless: bool,
}

pub fn crafted() -> Vec<Crafted> {
    let file = json("ed25519_crafted.json");
    let read = |row: &Value| Crafted {
        triple: Triple {
            name: string(&row["name"]).to_owned(),
            key: hex(&row["public_key"]),
            message: hex(&row["message"]),
            signature: hex(&row["signature"]),
            valid: row["pf1"].as_bool().expect("a bit"),
        },
        cause: string(&row["cause"]).to_owned(),
        cofactorless: row["cofactorless"].as_bool().expect("a bit"),
    };
    rows(&file["cases"]).iter().map(read).collect()
}

/// Both alphabets of RFC 4648, padded or not.
fn bytes_of_base64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let digit = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => panic!("not Base64: {text}"),
        };
        (bits, count) = (bits << 6 & 0xffff | u32::from(digit), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("8 bits"));
        }
    }
    bytes
}
