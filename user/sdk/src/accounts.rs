//! `/etc/passwd` and `/etc/group`: passwd(5), group(5). A line that is no entry is left out.

use crate::{SysResult, io};

/// An entry of `/etc/passwd`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: String,
    pub shell: String,
}

/// An entry of `/etc/group`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    pub name: String,
    pub gid: u32,
    pub members: Vec<String>,
}

fn text(file: &[u8]) -> SysResult<String> {
    Ok(String::from_utf8_lossy(&io::read_file(file)?).into_owned())
}

fn parse_user(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
    let (name, home) = (name.to_string(), home.to_string());
    // As passwd(5).
    let shell = if shell.is_empty() { "/bin/sh" } else { shell }.to_string();
    (!name.is_empty()).then_some(User { name, uid: uid.parse().ok()?, gid: gid.parse().ok()?, home, shell })
}

fn parse_group(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields[..] else { return None };
    let members = members.split(',').filter(|m| !m.is_empty()).map(String::from).collect();
    (!name.is_empty()).then_some(Group { name: name.to_string(), gid: gid.parse().ok()?, members })
}

/// `getpwent(3)`: all of them.
pub fn users() -> SysResult<Vec<User>> {
    Ok(text(b"/etc/passwd")?.lines().filter_map(parse_user).collect())
}

/// `getgrent(3)`: all of them.
pub fn groups() -> SysResult<Vec<Group>> {
    Ok(text(b"/etc/group")?.lines().filter_map(parse_group).collect())
}

/// `getpwnam(3)`.
pub fn user_named(name: &str) -> SysResult<Option<User>> {
    Ok(users()?.into_iter().find(|u| u.name == name))
}

/// `getpwuid(3)`.
pub fn user_with(uid: u32) -> SysResult<Option<User>> {
    Ok(users()?.into_iter().find(|u| u.uid == uid))
}

/// `getgrnam(3)`.
pub fn group_named(name: &str) -> SysResult<Option<Group>> {
    Ok(groups()?.into_iter().find(|g| g.name == name))
}

/// `getgrouplist(3)`: this group, and those that the user is a member of.
pub fn groups_of(user: &str, first: u32) -> SysResult<Vec<u32>> {
    let mut all = vec![first];
    let member = |g: &Group| g.gid != first && g.members.iter().any(|m| m == user);
    all.extend(groups()?.into_iter().filter(member).map(|g| g.gid));
    Ok(all)
}

/// `initgroups(3)`.
pub fn initgroups(user: &str, first: u32) -> SysResult<()> {
    crate::proc::setgroups(&groups_of(user, first)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_entries_or_nothing() {
        let u = parse_user("user:x:1000:100:A User:/home/user:").expect("an entry");
        assert_eq!((u.uid, u.gid, u.home.as_str(), u.shell.as_str()), (1000, 100, "/home/user", "/bin/sh"));
        let g = parse_group("audio:x:29:user,,other").expect("an entry");
        assert_eq!((g.gid, g.members), (29, vec!["user".to_string(), "other".to_string()]));
        for line in ["", ":x:1:1::/:", "u:x:one:1::/:", "u:x:1:1:/:", "u:x:1:1::/::"] {
            assert_eq!(parse_user(line), None, "{line}");
        }
        for line in ["", "g:x:one:", "g:x:1", ":x:1:"] {
            assert_eq!(parse_group(line), None, "{line}");
        }
    }
}
