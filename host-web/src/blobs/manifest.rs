//! `manifest.json`: which packs there are.
//!
//! Fetched from the server at each boot, and kept in the cache for a boot without a network. It
//! comes from where this program comes from and is believed; what it names is checked.

use js_sys::{Array, JSON};
use wasm_bindgen::prelude::*;

use crate::js::get;

/// The only version there is.
const VERSION: f64 = 1.0;

/// A pack as the manifest describes it.
pub struct Pack {
    /// The first 32 hexadecimal digits of the SHA-256 of the file.
    pub name: String,
    pub title: String,
    /// Length of the file.
    pub bytes: u32,
    /// Length of what it unpacks to.
    pub raw: u32,
}

pub struct Manifest {
    /// All of it, for the fields that are not about packs.
    pub json: JsValue,
    pub packs: Vec<Pack>,
    /// Positions in `packs`.
    pub index: usize,
    pub boot: Vec<usize>,
}

impl Manifest {
    /// `None` when it is no manifest of this version.
    pub fn parse(text: &str) -> Option<Manifest> {
        let json = JSON::parse(text).ok()?;
        if get(&json, "version").as_f64() != Some(VERSION) {
            return None;
        }
        let packs: Vec<Pack> = array(&json, "packs")?.iter().map(|p| pack(&p)).collect::<Option<_>>()?;
        let find = |name: JsValue| name.as_string().and_then(|name| packs.iter().position(|p| p.name == name));
        let index = find(get(&json, "index"))?;
        let boot = array(&json, "boot")?.iter().map(find).collect::<Option<_>>()?;
        Some(Manifest { json, packs, index, boot })
    }
}

fn array(of: &JsValue, name: &str) -> Option<Array> {
    get(of, name).dyn_into().ok()
}

fn pack(p: &JsValue) -> Option<Pack> {
    let length = |name| get(p, name).as_f64().filter(|n| (0.0..4294967295.0).contains(n)).map(|n| n as u32);
    let name = get(p, "name").as_string()?;
    // It becomes part of an address and of a cache key.
    if name.len() != 32 || !name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    let title = get(p, "title").as_string().unwrap_or_default();
    Some(Pack { name, title, bytes: length("bytes")?, raw: length("raw")? })
}
