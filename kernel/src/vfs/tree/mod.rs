//! What file systems share that hold their directories in memory: `tmpfs` and `diskfs`.

pub mod attr;
pub mod dir;
pub mod names;
pub mod special;
