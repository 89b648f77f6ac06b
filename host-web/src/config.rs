//! What the kernel is told at boot: the records of `abi::image::Config`.

use abi::image::kind;

use crate::page::Options;

/// Where the disks are mounted, by unit.
pub const DISKS: [&str; 2] = ["/home", "/var"];
/// Who comes back finds there what was left: it is on a disk.
const HOME: &str = "HOME=/home/user";
/// Processes in all; the engine has room for about a hundred.
const PROCS_MAX: u32 = 200;

/// Appends `u32 kind, u32 length, payload`.
pub fn record(out: &mut Vec<u8>, kind: u32, payload: &[&[u8]]) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    out.extend(kind.to_le_bytes());
    out.extend((length as u32).to_le_bytes());
    payload.iter().for_each(|part| out.extend(*part));
}

/// Blob 0. `disks` says of each disk whether it is there, and whether it may be written to; `cpus`, how many there are
/// or will be.
pub fn encode(options: &Options, disks: &[Option<bool>], cpus: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let default = ["/sbin/init".to_string(), "--attached".to_string()];
    let argv = if options.init.is_empty() { &default[..] } else { &options.init };
    record(&mut out, kind::PROGRAM, &[argv[0].as_bytes()]);
    for arg in argv {
        record(&mut out, kind::ARG, &[arg.as_bytes()]);
    }
    for var in &options.env {
        record(&mut out, kind::ENV, &[var.as_bytes()]);
    }
    if !options.env.iter().any(|var| var.starts_with("HOME=")) {
        record(&mut out, kind::ENV, &[HOME.as_bytes()]);
    }
    for ((unit, path), disk) in (0u32..).zip(DISKS).zip(disks) {
        if let Some(writable) = disk {
            let flags = if *writable { 0 } else { abi::types::mnt::RDONLY };
            record(&mut out, kind::DISK, &[&unit.to_le_bytes(), &flags.to_le_bytes(), path.as_bytes()]);
        }
    }
    record(&mut out, kind::CPUS, &[&cpus.to_le_bytes()]);
    record(&mut out, kind::INIT, &[]);
    record(&mut out, kind::MAX_PROCS, &[&PROCS_MAX.to_le_bytes()]);
    out
}
