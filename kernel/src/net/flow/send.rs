//! Into a flow.

use core::sync::atomic::Ordering::Relaxed;

use abi::{Errno, SysResult};
use alloc::sync::Arc;

use super::{Flow, HEADS_MAX, Head, Patience, Peer, Rights, Sender, State};
use crate::uio::Uio;

impl Flow {
    /// Sends all of `uio`: a stream piece by piece, a message as one. EPIPE when nobody will receive, EMSGSIZE,
    /// EPERM, EAGAIN, ENOBUFS. Rights are gone when it is over.
    pub fn send(
        self: &Arc<Flow>,
        uio: &mut Uio<'_>,
        wait: Patience,
        rights: &mut Rights,
        from: &Sender,
    ) -> SysResult<()> {
        loop {
            if let Some(done) = self.try_send(uio, wait, rights, from) {
                return done;
            }
            let need = if self.messages { uio.resid } else { 1 };
            wait.wait(uio.lwp(), &self.writers, || {
                let st = self.state.lock();
                let room = if self.messages { st.room() >= need } else { st.room() >= st.enough() };
                (st.eof || st.broken || need > st.limit || room && st.heads.len() < HEADS_MAX).then_some(())
            })?;
        }
    }

    /// None when there is no room.
    fn try_send(&self, uio: &mut Uio<'_>, wait: Patience, rights: &mut Rights, from: &Sender) -> Option<SysResult<()>> {
        let flight = (!rights.is_empty()).then(|| self.registry.flight.lock());
        let mut st = self.state.lock();
        if st.eof || st.broken {
            return Some(Err(Errno::EPIPE));
        }
        let (asked, room) = (uio.resid, st.room());
        let result = if self.messages {
            if asked > st.limit {
                return Some(Err(Errno::EMSGSIZE));
            }
            if st.only != 0 && st.only != from.inbox {
                return Some(Err(Errno::EPERM));
            }
            if room < asked || st.heads.len() >= HEADS_MAX {
                return None;
            }
            if st.heads.try_reserve(1).is_err() {
                return Some(Err(Errno::ENOMEM));
            }
            let at = st.written;
            if let Err(e) = st.fill(uio, asked) {
                // All of it or nothing.
                let half = (st.written - at) as usize;
                st.ring.uncommit(half);
                st.written = at;
                return Some(Err(e));
            }
            let (from, cred) = (from.name.clone(), Some(from.cred));
            self.note(&mut st, Head { at, len: asked, from, rights: core::mem::take(rights), cred });
            Some(Ok(()))
        } else {
            // Less than is worth a wake-up is no room, unless one is content with it.
            if asked > 0 && (room == 0 || room < asked.min(st.enough()) && !wait.nonblock) {
                return None;
            }
            if st.heads.len() >= HEADS_MAX && self.notes(&st, asked, rights, from).is_some() {
                return None;
            }
            match self.put_bytes(&mut st, uio, rights, from) {
                Ok(()) if uio.resid > 0 => None,
                done => Some(done),
            }
        };
        drop(st);
        drop(flight);
        self.readers.wake_all();
        result
    }

    /// As many bytes of a stream as there is room for; descriptors, and who sends, come with the first.
    fn put_bytes(&self, st: &mut State, uio: &mut Uio<'_>, rights: &mut Rights, from: &Sender) -> SysResult<()> {
        let (asked, at, room) = (uio.resid, st.written, st.room());
        let noted = self.notes(st, asked, rights, from);
        if noted.is_some() && st.heads.try_reserve(1).is_err() {
            return Err(Errno::ENOMEM);
        }
        let done = st.fill(uio, room);
        if let Some(cred) = noted
            && uio.resid < asked
        {
            st.last_in = cred;
            self.note(st, Head { at, len: 0, from: from.name.clone(), rights: core::mem::take(rights), cred });
        }
        done
    }

    /// Of a stream: a head is needed, and who has sent it is to stand there so.
    fn notes(&self, st: &State, asked: usize, rights: &Rights, from: &Sender) -> Option<Option<Peer>> {
        let cred = (from.explicit || self.wants_sender.load(Relaxed)).then_some(from.cred);
        (asked > 0 && (!rights.is_empty() || cred != st.last_in)).then_some(cred)
    }

    /// There is room for it.
    fn note(&self, st: &mut State, head: Head) {
        if !head.rights.is_empty() {
            self.carried.fetch_add(1, Relaxed);
        }
        st.heads.push_back(head);
    }
}
