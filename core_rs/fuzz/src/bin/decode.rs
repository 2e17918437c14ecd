//! Any bytes as a code, a credential and Base45: what is read is written back the same, and nothing grows.
#![cfg_attr(fuzzing, no_main)]
#![allow(clippy::expect_used, reason = "a finding is a panic")]

use parkflow_core::code::{
    decode_base45, decode_code, encode_base45, encode_code, issue_credential, make_code, Code, Credential,
    CredentialFields, Reason, CODE_BYTES, CODE_CHARS, CREDENTIAL_BYTES, PREFIX, TEXT_BYTES_MAX,
};
use parkflow_core::ed25519::public_key;

parkflow_fuzz::target!(check, seeds);

fn check(bytes: &[u8]) {
    match decode_code(bytes) {
        Ok(code) => {
            assert_eq!(bytes.len(), CODE_CHARS);
            assert_eq!(encode_code(&code).as_bytes(), bytes);
        }
        Err(reason) => assert_eq!(reason == Reason::TooLong, bytes.len() > TEXT_BYTES_MAX),
    }
    if let Ok(code) = Code::decode(bytes) {
        assert_eq!(code.encode(), bytes);
        assert_eq!(Credential::decode(&bytes[..CREDENTIAL_BYTES]), Ok(code.credential));
        assert!(bytes.starts_with(code.credential_signed_bytes()) && bytes.starts_with(code.signed_bytes()));
    }
    if let Ok(credential) = Credential::decode(bytes) {
        assert_eq!(credential.encode(), bytes);
    }
    if let Ok(decoded) = decode_base45(bytes) {
        assert!(decoded.capacity() <= bytes.len().max(8), "{} bytes", decoded.capacity());
        assert_eq!(encode_base45(&decoded).as_bytes(), bytes);
    }
    check_written(&bytes[..bytes.len().min(CODE_BYTES + 1)]);
}

/// The bytes written as Base45 are read back, and behind the prefix they are the code that they are by themselves.
fn check_written(bytes: &[u8]) {
    let encoded = encode_base45(bytes);
    if bytes.len().abs_diff(CODE_BYTES) > 1 {
        assert_eq!(decode_base45(encoded.as_bytes()).as_deref(), Ok(bytes));
    } else {
        let text = [PREFIX, &encoded].concat();
        assert_eq!(decode_code(text.as_bytes()), Code::decode(bytes));
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let code_secret = [2; 32];
    let fields = CredentialFields {
        kid: 1,
        subject: [3; 16],
        code_key: public_key(&code_secret),
        not_before_s: 1_700_000_000,
        lifetime_minutes: 1_440,
        product: 1,
        ceiling: 20,
    };
    let credential = issue_credential(&[1; 32], &fields).expect("good fields").encode();
    let code = make_code(&credential, &code_secret, 1_700_000_060, 7).expect("its secret");
    let text = encode_code(&code);
    vec![
        text.clone().into_bytes(),
        text.trim_start_matches(PREFIX).as_bytes().to_vec(),
        code.encode().to_vec(),
        credential,
        vec![1; CODE_BYTES],
        b"QED8WEX0".to_vec(),
        b":::".to_vec(),
        PREFIX.as_bytes().to_vec(),
    ]
}
