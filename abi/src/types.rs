//! Constants and structures of the native system calls.
//!
//! Names are POSIX's, numbers Linux's generic ones where programs or people know them by heart
//! (modes, signals), our own elsewhere.

mod devices;
mod files;
mod processes;
mod signals;
mod sockets;
mod terminals;

pub use devices::*;
pub use files::*;
pub use processes::*;
pub use signals::*;
pub use sockets::*;
pub use terminals::*;
