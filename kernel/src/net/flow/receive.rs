//! Out of a flow.

use core::sync::atomic::Ordering::Relaxed;

use abi::SysResult;
use abi::types::sock;

use super::{Flow, Head, Patience, Peer, Rights, State};
use crate::net::Name;
use crate::uio::Uio;

/// What a receiver got besides the bytes.
#[derive(Default)]
pub struct Got {
    /// `sock::MSG_TRUNC`.
    pub flags: u32,
    pub from: Option<Name>,
    pub rights: Rights,
    /// Who has sent it, where that was noted.
    pub cred: Option<Peer>,
    /// How long the message was, received or not.
    pub len: usize,
}

impl Got {
    fn join(&mut self, more: Got) {
        self.len += more.len;
        self.flags |= more.flags;
        self.from = self.from.take().or(more.from);
        self.cred = self.cred.or(more.cred);
        self.rights.append(more.rights);
    }
}

impl Flow {
    /// Receives what is there, or waits for it. Nothing at the end. EAGAIN, EINTR, and what `error` says.
    pub fn receive(&self, uio: &mut Uio<'_>, wait: Patience, flags: u32) -> SysResult<Got> {
        let mut all = Got::default();
        let whole = flags & sock::MSG_WAITALL != 0 && flags & sock::MSG_PEEK == 0 && !self.messages;
        loop {
            match self.try_receive(uio, flags, &all) {
                Some(Ok((got, end))) => {
                    let stop = end || !whole || uio.resid == 0 || !got.rights.is_empty();
                    all.join(got);
                    if stop {
                        return Ok(all);
                    }
                }
                Some(Err(e)) => return if all.len > 0 { Ok(all) } else { Err(e) },
                None => {
                    let came = || self.ready(&self.state.lock()).then_some(());
                    if let Err(e) = wait.wait(uio.lwp(), &self.readers, came) {
                        return if all.len > 0 { Ok(all) } else { Err(e) };
                    }
                }
            }
        }
    }

    /// What there is now, and whether it is the end; None when one must wait. `before` has been received by the same call.
    fn try_receive(&self, uio: &mut Uio<'_>, flags: u32, before: &Got) -> Option<SysResult<(Got, bool)>> {
        let peek = flags & sock::MSG_PEEK != 0;
        // Descriptors are taken out of their flow only with the flight's lock held.
        let flight = (self.carried.load(Relaxed) > 0).then(|| self.registry.flight.lock());
        let mut st = self.state.lock();
        if flight.is_none() && self.carried.load(Relaxed) > 0 {
            drop(st);
            return self.try_receive(uio, flags, before);
        }
        if self.is_empty(&st) {
            return match st.error.take() {
                Some(e) => Some(Err(e)),
                None => st.eof.then(|| Ok((Got::default(), true))),
            };
        }
        if before.len > 0 && self.wants_sender.load(Relaxed) && st.next_cred() != before.cred {
            return Some(Ok((Got::default(), true)));
        }
        let got =
            if self.messages { self.take_message(&mut st, uio, peek) } else { self.take_bytes(&mut st, uio, peek) };
        let wake = !peek && (self.messages || st.room() >= st.enough());
        drop(st);
        drop(flight);
        if wake {
            self.writers.wake_all();
        }
        Some(got.map(|g| (g, false)))
    }

    fn take_message(&self, st: &mut State, uio: &mut Uio<'_>, peek: bool) -> SysResult<Got> {
        let Some(head) = st.heads.front() else { return Ok(Got::default()) };
        let (len, from, asked, cred) = (head.len, head.from.clone(), uio.resid, head.cred);
        // The message stays if it can't be copied.
        st.drain(uio, len, true)?;
        let mut got = Got { len, from: Some(from), cred, ..Got::default() };
        if len > asked {
            got.flags |= sock::MSG_TRUNC;
        }
        if peek {
            return Ok(got);
        }
        st.ring.consume(len);
        got.rights = self.take_head(st);
        Ok(got)
    }

    fn take_bytes(&self, st: &mut State, uio: &mut Uio<'_>, peek: bool) -> SysResult<Got> {
        let (asked, here) = (uio.resid, st.position());
        // One call receives the descriptors of one, and of one sender if it wants to know that.
        let apart = self.wants_sender.load(Relaxed);
        let begins = |h: &&Head| h.at > here && (apart || !h.rights.is_empty());
        let until = st.heads.iter().find(begins).map_or(u64::MAX, |h| h.at);
        let most = (until - here).min(st.ring.len() as u64) as usize;
        let cred = st.next_cred();
        st.drain(uio, most, peek)?;
        let mut got = Got { len: asked - uio.resid, cred, ..Got::default() };
        while !peek && st.heads.front().is_some_and(|h| h.at < here.saturating_add(got.len as u64)) {
            got.rights.append(self.take_head(st));
        }
        Ok(got)
    }

    fn take_head(&self, st: &mut State) -> Rights {
        let Some(head) = st.heads.pop_front() else { return Rights::default() };
        if !head.rights.is_empty() {
            self.carried.fetch_sub(1, Relaxed);
        }
        st.last_out = head.cred;
        head.rights
    }
}
