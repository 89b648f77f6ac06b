//! Programs that were made in the page, or brought into it, and prepared there: the prepared form
//! is kept for the next visit when preparing took a while.
//!
//! Named by the original's SHA-256, beneath the name of the image's index: that one changes with
//! every change of the preparing, because the index holds the hashes of our own prepared programs.

use js_sys::Uint8Array;

use super::{Store, hash};
use crate::js;

/// Smaller ones are prepared as fast as they are found.
const WORTH: u32 = 1 << 20;
/// How many are kept.
const KEEP: usize = 16;
const PROGRAMS: &str = "programs/";
const PACKS: &str = "packs/";

/// Names a program.
pub struct ProgramKey(String);

impl Store {
    /// `None` when this one isn't worth it, or nothing can be kept.
    pub async fn program_key(&self, original: &Uint8Array) -> Option<ProgramKey> {
        if original.length() < WORTH || !self.0.cache.works().await {
            return None;
        }
        Some(ProgramKey([&self.programs(), &*hash::hex(&hash::sha256(original).await, 32)].concat()))
    }

    /// The prepared form, from an earlier visit.
    pub async fn program(&self, key: &ProgramKey) -> Option<Uint8Array> {
        self.0.cache.bytes(&key.0).await
    }

    pub fn keep_program(&self, key: &ProgramKey, prepared: &Uint8Array) {
        self.0.cache.put(&key.0, "application/wasm", prepared);
    }

    /// Where the programs of this image are.
    fn programs(&self) -> String {
        [PROGRAMS, &js::get(&self.0.manifest, "index").as_string().unwrap_or_default(), "/"].concat()
    }

    /// Drops what no boot will ask for again: packs of other images, and old programs. For after boot.
    pub async fn sweep(&self) {
        let current = self.programs();
        let keys = self.0.cache.keys().await;
        let mut programs = keys.iter().filter(|key| key.starts_with(&current)).count();
        for key in &keys {
            let useless = match key.strip_prefix(PACKS) {
                Some(name) => !self.0.packs.names().any(|pack| pack == name),
                None if key.starts_with(&current) => {
                    programs -= 1;
                    programs >= KEEP
                }
                None => key.starts_with(PROGRAMS),
            };
            if useless {
                self.0.cache.delete(key).await;
            }
        }
    }
}
