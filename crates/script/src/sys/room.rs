//! How much a program may write: Linux counts memory rather than octets, and takes chunks whole.

use synfin_tcp::Info;

use super::{Sys, World};
use crate::profile::SendRoom;

/// Memory that a queued chunk takes beyond its octets.
const OVERHEAD: u64 = 832;
/// Octets of a chunk at most.
const LARGEST: u32 = 65_215;

/// What is in a send buffer.
struct Queued {
    /// Octets that cannot be sent yet.
    later: u32,
    /// Memory in use.
    memory: u64,
    /// Octets of a whole chunk.
    chunk: u32,
}

impl Queued {
    fn of(info: &Info) -> Queued {
        let mss = u32::from(info.mss).max(1);
        let half = if info.snd_max_wnd > 536 { info.snd_max_wnd / 2 } else { info.snd_max_wnd };
        let most = LARGEST.min(half.max(68));
        let chunk = (most - most % mss).max(mss);
        // What the windows let through leaves at once, in pairs of segments.
        let usable = info.cwnd.min(info.snd_wnd).saturating_sub(info.flight);
        let unsent = info.send_queue.saturating_sub(info.flight);
        let later = unsent.saturating_sub(usable - usable % mss);
        let sent = info.send_queue - later.min(info.send_queue);
        let chunks = sent.div_ceil(2 * mss) + later.div_ceil(chunk);
        Queued { later, memory: u64::from(info.send_queue) + OVERHEAD * u64::from(chunks), chunk }
    }
}

impl Sys {
    /// The size of a socket's send buffer. One that the program did not choose follows the congestion window.
    fn send_buffer(&self, world: &World<'_>, fd: i64, info: &Info) -> u64 {
        let [_, initial, most] = world.profile.send_sizes;
        let chosen = self.sock(fd).and_then(|s| s.opts.send_buffer());
        let mss = u32::from(info.mss).max(1);
        let segment = (mss + 640).checked_next_power_of_two().unwrap_or(u32::MAX).saturating_add(256);
        let grown = (info.cwnd / mss).max(10).saturating_mul(2).saturating_mul(segment).min(most);
        u64::from(chosen.unwrap_or(initial.max(grown)))
    }

    /// Octets that can be written now; a writer that had to wait is only woken when a third of the buffer is free.
    pub(super) fn room_for(&self, world: &mut World<'_>, fd: i64, waited: bool) -> Option<usize> {
        if world.profile.send_room == SendRoom::Octets {
            return Some(1 << 20);
        }
        let id = self.conn_id(fd)?;
        let info = world.stack.conn(world.now, id)?.info();
        if waited && !self.has_room(world, fd, &info) {
            return Some(0);
        }
        let queued = Queued::of(&info);
        let started = queued.later % queued.chunk;
        let sock = self.sock(fd)?;
        if started > 0 && !sock.record_ended {
            return Some((queued.chunk - started) as usize);
        }
        let lowat = sock.opts.notsent_lowat.filter(|n| *n > 0).unwrap_or(world.profile.notsent_lowat);
        let free = queued.memory < self.send_buffer(world, fd, &info) && queued.later < lowat;
        Some(if free { queued.chunk as usize } else { 0 })
    }

    /// Whether a program is told that it can write.
    pub(super) fn has_room(&self, world: &World<'_>, fd: i64, info: &Info) -> bool {
        if world.profile.send_room == SendRoom::Octets {
            return true;
        }
        let queued = Queued::of(info);
        let size = self.send_buffer(world, fd, info);
        let lowat = self.sock(fd).and_then(|s| s.opts.notsent_lowat).filter(|n| *n > 0);
        size.saturating_sub(queued.memory) >= queued.memory / 2
            // Whoever is told finds room for as much again.
            && u64::from(queued.later) * 2 < u64::from(lowat.unwrap_or(world.profile.notsent_lowat))
    }
}
