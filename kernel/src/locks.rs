//! The lock tree. Who holds a lock may take only locks of a higher rank, here: further down.
//!
//! Sleep locks stand above all spin locks, as a holder of a spin lock must not sleep. Files are
//! released (dropped) only with no spin lock held: closing may talk to the host.
//!
//! ```text
//! rename            one per mount: a rename changes two directories as one      sleeps
//!   offset          a file's position, over the whole transfer (POSIX 2.9.7)   sleeps
//!    diskfs         a disk's file system: each change, and its commits          sleeps
//!     vnode-data    the content of a regular file                              sleeps
//!       hostfs      the message buffer of the file server                      sleeps
//!        sending    to several processes: see `kern::fork`
//!         proctree  all of the process tree: parents, groups, states
//!           proc    one process: directories, names, limits
//!             signals    how a process takes its signals
//!             timers     its timers
//!             filedesc   one descriptor table
//!               mounts   the mount table
//!                 advisory   which ranges of files are locked
//!                 namecache
//!                   tree       a change of more than one directory of tmpfs or diskfs
//!                   tree-dir   entries of such directories (several: with `tree` held)
//!                     tree-node  state of one such file
//!                       flight   descriptors that are sent
//!                       socket   what one socket is connected to
//!                       sockets  the names of sockets
//!                       door     connections that nobody has accepted
//!                       flow     what is on its way to a socket
//!                       dying    files that were sent and nobody will receive
//!                       pipe
//!                       ttys     which devices are attached, and to which session
//!                       tty      the state of one terminal
//!                         waitq  sleepers
//!                           cons the console's line
//! ```

use ksync::Class;

pub static RENAME: Class = Class::new("rename", 100);
pub static OFFSET: Class = Class::nesting("offset", 110);
pub static DISKFS: Class = Class::new("diskfs", 115);
pub static VNODE_DATA: Class = Class::nesting("vnode-data", 120);
pub static HOSTFS: Class = Class::new("hostfs", 130);
pub static SENDING: Class = Class::new("sending", 190);
pub static PROCTREE: Class = Class::new("proctree", 200);
pub static PROC: Class = Class::nesting("proc", 210);
pub static SIGNALS: Class = Class::new("signals", 215);
pub static TIMERS: Class = Class::new("timers", 217);
pub static FILEDESC: Class = Class::new("filedesc", 220);
pub static MOUNTS: Class = Class::new("mounts", 230);
pub static ADVISORY: Class = Class::new("advisory", 235);
pub static NAMECACHE: Class = Class::new("namecache", 240);
pub static TREE: Class = Class::new("tree", 245);
pub static TREE_DIR: Class = Class::nesting("tree-dir", 250);
pub static TREE_NODE: Class = Class::nesting("tree-node", 260);
pub static FLIGHT: Class = Class::new("flight", 268);
pub static SOCKET: Class = Class::new("socket", 270);
pub static SOCKETS: Class = Class::new("sockets", 272);
pub static DOOR: Class = Class::new("door", 280);
pub static FLOW: Class = Class::new("flow", 282);
pub static DYING: Class = Class::new("dying", 284);
pub static PIPE: Class = Class::new("pipe", 300);
pub static TTYS: Class = Class::new("ttys", 305);
pub static TTY: Class = Class::new("tty", 310);
pub static WAITQ: Class = Class::new("waitq", 400);
pub static CONS: Class = Class::new("cons", 500);
