//! What BSD keeps in `kern`: processes, descriptors, time, resources.

pub mod coredump;
pub mod cred;
pub mod descrip;
pub mod exec;
pub mod exit;
pub mod fork;
pub mod generic;
pub mod itimer;
pub mod ktrace;
pub mod lockf;
pub mod poll;
pub mod prio;
pub mod proc;
pub mod ptimer;
pub mod resource;
pub mod sig;
pub mod sigact;
pub mod sigframe;
pub mod spawn;
pub mod synch;
pub mod time;
pub mod wait;
