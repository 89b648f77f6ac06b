//! SHA-256 of what was fetched.
//!
//! The engine's `crypto.subtle` does it off the thread. Insecure contexts (plain http on another
//! host than localhost) have none; there our own thread computes it with the crate sha2, at some
//! hundred megabytes a second.

use js_sys::Uint8Array;
use sha2::{Digest, Sha256};
use wasm_bindgen::JsCast;

use super::web::{self, Subtle};

pub type Hash = [u8; 32];

/// Bytes copied into our memory at a time.
const PIECE: u32 = 64 << 10;

pub async fn sha256(data: &Uint8Array) -> Hash {
    match subtle(data).await {
        Some(hash) => hash,
        None => software(data),
    }
}

async fn subtle(data: &Uint8Array) -> Option<Hash> {
    let subtle: Subtle = js_sys::Reflect::get(&web::global("crypto")?, &"subtle".into()).ok()?.dyn_into().ok()?;
    let digest = subtle.digest("SHA-256", data).await.ok()?;
    Uint8Array::new(&digest).to_vec().try_into().ok()
}

fn software(data: &Uint8Array) -> Hash {
    let mut state = Sha256::new();
    let mut piece = [0; PIECE as usize];
    let mut at = 0;
    while at < data.length() {
        let n = PIECE.min(data.length() - at);
        data.subarray(at, at + n).copy_to(&mut piece[..n as usize]);
        state.update(&piece[..n as usize]);
        at += n;
    }
    state.finalize().into()
}

/// The first `2 * bytes` hexadecimal digits.
pub fn hex(hash: &Hash, bytes: usize) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[nibble as usize]);
    hash[..bytes].iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}
