//! Path resolution, POSIX 4.13: BSD's `namei`.
//!
//! A [`Walk`] stands in a directory and has text before it. Each step looks one component up,
//! crosses mounts, and puts a symbolic link's text in front of what is left. Directories are asked
//! for search permission as they are passed.

use alloc::vec::Vec;

use abi::types::limits::{NAME_MAX, PATH_MAX, SYMLOOP_MAX};
use abi::types::{access, mode};
use abi::{Errno, SysResult};

use crate::kern::proc::{Dirs, Lwp};
use crate::vfs::mount::{cross, is_mount_root};
use crate::vfs::path::{Component, component};
use crate::vfs::vnode::{Owner, VnodeRef, same};

/// Where a relative path begins.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    Cwd,
    Root,
    Dir(&'a VnodeRef),
}

/// A path and how to walk it.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub start: Start<'a>,
    pub path: &'a [u8],
    /// Follow a symbolic link that is the last component.
    pub follow: bool,
    /// Never leave `start`: `..` above it, an absolute path or an absolute link is ENOTCAPABLE. If
    /// `start` is the process's root nothing can leave it, and absolute links are fine.
    pub beneath: bool,
}

impl<'a> At<'a> {
    /// As most calls walk: from the working directory, through links.
    pub fn cwd(path: &'a [u8]) -> At<'a> {
        At { start: Start::Cwd, path, follow: true, beneath: false }
    }
    /// The same path, with or without following a last link.
    #[must_use]
    pub fn following(self, follow: bool) -> At<'a> {
        At { follow, ..self }
    }
}

/// What the last component is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Normal,
    Dot,
    DotDot,
    /// There is none: the path is all slashes.
    Root,
}

/// The last component of a path: part of the path itself, or of what a symbolic link said.
pub struct Name<'a> {
    text: Text<'a>,
    start: usize,
    end: usize,
}

impl core::ops::Deref for Name<'_> {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        &self.text.get()[self.start..self.end]
    }
}

/// The directory in which the last component of a path stands; that it exists is not known.
pub struct Parent<'a> {
    pub dir: VnodeRef,
    pub name: Name<'a>,
    pub trailing_slash: bool,
    pub kind: Kind,
}

/// What is there, and where: for calls that make a file if there is none.
pub struct Found<'a> {
    pub parent: Parent<'a>,
    pub vp: Option<VnodeRef>,
}

/// The object a path names.
#[inline]
pub fn namei(lp: &Lwp, at: &At<'_>) -> SysResult<VnodeRef> {
    let mut walk = Walk::new(lp, at)?;
    walk.run(Want::Existing, at.follow)?.ok_or(Errno::ENOENT)
}

/// The directory and name of a path's last component, which is not looked up.
pub fn namei_parent<'n>(lp: &Lwp, at: &At<'n>) -> SysResult<Parent<'n>> {
    let mut walk = Walk::new(lp, at)?;
    walk.run(Want::Parent, at.follow)?;
    Ok(walk.into_parent())
}

/// The object a path names if it is there, and in any case where it would be. A last link is
/// followed to where it points even if nothing is there.
pub fn namei_create<'n>(lp: &Lwp, at: &At<'n>) -> SysResult<Found<'n>> {
    let mut walk = Walk::new(lp, at)?;
    let vp = walk.run(Want::Maybe, at.follow)?;
    Ok(Found { parent: walk.into_parent(), vp })
}

/// Looks a name up in a directory, through the name cache where there is one, and enters what is
/// mounted there.
#[inline]
pub fn child(lp: &Lwp, dir: &VnodeRef, name: &[u8]) -> SysResult<VnodeRef> {
    let vp = if dir.head().mount.cached { lp.kernel.namecache.lookup(lp, dir, name)? } else { dir.lookup(lp, name)? };
    if vp.head().mounted_here().is_some() { cross(vp) } else { Ok(vp) }
}

/// The process's directories.
pub fn dirs(lp: &Lwp) -> SysResult<Dirs> {
    lp.proc.dirs.lock().clone().ok_or(Errno::ENOENT)
}

pub fn root_dir(lp: &Lwp) -> SysResult<VnodeRef> {
    lp.proc.dirs.lock().as_ref().map(|d| d.root.clone()).ok_or(Errno::ENOENT)
}

pub fn working_dir(lp: &Lwp) -> SysResult<VnodeRef> {
    lp.proc.dirs.lock().as_ref().map(|d| d.cwd.clone()).ok_or(Errno::ENOENT)
}

/// The directory above `dir`, out of its mount if need be; itself at the top of the tree.
pub fn parent_of(lp: &Lwp, dir: &VnodeRef) -> SysResult<VnodeRef> {
    let mut dir = dir.clone();
    while is_mount_root(&*dir) {
        match dir.head().mount.covers() {
            Some(below) => dir = below,
            None => return Ok(dir),
        }
    }
    cross(dir.parent(lp)?)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Existing,
    Maybe,
    Parent,
}

/// What is still to be walked.
enum Text<'a> {
    Given(&'a [u8]),
    /// After a symbolic link.
    Spliced(Vec<u8>),
}

impl Text<'_> {
    #[inline]
    fn get(&self) -> &[u8] {
        match self {
            Text::Given(t) => t,
            Text::Spliced(t) => t,
        }
    }
}

struct Walk<'l, 'a> {
    lp: &'l Lwp,
    text: Text<'a>,
    pos: usize,
    /// Where we stand; at the end, where the last component stands.
    dir: VnodeRef,
    /// Fetched when first needed.
    root: Option<VnodeRef>,
    /// What may not be left.
    barrier: Option<VnodeRef>,
    links: usize,
    last: Component,
    kind: Kind,
}

impl<'l, 'a> Walk<'l, 'a> {
    /// In place, so that the walk need not be moved.
    #[inline(always)]
    fn new(lp: &'l Lwp, at: &At<'a>) -> SysResult<Walk<'l, 'a>> {
        if at.path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let absolute = at.path[0] == b'/';
        let dir = match at.start {
            _ if absolute && !at.beneath => root_dir(lp)?,
            Start::Cwd => working_dir(lp)?,
            Start::Root => root_dir(lp)?,
            Start::Dir(d) => d.clone(),
        };
        let mut walk = Walk {
            lp,
            text: Text::Given(at.path),
            pos: 0,
            barrier: if at.beneath { Some(dir.clone()) } else { None },
            dir,
            root: None,
            links: 0,
            last: Component { start: 0, end: 0, last: true, slash: true },
            kind: Kind::Root,
        };
        if absolute && at.beneath {
            walk.enter_root()?;
        }
        Ok(walk)
    }

    fn root(&mut self) -> SysResult<VnodeRef> {
        if self.root.is_none() {
            self.root = Some(root_dir(self.lp)?);
        }
        self.root.clone().ok_or(Errno::ENOENT)
    }

    /// True when nothing can be left.
    fn free(&mut self) -> SysResult<bool> {
        let root = self.root()?;
        Ok(self.barrier.as_ref().is_none_or(|b| same(b, &root)))
    }

    /// To the process's root directory: an absolute path or link.
    fn enter_root(&mut self) -> SysResult<()> {
        if !self.free()? {
            return Err(Errno::ENOTCAPABLE);
        }
        self.dir = self.root()?;
        Ok(())
    }

    /// `..`
    fn up(&mut self) -> SysResult<()> {
        let root = self.root()?;
        if same(&self.dir, &root) {
            // Never above the process's root; who must stay beneath a directory has left it by then.
            return if self.free()? { Ok(()) } else { Err(Errno::ENOTCAPABLE) };
        }
        if self.barrier.as_ref().is_some_and(|b| same(b, &self.dir)) {
            return Err(Errno::ENOTCAPABLE);
        }
        self.dir = parent_of(self.lp, &self.dir)?;
        Ok(())
    }

    /// Walks on from what a symbolic link says. Answers an object for a link that leads straight
    /// to one.
    fn link(&mut self, link: &VnodeRef) -> SysResult<Option<VnodeRef>> {
        self.links += 1;
        if self.links > SYMLOOP_MAX {
            return Err(Errno::ELOOP);
        }
        if let Some(vp) = link.jump(self.lp)? {
            return if self.free()? { Ok(Some(vp)) } else { Err(Errno::ENOTCAPABLE) };
        }
        let mut text = link.readlink(self.lp)?;
        if text.is_empty() {
            return Err(Errno::ENOENT);
        }
        let rest = &self.text.get()[self.last.end..];
        if text.len() + rest.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        text.try_reserve(rest.len()).map_err(|_| Errno::ENOMEM)?;
        text.extend_from_slice(rest);
        let absolute = text[0] == b'/';
        self.text = Text::Spliced(text);
        self.pos = 0;
        if absolute {
            self.enter_root()?;
        }
        Ok(None)
    }

    /// Walks to the end. Answers what stands there, if that was wanted and it is there; then
    /// `dir` is where it stands and `last` which component it is.
    fn run(&mut self, want: Want, follow: bool) -> SysResult<Option<VnodeRef>> {
        // Of `dir`, whenever a component is looked up: asked once for each vnode.
        let mut owner = self.dir.owner();
        loop {
            let Some(c) = component(self.text.get(), self.pos) else {
                // All slashes, the root.
                self.kind = Kind::Root;
                return Ok(Some(self.dir.clone()));
            };
            (self.pos, self.last) = (c.end, c);
            self.check_search(&owner)?;
            let name = &self.text.get()[c.start..c.end];
            if name.len() > NAME_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            self.kind = match name {
                b"." => Kind::Dot,
                b".." => Kind::DotDot,
                _ => Kind::Normal,
            };
            if c.last && want == Want::Parent {
                return Ok(None);
            }
            let vp = match self.kind {
                Kind::Normal => match child(self.lp, &self.dir, name) {
                    Err(Errno::ENOENT) if c.last && want == Want::Maybe => return Ok(None),
                    other => other?,
                },
                Kind::DotDot => {
                    self.up()?;
                    self.dir.clone()
                }
                _ => self.dir.clone(),
            };
            let found = vp.owner();
            // A slash behind a link's name means what it points to, unless a name is to be made.
            let through = !c.last || follow || c.slash && want == Want::Existing;
            let (vp, found) = if found.mode & mode::IFMT == mode::IFLNK && through {
                match self.link(&vp)? {
                    Some(vp) => {
                        let found = vp.owner();
                        (vp, found)
                    }
                    None => {
                        owner = self.dir.owner();
                        continue;
                    }
                }
            } else {
                (vp, found)
            };
            if !c.last {
                (self.dir, owner) = (vp, found);
                continue;
            }
            if c.slash && want == Want::Existing && found.mode & mode::IFMT != mode::IFDIR {
                return Err(Errno::ENOTDIR);
            }
            return Ok(Some(vp));
        }
    }

    #[inline]
    fn check_search(&self, owner: &Owner) -> SysResult<()> {
        if owner.mode & mode::IFMT != mode::IFDIR {
            return Err(Errno::ENOTDIR);
        }
        self.lp.proc.cred.access(owner, access::X_OK)
    }

    fn into_parent(self) -> Parent<'a> {
        let Component { start, end, slash, .. } = self.last;
        let name = Name { text: self.text, start, end };
        Parent { name, dir: self.dir, trailing_slash: slash, kind: self.kind }
    }
}
