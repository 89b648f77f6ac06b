//! What this command carries inside; see `build.rs`.

use crate::plan::Failure;
use host_wasi::bootimage::BootImage;

pub struct Artifacts {
    pub kernel: &'static [u8],
    /// The base image.
    pub base: &'static [u8],
    /// Hashes of its programs, by path.
    pub hashes: &'static [(&'static str, [u8; 32])],
    /// Its programs, compiled, by hash.
    pub programs: &'static [([u8; 32], &'static [u8])],
}

include!(concat!(env!("OUT_DIR"), "/artifacts.rs"));

/// The artifacts, or what to do about there being none.
pub fn get() -> Result<&'static Artifacts, Failure> {
    ARTIFACTS.as_ref().ok_or_else(|| {
        Failure::new(crate::plan::CANNOT_RUN, "built without a kernel and a base image: run `cargo xtask build`")
    })
}

impl Artifacts {
    pub fn image(&self) -> Result<BootImage, Failure> {
        BootImage::from_tar_bytes(self.base, self.hashes).map_err(|e| {
            Failure::new(crate::plan::CANNOT_RUN, format!("the built-in image: {e}; run `cargo xtask build`"))
        })
    }
}
