//! `newgrp`: a shell with another group of one's own.

use crate::{session, su};
use kit::options::{Failure, Options};
use vkernel_sys::accounts::{group_named, initgroups};
use vkernel_sys::proc;

pub fn newgrp(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "l", "newgrp [-l] [GROUP]", false)?;
    let login = o.has(b'l') || o.operands.iter().any(|a| a == b"-");
    let user = su::caller()?;
    let mut gid = user.gid;
    if let Some(name) = o.operands.iter().find(|a| *a != b"-") {
        let name = String::from_utf8_lossy(name).into_owned();
        let group = group_named(&name).map_err(|e| Failure::with(b"/etc/group", e))?;
        let group = group.ok_or_else(|| Failure::new(format!("group {name} does not exist")))?;
        // Groups have no passwords here.
        let member = user.uid == 0 || group.gid == user.gid || group.members.contains(&user.name);
        if !member {
            return Err(Failure::new(format!("{} is not in group {name}", user.name)));
        }
        gid = group.gid;
    }
    let change = || {
        initgroups(&user.name, user.gid)?;
        proc::setgid(gid)?;
        proc::setuid(user.uid)
    };
    change().map_err(|e| Failure::new(format!("cannot change the group: {e}")))?;
    let env = kit::process::environment();
    let env = if login { session::login_environment(&user, &user.shell) } else { env };
    if login {
        session::go_home(&user);
    }
    Err(session::run(&user.shell, login, &[], &env))
}
