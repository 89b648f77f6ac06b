//! Personalities: other systems' calls as thin decoders over `kern_*`.

pub mod wasi;
