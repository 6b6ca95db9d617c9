//! The window that is offered, and when a reader's progress is told (RFC 9293 3.8.6.2.2).

use super::{Bits, Connection};
use crate::event::Why;
use crate::recv::pace::window_for_segments;

impl Connection {
    /// The window field. The right edge never moves left.
    pub(super) fn next_window(&mut self) -> u16 {
        let current = self.rcv_wnd();
        let unit = 1_u32 << self.rcv.wscale;
        let field = if self.bits.has(Bits::OVERHEAD) {
            // Rounding up takes nothing back.
            self.selected_window().max(current).div_ceil(unit)
        } else {
            let free = self.free_space();
            let grows = free >= current.saturating_add(self.window_step());
            (if grows { free } else { current }) >> self.rcv.wscale
        };
        let field = field.min(u32::from(u16::MAX));
        self.rcv.adv = self.rcv.adv.later(self.rcv.nxt + (field << self.rcv.wscale));
        field as u16
    }

    /// Room in the receive buffer; one that is smaller than the unit of the window field counts as one unit.
    fn free_space(&self) -> u32 {
        self.rcv.limit.max(1 << self.rcv.wscale).saturating_sub(self.recv.readable())
    }

    /// The smallest move of the right edge that is worth telling (RFC 9293 3.8.6.2.2).
    fn window_step(&self) -> u32 {
        (self.rcv.limit / 2).min(u32::from(self.rcv.our_mss)).max(1)
    }

    /// Where overhead counts: the window that the buffer has room for, none below a sixteenth of it or a segment, and
    /// not more than the segments seen so far have earned.
    fn selected_window(&mut self) -> u32 {
        let full = self.rcv.limit;
        let segment = u32::from(self.pace.segment).min(full).max(1);
        let mut free = full.saturating_sub(self.recv.readable());
        let unit = 1_u32 << self.rcv.wscale;
        if free < full / 2 {
            self.pace.calm();
            free -= free % unit;
            if free < full / 16 || free < segment {
                return 0;
            }
        }
        let free = free.min(self.rcv.ssthresh);
        if self.rcv.wscale > 0 {
            return free.next_multiple_of(unit);
        }
        // As long as no whole segment is to be gained the window stays: the edge moves in steps of a segment.
        let offered = self.rcv.adv.since(self.rcv.last_ack_sent);
        if offered.saturating_add(segment) <= free || offered > free {
            free - free % segment
        } else if segment == full && free > offered.saturating_add(full / 2) {
            free
        } else {
            offered
        }
    }

    /// Whether the next ACK could offer as much as the last one, or the reader waits for more.
    pub(super) fn window_keeps_up(&mut self) -> bool {
        self.recv.readable() == 0 || self.selected_window() >= self.rcv.adv.since(self.rcv.last_ack_sent)
    }

    /// The application has read: tell the peer if the window grew enough, or if it was the end of what the peer said.
    pub(super) fn consider_window_update(&mut self) {
        if !self.state.receives() || !self.bits.has(Bits::CONNECTED) {
            return;
        }
        if self.pace.owed {
            let several = self.rcv.nxt.since(self.rcv.last_ack_sent) > u32::from(self.pace.segment);
            let emptied = self.recv.readable() == 0 && !self.recv.has_gap();
            if several || (emptied && self.pace.waits_for_reader()) {
                self.ack_now(Why::Ack);
                return;
            }
        }
        let wnd = self.rcv_wnd();
        if self.bits.has(Bits::OVERHEAD) {
            // A window is worth telling when it at least doubles.
            if wnd <= self.rcv.limit / 2 {
                let new = self.selected_window();
                if new > 0 && new >= wnd.saturating_mul(2) {
                    self.ack_now(Why::WindowUpdate);
                }
            }
            return;
        }
        // The field cannot say more than this.
        let most = u32::from(u16::MAX) << self.rcv.wscale;
        let free = self.free_space().min(most);
        let step = self.window_step().max(1 << self.rcv.wscale);
        // While the window is comfortable the next ACK tells in time.
        let low = wnd < self.rcv.limit.min(most).div_ceil(2);
        if low && free >= wnd.saturating_add(step) {
            self.ack_now(Why::WindowUpdate);
        }
    }

    /// The size of the peer's segments changed, and with it what the buffer can hold of them.
    pub(super) fn resize_window(&mut self, len: u32, options: u32) {
        if self.bits.has(Bits::OVERHEAD) {
            self.rcv.limit = window_for_segments(self.rcv.buffer, len, options);
        }
    }

    /// A segment of text was taken: it may earn a larger window.
    pub(super) fn grow_window(&mut self, len: u32) {
        let room = self.rcv.limit.saturating_sub(self.recv.readable()).saturating_sub(self.rcv.ssthresh);
        if room > 0 && len >= u32::from(self.pace.segment) && len >= 128 {
            self.pace.encourage();
            let step = 2 * u32::from(self.rcv.our_mss).max(len);
            self.rcv.ssthresh = self.rcv.ssthresh.saturating_add(step.min(room));
        }
    }
}
