//! `manifest.json`: what the page reads first. Names of packs are files below `packs/`.

use crate::process::Outcome;
use serde::Serialize;

#[derive(Serialize, Clone, Debug)]
pub struct Manifest {
    pub version: u32,
    pub kernel: Kernel,
    /// The blob with the module that prepares programs which are not of the image (`host-web/prepare`).
    pub preparer: u32,
    /// The pack with the index and the table of blobs.
    pub index: String,
    /// Packs to be fetched at once.
    pub boot: Vec<String>,
    /// Packs worth fetching once the prompt is there and nothing else is being fetched.
    pub soon: Vec<String>,
    /// All packs; the table of blobs goes by their position here.
    pub packs: Vec<PackEntry>,
    pub packages: Vec<PackageEntry>,
}

#[derive(Serialize, Clone, Debug)]
pub struct Kernel {
    /// The pack that holds `kernel.wasm`, and nothing else.
    pub pack: String,
    /// The same, relative to the manifest: a gzip file.
    pub file: String,
    /// Of the unpacked kernel, the same file that `vk` has.
    pub sha256: String,
}

#[derive(Serialize, Clone, Debug)]
pub struct PackEntry {
    pub name: String,
    /// For people, when it is being fetched.
    pub title: String,
    pub bytes: u64,
    pub raw: u64,
}

/// An optional package, for a page that wants to list them.
#[derive(Serialize, Clone, Debug)]
pub struct PackageEntry {
    pub name: String,
    pub title: String,
    /// What to type.
    pub commands: Vec<String>,
    /// The packs that are fetched when it is used.
    pub packs: Vec<String>,
}

impl Manifest {
    pub fn to_json(&self) -> Outcome<String> {
        let mut text = serde_json::to_string_pretty(self).map_err(|e| e.to_string())?;
        text.push('\n');
        Ok(text)
    }

    pub fn kernel_bytes(&self) -> u64 {
        self.size(&self.kernel.pack)
    }

    fn size(&self, name: &str) -> u64 {
        self.packs.iter().find(|p| p.name == name).map_or(0, |p| p.bytes)
    }

    /// Bytes that are fetched of the image before there is a prompt.
    pub fn boot_bytes(&self) -> u64 {
        self.size(&self.index) + self.boot.iter().map(|n| self.size(n)).sum::<u64>()
    }
}
